/* Text that remembers where in its document each byte came from.
 *
 * A tokenizer rewrites text before it looks words up: it prefixes, replaces, normalizes, maps bytes
 * to letters.  A loss in bits per byte needs the bytes of the document that a token stands for, so
 * every rewriting step carries the origins along. */
#ifndef RSD_IO_TEXT_H
#define RSD_IO_TEXT_H

#include "err.h"
#include "io/utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A view of text; owns nothing.  Byte i came from byte origin[i] of the document, or from byte
 * base + i where origin is NULL.  Origins never fall. */
typedef struct {
    const uint8_t *byte;
    const uint32_t *origin;
    size_t n;
    uint32_t base;
    bool first; /* begins where the document begins */
} rsd_piece;

static inline uint32_t rsd_piece_origin(rsd_piece p, size_t i)
{
    return p.origin ? p.origin[i] : p.base + (uint32_t)i;
}

/* Bytes [begin, end) of it. */
rsd_piece rsd_piece_cut(rsd_piece p, size_t begin, size_t end);

/* Bytes [*begin, *end) are what remains without white space at its left, at its right. */
void rsd_piece_strip(rsd_piece p, bool left, bool right, size_t *begin, size_t *end);

/* A text that grows; all zero is empty.  Free with rsd_text_free. */
typedef struct {
    uint8_t *byte;
    uint32_t *origin;
    size_t n, byte_capacity, origin_capacity;
} rsd_text;

/* Append n bytes that all came from origin; append a piece with its own origins.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_text_put(rsd_text *t, const void *bytes, size_t n, uint32_t origin);
RSD_CHECK int rsd_text_append(rsd_text *t, rsd_piece p);
void rsd_text_free(rsd_text *t);

/* The whole of it, valid until it grows; first: that of the piece that it was made of. */
rsd_piece rsd_text_piece(const rsd_text *t, bool first);

#endif
