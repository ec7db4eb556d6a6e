/* Private to src/io/tokens.  Added tokens of tokenizer.json (special or not): strings that are
 * looked for in the text before anything else cuts it, the leftmost match first and the longest of
 * these. */
#ifndef RSD_IO_ADDED_H
#define RSD_IO_ADDED_H

#include "err.h"
#include "io/tokens/regex.h"
#include "io/tokens/text.h"

typedef struct {
    char *text; /* owned by the set */
    size_t n;
    uint32_t id;
    bool single_word;    /* only where no letter touches it */
    bool lstrip, rstrip; /* takes the white space at its left, at its right along */
} rsd_added_token;

/* All zero is empty.  Free with rsd_added_free. */
typedef struct {
    rsd_added_token *token;
    size_t count, capacity;
    uint32_t first[257]; /* of the tokens that begin with a byte */
    uint8_t *two;        /* a bit per two first bytes of some token */
    rsd_regex *letter;
} rsd_added;

/* Copy a token's text and add it.  Errors: RSD_ENOMEM, RSD_EFORMAT where it is empty or not
 * UTF-8. */
RSD_CHECK int rsd_added_put(rsd_added *set, rsd_added_token token);
/* Call once, after the last.  Errors: RSD_ENOMEM, RSD_EFORMAT where a text is there twice. */
RSD_CHECK int rsd_added_finish(rsd_added *set);
void rsd_added_free(rsd_added *set);

/* Gets, in order, the tokens that are found and the text between them (token NULL).  A token may
 * lie in the white space that the one before it took along.  Non-zero stops and is passed on. */
typedef int rsd_added_sink(void *context, rsd_piece part, const rsd_added_token *token);

/* Cut the text at them.  Errors: the sink's, and rsd_regex_find's. */
RSD_CHECK int rsd_added_split(const rsd_added *set, rsd_piece text, rsd_added_sink *sink,
                              void *context);

#endif
