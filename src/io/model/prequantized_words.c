/* GPTQ and AWQ: codes and zeros packed into 32-bit words. */
#include "io/model/prequantized_arrays.h"
#include "io/read.h"

#include "alloc.h"
#include "mat.h"

#include <stdlib.h>
#include <string.h>

/* Bytes read before their pages are given back; inputs done at once; nibbles of AWQ's words. */
enum { WINDOW = 4 << 20, INPUTS = 32, NIBBLES = 8 };

/* A 2-D array of words in a file. */
typedef struct {
    size_t file, offset, rows, cols;
} array;

typedef struct {
    rsd_packing base;
    size_t bits, out, in, groups, group; /* group: inputs of one, where g_idx does not say */
    bool awq, zeros_as_are, has_g_idx;
    rsd_dtype scale_type;
    array codes, zeros, scales, g_idx;
} words;

static uint32_t word(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static const uint8_t *row_at(const rsd_map *file, const array *a, size_t row)
{
    return file[a->file].data + a->offset + 4 * row * a->cols;
}

/* Number k of b bits in a stream of words that lie `stride` words apart. */
static uint32_t code_at(const uint8_t *stream, size_t stride, size_t bits, size_t k)
{
    const size_t bit = k * bits, at = bit / 32, shift = bit % 32;
    uint64_t v = word(stream + 4 * at * stride);
    if (shift + bits > 32)
        v |= (uint64_t)word(stream + 4 * (at + 1) * stride) << 32;
    return (uint32_t)(v >> shift) & ((1u << bits) - 1);
}

/* Nibble k of an AWQ word belongs to column order[k] of its eight. */
static const unsigned char order[NIBBLES] = { 0, 2, 4, 6, 1, 3, 5, 7 };

/* What the reading needs beside the codes: per group and output, and per input. */
typedef struct {
    float *zero, *scale; /* [groups][out] */
    uint32_t *group;     /* [in] */
} tables;

static void read_zeros(const words *w, const rsd_map *file, float *zero)
{
    const uint32_t mask = (1u << w->bits) - 1;
    for (size_t g = 0; g < w->groups; g++) {
        const uint8_t *row = row_at(file, &w->zeros, g);
        float *to = zero + g * w->out;
        if (w->awq)
            for (size_t o = 0; o < w->out; o++)
                to[o / NIBBLES * NIBBLES + order[o % NIBBLES]] = (float)code_at(row, 1, 4, o);
        else
            for (size_t o = 0; o < w->out; o++)
                to[o] = (float)((code_at(row, 1, w->bits, o) + !w->zeros_as_are) & mask);
    }
}

static int read_groups(const words *w, const rsd_map *file, uint32_t *group)
{
    for (size_t i = 0; i < w->in; i++) {
        const uint32_t g =
            w->has_g_idx ? word(row_at(file, &w->g_idx, 0) + 4 * i) : (uint32_t)(i / w->group);
        if (g >= w->groups)
            return RSD_FAIL(RSD_EFORMAT, "g_idx puts input %zu in group %d of %zu", i, (int32_t)g,
                            w->groups);
        group[i] = g;
    }
    return RSD_OK;
}

static int read_tables(const words *w, const rsd_map *file, tables *t)
{
    RSD_TRY(rsd_array_alloc(w->groups, w->out, sizeof *t->zero, &t->zero));
    RSD_TRY(rsd_array_alloc(w->groups, w->out, sizeof *t->scale, &t->scale));
    RSD_TRY(rsd_array_alloc(w->in, 1, sizeof *t->group, &t->group));
    RSD_TRY(rsd_map_check(&file[w->zeros.file]));
    RSD_TRY(rsd_map_check(&file[w->g_idx.file]));
    read_zeros(w, file, t->zero);
    RSD_TRY(read_groups(w, file, t->group));
    return rsd_read_flat(&file[w->scales.file], w->scales.offset, w->scale_type, w->groups * w->out,
                         t->scale);
}

/* Inputs [first, first + n) of every output.  The streams run down the columns: all outputs of a
 * few inputs lie together in the file. */
static void read_gptq(const words *w, const rsd_map *file, const tables *t, size_t first, size_t n,
                      rsd_mat W)
{
    const uint8_t *row = row_at(file, &w->codes, first * w->bits / 32);
    for (size_t o = 0; o < w->out; o++)
        for (size_t k = 0; k < n; k++) {
            const size_t at = t->group[first + k] * w->out + o;
            const float code = (float)code_at(row + 4 * o, w->out, w->bits, k);
            W.x[o * W.ld + first + k] = t->scale[at] * (code - t->zero[at]);
        }
}

static void read_awq(const words *w, const rsd_map *file, const tables *t, size_t first, size_t n,
                     rsd_mat W)
{
    for (size_t c = 0; c < w->codes.cols; c++)
        for (size_t k = 0; k < n; k++) {
            const uint32_t v = word(row_at(file, &w->codes, first + k) + 4 * c);
            for (size_t j = 0; j < NIBBLES; j++) {
                const size_t o = NIBBLES * c + order[j], at = t->group[first + k] * w->out + o;
                const float code = (float)(v >> 4 * j & 15);
                W.x[o * W.ld + first + k] = t->scale[at] * (code - t->zero[at]);
            }
        }
}

static int read_words(const rsd_packing *self, const rsd_map *file, rsd_mat W)
{
    const words *w = (const words *)self;
    const rsd_map *map = &file[w->codes.file];
    tables t = { 0 };
    size_t begin = w->codes.offset, at = begin;
    int err = rsd_map_check(map);
    if (!err)
        err = read_tables(w, file, &t);
    for (size_t i = 0; i < w->in && !err; i += INPUTS) {
        const size_t n = w->in - i < INPUTS ? w->in - i : INPUTS;
        (w->awq ? read_awq : read_gptq)(w, file, &t, i, n, W);
        at += 4 * w->codes.cols * (w->awq ? n : n * w->bits / 32);
        if (at - begin >= WINDOW) {
            rsd_map_release(map, begin, at - begin);
            begin = at;
        }
    }
    rsd_map_release(map, begin, at - begin);
    free(t.zero);
    free(t.scale);
    free(t.group);
    return err;
}

/* ---- shapes ---- */

static int take_array(const char *module, const char *name, const rsd_entry *s, array *out)
{
    const rsd_tensor *t = &s->tensor;
    if (t->dtype != RSD_I32 || t->ndim != (strcmp(name, "g_idx") ? 2 : 1))
        return RSD_FAIL(RSD_EFORMAT, "%s: %s is %s in %zu dimensions; I32 is read", module, name,
                        rsd_dtype_name(t->dtype), t->ndim);
    *out = (array){ s->file, s->offset, t->ndim == 2 ? t->shape[0] : 1, t->shape[t->ndim - 1] };
    return RSD_OK;
}

static int shapes_disagree(const char *module, const words *w)
{
    return RSD_FAIL(RSD_EFORMAT,
                    "%s: qweight %zu x %zu, qzeros %zu x %zu and scales %zu x %zu belong to no "
                    "GPTQ or AWQ layer of 2, 3, 4 or 8 bits",
                    module, w->codes.rows, w->codes.cols, w->zeros.rows, w->zeros.cols,
                    w->scales.rows, w->scales.cols);
}

/* The shapes alone tell which of the two it is, and the bits: AWQ packs codes as it packs zeros. */
static int tell_layout(const char *module, words *w)
{
    w->out = w->scales.cols;
    w->groups = w->scales.rows;
    if (!w->out || !w->groups || w->zeros.rows != w->groups || !w->zeros.cols || !w->codes.rows)
        return shapes_disagree(module, w);
    w->awq = w->codes.cols == w->zeros.cols;
    if (w->awq) {
        w->bits = 4;
        w->in = w->codes.rows;
        return w->codes.cols * NIBBLES == w->out ? RSD_OK : shapes_disagree(module, w);
    }
    w->bits = 32 * w->zeros.cols / w->out;
    const bool known = w->bits == 2 || w->bits == 3 || w->bits == 4 || w->bits == 8;
    if (!known || w->bits * w->out != 32 * w->zeros.cols || w->codes.cols != w->out ||
        32 * w->codes.rows % w->bits)
        return shapes_disagree(module, w);
    w->in = 32 * w->codes.rows / w->bits;
    return RSD_OK;
}

static int check_config(const char *module, const rsd_quantized_config *c, words *w)
{
    if (c->bits && c->bits != w->bits && !c->mixed)
        return RSD_FAIL(RSD_EFORMAT, "%s: %zu bits, quantization_config says %zu", module, w->bits,
                        c->bits);
    w->group = w->in / w->groups;
    if (c->group && !c->mixed && (w->in + c->group - 1) / c->group == w->groups)
        w->group = c->group; /* the last group may be shorter */
    else if (w->in % w->groups && !w->has_g_idx)
        return RSD_FAIL(RSD_EFORMAT, "%s: %zu inputs do not divide into %zu groups", module, w->in,
                        w->groups);
    if (w->has_g_idx && w->g_idx.cols != w->in)
        return RSD_FAIL(RSD_EFORMAT, "%s: g_idx has %zu entries for %zu inputs", module,
                        w->g_idx.cols, w->in);
    return RSD_OK;
}

/* A symmetric layer's zeros are all the middle code, 2^(bits-1), or one less where the first
 * version of the format stored them: then they tell the version, whatever the configuration says.
 */
static int tell_version(const rsd_map *file, words *w)
{
    const rsd_map *map = &file[w->zeros.file];
    const uint32_t middle = 1u << (w->bits - 1);
    RSD_TRY(rsd_map_check(map));
    const uint32_t first = code_at(row_at(file, &w->zeros, 0), 1, w->bits, 0);
    bool same = first == middle || first == middle - 1;
    for (size_t g = 0; g < w->groups && same; g++)
        for (size_t o = 0; o < w->out && same; o++)
            same = code_at(row_at(file, &w->zeros, g), 1, w->bits, o) == first;
    if (same)
        w->zeros_as_are = first == middle;
    rsd_map_release(map, w->zeros.offset, 4 * w->zeros.rows * w->zeros.cols);
    return RSD_OK;
}

/* Nothing but zeros over several groups is a place that was left, no permutation. */
static int judge_g_idx(const rsd_map *file, words *w)
{
    bool given = w->groups == 1;
    RSD_TRY(rsd_map_check(&file[w->g_idx.file]));
    for (size_t i = 0; i < w->in && !given; i++)
        given = word(row_at(file, &w->g_idx, 0) + 4 * i) != 0;
    w->has_g_idx = given;
    return RSD_OK;
}

/* The arrays by their names, and what their shapes make of them. */
static int take_words(rsd_layer *l, const rsd_quantized_config *c, words *w)
{
    const char *const module = l->module;
    const rsd_map *file = l->all->model->file;
    const rsd_entry *qweight = rsd_layer_take(l, "qweight"), *qzeros = rsd_layer_take(l, "qzeros");
    const rsd_entry *scales = rsd_layer_take(l, "scales"), *g_idx = rsd_layer_take(l, "g_idx");
    if (!qweight || !qzeros || !scales)
        return rsd_layer_lacks(l, "qweight", qzeros ? "scales" : "qzeros");
    const rsd_tensor *t = &scales->tensor;
    if (!rsd_dtype_is_real(t->dtype) || t->ndim != 2)
        return RSD_FAIL(RSD_EFORMAT, "%s: scales are %s in %zu dimensions", module,
                        rsd_dtype_name(t->dtype), t->ndim);
    w->scale_type = t->dtype;
    w->scales = (array){ scales->file, scales->offset, t->shape[0], t->shape[1] };
    l->codes = qweight;
    RSD_TRY(take_array(module, "qweight", qweight, &w->codes));
    RSD_TRY(take_array(module, "qzeros", qzeros, &w->zeros));
    if (g_idx)
        RSD_TRY(take_array(module, "g_idx", g_idx, &w->g_idx));
    w->has_g_idx = g_idx && w->g_idx.cols;
    RSD_TRY(tell_layout(module, w));
    if (w->has_g_idx && w->g_idx.cols == w->in)
        RSD_TRY(judge_g_idx(file, w));
    RSD_TRY(check_config(module, c, w));
    return w->awq ? RSD_OK : tell_version(file, w);
}

int rsd_layout_words(rsd_layer *l, const rsd_quantized_config *c, rsd_entry *out)
{
    words w = { .base = { read_words }, .zeros_as_are = c->zeros_as_are }, *own;
    RSD_TRY(take_words(l, c, &w));
    RSD_TRY(rsd_zeroed(1, sizeof *own, &own));
    *own = w;
    out->packing = &own->base;
    out->out_by_in = true;
    out->tensor.shape[0] = w.out;
    out->tensor.shape[1] = w.in;
    snprintf(out->tensor.stored, sizeof out->tensor.stored, "%s-%zu g%zu", w.awq ? "awq" : "gptq",
             w.bits, w.group);
    return RSD_OK;
}
