#include "io/gguf/cursor.h"

#include "alloc.h"

#include <string.h>

static int cut(const rsd_gguf_cursor *c, const char *what)
{
    return RSD_FAIL(RSD_EFORMAT, "%s at byte %zu leaves the file's %zu bytes", what, c->at,
                    c->size);
}

uint64_t rsd_gguf_little(const uint8_t *p, size_t bytes)
{
    uint64_t v = 0;
    for (size_t k = 0; k < bytes; k++)
        v |= (uint64_t)p[k] << 8 * k;
    return v;
}

int rsd_gguf_u32(rsd_gguf_cursor *c, const char *what, uint32_t *out)
{
    *out = 0;
    if (c->size - c->at < 4)
        return cut(c, what);
    *out = (uint32_t)rsd_gguf_little(c->data + c->at, 4);
    c->at += 4;
    return RSD_OK;
}

int rsd_gguf_u64(rsd_gguf_cursor *c, const char *what, uint64_t *out)
{
    *out = 0;
    if (c->size - c->at < 8)
        return cut(c, what);
    *out = rsd_gguf_little(c->data + c->at, 8);
    c->at += 8;
    return RSD_OK;
}

int rsd_gguf_skip(rsd_gguf_cursor *c, const char *what, uint64_t count, size_t each)
{
    if (count > (c->size - c->at) / each)
        return RSD_FAIL(RSD_EFORMAT,
                        "%s: %llu items of %zu bytes leave the file's %zu bytes at %zu", what,
                        (unsigned long long)count, each, c->size, c->at);
    c->at += (size_t)count * each;
    return RSD_OK;
}

int rsd_gguf_take_text(rsd_gguf_cursor *c, const char *what, const char **text, size_t *n)
{
    uint64_t length;
    RSD_TRY(rsd_gguf_u64(c, what, &length));
    *text = (const char *)c->data + c->at;
    *n = (size_t)length;
    return rsd_gguf_skip(c, what, length, 1);
}

int rsd_gguf_take_name(rsd_gguf_cursor *c, const char *what, size_t most, char **out)
{
    const char *text;
    size_t n;
    RSD_TRY(rsd_gguf_take_text(c, what, &text, &n));
    if (n > most || memchr(text, 0, n))
        return RSD_FAIL(RSD_EFORMAT, "%s '%.*s' has %zu bytes%s, at most %zu are allowed", what,
                        (int)(n < 64 ? n : 64), text, n,
                        memchr(text, 0, n) ? " and a zero among them" : "", most);
    return rsd_format(out, "%.*s", (int)n, text);
}
