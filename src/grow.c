#include "grow.h"

#include <stdint.h>
#include <stdlib.h>

int rsd_grow(void *block, size_t *capacity, size_t wanted, size_t size)
{
    enum { FIRST = 64 };
    size_t next, bytes;
    if (wanted <= *capacity)
        return RSD_OK;
    if (__builtin_mul_overflow(*capacity, 2, &next) || next < wanted)
        next = wanted;
    if (next < FIRST)
        next = FIRST;
    if (__builtin_mul_overflow(next, size, &bytes) || bytes > PTRDIFF_MAX)
        return RSD_FAIL(RSD_ENOMEM, "%zu x %zu bytes do not fit the address space", next, size);
    void *moved = realloc(*(void **)block, bytes);
    if (!moved)
        return RSD_FAIL(RSD_ENOMEM, "%zu bytes", bytes);
    *(void **)block = moved;
    *capacity = next;
    return RSD_OK;
}
