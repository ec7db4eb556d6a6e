/* The writing half of safetensors: a header collected as JSON, then the bytes as they come. */
#include "io/safetensors.h"

#include "alloc.h"
#include "io/file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

struct rsd_st_writer {
    json_t *metadata, *tensors; /* tensors in order of declaration, which jansson keeps */
    size_t *end;                /* end[i]: where tensor i ends in the data */
    size_t count, bytes;        /* declared */
    size_t current, written;    /* given: tensor being filled, bytes so far */
    bool begun;                 /* the header is written: nothing more can be declared */
    rsd_writer file;            /* open from begin to commit */
};

int rsd_st_writer_alloc(rsd_st_writer **out)
{
    rsd_st_writer *w = calloc(1, sizeof *w);
    *out = w;
    if (w) {
        w->metadata = json_object();
        w->tensors = json_object();
    }
    if (w && w->metadata && w->tensors)
        return RSD_OK;
    rsd_st_writer_free(w);
    *out = NULL;
    return RSD_FAIL(RSD_ENOMEM, "safetensors writer");
}

void rsd_st_writer_free(rsd_st_writer *w)
{
    if (!w)
        return;
    rsd_writer_abandon(&w->file);
    json_decref(w->metadata);
    json_decref(w->tensors);
    free(w->end);
    free(w);
}

static int check_not_begun(const rsd_st_writer *w, const char *name)
{
    return w->begun ? RSD_FAIL(RSD_EARG, "'%s' comes after the header was written", name) : RSD_OK;
}

int rsd_st_writer_metadata(rsd_st_writer *w, const char *key, const char *value)
{
    RSD_TRY(check_not_begun(w, key));
    json_t *text = json_string(value); /* NULL: not UTF-8, or no memory */
    if (!text || json_object_set_new(w->metadata, key, text))
        return RSD_FAIL(RSD_EARG, "metadata '%s' is not UTF-8", key);
    return RSD_OK;
}

/* The file that results must pass our own reader, so the same rules hold here. */
static int check_tensor(const rsd_st_writer *w, const char *name, const char *dtype, size_t ndim,
                        const size_t *shape, size_t bytes)
{
    rsd_dtype type;
    RSD_TRY(check_not_begun(w, name));
    if (strcmp(name, "__metadata__") == 0)
        return RSD_FAIL(RSD_EARG, "a tensor cannot be called __metadata__");
    if (json_object_get(w->tensors, name))
        return RSD_FAIL(RSD_EARG, "tensor '%s' is declared twice", name);
    if (!rsd_dtype_find(dtype, &type))
        return RSD_FAIL(RSD_EARG, "tensor '%s': dtype '%s' is unknown", name, dtype);
    if (ndim > RSD_DIMS_MAX)
        return RSD_FAIL(RSD_EARG, "tensor '%s': %zu dimensions, at most %d", name, ndim,
                        RSD_DIMS_MAX);
    size_t numbers = 1, need = 0;
    for (size_t k = 0; k < ndim; k++)
        if (__builtin_mul_overflow(numbers, shape[k], &numbers) || numbers > SIZE_MAX / 8)
            return RSD_FAIL(RSD_EARG, "tensor '%s': the product of its shape overflows at %zu",
                            name, shape[k]);
    if (!rsd_dtype_span(type, numbers, &need) || need != bytes)
        return RSD_FAIL(RSD_EARG, "tensor '%s': %s and its shape need %zu bytes, %zu are declared",
                        name, dtype, need, bytes);
    return RSD_OK;
}

int rsd_st_writer_declare(rsd_st_writer *w, const char *name, const char *dtype, size_t ndim,
                          const size_t *shape, size_t bytes)
{
    size_t end;
    RSD_TRY(check_tensor(w, name, dtype, ndim, shape, bytes));
    if (__builtin_add_overflow(w->bytes, bytes, &end) || end > INT64_MAX)
        return RSD_FAIL(RSD_EARG, "tensor '%s': %zu bytes after %zu overflow", name, bytes,
                        w->bytes);
    RSD_TRY(rsd_room(&w->end, w->count, 1, sizeof *w->end));

    json_t *lengths = json_array();
    for (size_t k = 0; k < ndim; k++)
        json_array_append_new(lengths, json_integer((json_int_t)shape[k]));
    json_t *entry = json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype, "shape", lengths,
                              "data_offsets", (json_int_t)w->bytes, (json_int_t)end);
    if (!entry || json_object_set_new(w->tensors, name, entry))
        return RSD_FAIL(RSD_EARG, "tensor '%s': the name is not UTF-8", name);
    w->end[w->count++] = w->bytes = end;
    return RSD_OK;
}

/* Length, JSON, and spaces up to a multiple of 8, as the format's own writer does: tensors whose
 * sizes are multiples of their alignment then lie aligned in a map. */
static int write_header(rsd_st_writer *w, const char *json)
{
    const size_t length = strlen(json), padded = (length + 7) / 8 * 8;
    uint8_t size[8];
    for (int k = 0; k < 8; k++)
        size[k] = (uint8_t)(padded >> 8 * k);
    RSD_TRY(rsd_writer_put(&w->file, size, sizeof size));
    RSD_TRY(rsd_writer_put(&w->file, json, length));
    return rsd_writer_put(&w->file, "        ", padded - length);
}

int rsd_st_writer_begin(rsd_st_writer *w, const char *path)
{
    RSD_TRY(check_not_begun(w, path));
    int err = RSD_OK;
    json_t *header = json_object();
    char *json = NULL;
    if (json_object_size(w->metadata))
        json_object_set(header, "__metadata__", w->metadata);
    if (json_object_update(header, w->tensors) == 0)
        json = json_dumps(header, JSON_COMPACT);
    err = json ? rsd_writer_open(path, &w->file) : RSD_FAIL(RSD_ENOMEM, "%s: header", path);
    w->begun = !err;
    if (!err)
        err = write_header(w, json);
    free(json);
    json_decref(header);
    return err;
}

int rsd_st_writer_data(rsd_st_writer *w, const void *data, size_t bytes)
{
    if (!w->file.stream)
        return RSD_FAIL(RSD_EARG, "data, but no file is open");
    while (w->current < w->count && w->written == w->end[w->current])
        w->current++; /* full, or empty from the start */
    const size_t room = w->current < w->count ? w->end[w->current] - w->written : 0;
    if (bytes > room)
        return RSD_FAIL(RSD_EARG, "%s: %zu bytes for tensor %zu of %zu, which still takes %zu",
                        w->file.path, bytes, w->current, w->count, room);
    RSD_TRY(rsd_writer_put(&w->file, data, bytes));
    w->written += bytes;
    return RSD_OK;
}

int rsd_st_writer_commit(rsd_st_writer *w)
{
    if (!w->file.stream)
        return RSD_FAIL(RSD_EARG, "commit, but no file is open");
    if (w->written != w->bytes)
        return RSD_FAIL(RSD_EARG, "%s: %zu of %zu declared bytes were given", w->file.path,
                        w->written, w->bytes);
    return rsd_writer_commit(&w->file);
}
