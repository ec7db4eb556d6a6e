#include "io/model/gguf_rows.h"

#include <stdlib.h>

/* Bytes read before their pages are given back. */
enum { WINDOW = 4 << 20 };

/* Row of the checkpoint that the file's row r is; d rows a head. */
static size_t row_of(const rsd_gguf_rows *b, size_t rows, size_t r)
{
    if (b->order == RSD_ROWS_SAME)
        return r;
    if (b->order == RSD_ROWS_QKV) {
        const size_t width = rows / 3, d = width / b->heads;
        const size_t part = r / width, head = r % width / d, i = r % d;
        return (head * 3 + part) * d + i;
    }
    const size_t d = rows / b->heads, head = r / d, i = r % d;
    return head * d + i % 2 * (d / 2) + i / 2;
}

static void decode(const rsd_gguf_rows *b, const uint8_t *data, size_t n, float *x)
{
    b->type->decode(data, n / b->type->block, x);
    for (size_t i = 0; b->scale != 1 && i < n; i++)
        x[i] *= b->scale;
}

/* A bias is a row of one number per output: the numbers are what changes places. */
static int read_vector(const rsd_gguf_rows *b, const uint8_t *data, rsd_mat W)
{
    float *x;
    RSD_TRY(rsd_array_alloc(W.n, 1, sizeof *x, &x));
    decode(b, data, W.n, x);
    for (size_t r = 0; r < W.n; r++)
        W.x[row_of(b, W.n, r)] = x[r];
    free(x);
    return RSD_OK;
}

int rsd_gguf_rows_read(const rsd_packing *self, const rsd_map *file, rsd_mat W)
{
    const rsd_gguf_rows *b = (const rsd_gguf_rows *)self;
    const rsd_map *map = &file[b->file];
    const size_t bytes = W.n / b->type->block * b->type->bytes;
    size_t begin = b->offset, at = b->offset;
    int err = RSD_OK;
    if (!b->type->decode)
        return RSD_FAIL(RSD_EFORMAT, "stored as %s, which is listed but not read", b->type->name);
    RSD_TRY(rsd_map_check(map));
    if (W.m == 1 && b->order != RSD_ROWS_SAME)
        err = read_vector(b, map->data + at, W);
    else
        for (size_t r = 0; r < W.m; r++) {
            decode(b, map->data + at, W.n, W.x + row_of(b, W.m, r) * W.ld);
            at += bytes;
            if (at - begin >= WINDOW) {
                rsd_map_release(map, begin, at - begin);
                begin = at;
            }
        }
    rsd_map_release(map, begin, b->offset + W.m * bytes - begin);
    return err;
}
