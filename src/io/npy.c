#include "io/npy.h"

#include <stdio.h>
#include <string.h>

/* The header is a Python dict literal.  This accepts exactly what describes an array of numbers:
 *
 *   '{' ( key ':' value ',' )* '}'   the three keys once each, in any order, last comma optional
 *   'descr': string    'fortran_order': True | False    'shape': '(' [int {',' int} [',']] ')'
 *
 * and evaluates nothing. */
typedef struct {
    const char *at, *end;
} cursor;

static void skip_space(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t' || *c->at == '\n' || *c->at == '\r'))
        c->at++;
}

/* The next character that is not space, consumed if it is the wanted one. */
static bool take(cursor *c, char wanted)
{
    skip_space(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static bool take_word(cursor *c, const char *word)
{
    const size_t n = strlen(word);
    skip_space(c);
    if ((size_t)(c->end - c->at) < n || memcmp(c->at, word, n) != 0)
        return false;
    c->at += n;
    return true;
}

/* A quoted string of plain ASCII without escapes; what does not fit is cut, which no known name
 * survives. */
static bool take_string(cursor *c, char *out, size_t size)
{
    size_t n = 0;
    const char quote = take(c, '\'') ? '\'' : '"';
    if (quote == '"' && !take(c, '"'))
        return false;
    for (; c->at < c->end && ' ' <= *c->at && *c->at != quote && *c->at != '\\'; c->at++)
        if (n + 1 < size)
            out[n++] = *c->at;
    out[n] = 0;
    return c->at < c->end && *c->at++ == quote;
}

static bool take_size(cursor *c, size_t *out)
{
    skip_space(c);
    const char *first = c->at;
    for (*out = 0; c->at < c->end && '0' <= *c->at && *c->at <= '9'; c->at++)
        if (__builtin_mul_overflow(*out, 10, out) ||
            __builtin_add_overflow(*out, (size_t)(*c->at - '0'), out))
            return false;
    return c->at > first;
}

static int syntax(const cursor *c, const char *start, const char *wanted)
{
    return RSD_FAIL(RSD_EFORMAT, "npy header: %s expected at its byte %zu", wanted,
                    (size_t)(c->at - start));
}

static int parse_shape(cursor *c, const char *start, rsd_npy *out)
{
    if (!take(c, '('))
        return syntax(c, start, "a tuple");
    bool comma = true;
    while (!take(c, ')')) {
        size_t n;
        if (!comma || !take_size(c, &n))
            return syntax(c, start, "a length");
        if (out->ndim == RSD_DIMS_MAX)
            return RSD_FAIL(RSD_EFORMAT, "npy header: more than %d dimensions", RSD_DIMS_MAX);
        out->shape[out->ndim++] = n;
        comma = take(c, ',');
    }
    /* (3) is a number in parentheses, (3,) a tuple */
    return out->ndim == 1 && !comma ? syntax(c, start, "a comma in a tuple of one") : RSD_OK;
}

static int parse_descr(cursor *c, const char *start, rsd_npy *out)
{
    char descr[16];
    skip_space(c);
    if (c->at < c->end && *c->at == '[')
        return RSD_FAIL(RSD_EFORMAT, "npy: structured arrays are not read");
    if (!take_string(c, descr, sizeof descr))
        return syntax(c, start, "a quoted type");
    if (strchr(descr, 'O'))
        return RSD_FAIL(RSD_EFORMAT, "npy: type '%s' is an array of Python objects (a pickle)",
                        descr);
    if (!rsd_dtype_find_numpy(descr, &out->dtype))
        return RSD_FAIL(RSD_EFORMAT, "npy: type '%s' is not read%s", descr,
                        *descr == '>' ? " (big-endian)" : "");
    return RSD_OK;
}

static int parse_fortran(cursor *c, const char *start, rsd_npy *out)
{
    out->fortran = take_word(c, "True");
    return out->fortran || take_word(c, "False") ? RSD_OK : syntax(c, start, "True or False");
}

static const struct {
    const char *key;
    int (*parse)(cursor *c, const char *start, rsd_npy *out);
} fields[] = { { "descr", parse_descr },
               { "fortran_order", parse_fortran },
               { "shape", parse_shape } };
enum { FIELDS = sizeof fields / sizeof *fields };

static int parse_dict(cursor c, rsd_npy *out)
{
    const char *start = c.at;
    bool seen[FIELDS] = { false }, comma = true;
    if (!take(&c, '{'))
        return syntax(&c, start, "'{'");
    while (!take(&c, '}')) {
        char key[16];
        int k = 0;
        if (!comma || !take_string(&c, key, sizeof key))
            return syntax(&c, start, "a key");
        while (k < FIELDS && strcmp(fields[k].key, key) != 0)
            k++;
        if (k == FIELDS || seen[k])
            return RSD_FAIL(RSD_EFORMAT, "npy header: key '%s' is %s", key,
                            k == FIELDS ? "unknown" : "there twice");
        seen[k] = true;
        if (!take(&c, ':'))
            return syntax(&c, start, "':'");
        RSD_TRY(fields[k].parse(&c, start, out));
        comma = take(&c, ',');
    }
    for (int k = 0; k < FIELDS; k++)
        if (!seen[k])
            return RSD_FAIL(RSD_EFORMAT, "npy header: key '%s' is missing", fields[k].key);
    skip_space(&c);
    return c.at == c.end ? RSD_OK : syntax(&c, start, "nothing after '}'");
}

/* Magic, version and the header's length; out->offset is where the data begin. */
static int parse_preamble(const uint8_t *data, size_t size, rsd_npy *out, cursor *header)
{
    if (size < 10 || memcmp(data, "\x93NUMPY", 6) != 0)
        return RSD_FAIL(RSD_EFORMAT, "npy: %zu bytes do not begin with NumPy's magic and version",
                        size);
    const int version = data[6];
    if (version < 1 || version > 3 || data[7] != 0)
        return RSD_FAIL(RSD_EFORMAT, "npy: version %d.%d is unknown", version, data[7]);
    const size_t first = version == 1 ? 10 : 12;
    if (size < first)
        return RSD_FAIL(RSD_EFORMAT, "npy: %zu bytes end inside the header's length", size);
    size_t length = data[8] | (size_t)data[9] << 8;
    if (version > 1)
        length |= (size_t)data[10] << 16 | (size_t)data[11] << 24;
    if (length > size - first)
        return RSD_FAIL(RSD_EFORMAT, "npy: a header of %zu bytes does not fit a file of %zu",
                        length, size);
    out->offset = first + length;
    *header = (cursor){ (const char *)data + first, (const char *)data + out->offset };
    return RSD_OK;
}

int rsd_npy_parse(const uint8_t *data, size_t size, rsd_npy *out)
{
    cursor header;
    size_t bytes;
    *out = (rsd_npy){ 0 };
    RSD_TRY(parse_preamble(data, size, out, &header));
    RSD_TRY(parse_dict(header, out));

    out->count = 1;
    for (size_t k = 0; k < out->ndim; k++)
        if (__builtin_mul_overflow(out->count, out->shape[k], &out->count))
            return RSD_FAIL(RSD_EFORMAT, "npy: the product of its %zu lengths overflows at %zu",
                            out->ndim, out->shape[k]);
    if (__builtin_mul_overflow(out->count, rsd_dtype_bytes(out->dtype), &bytes))
        return RSD_FAIL(RSD_EFORMAT, "npy: %zu elements of %s overflow", out->count,
                        rsd_dtype_name(out->dtype));
    if (bytes != size - out->offset)
        return RSD_FAIL(RSD_EFORMAT, "npy: %zu elements of %s need %zu bytes, the file holds %zu",
                        out->count, rsd_dtype_name(out->dtype), bytes, size - out->offset);
    return RSD_OK;
}

/* NumPy pads the header so that the data are aligned to 64. */
int rsd_npy_write(const char *path, const float *x, size_t ndim, const size_t *shape)
{
    char text[512] = "\x93NUMPY\x01"; /* and minor version 0; 8 lengths take at most 176 */
    const size_t preamble = 10;
    size_t used = preamble, count = 1;
    if (ndim > RSD_DIMS_MAX)
        return RSD_FAIL(RSD_EARG, "%s: %zu dimensions, at most %d", path, ndim, RSD_DIMS_MAX);
    used += (size_t)sprintf(text + used, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (size_t k = 0; k < ndim; k++) {
        used += (size_t)sprintf(text + used, "%s%zu", k ? ", " : "", shape[k]);
        if (__builtin_mul_overflow(count, shape[k], &count))
            return RSD_FAIL(RSD_EARG, "%s: the product of its lengths overflows", path);
    }
    used += (size_t)sprintf(text + used, "%s), }", ndim == 1 ? "," : "");
    const size_t padded = (used + 1 + 63) / 64 * 64;
    memset(text + used, ' ', padded - used);
    text[padded - 1] = '\n';
    text[8] = (char)(uint8_t)((padded - preamble) & 0xff);
    text[9] = (char)(uint8_t)((padded - preamble) >> 8);

    rsd_writer w = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_writer_open(path, &w));
    RSD_TRY_DONE(rsd_writer_put(&w, text, padded));
    RSD_TRY_DONE(rsd_writer_put(&w, x, count * sizeof *x));
    RSD_TRY_DONE(rsd_writer_commit(&w));
done:
    rsd_writer_abandon(&w);
    return err;
}
