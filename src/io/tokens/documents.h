/* Private to src/io/tokens: a text file as documents. */
#ifndef RSD_IO_DOCUMENTS_H
#define RSD_IO_DOCUMENTS_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What text collections have between documents (TinyStories, OpenWebText). */
#define RSD_DOCUMENT_SEPARATOR "<|endoftext|>"

typedef struct {
    const uint8_t *text;
    size_t n, at;
    const char *separator;
    bool divided; /* the separator occurs */
} rsd_documents;

/* The documents of n bytes of text, which are not copied.  Where the separator (NULL or "": none)
 * occurs, documents are what lies between, without white space at their ends, and those that are
 * empty are left out; otherwise the text is one document, byte for byte.
 * Errors: RSD_EDOM where the text is not UTF-8, with the byte offset. */
RSD_CHECK int rsd_documents_open(const uint8_t *text, size_t n, const char *separator,
                                 rsd_documents *out);

/* The next one; false: there is none. */
bool rsd_documents_next(rsd_documents *d, const uint8_t **document, size_t *n);

#endif
