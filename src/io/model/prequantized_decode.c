#include "io/model/prequantized_decode.h"

#include "fp.h"
#include "io/read.h"
#include "mat.h"

#include <stdlib.h>
#include <string.h>

/* Bytes read before their pages are given back. */
enum { WINDOW = 4 << 20 };

/* ---- codes ---- */

/* A whole number at p, little-endian. */
static int64_t whole(rsd_dtype type, const uint8_t *p)
{
    int8_t i8;
    int16_t i16;
    int32_t i32;
    switch (type) {
    case RSD_U8:
        return *p;
    case RSD_I16:
        memcpy(&i16, p, sizeof i16);
        return i16;
    case RSD_I32:
        memcpy(&i32, p, sizeof i32);
        return i32;
    default:
        memcpy(&i8, p, sizeof i8);
        return i8;
    }
}

/* Number k of a row of words. */
static unsigned packed(const uint8_t *row, size_t bits, size_t k, size_t stride)
{
    const size_t per_word = 32 / bits;
    const uint8_t *p = row + k / per_word * stride;
    const uint32_t v =
        (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return v >> k % per_word * bits & ((1u << bits) - 1);
}

/* Numbers that no float32 holds are words of packed codes. */
static int check_whole(const rsd_decode *d, const uint8_t *row)
{
    for (size_t j = 0; j < d->cols && d->type == RSD_I32; j++) {
        const int64_t v = whole(d->type, row + 4 * j);
        if (v > 1 << 24 || v < -(1 << 24))
            return RSD_FAIL(
                RSD_EFORMAT,
                "I32 numbers as large as %lld beside a scale: packed codes, in a layout "
                "that is not known",
                (long long)v);
    }
    return RSD_OK;
}

static void decode_row(const rsd_decode *d, const uint8_t *row, float *x)
{
    static const float e2m1[16] = { 0,     0.5f,  1,  1.5f,  2,  3,  4,  6,
                                    -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6 };
    const size_t size = d->code == RSD_CODE_WHOLE ? rsd_dtype_bytes(d->type) : 1;
    if (d->code == RSD_CODE_FLOAT)
        rsd_dtype_to_f32(d->type, row, x, d->cols);
    for (size_t j = 0; j < d->cols && d->code != RSD_CODE_FLOAT; j++)
        if (d->code == RSD_CODE_FP4)
            x[j] = e2m1[j % 2 ? row[j / 2] >> 4 : row[j / 2] & 15];
        else if (d->code == RSD_CODE_WORDS)
            x[j] = (float)packed(row, d->bits, j, 4) - (float)(1u << (d->bits - 1));
        else
            x[j] = (float)whole(d->type, row + j * size);
}

/* ---- scales ---- */

typedef struct {
    float *scale, *zero; /* [scale.rows][scale.cols]; zero NULL: none */
    uint32_t *group;     /* [cols], the column of both that an input takes */
} tables;

static int read_scales(const rsd_decode *d, const rsd_map *file, float *scale)
{
    const rsd_decode_array *s = &d->scale;
    const size_t n = s->rows * s->cols;
    float factor;
    RSD_TRY(rsd_read_flat(&file[s->file], s->offset, s->type, n, scale));
    if (!d->has_factor)
        return RSD_OK;
    RSD_TRY(rsd_read_flat(&file[d->factor.file], d->factor.offset, d->factor.type, 1, &factor));
    for (size_t i = 0; i < n; i++)
        scale[i] = d->divide ? scale[i] / factor : scale[i] * factor;
    return RSD_OK;
}

static int read_zeros(const rsd_decode *d, const rsd_map *file, float *zero)
{
    const rsd_decode_array *z = &d->zero, *s = &d->scale;
    const rsd_map *map = &file[z->file];
    const uint8_t *at = map->data + z->offset;
    if (!d->zero_packed && rsd_dtype_is_real(z->type))
        return rsd_read_flat(map, z->offset, z->type, s->rows * s->cols, zero);
    RSD_TRY(rsd_map_check(map));
    for (size_t i = 0; i < s->rows; i++)
        for (size_t j = 0; j < s->cols; j++)
            zero[i * s->cols + j] =
                d->zero_packed
                    ? (float)packed(at + 4 * j, d->bits, i, 4 * s->cols) -
                          (float)(1u << (d->bits - 1))
                    : (float)whole(z->type, at + (i * s->cols + j) * rsd_dtype_bytes(z->type));
    return RSD_OK;
}

/* -1 everywhere stands for no order of its own. */
static int read_groups(const rsd_decode *d, const rsd_map *file, uint32_t *group)
{
    const rsd_map *map = &file[d->g_idx.file];
    bool ordered = d->has_g_idx;
    if (ordered) {
        RSD_TRY(rsd_map_check(map));
        ordered = whole(RSD_I32, map->data + d->g_idx.offset) != -1;
    }
    for (size_t j = 0; j < d->cols; j++) {
        const int64_t g = ordered ? whole(RSD_I32, map->data + d->g_idx.offset + 4 * j)
                                  : (int64_t)(j / d->block_cols);
        if (g < 0 || (size_t)g >= d->scale.cols)
            return RSD_FAIL(RSD_EFORMAT, "weight_g_idx puts input %zu in group %lld of %zu", j,
                            (long long)g, d->scale.cols);
        group[j] = (uint32_t)g;
    }
    return RSD_OK;
}

static int read_tables(const rsd_decode *d, const rsd_map *file, tables *t)
{
    const size_t rows = d->scale.rows, cols = d->scale.cols;
    RSD_TRY(rsd_array_alloc(rows, cols, sizeof *t->scale, &t->scale));
    RSD_TRY(rsd_array_alloc(d->cols, 1, sizeof *t->group, &t->group));
    RSD_TRY(read_scales(d, file, t->scale));
    RSD_TRY(read_groups(d, file, t->group));
    if (!d->has_zero)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(rows, cols, sizeof *t->zero, &t->zero));
    return read_zeros(d, file, t->zero);
}

static void scale_row(const rsd_decode *d, const tables *t, size_t row, float *x)
{
    const size_t at = row / d->block_rows * d->scale.cols;
    for (size_t j = 0; j < d->cols; j++) {
        const size_t k = at + t->group[j];
        x[j] = (t->zero ? x[j] - t->zero[k] : x[j]) * t->scale[k];
    }
}

int rsd_decode_read(const rsd_packing *self, const rsd_map *file, rsd_mat W)
{
    const rsd_decode *d = (const rsd_decode *)self;
    const rsd_map *map = &file[d->file];
    tables t = { 0 };
    size_t begin = d->offset, at = begin;
    int err = read_tables(d, file, &t);
    if (!err)
        err = rsd_map_check(map);
    for (size_t i = 0; i < W.m && !err; i++) {
        if (d->code == RSD_CODE_WHOLE && (err = check_whole(d, map->data + at)))
            break;
        decode_row(d, map->data + at, W.x + i * W.ld);
        scale_row(d, &t, i, W.x + i * W.ld);
        at += d->row_bytes;
        if (at - begin >= WINDOW) {
            rsd_map_release(map, begin, at - begin);
            begin = at;
        }
    }
    rsd_map_release(map, begin, at - begin);
    free(t.scale);
    free(t.zero);
    free(t.group);
    return err;
}
