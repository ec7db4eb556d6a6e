/* Changing a config.json where it must be and nowhere else. */
#include "quantize/config_text.h"

#include "alloc.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A scan that copies: *to is where the next byte of the output goes. */
typedef struct {
    const char *json, *at, *type;
    char *to;
    size_t depth; /* of objects that are open */
    bool typed;   /* the outermost names a type of numbers */
} scan;

static int bad(const scan *s)
{
    return RSD_FAIL(RSD_EFORMAT, "config.json: not an object of JSON, at byte %zu",
                    (size_t)(s->at - s->json));
}

static void copy_to(scan *s, const char *end)
{
    s->to = mempcpy(s->to, s->at, (size_t)(end - s->at));
    s->at = end;
}

static const char *space(const char *p) { return p + strspn(p, " \t\r\n"); }

/* Behind the string that begins at p; NULL where it does not end. */
static const char *string_end(const char *p)
{
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1])
            p++;
    return *p ? p + 1 : NULL;
}

/* Behind the value that begins at p; NULL where it does not end. */
static const char *value_end(const char *p)
{
    size_t depth = 0;
    if (!strchr("{[\"", *p))
        return p + strcspn(p, ",}] \t\r\n"); /* a number or a word */
    while (*p) {
        if (*p == '"') {
            p = string_end(p);
            if (!p)
                return NULL;
        } else {
            depth += *p == '{' || *p == '[';
            depth -= *p == '}' || *p == ']';
            p++;
        }
        if (depth == 0)
            return p;
    }
    return NULL;
}

/* A key and its value, of the text. */
typedef struct {
    const char *key, *value, *end;
    size_t key_size; /* with its quotation marks */
} member;

static int find_member(const scan *s, member *m)
{
    m->key = space(s->at);
    const char *end = *m->key == '"' ? string_end(m->key) : NULL;
    const char *colon = end ? space(end) : NULL;
    if (!colon || *colon != ':')
        return bad(s);
    m->key_size = (size_t)(end - m->key);
    m->value = space(colon + 1);
    m->end = *m->value ? value_end(m->value) : NULL;
    return m->end && m->end > m->value ? RSD_OK : bad(s);
}

static bool is_key(const member *m, const char *quoted)
{
    return m->key_size == strlen(quoted) && memcmp(m->key, quoted, m->key_size) == 0;
}

static bool is_dropped(const member *m)
{
    return is_key(m, "\"quantization_config\"") || is_key(m, "\"compression_config\"") ||
           (is_key(m, "\"quantization\"") && *m->value == '{');
}

static bool is_part(const member *m)
{
    static const char end[] = "_config\"";
    enum { N = sizeof end - 1 };
    return *m->value == '{' && m->key_size > N && memcmp(m->key + m->key_size - N, end, N) == 0;
}

static int copy_object(scan *s);

static void put_type(scan *s)
{
    *s->to++ = '"';
    s->to = stpcpy(s->to, s->type);
    *s->to++ = '"';
}

static int copy_value(scan *s, const member *m)
{
    if (is_part(m))
        return copy_object(s);
    if (strchr("\"n", *m->value) && (is_key(m, "\"torch_dtype\"") || is_key(m, "\"dtype\""))) {
        put_type(s); /* a name, or null, before */
        s->at = m->end;
        s->typed |= s->depth == 1;
    }
    copy_to(s, m->end);
    return RSD_OK;
}

/* s stands at its '{', and then behind its '}'. */
static int copy_object(scan *s)
{
    bool any = false;
    copy_to(s, s->at + 1);
    s->depth++;
    for (bool more = *space(s->at) != '}'; more;) {
        member m = { 0 };
        RSD_TRY(find_member(s, &m));
        if (!is_dropped(&m)) {
            if (any)
                *s->to++ = ',';
            any = true;
            copy_to(s, m.value);
            RSD_TRY(copy_value(s, &m));
        }
        const char *next = space(m.end);
        more = *next == ',';
        s->at = more ? next + 1 : m.end;
    }
    const char *end = space(s->at);
    if (*end != '}')
        return bad(s);
    if (s->depth == 1 && !s->typed)
        s->to = stpcpy(s->to, any ? ", \"torch_dtype\": " : "\"torch_dtype\": "), put_type(s);
    s->depth--;
    copy_to(s, end + 1);
    return RSD_OK;
}

int config_of_numbers(const char *json, const char *type, char **out)
{
    scan s = { .json = json, .at = json, .type = type };
    /* a type is put for a value of two bytes at least that a name of at least five is in front of
     */
    RSD_TRY(rsd_zeroed(strlen(json) * (1 + strlen(type)) + 64, 1, out));
    s.to = *out;
    copy_to(&s, space(json));
    int err = *s.at == '{' ? copy_object(&s) : bad(&s);
    if (!err && *space(s.at))
        err = bad(&s);
    if (!err)
        strcpy(s.to, s.at);
    if (err) {
        free(*out);
        *out = NULL;
    }
    return err;
}
