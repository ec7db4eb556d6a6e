#include "io/tokens/text.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

rsd_piece rsd_piece_cut(rsd_piece p, size_t begin, size_t end)
{
    return (rsd_piece){ p.byte + begin, p.origin ? p.origin + begin : NULL, end - begin,
                        p.base + (uint32_t)begin, p.first && !begin };
}

void rsd_piece_strip(rsd_piece p, bool left, bool right, size_t *begin, size_t *end)
{
    *begin = 0;
    *end = p.n;
    while (left && *begin < *end && rsd_is_space(rsd_utf8_decode(p.byte + *begin)))
        *begin += rsd_utf8_length(p.byte + *begin);
    while (right && *begin < *end) {
        const size_t last = rsd_utf8_before(p.byte, *end);
        if (!rsd_is_space(rsd_utf8_decode(p.byte + last)))
            break;
        *end = last;
    }
}

static int reserve(rsd_text *t, size_t more)
{
    size_t n;
    if (__builtin_add_overflow(t->n, more, &n))
        return RSD_FAIL(RSD_ENOMEM, "%zu and %zu bytes of text", t->n, more);
    RSD_TRY(rsd_grow(&t->byte, &t->byte_capacity, n, sizeof *t->byte));
    return rsd_grow(&t->origin, &t->origin_capacity, n, sizeof *t->origin);
}

int rsd_text_put(rsd_text *t, const void *bytes, size_t n, uint32_t origin)
{
    RSD_TRY(reserve(t, n));
    if (n)
        memcpy(t->byte + t->n, bytes, n);
    for (size_t i = 0; i < n; i++)
        t->origin[t->n + i] = origin;
    t->n += n;
    return RSD_OK;
}

int rsd_text_append(rsd_text *t, rsd_piece p)
{
    RSD_TRY(reserve(t, p.n));
    if (p.n)
        memcpy(t->byte + t->n, p.byte, p.n);
    for (size_t i = 0; i < p.n; i++)
        t->origin[t->n + i] = rsd_piece_origin(p, i);
    t->n += p.n;
    return RSD_OK;
}

void rsd_text_free(rsd_text *t)
{
    free(t->byte);
    free(t->origin);
    *t = (rsd_text){ 0 };
}

rsd_piece rsd_text_piece(const rsd_text *t, bool first)
{
    return (rsd_piece){ t->byte, t->origin, t->n, 0, first };
}
