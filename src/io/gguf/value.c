/* Metadata of a GGUF file by key and kind: whole number, number, truth value, text, and lists. */
#include "io/gguf.h"

#include "io/gguf/cursor.h"
#include "mat.h"

#include <math.h>
#include <string.h>

static int wrong_kind(const rsd_gguf_value *v, const char *want)
{
    return RSD_FAIL(RSD_EFORMAT, "GGUF: %s is of type %s%s, not %s", v->key,
                    v->array ? "array of " : "", rsd_gguf_type_name(v->type), want);
}

/* Item i as a whole number; false where the type is none. */
static bool whole(const rsd_gguf_value *v, uint64_t i, int64_t *out)
{
    switch (v->type) {
    case RSD_GGUF_U8:
        *out = v->at[i];
        return true;
    case RSD_GGUF_I8:
        *out = (int8_t)v->at[i];
        return true;
    case RSD_GGUF_U16:
        *out = (uint16_t)rsd_gguf_little(v->at + 2 * i, 2);
        return true;
    case RSD_GGUF_I16:
        *out = (int16_t)rsd_gguf_little(v->at + 2 * i, 2);
        return true;
    case RSD_GGUF_U32:
        *out = (uint32_t)rsd_gguf_little(v->at + 4 * i, 4);
        return true;
    case RSD_GGUF_I32:
        *out = (int32_t)rsd_gguf_little(v->at + 4 * i, 4);
        return true;
    case RSD_GGUF_U64: /* beyond int64 it comes out negative, and is refused as such */
    case RSD_GGUF_I64:
        *out = (int64_t)rsd_gguf_little(v->at + 8 * i, 8);
        return true;
    default:
        return false;
    }
}

int rsd_gguf_size(const rsd_gguf *gguf, const char *key, size_t *value)
{
    const rsd_gguf_value *v = rsd_gguf_find(gguf, key);
    int64_t first = 0, other = 0;
    if (!v)
        return RSD_OK;
    if (!v->count || !whole(v, 0, &first))
        return wrong_kind(v, "a whole number");
    for (uint64_t i = 0; i < v->count; i++)
        if (!whole(v, i, &other) || other < 0 || other != first)
            return RSD_FAIL(RSD_EFORMAT, "GGUF: %s is %lld%s", key, (long long)other,
                            other < 0 ? "" : " in one layer and another number in the first");
    *value = (size_t)first;
    return RSD_OK;
}

int rsd_gguf_real(const rsd_gguf *gguf, const char *key, double *value)
{
    const rsd_gguf_value *v = rsd_gguf_find(gguf, key);
    int64_t n;
    float f;
    if (!v)
        return RSD_OK;
    if (!v->array && v->type == RSD_GGUF_F32) {
        const uint32_t bits = (uint32_t)rsd_gguf_little(v->at, 4);
        memcpy(&f, &bits, sizeof f);
        *value = (double)f;
    } else if (!v->array && v->type == RSD_GGUF_F64) {
        const uint64_t bits = rsd_gguf_little(v->at, 8);
        memcpy(value, &bits, sizeof *value);
    } else if (!v->array && whole(v, 0, &n))
        *value = (double)n;
    else
        return wrong_kind(v, "a number");
    if (!isfinite(*value))
        return RSD_FAIL(RSD_EFORMAT, "GGUF: %s is %g", key, *value);
    return RSD_OK;
}

int rsd_gguf_flag(const rsd_gguf *gguf, const char *key, bool *value)
{
    const rsd_gguf_value *v = rsd_gguf_find(gguf, key);
    if (!v)
        return RSD_OK;
    if (v->array || v->type != RSD_GGUF_BOOL)
        return wrong_kind(v, "true or false");
    *value = *v->at;
    return RSD_OK;
}

int rsd_gguf_text(const rsd_gguf *gguf, const char *key, const char **text, size_t *n)
{
    const rsd_gguf_value *v = rsd_gguf_find(gguf, key);
    if (!v)
        return RSD_OK;
    if (v->array || v->type != RSD_GGUF_TEXT)
        return wrong_kind(v, "a text");
    *n = (size_t)rsd_gguf_little(v->at, 8);
    *text = (const char *)v->at + 8;
    return RSD_OK;
}

/* ---- lists ---- */

/* The array under key, of items of this type; NULL: the key is missing. */
static int find_list(const rsd_gguf *gguf, const char *key, rsd_gguf_type type,
                     const rsd_gguf_value **out, size_t *n)
{
    *out = rsd_gguf_find(gguf, key);
    *n = *out ? (size_t)(*out)->count : 0;
    if (*out && (!(*out)->array || (*out)->type != type))
        return RSD_FAIL(RSD_EFORMAT, "GGUF: %s is of type %s%s, not array of %s", key,
                        (*out)->array ? "array of " : "", rsd_gguf_type_name((*out)->type),
                        rsd_gguf_type_name(type));
    return RSD_OK;
}

int rsd_gguf_texts(const rsd_gguf *gguf, const char *key, rsd_gguf_string **out, size_t *n)
{
    const rsd_gguf_value *v;
    *out = NULL;
    RSD_TRY(find_list(gguf, key, RSD_GGUF_TEXT, &v, n));
    if (!v)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(*n, 1, sizeof **out, out));
    const uint8_t *at = v->at;
    for (size_t i = 0; i < *n; i++) { /* the parser has seen that they lie in the file */
        const size_t bytes = (size_t)rsd_gguf_little(at, 8);
        (*out)[i] = (rsd_gguf_string){ (const char *)at + 8, bytes };
        at += 8 + bytes;
    }
    return RSD_OK;
}

/* Numbers of four bytes, which lie in the file at any address. */
static int get_words(const rsd_gguf *gguf, const char *key, rsd_gguf_type type, void *block,
                     size_t *n)
{
    const rsd_gguf_value *v;
    uint32_t *word = NULL;
    RSD_TRY(find_list(gguf, key, type, &v, n));
    if (v)
        RSD_TRY(rsd_array_alloc(*n, 1, sizeof *word, &word));
    for (size_t i = 0; v && i < *n; i++)
        word[i] = (uint32_t)rsd_gguf_little(v->at + 4 * i, 4);
    *(void **)block = word;
    return RSD_OK;
}

int rsd_gguf_f32s(const rsd_gguf *gguf, const char *key, float **out, size_t *n)
{
    *out = NULL;
    return get_words(gguf, key, RSD_GGUF_F32, out, n);
}

int rsd_gguf_i32s(const rsd_gguf *gguf, const char *key, int32_t **out, size_t *n)
{
    *out = NULL;
    return get_words(gguf, key, RSD_GGUF_I32, out, n);
}
