#include "io/safetensors.h"

#include "mat.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* The limits of the format's own reader. */
enum { LENGTH_BYTES = 8, HEADER_MAX = 100000000 };

static int no_memory(const char *what) { return RSD_FAIL(RSD_ENOMEM, "%s", what); }

/* JSON text that must be one object without repeated names. */
static int load_object(const uint8_t *text, size_t size, const char *what, json_t **out)
{
    json_error_t why;
    /* an empty file is mapped nowhere, which jansson would take for a mistake of the caller */
    *out = json_loadb(size ? (const char *)text : "", size, JSON_REJECT_DUPLICATES, &why);
    if (!*out && json_error_code(&why) == json_error_out_of_memory)
        return no_memory(what);
    if (!*out)
        return RSD_FAIL(RSD_EFORMAT, "%s: line %d, byte %d: %s", what, why.line, why.position,
                        why.text);
    if (json_is_object(*out))
        return RSD_OK;
    json_decref(*out);
    *out = NULL;
    return RSD_FAIL(RSD_EFORMAT, "%s: JSON, but not an object", what);
}

static bool is_size(const json_t *j, size_t *out)
{
    if (!json_is_integer(j) || json_integer_value(j) < 0)
        return false;
    *out = (size_t)json_integer_value(j);
    return true;
}

static int parse_shape(const json_t *shape, rsd_st_entry *e, size_t *bytes)
{
    size_t numbers = 1;
    if (!json_is_array(shape))
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s': shape is missing or not an array", e->name);
    e->ndim = json_array_size(shape);
    if (e->ndim > RSD_DIMS_MAX)
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s': %zu dimensions, at most %d are read", e->name,
                        e->ndim, RSD_DIMS_MAX);
    for (size_t k = 0; k < e->ndim; k++) {
        if (!is_size(json_array_get(shape, k), &e->shape[k]))
            return RSD_FAIL(RSD_EFORMAT,
                            "tensor '%s': length %zu of its shape is not a whole number", e->name,
                            k);
        if (__builtin_mul_overflow(numbers, e->shape[k], &numbers) || numbers > SIZE_MAX / 8)
            return RSD_FAIL(RSD_EFORMAT, "tensor '%s': the product of its shape overflows at %zu",
                            e->name, e->shape[k]);
    }
    if (!rsd_dtype_span(e->dtype, numbers, bytes))
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s': %zu numbers of %s are no whole bytes", e->name,
                        numbers, rsd_dtype_name(e->dtype));
    return RSD_OK;
}

/* One member of the header.  data: where the tensors begin in the file, of size bytes. */
static int parse_entry(const json_t *j, size_t data, size_t size, rsd_st_entry *e)
{
    const char *dtype = json_string_value(json_object_get(j, "dtype"));
    const json_t *offsets = json_object_get(j, "data_offsets");
    size_t bytes = 0, begin, end;
    if (!dtype)
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s': dtype is missing or not a string", e->name);
    if (!rsd_dtype_find(dtype, &e->dtype))
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s': dtype '%s' is not read", e->name, dtype);
    RSD_TRY(parse_shape(json_object_get(j, "shape"), e, &bytes));
    if (json_array_size(offsets) != 2 || !is_size(json_array_get(offsets, 0), &begin) ||
        !is_size(json_array_get(offsets, 1), &end))
        return RSD_FAIL(RSD_EFORMAT, "tensor '%s': data_offsets are not two whole numbers",
                        e->name);
    if (begin > end || end > size - data)
        return RSD_FAIL(RSD_EFORMAT,
                        "tensor '%s': data_offsets [%zu, %zu] leave the %zu data bytes", e->name,
                        begin, end, size - data);
    if (bytes != end - begin)
        return RSD_FAIL(RSD_EFORMAT,
                        "tensor '%s': %s and its shape need %zu bytes, data_offsets hold %zu",
                        e->name, dtype, bytes, end - begin);
    e->offset = data + begin;
    e->bytes = bytes;
    return RSD_OK;
}

static int parse_metadata(const json_t *meta, rsd_safetensors *out)
{
    const char *key;
    json_t *value;
    if (!json_is_object(meta))
        return RSD_FAIL(RSD_EFORMAT, "__metadata__ is not an object");
    json_object_foreach((json_t *)meta, key, value)
    {
        if (!json_is_string(value))
            return RSD_FAIL(RSD_EFORMAT, "__metadata__: '%s' is not a string", key);
    }
    out->metadata = json_dumps(meta, JSON_COMPACT);
    return out->metadata ? RSD_OK : no_memory("__metadata__");
}

static int by_offset(const void *a, const void *b)
{
    const rsd_st_entry *p = a, *q = b;
    if (p->offset != q->offset)
        return p->offset < q->offset ? -1 : 1;
    if (p->bytes != q->bytes) /* empty tensors come before the one that begins at their place */
        return p->bytes < q->bytes ? -1 : 1;
    return strcmp(p->name, q->name);
}

/* The tensors tile the data: every byte belongs to one. */
static int check_tiling(const rsd_safetensors *st, size_t data, size_t size)
{
    size_t at = data;
    for (size_t i = 0; i < st->count; i++) {
        const rsd_st_entry *e = &st->entry[i];
        if (e->offset != at)
            return RSD_FAIL(RSD_EFORMAT,
                            "tensor '%s' begins at data byte %zu, the one before ends at %zu",
                            e->name, e->offset - data, at - data);
        at += e->bytes;
    }
    if (at != size)
        return RSD_FAIL(RSD_EFORMAT, "the tensors end at byte %zu of a file of %zu", at, size);
    return RSD_OK;
}

static int parse_members(const json_t *header, size_t data, size_t size, rsd_safetensors *out)
{
    const char *key;
    json_t *value;
    RSD_TRY(rsd_array_alloc(json_object_size(header), 1, sizeof *out->entry, &out->entry));
    json_object_foreach((json_t *)header, key, value)
    {
        if (strcmp(key, "__metadata__") == 0) {
            RSD_TRY(parse_metadata(value, out));
            continue;
        }
        rsd_st_entry *e = &out->entry[out->count];
        *e = (rsd_st_entry){ .name = strdup(key) };
        if (!e->name)
            return no_memory("tensor name");
        out->count++;
        RSD_TRY(parse_entry(value, data, size, e));
    }
    if (out->count)
        qsort(out->entry, out->count, sizeof *out->entry, by_offset);
    return check_tiling(out, data, size);
}

int rsd_safetensors_parse(const uint8_t *data, size_t size, rsd_safetensors *out)
{
    json_t *header = NULL;
    uint64_t length = 0;
    int err = RSD_OK;
    *out = (rsd_safetensors){ 0 };
    if (size < LENGTH_BYTES)
        return RSD_FAIL(RSD_EFORMAT, "%zu bytes are too few for a safetensors file", size);
    for (int k = 0; k < LENGTH_BYTES; k++)
        length |= (uint64_t)data[k] << 8 * k;
    if (length > HEADER_MAX)
        return RSD_FAIL(RSD_EFORMAT,
                        "the first 8 bytes declare a header of %llu bytes, at most %d "
                        "are allowed: not a safetensors file?",
                        (unsigned long long)length, HEADER_MAX);
    if (length > size - LENGTH_BYTES)
        return RSD_FAIL(RSD_EFORMAT, "a header of %llu bytes does not fit a file of %zu",
                        (unsigned long long)length, size);
    if (!length || data[LENGTH_BYTES] != '{')
        return RSD_FAIL(RSD_EFORMAT, "the header does not begin with '{'");
    const size_t begin = LENGTH_BYTES + (size_t)length;
    RSD_TRY_DONE(load_object(data + LENGTH_BYTES, (size_t)length, "header", &header));
    RSD_TRY_DONE(parse_members(header, begin, size, out));
done:
    json_decref(header);
    if (err)
        rsd_safetensors_free(out);
    return err;
}

void rsd_safetensors_free(rsd_safetensors *st)
{
    for (size_t i = 0; i < st->count; i++)
        free(st->entry[i].name);
    free(st->entry);
    free(st->metadata);
    *st = (rsd_safetensors){ 0 };
}

/* A name that cannot leave the folder it is looked up in.  (A symbolic link of that name may:
 * that is how download caches are built, and who may write there may do worse.) */
static bool is_plain(const char *name)
{
    return *name && !strchr(name, '/') && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

static int parse_weight_map(const json_t *map, rsd_st_index *out)
{
    const char *tensor;
    json_t *value;
    if (!json_is_object(map) || !json_object_size(map))
        return RSD_FAIL(RSD_EFORMAT, "weight_map is missing, empty or not an object");
    RSD_TRY(rsd_array_alloc(json_object_size(map), 1, sizeof *out->entry, &out->entry));
    json_object_foreach((json_t *)map, tensor, value)
    {
        const char *file = json_string_value(value);
        if (!file)
            return RSD_FAIL(RSD_EFORMAT, "weight_map: '%s' is not mapped to a file name", tensor);
        if (!is_plain(file))
            return RSD_FAIL(RSD_EFORMAT,
                            "weight_map: '%s' lies in '%s', which is not a plain file "
                            "name: a shard cannot be outside the model's folder",
                            tensor, file);
        out->entry[out->count].tensor = strdup(tensor);
        out->entry[out->count].file = strdup(file);
        out->count++;
        if (!out->entry[out->count - 1].tensor || !out->entry[out->count - 1].file)
            return no_memory("weight_map");
    }
    return RSD_OK;
}

int rsd_st_index_parse(const uint8_t *data, size_t size, rsd_st_index *out)
{
    json_t *root = NULL;
    int err = RSD_OK;
    *out = (rsd_st_index){ 0 };
    RSD_TRY_DONE(load_object(data, size, "index", &root));
    RSD_TRY_DONE(parse_weight_map(json_object_get(root, "weight_map"), out));
done:
    json_decref(root);
    if (err)
        rsd_st_index_free(out);
    return err;
}

void rsd_st_index_free(rsd_st_index *index)
{
    for (size_t i = 0; i < index->count; i++) {
        free(index->entry[i].tensor);
        free(index->entry[i].file);
    }
    free(index->entry);
    *index = (rsd_st_index){ 0 };
}
