/* Private to src/io/gguf.  Reading a GGUF header from front to back: nothing is taken that does not
 * lie in the file. */
#ifndef RSD_IO_GGUF_CURSOR_H
#define RSD_IO_GGUF_CURSOR_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>

/* What is left to read: data[at, size). */
typedef struct {
    const uint8_t *data;
    size_t size, at;
} rsd_gguf_cursor;

/* A little-endian number of up to 8 bytes at p. */
uint64_t rsd_gguf_little(const uint8_t *p, size_t bytes);

/* Take what comes next; `what` is its name for messages.  Errors: RSD_EFORMAT when the file ends
 * before it does. */
RSD_CHECK int rsd_gguf_u32(rsd_gguf_cursor *c, const char *what, uint32_t *out);
RSD_CHECK int rsd_gguf_u64(rsd_gguf_cursor *c, const char *what, uint64_t *out);
RSD_CHECK int rsd_gguf_skip(rsd_gguf_cursor *c, const char *what, uint64_t count, size_t each);
/* A length and that many bytes, which stay in the file.  Errors: as above. */
RSD_CHECK int rsd_gguf_take_text(rsd_gguf_cursor *c, const char *what, const char **text,
                                 size_t *n);
/* The same, of at most `most` bytes without a zero, UTF-8 or not, copied: the caller frees.  Also
 * RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_take_name(rsd_gguf_cursor *c, const char *what, size_t most, char **out);

#endif
