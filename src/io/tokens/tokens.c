#include "io/tokens.h"

#include "alloc.h"
#include "io/dtype.h"
#include "io/file.h"
#include "io/npy.h"
#include "io/tokens/documents.h"
#include "io/tokens/megatron.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    const char *end, *name;
    int (*open)(rsd_tokens *t, const char *path, const rsd_tokens_options *o);
} format;

struct rsd_tokens {
    const format *format;
    char *path;
    rsd_map map; /* binary: count ids of dtype from byte offset on */
    rsd_dtype dtype;
    size_t offset;
    rsd_encoding text; /* text: its ids and bytes */
    size_t count, vocab;
};

/* ---- binary files ---- */

static int open_raw(rsd_tokens *t, const char *path, rsd_dtype dtype)
{
    const size_t width = rsd_dtype_bytes(dtype);
    RSD_TRY(rsd_map_open(path, &t->map));
    if (t->map.size % width)
        return RSD_FAIL(RSD_EFORMAT, "%zu bytes are no whole number of %s", t->map.size,
                        rsd_dtype_name(dtype));
    t->dtype = dtype;
    t->count = t->map.size / width;
    return RSD_OK;
}

static int open_u16(rsd_tokens *t, const char *path, const rsd_tokens_options *o)
{
    (void)o;
    return open_raw(t, path, RSD_U16);
}

static int open_u32(rsd_tokens *t, const char *path, const rsd_tokens_options *o)
{
    (void)o;
    return open_raw(t, path, RSD_U32);
}

static bool is_whole(rsd_dtype t)
{
    return t == RSD_U16 || t == RSD_I16 || t == RSD_U32 || t == RSD_I32 || t == RSD_U64 ||
           t == RSD_I64;
}

static int open_npy(rsd_tokens *t, const char *path, const rsd_tokens_options *o)
{
    rsd_npy npy;
    (void)o;
    RSD_TRY(rsd_map_open(path, &t->map));
    RSD_TRY(rsd_npy_parse(t->map.data, t->map.size, &npy));
    if (npy.ndim != 1 || !is_whole(npy.dtype))
        return RSD_FAIL(RSD_EFORMAT,
                        "%zu dimensions of %s; tokens have one, of 16, 32 or 64 bit whole numbers",
                        npy.ndim, rsd_dtype_name(npy.dtype));
    t->dtype = npy.dtype;
    t->offset = npy.offset;
    t->count = npy.count;
    return RSD_OK;
}

/* Map the index beside the data, read it, let it go. */
static int read_index(const char *path, rsd_megatron *out)
{
    rsd_map map;
    RSD_TRY(rsd_map_open(path, &map));
    const int err = rsd_megatron_parse(map.data, map.size, out);
    rsd_map_close(&map);
    return err;
}

static int open_megatron(rsd_tokens *t, const char *path, const rsd_tokens_options *o)
{
    rsd_megatron index;
    struct stat st;
    char *other;
    int err = RSD_OK;
    (void)o;
    RSD_TRY(rsd_copy_text(path, &other));
    char *end = other + strlen(other) - strlen(".idx");
    memcpy(end, ".idx", strlen(".idx"));
    if (stat(other, &st))
        err = RSD_FAIL(RSD_EIO,
                       "Megatron's %s is missing (raw numbers are read from names in .u16 or .u32)",
                       other);
    RSD_TRY_DONE(err);
    RSD_TRY_DONE(read_index(other, &index));
    memcpy(end, ".bin", strlen(".bin"));
    RSD_TRY_DONE(rsd_map_open(other, &t->map));
    if (t->map.size != index.data_bytes)
        err = RSD_FAIL(RSD_EFORMAT, "the index describes %zu bytes, %s holds %zu", index.data_bytes,
                       other, t->map.size);
    t->dtype = index.dtype;
    t->count = index.tokens;
done:
    free(other);
    return err;
}

/* ---- text ---- */

static int put_between(rsd_tokens *t, const rsd_tokens_options *o, const char *separator)
{
    int32_t id;
    if (!t->text.count || rsd_tokenizer_has_template(o->tokenizer) ||
        !rsd_tokenizer_find(o->tokenizer, separator, &id))
        return RSD_OK;
    return rsd_encoding_put(&t->text, id, 0);
}

static int open_text(rsd_tokens *t, const char *path, const rsd_tokens_options *o)
{
    const char *separator = o->separator ? o->separator : RSD_DOCUMENT_SEPARATOR;
    const uint8_t *document;
    rsd_documents documents;
    size_t n;
    if (!o->tokenizer)
        return RSD_FAIL(RSD_EARG, "text needs the model's tokenizer.json");
    RSD_TRY(rsd_map_open(path, &t->map));
    RSD_TRY(rsd_documents_open(t->map.data, t->map.size, separator, &documents));
    while ((!o->limit || t->text.count < o->limit) &&
           rsd_documents_next(&documents, &document, &n)) {
        RSD_TRY(put_between(t, o, separator));
        const int err = rsd_tokenizer_encode(o->tokenizer, document, n, true, &t->text);
        if (err)
            return rsd_fail_prefix(err, "document at byte %zu", (size_t)(document - t->map.data));
    }
    t->count = t->text.count;
    rsd_map_close(&t->map);
    return RSD_OK;
}

/* ---- all of them ---- */

static const format formats[] = {
    { ".u16", "u16", open_u16 },           { ".u32", "u32", open_u32 },
    { ".npy", "npy", open_npy },           { ".bin", "megatron", open_megatron },
    { ".idx", "megatron", open_megatron }, { ".txt", "text", open_text },
};

static const format *find_format(const char *path)
{
    for (size_t k = 0; k < sizeof formats / sizeof *formats; k++)
        if (rsd_path_ends(path, formats[k].end))
            return &formats[k];
    return NULL;
}

int rsd_tokens_open(const char *path, const rsd_tokens_options *options, rsd_tokens **out)
{
    const rsd_tokens_options o = options ? *options : (rsd_tokens_options){ 0 };
    const format *f = find_format(path);
    *out = NULL;
    if (!f)
        return RSD_FAIL(RSD_EARG,
                        "%s: tokens are read from .u16 and .u32 (raw), .npy, .bin with .idx "
                        "(Megatron) and .txt",
                        path);
    rsd_tokens *t;
    RSD_TRY(rsd_zeroed(1, sizeof *t, &t));
    t->format = f;
    t->vocab = o.vocab;
    int err = rsd_copy_text(path, &t->path);
    if (!err)
        err = f->open(t, path, &o);
    if (!err && !t->count)
        err = RSD_FAIL(RSD_EFORMAT, "holds no token");
    if (err) {
        const bool named = strncmp(rsd_errmsg(), path, strlen(path)) == 0;
        rsd_tokens_close(t);
        return named ? err : rsd_fail_prefix(err, "%s", path);
    }
    if (o.limit && o.limit < t->count)
        t->count = o.limit;
    *out = t;
    return RSD_OK;
}

void rsd_tokens_close(rsd_tokens *t)
{
    if (!t)
        return;
    rsd_map_close(&t->map);
    rsd_encoding_free(&t->text);
    free(t->path);
    free(t);
}

const char *rsd_tokens_format(const rsd_tokens *t) { return t->format->name; }
size_t rsd_tokens_count(const rsd_tokens *t) { return t->count; }
bool rsd_tokens_has_bytes(const rsd_tokens *t) { return t->text.count > 0; }

static int check_range(const rsd_tokens *t, size_t first, size_t n)
{
    if (first <= t->count && n <= t->count - first)
        return RSD_OK;
    return RSD_FAIL(RSD_EARG, "%s: %zu tokens from token %zu on, the stream has %zu", t->path, n,
                    first, t->count);
}

/* Number i of the map, at any alignment; what does not fit int64 comes out negative. */
static int64_t number(const rsd_tokens *t, size_t i)
{
    const uint8_t *p = t->map.data + t->offset + i * rsd_dtype_bytes(t->dtype);
    uint64_t x = 0;
    for (size_t k = 0; k < rsd_dtype_bytes(t->dtype); k++)
        x |= (uint64_t)p[k] << 8 * k;
    switch (t->dtype) {
    case RSD_I16:
        return (int16_t)x;
    case RSD_I32:
        return (int32_t)x;
    default:
        return (int64_t)x;
    }
}

/* The pages go back when they have been read: a window is read once a pass. */
int rsd_tokens_read(const rsd_tokens *t, size_t first, size_t n, int32_t *out)
{
    const bool text = rsd_tokens_has_bytes(t);
    const int64_t end = t->vocab && t->vocab <= INT32_MAX ? (int64_t)t->vocab : INT32_MAX;
    RSD_TRY(check_range(t, first, n));
    if (!text)
        RSD_TRY(rsd_map_check(&t->map));
    for (size_t i = 0; i < n; i++) {
        const int64_t id = text ? t->text.id[first + i] : number(t, first + i);
        if (id < 0 || id >= end)
            return RSD_FAIL(RSD_EDOM, "%s: token %zu is %lld, not in [0, %lld)", t->path, first + i,
                            (long long)id, (long long)end);
        out[i] = (int32_t)id;
    }
    if (!text)
        rsd_map_release(&t->map, t->offset + first * rsd_dtype_bytes(t->dtype),
                        n * rsd_dtype_bytes(t->dtype));
    return RSD_OK;
}

int rsd_tokens_bytes(const rsd_tokens *t, size_t first, size_t n, uint64_t *bytes)
{
    RSD_TRY(check_range(t, first, n));
    if (!rsd_tokens_has_bytes(t))
        return RSD_FAIL(RSD_EARG, "%s: only tokens made of text know its bytes", t->path);
    *bytes = 0;
    for (size_t i = 0; i < n; i++)
        *bytes += t->text.bytes[first + i];
    return RSD_OK;
}
