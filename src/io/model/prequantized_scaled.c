/* Numbers, or few bits, with scales beside them: whether their shapes agree, and how they are read
 * (prequantized_decode.c). */
#include "io/model/prequantized_arrays.h"
#include "io/model/prequantized_decode.h"
#include "io/read.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

/* ---- shapes ---- */

static int wrong_shape(const rsd_layer *l, const char *what, const rsd_tensor *t,
                       const rsd_decode *d)
{
    return RSD_FAIL(RSD_EFORMAT,
                    "%s: %s is %zu numbers in %zu dimensions, for a weight of %zu x %zu", l->module,
                    what, t->elements, t->ndim, d->rows, d->cols);
}

/* Rows and columns of scales: [], [1], [rows], [rows, k] and these with ones behind. */
static int scale_grid(const rsd_layer *l, const char *what, const rsd_entry *s, const rsd_decode *d,
                      rsd_decode_array *out)
{
    const rsd_tensor *t = &s->tensor;
    size_t ndim = t->ndim;
    while (ndim > 2 && t->shape[ndim - 1] == 1)
        ndim--;
    *out = (rsd_decode_array){ s->file, s->offset, t->dtype, 1, 1 };
    if (ndim > 2)
        return wrong_shape(l, what, t, d);
    if (ndim >= 1)
        out->rows = t->shape[0];
    if (ndim == 2)
        out->cols = t->shape[1];
    return out->rows && out->cols ? RSD_OK : wrong_shape(l, what, t, d);
}

/* How many of n share one of s scales; 0: nobody can tell.  said: by the configuration, or 0. */
static size_t block_of(size_t n, size_t s, size_t said, bool deepseek)
{
    enum { USUAL = 128 };
    const size_t exact = n % s ? 0 : n / s;
    const size_t usual = n / USUAL + (n % USUAL > 0) == s ? USUAL : 0;
    if (s == 1 || s == n)
        return n / s;
    if (said && n / said + (n % said > 0) == s)
        return said;
    if (exact && usual && exact != usual)
        return deepseek ? usual : 0;
    return exact ? exact : usual;
}

static int set_blocks(const rsd_layer *l, const rsd_quantized_config *c, const rsd_entry *scale,
                      rsd_decode *d)
{
    const size_t n = strlen(scale->tensor.name);
    const bool deepseek = n > 4 && strcmp(scale->tensor.name + n - 4, "_inv") == 0;
    d->block_rows = block_of(d->rows, d->scale.rows, c->block[0], deepseek);
    d->block_cols = block_of(d->cols, d->scale.cols, c->block[1], deepseek);
    if (d->block_rows && d->block_cols)
        return RSD_OK;
    return RSD_FAIL(RSD_EFORMAT,
                    "%s: %zu x %zu scales for a weight of %zu x %zu: no size of a block fits, or "
                    "several do and the configuration does not say which",
                    l->module, d->scale.rows, d->scale.cols, d->rows, d->cols);
}

static int take_scale(const rsd_layer *l, const rsd_quantized_config *c, const rsd_entry *scale,
                      rsd_decode *d)
{
    RSD_TRY(scale_grid(l, "its scale", scale, d, &d->scale));
    if (d->scale.type == RSD_U8) /* how powers of two were stored before they had a type */
        d->scale.type = RSD_E8M0;
    if (!rsd_dtype_is_real(d->scale.type))
        return RSD_FAIL(RSD_EFORMAT, "%s: its scale is %s, not a float", l->module,
                        scale->tensor.stored);
    return set_blocks(l, c, scale, d);
}

/* Zero points lie as the scales do. */
static int take_zero(const rsd_layer *l, const rsd_entry *zero, rsd_decode *d)
{
    RSD_TRY(scale_grid(l, "its zero point", zero, d, &d->zero));
    d->has_zero = true;
    const rsd_decode_array *z = &d->zero, *s = &d->scale;
    if (d->bits && z->type == RSD_I32 && z->cols == s->cols &&
        z->rows == (s->rows * d->bits + 31) / 32) {
        d->zero_packed = true;
        return RSD_OK;
    }
    if (z->rows != s->rows || z->cols != s->cols || z->type == RSD_I64 || z->type == RSD_U64)
        return wrong_shape(l, "its zero point", &zero->tensor, d);
    return RSD_OK;
}

static int take_factor(const rsd_layer *l, const rsd_entry *factor, rsd_decode *d)
{
    const rsd_tensor *t = &factor->tensor;
    if (t->elements != 1 || !rsd_dtype_is_real(t->dtype))
        return wrong_shape(l, "its global scale", t, d);
    d->factor = (rsd_decode_array){ factor->file, factor->offset, t->dtype, 1, 1 };
    d->has_factor = true;
    d->divide = strstr(t->name, "global") != NULL;
    return RSD_OK;
}

/* ---- layouts ---- */

static int finish(rsd_layer *l, const rsd_entry *codes, const rsd_decode *d, rsd_entry *out)
{
    rsd_decode *own;
    char blocks[24] = "tensor";
    RSD_TRY(rsd_zeroed(1, sizeof *own, &own));
    *own = *d;
    own->base.read = rsd_decode_read;
    l->codes = codes;
    out->packing = &own->base;
    out->tensor.shape[0] = d->rows;
    out->tensor.shape[1] = d->cols;
    if (d->block_cols == d->cols && d->block_rows == 1)
        snprintf(blocks, sizeof blocks, "row");
    else if (d->block_cols != d->cols || d->block_rows != d->rows)
        snprintf(blocks, sizeof blocks, "%zux%zu", d->block_rows, d->block_cols);
    if (d->code == RSD_CODE_WORDS)
        snprintf(out->tensor.stored, sizeof out->tensor.stored, "I%zu/%s", d->bits, blocks);
    else
        snprintf(out->tensor.stored, sizeof out->tensor.stored, "%s/%s",
                 d->code == RSD_CODE_FP4 ? "FP4" : rsd_dtype_name(d->type), blocks);
    return RSD_OK;
}

/* Two codes a byte.  E4M3 scales of 16 codes have a factor, powers of two of 32 have none. */
static int layout_fp4(rsd_layer *l, const rsd_entry *codes, const rsd_entry *scale,
                      const rsd_entry *factor, rsd_entry *out)
{
    static const rsd_quantized_config unsaid = { 0 };
    const rsd_tensor *t = &codes->tensor;
    rsd_decode d = { .code = RSD_CODE_FP4, .type = RSD_U8, .file = codes->file };
    d.offset = codes->offset;
    d.rows = t->shape[0];
    d.cols = 2 * t->shape[1];
    d.row_bytes = t->shape[1];
    RSD_TRY(take_scale(l, &unsaid, scale, &d));
    const bool nv = d.scale.type == RSD_E4M3, powers = d.scale.type == RSD_E8M0;
    if (d.block_rows != 1 || (nv ? d.block_cols != 16 : d.block_cols != 32) || !(nv || powers) ||
        nv != (factor != NULL))
        return RSD_FAIL(RSD_EFORMAT,
                        "%s: weight of %s with scales %s of 1 x %zu is neither NVFP4 (F8_E4M3, 1 x "
                        "16, and a global scale) nor MXFP4 (F8_E8M0, 1 x 32)",
                        l->module, codes->tensor.stored, scale->tensor.stored, d.block_cols);
    if (factor)
        RSD_TRY(take_factor(l, factor, &d));
    return finish(l, codes, &d, out);
}

int rsd_layout_scaled(rsd_layer *l, const rsd_quantized_config *c, rsd_entry *out)
{
    const rsd_entry *weight = rsd_layer_take(l, "weight"), *scale, *zero, *factor;
    RSD_TRY(rsd_layer_take_beside(l, RSD_BESIDE_SCALE, &scale));
    RSD_TRY(rsd_layer_take_beside(l, RSD_BESIDE_ZERO, &zero));
    RSD_TRY(rsd_layer_take_beside(l, RSD_BESIDE_FACTOR, &factor));
    RSD_TRY(rsd_layer_set_aside(l, weight));
    if (!scale)
        return rsd_layer_lacks(l, "a global scale", "weight_scale");
    const rsd_tensor *t = &weight->tensor;
    if (t->dtype == RSD_U8 && !(zero && c->bits == 8))
        return zero ? RSD_FAIL(RSD_EFORMAT,
                               "%s: weight is U8 with zero points, and whether one number or two "
                               "lie in a byte is not said",
                               l->module)
                    : layout_fp4(l, weight, scale, factor, out);
    if (c->bits && c->bits != 8 && !c->mixed)
        return RSD_FAIL(RSD_EFORMAT, "%s: weight is %s, quantization_config says %zu bits",
                        l->module, t->stored, c->bits);
    if (factor)
        return RSD_FAIL(RSD_EFORMAT, "%s: weight is %s with a second scale, which only FP4 has",
                        l->module, t->stored);
    rsd_decode d = { .code = rsd_dtype_is_real(t->dtype) ? RSD_CODE_FLOAT : RSD_CODE_WHOLE };
    d.type = t->dtype;
    d.file = weight->file;
    d.offset = weight->offset;
    d.rows = t->shape[0];
    d.cols = t->shape[1];
    d.row_bytes = d.cols * rsd_dtype_bytes(t->dtype);
    RSD_TRY(take_scale(l, c, scale, &d));
    if (zero)
        RSD_TRY(take_zero(l, zero, &d));
    return finish(l, weight, &d, out);
}

/* ---- compressed-tensors' words ---- */

static int read_shape(const rsd_layer *l, const rsd_entry *s, rsd_decode *d)
{
    const rsd_map *map = &l->all->model->file[s->file];
    const rsd_tensor *t = &s->tensor;
    size_t size[2] = { 0 };
    if (t->elements != 2 || (t->dtype != RSD_I64 && t->dtype != RSD_I32))
        return RSD_FAIL(RSD_EFORMAT, "%s: weight_shape is %zu numbers of %s, not 2 of I64",
                        l->module, t->elements, t->stored);
    RSD_TRY(rsd_map_check(map));
    const size_t width = rsd_dtype_bytes(t->dtype);
    for (size_t k = 0; k < 2; k++)
        memcpy(&size[k], map->data + s->offset + k * width, width);
    d->rows = size[0];
    d->cols = size[1];
    return RSD_OK;
}

/* The width of the codes: what the configuration says, else the only one that fits. */
static size_t bits_of(size_t inputs, size_t words, size_t said)
{
    static const size_t known[] = { 4, 8, 2 };
    for (size_t k = 0; k < sizeof known / sizeof *known; k++) {
        const size_t per_word = 32 / known[k];
        if ((!said || said == known[k]) && inputs / per_word + (inputs % per_word > 0) == words)
            return known[k];
    }
    return 0;
}

int rsd_layout_compressed(rsd_layer *l, const rsd_quantized_config *c, rsd_entry *out)
{
    const rsd_entry *codes = rsd_layer_take(l, "weight_packed"), *factor;
    const rsd_entry *scale = rsd_layer_take(l, "weight_scale");
    const rsd_entry *shape = rsd_layer_take(l, "weight_shape");
    const rsd_entry *zero = rsd_layer_take(l, "weight_zero_point");
    const rsd_entry *g_idx = rsd_layer_take(l, "weight_g_idx");
    RSD_TRY(rsd_layer_take_beside(l, RSD_BESIDE_FACTOR, &factor));
    if (!codes || !scale)
        return rsd_layer_lacks(l, "weight_packed", "weight_scale");
    RSD_TRY(rsd_layer_set_aside(l, codes));
    const rsd_tensor *t = &codes->tensor;
    if (t->ndim == 2 && t->elements && t->dtype == RSD_U8 && !zero && !g_idx)
        return layout_fp4(l, codes, scale, factor, out);
    if (!shape)
        return rsd_layer_lacks(l, "weight_packed", "weight_shape");
    rsd_decode d = { .code = RSD_CODE_WORDS, .type = t->dtype, .file = codes->file };
    d.offset = codes->offset;
    RSD_TRY(read_shape(l, shape, &d));
    d.bits = t->ndim == 2 ? bits_of(d.cols, t->shape[1], c->bits) : 0;
    if (t->dtype != RSD_I32 || t->ndim != 2 || !t->elements || t->shape[0] != d.rows || !d.bits)
        return RSD_FAIL(RSD_EFORMAT,
                        "%s: weight_packed is %s of %zu x %zu, which holds no weight of %zu x %zu "
                        "in 2, 4 or 8 bits",
                        l->module, t->stored, t->ndim == 2 ? t->shape[0] : t->elements,
                        t->ndim == 2 ? t->shape[1] : t->ndim, d.rows, d.cols);
    d.row_bytes = 4 * t->shape[1];
    RSD_TRY(take_scale(l, c, scale, &d));
    if (zero)
        RSD_TRY(take_zero(l, zero, &d));
    if (g_idx) {
        if (g_idx->tensor.dtype != RSD_I32 || g_idx->tensor.elements != d.cols)
            return wrong_shape(l, "weight_g_idx", &g_idx->tensor, &d);
        d.g_idx = (rsd_decode_array){ g_idx->file, g_idx->offset, RSD_I32, d.cols, 1 };
        d.has_g_idx = true;
    }
    return finish(l, codes, &d, out);
}
