/* Metadata and directory are collected as the bytes that the file will have; their counts come
 * before them, so nothing is written until both are complete. */
#include "io/gguf_write.h"

#include "alloc.h"
#include "io/file.h"
#include "io/intern.h"

#include <stdlib.h>
#include <string.h>

enum { VERSION = 3, KEY_MAX = 65535 };

typedef struct {
    uint8_t *byte;
    size_t count, capacity;
} bytes;

struct rsd_gguf_writer {
    bytes metadata, directory;
    rsd_intern keys, names; /* their counts are the header's */
    size_t *size;           /* size[i]: bytes of tensor i */
    size_t size_capacity;
    size_t offset;          /* of the next tensor to declare, from the first one's */
    size_t current, filled; /* tensor being filled, bytes so far */
    bool begun;
    rsd_writer file; /* open from begin to commit */
};

int rsd_gguf_writer_alloc(rsd_gguf_writer **out) { return rsd_zeroed(1, sizeof **out, out); }

void rsd_gguf_writer_free(rsd_gguf_writer *w)
{
    if (!w)
        return;
    rsd_writer_abandon(&w->file);
    rsd_intern_free(&w->keys);
    rsd_intern_free(&w->names);
    free(w->metadata.byte);
    free(w->directory.byte);
    free(w->size);
    free(w);
}

/* ---- numbers and texts as bytes ---- */

static int put_bytes(bytes *b, const void *data, size_t n)
{
    size_t wanted;
    if (__builtin_add_overflow(b->count, n, &wanted))
        return RSD_FAIL(RSD_ENOMEM, "GGUF header of %zu + %zu bytes", b->count, n);
    RSD_TRY(rsd_grow(&b->byte, &b->capacity, wanted, 1));
    if (n)
        memcpy(b->byte + b->count, data, n);
    b->count = wanted;
    return RSD_OK;
}

/* The low n bytes of a number, lowest first. */
static int put_number(bytes *b, uint64_t x, size_t n)
{
    uint8_t byte[8];
    for (size_t k = 0; k < n; k++)
        byte[k] = (uint8_t)(x >> 8 * k);
    return put_bytes(b, byte, n);
}

static int put_text(bytes *b, rsd_gguf_string text)
{
    RSD_TRY(put_number(b, text.n, 8));
    return put_bytes(b, text.byte, text.n);
}

static uint32_t float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* ---- metadata ---- */

static int check_new(rsd_gguf_writer *w, rsd_intern *seen, const char *name, size_t most)
{
    const size_t n = strlen(name), before = seen->count;
    size_t number;
    if (w->begun)
        return RSD_FAIL(RSD_EARG, "'%s' comes after the header was written", name);
    if (n == 0 || n > most)
        return RSD_FAIL(RSD_EARG, "'%.100s' has %zu bytes; a name has 1 to %zu", name, n, most);
    RSD_TRY(rsd_intern_add(seen, name, n, &number));
    return number < before ? RSD_FAIL(RSD_EARG, "'%s' is there twice", name) : RSD_OK;
}

/* What precedes a value. */
static int put_key(rsd_gguf_writer *w, const char *key, uint32_t type)
{
    RSD_TRY(check_new(w, &w->keys, key, KEY_MAX));
    RSD_TRY(put_text(&w->metadata, (rsd_gguf_string){ key, strlen(key) }));
    return put_number(&w->metadata, type, 4);
}

static int put_array_key(rsd_gguf_writer *w, const char *key, uint32_t type, size_t n)
{
    RSD_TRY(put_key(w, key, RSD_GGUF_ARRAY));
    RSD_TRY(put_number(&w->metadata, type, 4));
    return put_number(&w->metadata, n, 8);
}

int rsd_gguf_put_u32(rsd_gguf_writer *w, const char *key, uint32_t value)
{
    RSD_TRY(put_key(w, key, RSD_GGUF_U32));
    return put_number(&w->metadata, value, 4);
}

int rsd_gguf_put_f32(rsd_gguf_writer *w, const char *key, float value)
{
    RSD_TRY(put_key(w, key, RSD_GGUF_F32));
    return put_number(&w->metadata, float_bits(value), 4);
}

int rsd_gguf_put_bool(rsd_gguf_writer *w, const char *key, bool value)
{
    RSD_TRY(put_key(w, key, RSD_GGUF_BOOL));
    return put_number(&w->metadata, value, 1);
}

int rsd_gguf_put_text(rsd_gguf_writer *w, const char *key, rsd_gguf_string value)
{
    RSD_TRY(put_key(w, key, RSD_GGUF_TEXT));
    return put_text(&w->metadata, value);
}

int rsd_gguf_put_i32s(rsd_gguf_writer *w, const char *key, const int32_t *x, size_t n)
{
    RSD_TRY(put_array_key(w, key, RSD_GGUF_I32, n));
    for (size_t i = 0; i < n; i++)
        RSD_TRY(put_number(&w->metadata, (uint32_t)x[i], 4));
    return RSD_OK;
}

int rsd_gguf_put_f32s(rsd_gguf_writer *w, const char *key, const float *x, size_t n)
{
    RSD_TRY(put_array_key(w, key, RSD_GGUF_F32, n));
    for (size_t i = 0; i < n; i++)
        RSD_TRY(put_number(&w->metadata, float_bits(x[i]), 4));
    return RSD_OK;
}

int rsd_gguf_put_texts(rsd_gguf_writer *w, const char *key, const rsd_gguf_string *x, size_t n)
{
    RSD_TRY(put_array_key(w, key, RSD_GGUF_TEXT, n));
    for (size_t i = 0; i < n; i++)
        RSD_TRY(put_text(&w->metadata, x[i]));
    return RSD_OK;
}

int rsd_gguf_put_value(rsd_gguf_writer *w, const rsd_gguf_value *v)
{
    RSD_TRY(v->array ? put_array_key(w, v->key, v->type, v->count) : put_key(w, v->key, v->type));
    return put_bytes(&w->metadata, v->at, v->bytes);
}

/* ---- the directory ---- */

int rsd_gguf_bytes(const rsd_ggml_type *type, size_t rows, size_t n, size_t *out)
{
    if (n % type->block)
        return RSD_FAIL(RSD_EARG, "rows of %zu do not fill blocks of %zu (%s)", n, type->block,
                        type->name);
    if (__builtin_mul_overflow(n / type->block, type->bytes, out) ||
        __builtin_mul_overflow(*out, rows, out))
        return RSD_FAIL(RSD_EARG, "%zu rows of %zu %s overflow", rows, n, type->name);
    return RSD_OK;
}

/* Bytes of a tensor, and where the one after it begins. */
static int measure(const rsd_gguf_writer *w, const char *name, const rsd_ggml_type *type,
                   size_t ndim, const size_t *shape, size_t *size, size_t *end)
{
    size_t rows = 1;
    if (ndim < 1 || ndim > RSD_GGUF_DIMS_MAX)
        return RSD_FAIL(RSD_EARG, "tensor '%s': %zu dimensions, not 1 to %d", name, ndim,
                        RSD_GGUF_DIMS_MAX);
    for (size_t k = 0; k < ndim; k++)
        if (shape[k] == 0)
            return RSD_FAIL(RSD_EARG, "tensor '%s' is empty", name);
    for (size_t k = 0; k + 1 < ndim; k++)
        if (__builtin_mul_overflow(rows, shape[k], &rows))
            return RSD_FAIL(RSD_EARG, "tensor '%s': the product of its shape overflows", name);
    const int err = rsd_gguf_bytes(type, rows, shape[ndim - 1], size);
    if (err)
        return rsd_fail_prefix(err, "tensor '%s'", name);
    if (__builtin_add_overflow(w->offset, *size, end) || *end > INT64_MAX - RSD_GGUF_ALIGNMENT)
        return RSD_FAIL(RSD_EARG, "tensor '%s': %zu bytes after %zu overflow", name, *size,
                        w->offset);
    *end = (*end + RSD_GGUF_ALIGNMENT - 1) / RSD_GGUF_ALIGNMENT * RSD_GGUF_ALIGNMENT;
    return RSD_OK;
}

int rsd_gguf_declare(rsd_gguf_writer *w, const char *name, const rsd_ggml_type *type, size_t ndim,
                     const size_t *shape)
{
    size_t size = 0, end = 0;
    bytes *d = &w->directory;
    RSD_TRY(measure(w, name, type, ndim, shape, &size, &end));
    RSD_TRY(rsd_grow(&w->size, &w->size_capacity, w->names.count + 1, sizeof *w->size));
    RSD_TRY(check_new(w, &w->names, name, RSD_GGUF_NAME_MAX));
    RSD_TRY(put_text(d, (rsd_gguf_string){ name, strlen(name) }));
    RSD_TRY(put_number(d, ndim, 4));
    for (size_t k = ndim; k-- > 0;) /* the contiguous one first */
        RSD_TRY(put_number(d, shape[k], 8));
    RSD_TRY(put_number(d, type->id, 4));
    RSD_TRY(put_number(d, w->offset, 8));
    w->size[w->names.count - 1] = size;
    w->offset = end;
    return RSD_OK;
}

/* ---- the file ---- */

/* Zeros up to the alignment after `size` bytes; what is padded begins aligned. */
static int pad(rsd_gguf_writer *w, size_t size)
{
    static const uint8_t zeros[RSD_GGUF_ALIGNMENT];
    return rsd_writer_put(&w->file, zeros, -size % RSD_GGUF_ALIGNMENT);
}

static int write_header(rsd_gguf_writer *w)
{
    bytes head = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(put_bytes(&head, "GGUF", 4));
    RSD_TRY_DONE(put_number(&head, VERSION, 4));
    RSD_TRY_DONE(put_number(&head, w->names.count, 8));
    RSD_TRY_DONE(put_number(&head, w->keys.count, 8));
    RSD_TRY_DONE(rsd_writer_put(&w->file, head.byte, head.count));
    RSD_TRY_DONE(rsd_writer_put(&w->file, w->metadata.byte, w->metadata.count));
    RSD_TRY_DONE(rsd_writer_put(&w->file, w->directory.byte, w->directory.count));
    err = pad(w, head.count + w->metadata.count + w->directory.count);
done:
    free(head.byte);
    return err;
}

int rsd_gguf_begin(rsd_gguf_writer *w, const char *path)
{
    if (w->begun)
        return RSD_FAIL(RSD_EARG, "%s: the header was written already", path);
    RSD_TRY(rsd_writer_open(path, &w->file));
    w->begun = true;
    return write_header(w);
}

int rsd_gguf_data(rsd_gguf_writer *w, const void *data, size_t n)
{
    if (!w->file.stream)
        return RSD_FAIL(RSD_EARG, "data, but no file is open");
    const size_t room = w->current < w->names.count ? w->size[w->current] - w->filled : 0;
    if (n > room)
        return RSD_FAIL(RSD_EARG, "%s: %zu bytes for tensor %zu of %zu, which still takes %zu",
                        w->file.path, n, w->current, w->names.count, room);
    RSD_TRY(rsd_writer_put(&w->file, data, n));
    w->filled += n;
    if (n < room || n == 0)
        return RSD_OK;
    w->filled = 0;
    return pad(w, w->size[w->current++]);
}

int rsd_gguf_commit(rsd_gguf_writer *w)
{
    if (!w->file.stream)
        return RSD_FAIL(RSD_EARG, "commit, but no file is open");
    if (w->current < w->names.count)
        return RSD_FAIL(RSD_EARG, "%s: the data of tensors %zu to %zu are missing", w->file.path,
                        w->current, w->names.count - 1);
    return rsd_writer_commit(&w->file);
}
