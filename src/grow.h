/* Arrays that grow. */
#ifndef RSD_IO_GROW_H
#define RSD_IO_GROW_H

#include "err.h"

#include <stddef.h>

/* Room for wanted elements of size bytes: *(T **)block is moved to a block at least twice as large
 * when *capacity (elements) is less.  What it held stays.  Free it with free().
 * Errors: RSD_ENOMEM, also when the product overflows; block and capacity are then unchanged. */
RSD_CHECK int rsd_grow(void *block, size_t *capacity, size_t wanted, size_t size);

#endif
