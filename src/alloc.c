#include "alloc.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int resize(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX)
        return RSD_FAIL(RSD_ENOMEM, "%zu x %zu bytes do not fit the address space", count, size);
    void *moved = realloc(*(void **)block, bytes);
    if (!moved)
        return RSD_FAIL(RSD_ENOMEM, "%zu bytes", bytes);
    *(void **)block = moved;
    return RSD_OK;
}

int rsd_grow(void *block, size_t *capacity, size_t wanted, size_t size)
{
    enum { FIRST = 64 };
    size_t next;
    if (wanted <= *capacity)
        return RSD_OK;
    if (__builtin_mul_overflow(*capacity, 2, &next) || next < wanted)
        next = wanted;
    if (next < FIRST)
        next = FIRST;
    RSD_TRY(resize(block, next, size));
    *capacity = next;
    return RSD_OK;
}

/* What an array of this count has room for: the power of two that holds it. */
static size_t implied_capacity(size_t count)
{
    enum { FIRST = 8 };
    size_t room = FIRST;
    while (room < count && room <= SIZE_MAX / 2)
        room *= 2;
    return room < count ? count : room;
}

int rsd_room(void *block, size_t count, size_t more, size_t size)
{
    size_t wanted;
    if (__builtin_add_overflow(count, more, &wanted))
        return RSD_FAIL(RSD_ENOMEM, "%zu + %zu elements", count, more);
    if (*(void **)block && wanted <= implied_capacity(count))
        return RSD_OK;
    return resize(block, implied_capacity(wanted), size);
}

int rsd_zeroed(size_t count, size_t size, void *block)
{
    void *zeros = calloc(count + !count, size);
    *(void **)block = zeros;
    return zeros ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "%zu x %zu bytes", count, size);
}

int rsd_format(char **out, const char *fmt, ...)
{
    va_list arguments;
    va_start(arguments, fmt);
    const int n = vasprintf(out, fmt, arguments);
    va_end(arguments);
    if (n >= 0)
        return RSD_OK;
    *out = NULL;
    return RSD_FAIL(RSD_ENOMEM, "a text like \"%s\"", fmt);
}

int rsd_copy_text(const char *text, char **out)
{
    *out = text ? strdup(text) : NULL;
    return !text || *out ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "a text of %zu bytes", strlen(text));
}
