/* Memory that is asked for in one way: arrays that grow, arrays of zeros, texts that are put
 * together.  Everything here is freed with free(). */
#ifndef RSD_ALLOC_H
#define RSD_ALLOC_H

#include "err.h"

#include <stddef.h>

/* Room for wanted elements of size bytes: *(T **)block is moved to a block at least twice as large
 * when *capacity (elements) is less.  What it held stays.
 * Errors: RSD_ENOMEM, also when the product overflows; block and capacity are then unchanged. */
RSD_CHECK int rsd_grow(void *block, size_t *capacity, size_t wanted, size_t size);

/* Room for `more` elements behind the count that *(T **)block holds, for arrays that keep no
 * capacity: it follows from the count, so that one array is grown by this function alone, from NULL
 * on.  Cost and Errors: as rsd_grow's. */
RSD_CHECK int rsd_room(void *block, size_t count, size_t more, size_t size);

/* count zeroed elements of size bytes (one where count is 0: never NULL) into *(T **)block.
 * Errors: RSD_ENOMEM, also when the product overflows; *block is then NULL. */
RSD_CHECK int rsd_zeroed(size_t count, size_t size, void *block);

/* printf into a new text: every path and every name that is put together.
 * Errors: RSD_ENOMEM; *out is then NULL. */
RSD_CHECK int rsd_format(char **out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A copy of text; NULL gives NULL.  Errors: RSD_ENOMEM; *out is then NULL. */
RSD_CHECK int rsd_copy_text(const char *text, char **out);

#endif
