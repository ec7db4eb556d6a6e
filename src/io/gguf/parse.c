/* The header of a GGUF file: metadata and directory, every length checked against the file. */
#include "io/gguf.h"

#include "io/gguf/cursor.h"
#include "mat.h"

#include <stdlib.h>
#include <string.h>

/* Limits of the format and of its own reader; NEST bounds our recursion. */
enum { MAGIC = 4, ALIGNMENT = 32, KEY_MAX = 65535, NAME_MAX_BYTES = 63, NEST_MAX = 4 };

/* Least bytes of an entry: empty key, type, one byte; empty name, dimensions, type, offset. */
enum { VALUE_LEAST = 8 + 4 + 1, TENSOR_LEAST = 8 + 4 + 4 + 8 };

static const struct {
    const char *name;
    size_t bytes; /* 0: of their own length */
} types[RSD_GGUF_TYPES] = {
    [RSD_GGUF_U8] = { "u8", 1 },     [RSD_GGUF_I8] = { "i8", 1 },
    [RSD_GGUF_U16] = { "u16", 2 },   [RSD_GGUF_I16] = { "i16", 2 },
    [RSD_GGUF_U32] = { "u32", 4 },   [RSD_GGUF_I32] = { "i32", 4 },
    [RSD_GGUF_F32] = { "f32", 4 },   [RSD_GGUF_BOOL] = { "bool", 1 },
    [RSD_GGUF_TEXT] = { "text", 0 }, [RSD_GGUF_ARRAY] = { "array", 0 },
    [RSD_GGUF_U64] = { "u64", 8 },   [RSD_GGUF_I64] = { "i64", 8 },
    [RSD_GGUF_F64] = { "f64", 8 },
};

const char *rsd_gguf_type_name(rsd_gguf_type t) { return types[t].name; }

/* ---- metadata ---- */

static int get_type(rsd_gguf_cursor *c, const char *key, uint32_t *type)
{
    RSD_TRY(rsd_gguf_u32(c, key, type));
    if (*type >= RSD_GGUF_TYPES)
        return RSD_FAIL(RSD_EFORMAT, "%s: value type %u is unknown", key, *type);
    return RSD_OK;
}

static int skip_items(rsd_gguf_cursor *c, const char *key, rsd_gguf_type type, uint64_t count,
                      int depth);

static int skip_array(rsd_gguf_cursor *c, const char *key, int depth)
{
    uint32_t type;
    uint64_t count;
    if (depth == NEST_MAX)
        return RSD_FAIL(RSD_EFORMAT, "%s: arrays nest deeper than %d", key, NEST_MAX);
    RSD_TRY(get_type(c, key, &type));
    RSD_TRY(rsd_gguf_u64(c, key, &count));
    return skip_items(c, key, (rsd_gguf_type)type, count, depth + 1);
}

/* Every text and inner array takes at least 8 bytes, so that the loop is bounded by the file. */
static int skip_items(rsd_gguf_cursor *c, const char *key, rsd_gguf_type type, uint64_t count,
                      int depth)
{
    const char *text;
    size_t n;
    if (type != RSD_GGUF_TEXT && type != RSD_GGUF_ARRAY) {
        const uint8_t *first = c->data + c->at;
        RSD_TRY(rsd_gguf_skip(c, key, count, types[type].bytes));
        for (uint64_t i = 0; type == RSD_GGUF_BOOL && i < count; i++)
            if (first[i] > 1)
                return RSD_FAIL(RSD_EFORMAT, "%s: truth value %u, neither 0 nor 1", key, first[i]);
        return RSD_OK;
    }
    for (uint64_t i = 0; i < count; i++)
        RSD_TRY(type == RSD_GGUF_TEXT ? rsd_gguf_take_text(c, key, &text, &n)
                                      : skip_array(c, key, depth));
    return RSD_OK;
}

static int get_value(rsd_gguf_cursor *c, rsd_gguf_value *v)
{
    uint32_t type;
    RSD_TRY(get_type(c, v->key, &type));
    v->count = 1;
    v->array = type == RSD_GGUF_ARRAY;
    if (v->array) {
        RSD_TRY(get_type(c, v->key, &type));
        RSD_TRY(rsd_gguf_u64(c, v->key, &v->count));
    }
    v->type = (rsd_gguf_type)type;
    v->at = c->data + c->at;
    RSD_TRY(skip_items(c, v->key, v->type, v->count, 1));
    v->bytes = (size_t)(c->data + c->at - v->at);
    return RSD_OK;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const rsd_gguf_value *)a)->key, ((const rsd_gguf_value *)b)->key);
}

static int key_against_value(const void *key, const void *value)
{
    return strcmp(key, ((const rsd_gguf_value *)value)->key);
}

static int get_values(rsd_gguf_cursor *c, uint64_t count, rsd_gguf *out)
{
    if (count > (c->size - c->at) / VALUE_LEAST)
        return RSD_FAIL(RSD_EFORMAT, "%llu entries of metadata do not fit a file of %zu bytes",
                        (unsigned long long)count, c->size);
    RSD_TRY(rsd_array_alloc((size_t)count, 1, sizeof *out->value, &out->value));
    for (uint64_t i = 0; i < count; i++) {
        rsd_gguf_value *v = &out->value[out->values];
        *v = (rsd_gguf_value){ 0 };
        RSD_TRY(rsd_gguf_take_name(c, "metadata key", KEY_MAX, &v->key));
        out->values++;
        RSD_TRY(get_value(c, v));
    }
    if (count)
        qsort(out->value, out->values, sizeof *out->value, by_key);
    for (size_t i = 1; i < out->values; i++)
        if (strcmp(out->value[i - 1].key, out->value[i].key) == 0)
            return RSD_FAIL(RSD_EFORMAT, "metadata key '%s' is there twice", out->value[i].key);
    return RSD_OK;
}

/* ---- tensors ---- */

/* Dimensions lie in the file with the fastest first. */
static int get_shape(rsd_gguf_cursor *c, rsd_gguf_tensor *t)
{
    uint32_t ndim;
    RSD_TRY(rsd_gguf_u32(c, t->name, &ndim));
    if (ndim > RSD_GGUF_DIMS_MAX)
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s': %u dimensions, at most %d are allowed", t->name,
                        ndim, RSD_GGUF_DIMS_MAX);
    t->ndim = ndim;
    t->elements = 1;
    for (size_t k = t->ndim; k-- > 0;) {
        uint64_t length;
        RSD_TRY(rsd_gguf_u64(c, t->name, &length));
        t->shape[k] = (size_t)length;
        if (length > INT64_MAX || __builtin_mul_overflow(t->elements, t->shape[k], &t->elements))
            return RSD_FAIL(RSD_EFORMAT, "tensor '%s': the product of its shape overflows at %llu",
                            t->name, (unsigned long long)length);
    }
    return RSD_OK;
}

static int get_tensor(rsd_gguf_cursor *c, rsd_gguf_tensor *t)
{
    uint32_t type;
    uint64_t offset;
    RSD_TRY(get_shape(c, t));
    RSD_TRY(rsd_gguf_u32(c, t->name, &type));
    RSD_TRY(rsd_gguf_u64(c, t->name, &offset));
    t->type = rsd_ggml_type_by_id(type);
    if (!t->type)
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s': type %u is unknown", t->name, type);
    const size_t row = t->ndim ? t->shape[t->ndim - 1] : 1;
    if (row % t->type->block)
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s': rows of %zu are no whole blocks of %zu (%s)",
                        t->name, row, t->type->block, t->type->name);
    if (__builtin_mul_overflow(t->elements / t->type->block, t->type->bytes, &t->bytes))
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s': %zu elements of %s overflow", t->name,
                        t->elements, t->type->name);
    t->offset = (size_t)offset;
    return RSD_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const rsd_gguf_tensor *const *)a)->name,
                  (*(const rsd_gguf_tensor *const *)b)->name);
}

static int check_names(const rsd_gguf *g)
{
    const rsd_gguf_tensor **sorted;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(g->tensors, 1, sizeof *sorted, &sorted));
    for (size_t i = 0; i < g->tensors; i++)
        sorted[i] = &g->tensor[i];
    if (g->tensors)
        qsort(sorted, g->tensors, sizeof *sorted, by_name);
    for (size_t i = 1; i < g->tensors && !err; i++)
        if (by_name(&sorted[i - 1], &sorted[i]) == 0)
            err = RSD_FAIL(RSD_EFORMAT, "tensor '%s' is there twice", sorted[i]->name);
    free(sorted);
    return err;
}

static int by_offset(const void *a, const void *b)
{
    const rsd_gguf_tensor *p = a, *q = b;
    if (p->offset != q->offset)
        return p->offset < q->offset ? -1 : 1;
    if (p->bytes != q->bytes) /* empty tensors come before the one that begins at their place */
        return p->bytes < q->bytes ? -1 : 1;
    return strcmp(p->name, q->name);
}

/* Offsets count from where the data begin.  Files by other writers may have gaps: only an overlap
 * is an error.  The last tensor need not be padded. */
static int place_tensors(rsd_gguf *g, size_t data, size_t size)
{
    size_t at = 0;
    data = data < size ? data : size; /* a file without numbers need not be padded */
    const size_t room = size - data;
    if (g->tensors)
        qsort(g->tensor, g->tensors, sizeof *g->tensor, by_offset);
    for (size_t i = 0; i < g->tensors; i++) {
        rsd_gguf_tensor *t = &g->tensor[i];
        if (t->offset % g->alignment)
            return RSD_FAIL(RSD_EFORMAT,
                            "tensor '%s' begins at data byte %zu, not a multiple of %zu", t->name,
                            t->offset, g->alignment);
        if (t->offset < at)
            return RSD_FAIL(RSD_EFORMAT,
                            "tensor '%s' begins at data byte %zu, the one before ends at %zu",
                            t->name, t->offset, at);
        if (t->offset > room || t->bytes > room - t->offset)
            return RSD_FAIL(
                RSD_EFORMAT,
                "tensor '%s': data bytes %zu to %zu + %zu, but the file has %zu of them", t->name,
                t->offset, t->offset, t->bytes, room);
        at = t->offset + t->bytes;
    }
    for (size_t i = 0; i < g->tensors; i++)
        g->tensor[i].offset += data;
    return RSD_OK;
}

static int get_tensors(rsd_gguf_cursor *c, uint64_t count, rsd_gguf *out)
{
    if (count > (c->size - c->at) / TENSOR_LEAST)
        return RSD_FAIL(RSD_EFORMAT, "%llu tensors do not fit a file of %zu bytes",
                        (unsigned long long)count, c->size);
    RSD_TRY(rsd_array_alloc((size_t)count, 1, sizeof *out->tensor, &out->tensor));
    for (uint64_t i = 0; i < count; i++) {
        rsd_gguf_tensor *t = &out->tensor[out->tensors];
        *t = (rsd_gguf_tensor){ 0 };
        RSD_TRY(rsd_gguf_take_name(c, "tensor name", NAME_MAX_BYTES, &t->name));
        out->tensors++;
        RSD_TRY(get_tensor(c, t));
    }
    RSD_TRY(check_names(out));
    const size_t past = c->at % out->alignment;
    size_t data = c->at;
    if (past && __builtin_add_overflow(data, out->alignment - past, &data))
        return RSD_FAIL(RSD_EFORMAT, "general.alignment %zu overflows", out->alignment);
    return place_tensors(out, data, c->size);
}

/* ---- the file ---- */

static int get_version(rsd_gguf_cursor *c, rsd_gguf *out)
{
    if (c->size < MAGIC || memcmp(c->data, "GGUF", MAGIC) != 0)
        return RSD_FAIL(RSD_EFORMAT, "does not begin with 'GGUF'");
    c->at = MAGIC;
    RSD_TRY(rsd_gguf_u32(c, "version", &out->version));
    if (out->version && !(out->version & 0xffff))
        return RSD_FAIL(RSD_EFORMAT,
                        "big-endian, by its version of %u; little-endian files are read",
                        out->version);
    if (out->version != 2 && out->version != 3)
        return RSD_FAIL(RSD_EFORMAT, "version %u; versions 2 and 3 are read", out->version);
    return RSD_OK;
}

static int get_alignment(rsd_gguf *g)
{
    static const char key[] = "general.alignment";
    const rsd_gguf_value *v = rsd_gguf_find(g, key);
    g->alignment = ALIGNMENT;
    if (v && (v->array || v->type != RSD_GGUF_U32))
        return RSD_FAIL(RSD_EFORMAT, "%s is of type %s, not u32", key,
                        v->array ? "array" : rsd_gguf_type_name(v->type));
    if (v)
        g->alignment = (size_t)rsd_gguf_little(v->at, 4);
    if (!g->alignment || g->alignment & (g->alignment - 1))
        return RSD_FAIL(RSD_EFORMAT, "%s is %zu, not a power of two", key, g->alignment);
    return RSD_OK;
}

int rsd_gguf_parse(const uint8_t *data, size_t size, rsd_gguf *out)
{
    rsd_gguf_cursor c = { data, size, 0 };
    uint64_t tensors, values;
    int err = RSD_OK;
    *out = (rsd_gguf){ 0 };
    RSD_TRY_DONE(get_version(&c, out));
    RSD_TRY_DONE(rsd_gguf_u64(&c, "number of tensors", &tensors));
    RSD_TRY_DONE(rsd_gguf_u64(&c, "number of metadata entries", &values));
    RSD_TRY_DONE(get_values(&c, values, out));
    RSD_TRY_DONE(get_alignment(out));
    err = get_tensors(&c, tensors, out);
done:
    if (err)
        rsd_gguf_free(out);
    return err ? rsd_fail_prefix(err, "GGUF") : RSD_OK;
}

void rsd_gguf_free(rsd_gguf *gguf)
{
    for (size_t i = 0; i < gguf->values; i++)
        free(gguf->value[i].key);
    for (size_t i = 0; i < gguf->tensors; i++)
        free(gguf->tensor[i].name);
    free(gguf->value);
    free(gguf->tensor);
    *gguf = (rsd_gguf){ 0 };
}

const rsd_gguf_value *rsd_gguf_find(const rsd_gguf *gguf, const char *key)
{
    return gguf->values
               ? bsearch(key, gguf->value, gguf->values, sizeof *gguf->value, key_against_value)
               : NULL;
}

const rsd_gguf_tensor *rsd_gguf_find_tensor(const rsd_gguf *gguf, const char *name)
{
    for (size_t i = 0; i < gguf->tensors; i++)
        if (strcmp(gguf->tensor[i].name, name) == 0)
            return &gguf->tensor[i];
    return NULL;
}
