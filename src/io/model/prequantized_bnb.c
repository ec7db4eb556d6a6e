/* bitsandbytes: 4-bit codes of a table with a scale per block, and 8-bit codes with one per row. */
#include "io/json_load.h"
#include "io/model/prequantized_arrays.h"
#include "io/read.h"

#include "alloc.h"
#include "mat.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 4 << 20, CODES = 16, NESTED_CODES = 256 };

/* ---- 4 bits ---- */

typedef struct {
    rsd_packing base;
    size_t file, codes;                 /* offset of the bytes */
    size_t block, blocks;               /* elements of a block; scales */
    size_t absmax_file, absmax;         /* F32, or where nested: U8 */
    size_t nested_block, nested_blocks; /* 0: not nested */
    size_t nested_file, nested;
    float offset;
    float map[CODES], nested_map[NESTED_CODES];
} bnb4;

/* Scales of the blocks, dequantized where they are quantized themselves. */
static int read_scales(const bnb4 *b, const rsd_map *file, float *scale)
{
    const rsd_map *map = &file[b->absmax_file];
    if (!b->nested_block)
        return rsd_read_flat(map, b->absmax, RSD_F32, b->blocks, scale);
    float *nested;
    RSD_TRY(rsd_array_alloc(b->nested_blocks, 1, sizeof *nested, &nested));
    int err = rsd_read_flat(&file[b->nested_file], b->nested, RSD_F32, b->nested_blocks, nested);
    if (!err)
        err = rsd_map_check(map);
    for (size_t i = 0; i < b->blocks && !err; i++)
        scale[i] =
            b->nested_map[map->data[b->absmax + i]] * nested[i / b->nested_block] + b->offset;
    free(nested);
    return err;
}

/* Blocks run over the flat matrix and cross its rows. */
static int read_bnb4(const rsd_packing *self, const rsd_map *file, rsd_mat W)
{
    const bnb4 *b = (const bnb4 *)self;
    const rsd_map *map = &file[b->file];
    float *scale;
    size_t k = 0, begin = 0;
    RSD_TRY(rsd_array_alloc(b->blocks, 1, sizeof *scale, &scale));
    int err = read_scales(b, file, scale);
    if (!err)
        err = rsd_map_check(map);
    for (size_t i = 0; i < W.m && !err; i++) {
        for (size_t j = 0; j < W.n; j++, k++) {
            const unsigned byte = map->data[b->codes + k / 2];
            W.x[i * W.ld + j] = b->map[k % 2 ? byte & 15 : byte >> 4] * scale[k / b->block];
        }
        if (k / 2 - begin >= WINDOW) {
            rsd_map_release(map, b->codes + begin, k / 2 - begin);
            begin = k / 2;
        }
    }
    rsd_map_release(map, b->codes + begin, (k + 1) / 2 - begin);
    free(scale);
    return err;
}

static int state_wrong(const char *module, const char *what)
{
    return RSD_FAIL(RSD_EFORMAT, "%s: quant_state: %s", module, what);
}

static bool get_size(const json_t *j, size_t *out)
{
    const json_int_t v = json_integer_value(j);
    *out = v > 0 ? (size_t)v : 0;
    return v > 0;
}

static int parse_state(const char *module, const json_t *j, bool nested, bnb4 *b, rsd_tensor *t)
{
    const json_t *shape = json_object_get(j, "shape");
    const json_t *offset = json_object_get(j, "nested_offset");
    const char *type = json_string_value(json_object_get(j, "quant_type"));
    if (!type || (strcmp(type, "nf4") != 0 && strcmp(type, "fp4") != 0))
        return state_wrong(module, "quant_type is neither nf4 nor fp4");
    if (!get_size(json_object_get(j, "blocksize"), &b->block))
        return state_wrong(module, "blocksize is missing or not a number above 0");
    if (json_array_size(shape) != 2 || !get_size(json_array_get(shape, 0), &t->shape[0]) ||
        !get_size(json_array_get(shape, 1), &t->shape[1]))
        return state_wrong(module, "shape is not that of a matrix");
    if (nested && !get_size(json_object_get(j, "nested_blocksize"), &b->nested_block))
        return state_wrong(module, "nested_blocksize is missing or not a number above 0");
    if (nested && !json_is_number(offset))
        return state_wrong(module, "nested_offset is missing");
    b->offset = (float)json_number_value(offset);
    snprintf(t->stored, sizeof t->stored, "bnb-%s b%zu%s", type, b->block, nested ? " dq" : "");
    return RSD_OK;
}

/* The arrays of a layer of 4 bits. */
typedef struct {
    const char *module;
    const rsd_entry *weight, *state, *absmax, *quant_map, *nested_absmax, *nested_map;
} arrays4;

static int read_state(const arrays4 *a, const rsd_map *file, bnb4 *b, rsd_tensor *t)
{
    const rsd_entry *s = a->state;
    json_t *j;
    RSD_TRY(rsd_map_check(&file[s->file]));
    int err = rsd_json_load((const char *)file[s->file].data + s->offset, s->bytes, &j);
    if (err)
        return rsd_fail_prefix(err, "%s: quant_state", a->module);
    err = parse_state(a->module, j, a->nested_absmax != NULL, b, t);
    json_decref(j);
    return err;
}

/* An array of `count` numbers of a type. */
static int expect(const char *module, const rsd_entry *s, const char *name, rsd_dtype dtype,
                  size_t count)
{
    if (!s)
        return RSD_FAIL(RSD_EFORMAT, "%s: weight.%s is missing", module, name);
    if (s->tensor.dtype == dtype && s->tensor.elements == count)
        return RSD_OK;
    return RSD_FAIL(RSD_EFORMAT, "%s: weight.%s is %zu numbers of %s, not %zu of %s", module, name,
                    s->tensor.elements, rsd_dtype_name(s->tensor.dtype), count,
                    rsd_dtype_name(dtype));
}

static int check_bnb4(const arrays4 *a, bnb4 *b, size_t elements)
{
    const bool nested = a->nested_absmax != NULL;
    b->blocks = elements / b->block + (elements % b->block > 0);
    if (a->weight->bytes != elements / 2 + elements % 2) /* of any type: the bytes count */
        return RSD_FAIL(RSD_EFORMAT, "%s: %zu bytes of weight for %zu codes", a->module,
                        a->weight->bytes, elements);
    RSD_TRY(expect(a->module, a->quant_map, "quant_map", RSD_F32, CODES));
    RSD_TRY(expect(a->module, a->absmax, "absmax", nested ? RSD_U8 : RSD_F32, b->blocks));
    if (!nested)
        return RSD_OK;
    b->nested_blocks = b->blocks / b->nested_block + (b->blocks % b->nested_block > 0);
    RSD_TRY(expect(a->module, a->nested_absmax, "nested_absmax", RSD_F32, b->nested_blocks));
    return expect(a->module, a->nested_map, "nested_quant_map", RSD_F32, NESTED_CODES);
}

static int fill_bnb4(const arrays4 *a, const rsd_map *file, bnb4 *b, rsd_tensor *t)
{
    size_t elements;
    RSD_TRY(read_state(a, file, b, t));
    if (__builtin_mul_overflow(t->shape[0], t->shape[1], &elements))
        return state_wrong(a->module, "shape overflows");
    RSD_TRY(check_bnb4(a, b, elements));
    b->file = a->weight->file;
    b->codes = a->weight->offset;
    b->absmax_file = a->absmax->file;
    b->absmax = a->absmax->offset;
    RSD_TRY(rsd_read_flat(&file[a->quant_map->file], a->quant_map->offset, RSD_F32, CODES, b->map));
    if (!b->nested_block)
        return RSD_OK;
    b->nested_file = a->nested_absmax->file;
    b->nested = a->nested_absmax->offset;
    return rsd_read_flat(&file[a->nested_map->file], a->nested_map->offset, RSD_F32, NESTED_CODES,
                         b->nested_map);
}

/* The state is a description, not numbers: its bytes are not those of the matrix. */
static const rsd_entry *take_state(const rsd_layer *l)
{
    rsd_layer aside = *l;
    const rsd_entry *state = rsd_layer_take(&aside, "weight.quant_state.bitsandbytes__nf4");
    return state ? state : rsd_layer_take(&aside, "weight.quant_state.bitsandbytes__fp4");
}

int rsd_layout_bnb4(rsd_layer *l, const rsd_quantized_config *c, rsd_entry *out)
{
    (void)c;
    const arrays4 a = { .module = l->module,
                        .weight = rsd_layer_take(l, "weight"),
                        .state = take_state(l),
                        .absmax = rsd_layer_take(l, "weight.absmax"),
                        .quant_map = rsd_layer_take(l, "weight.quant_map"),
                        .nested_absmax = rsd_layer_take(l, "weight.nested_absmax"),
                        .nested_map = rsd_layer_take(l, "weight.nested_quant_map") };
    bnb4 *b;
    if (!a.weight || !a.state || !a.absmax || !a.quant_map)
        return rsd_layer_lacks(l, "quant_state",
                               !a.weight   ? "weight"
                               : !a.absmax ? "weight.absmax"
                                           : "weight.quant_map");
    l->codes = a.weight;
    RSD_TRY(rsd_zeroed(1, sizeof *b, &b));
    b->base.read = read_bnb4;
    out->packing = &b->base; /* freed with the entry, also after a failure */
    return fill_bnb4(&a, l->all->model->file, b, &out->tensor);
}

/* ---- 8 bits ---- */

typedef struct {
    rsd_packing base;
    size_t file, codes, scale_file, scales;
} bnb8;

static int read_bnb8(const rsd_packing *self, const rsd_map *file, rsd_mat W)
{
    const bnb8 *b = (const bnb8 *)self;
    const rsd_map *map = &file[b->file];
    float *scale;
    size_t at = b->codes, begin = at;
    RSD_TRY(rsd_array_alloc(W.m, 1, sizeof *scale, &scale));
    int err = rsd_read_flat(&file[b->scale_file], b->scales, RSD_F32, W.m, scale);
    if (!err)
        err = rsd_map_check(map);
    for (size_t i = 0; i < W.m && !err; i++) {
        for (size_t j = 0; j < W.n; j++)
            W.x[i * W.ld + j] = (float)(int8_t)map->data[at++] * scale[i] * (1 / 127.0f);
        if (at - begin >= WINDOW) {
            rsd_map_release(map, begin, at - begin);
            begin = at;
        }
    }
    rsd_map_release(map, begin, at - begin);
    free(scale);
    return err;
}

int rsd_layout_bnb8(rsd_layer *l, const rsd_quantized_config *c, rsd_entry *out)
{
    (void)c;
    const rsd_entry *weight = rsd_layer_take(l, "weight"), *scb = rsd_layer_take(l, "SCB");
    rsd_layer aside = *l;
    rsd_layer_take(&aside, "weight_format"); /* 0, by rows: on disk it never is another */
    if (!weight || !scb)
        return rsd_layer_lacks(l, "SCB", "weight");
    const rsd_tensor *w = &weight->tensor, *s = &scb->tensor;
    if (w->dtype != RSD_I8 || w->ndim != 2 || s->dtype != RSD_F32 || s->elements != w->shape[0])
        return RSD_FAIL(RSD_EFORMAT,
                        "%s: weight is %s in %zu dimensions, SCB %zu numbers of %s: "
                        "I8 out x in and F32 per output are read",
                        l->module, rsd_dtype_name(w->dtype), w->ndim, s->elements,
                        rsd_dtype_name(s->dtype));
    bnb8 *b;
    RSD_TRY(rsd_zeroed(1, sizeof *b, &b));
    *b = (bnb8){ { read_bnb8 }, weight->file, weight->offset, scb->file, scb->offset };
    l->codes = weight;
    out->packing = &b->base;
    out->tensor.shape[0] = w->shape[0];
    out->tensor.shape[1] = w->shape[1];
    snprintf(out->tensor.stored, sizeof out->tensor.stored, "bnb-int8");
    return RSD_OK;
}
