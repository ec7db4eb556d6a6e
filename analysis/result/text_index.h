/* Texts that are looked up, each with a number. */
#ifndef RSD_TEXT_INDEX_H
#define RSD_TEXT_INDEX_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    void *tree;
} text_index; /* { 0 }: empty */

/* Enter a text (copied) with this number, unless it is there; *at: the number that it has.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int text_index_add(text_index *t, const char *text, size_t number, size_t *at);

/* Is it there?  *number, where it is not NULL, gets its number. */
bool text_index_find(const text_index *t, const char *text, size_t *number);

void text_index_free(text_index *t);

#endif
