#include "io/imatrix.h"

#include "io/file.h"
#include "mat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Two passes over the same code: the first checks lengths and adds up what must be allocated, the
 * second fills it. */
typedef struct {
    const uint8_t *at;
    size_t left;
    size_t entries, values, text; /* of the entries so far; text: bytes of names with their 0 */
    rsd_imatrix *fill;            /* NULL in the first pass */
} cursor;

static int take(cursor *c, size_t size, const char *what, const uint8_t **out)
{
    if (size > c->left)
        return RSD_FAIL(RSD_EFORMAT, "imatrix: %s of %zu bytes after entry %zu, but %zu are left",
                        what, size, c->entries, c->left);
    *out = c->at;
    c->at += size;
    c->left -= size;
    return RSD_OK;
}

/* A number >= least; the format has them signed. */
static int take_count(cursor *c, size_t least, const char *what, size_t *out)
{
    const uint8_t *p = NULL;
    int32_t n;
    RSD_TRY(take(c, sizeof n, what, &p));
    memcpy(&n, p, sizeof n);
    if (n < 0 || (size_t)n < least)
        return RSD_FAIL(RSD_EFORMAT, "imatrix: %s %d after entry %zu", what, (int)n, c->entries);
    *out = (size_t)n;
    return RSD_OK;
}

static int take_values(const uint8_t *p, size_t n, size_t calls, size_t entry, double *square)
{
    for (size_t j = 0; j < n; j++) {
        float value;
        memcpy(&value, p + j * sizeof value, sizeof value);
        value = calls ? value / (float)calls : value;
        if (!(value >= 0) || isinf(value))
            return RSD_FAIL(RSD_EFORMAT, "imatrix: value %zu of entry %zu is %g", j, entry,
                            (double)value);
        square[j] = value;
    }
    return RSD_OK;
}

static int add_entry(cursor *c, const uint8_t *name, size_t length, size_t n)
{
    rsd_imatrix *m = c->fill;
    size_t number;
    RSD_TRY(rsd_intern_add(&m->names, name, length, &number));
    if (number != c->entries)
        return RSD_FAIL(RSD_EFORMAT, "imatrix: entries %zu and %zu are both called '%.*s'", number,
                        c->entries, (int)length, (const char *)name);
    char *text = m->text + c->text;
    memcpy(text, name, length);
    text[length] = 0;
    m->entry[number] = (rsd_imatrix_entry){ text, n, m->values + c->values };
    m->count = number + 1;
    return RSD_OK;
}

static int take_entry(cursor *c)
{
    const uint8_t *name = NULL, *values = NULL;
    size_t length = 0, calls = 0, n = 0;
    RSD_TRY(take_count(c, 1, "a name's length", &length));
    RSD_TRY(take(c, length, "a name", &name));
    RSD_TRY(take_count(c, 0, "a number of calls", &calls));
    RSD_TRY(take_count(c, 1, "a number of values", &n));
    if (n > SIZE_MAX / sizeof(float))
        return RSD_FAIL(RSD_EFORMAT, "imatrix: %zu values of entry %zu", n, c->entries);
    RSD_TRY(take(c, n * sizeof(float), "values", &values));
    if (memchr(name, 0, length))
        return RSD_FAIL(RSD_EFORMAT, "imatrix: the name of entry %zu has a NUL in it", c->entries);
    if (c->fill) {
        RSD_TRY(add_entry(c, name, length, n));
        RSD_TRY(take_values(values, n, calls, c->entries, c->fill->values + c->values));
    }
    c->entries++;
    c->values += n; /* no overflow: each took four bytes of the file */
    c->text += length + 1;
    return RSD_OK;
}

/* What follows the entries, if anything does. */
static int take_end(cursor *c, size_t *chunks)
{
    const uint8_t *name;
    size_t length = 0;
    *chunks = 0;
    if (!c->left)
        return RSD_OK;
    RSD_TRY(take_count(c, 0, "a number of chunks", chunks));
    RSD_TRY(take_count(c, 0, "the length of the text's name", &length));
    RSD_TRY(take(c, length, "the text's name", &name));
    return c->left ? RSD_FAIL(RSD_EFORMAT, "imatrix: %zu bytes after its end", c->left) : RSD_OK;
}

static int pass(const uint8_t *data, size_t size, rsd_imatrix *fill, cursor *c, size_t *chunks)
{
    size_t entries = 0;
    *c = (cursor){ .at = data, .left = size, .fill = fill };
    RSD_TRY(take_count(c, 1, "a number of entries", &entries));
    for (size_t i = 0; i < entries; i++)
        RSD_TRY(take_entry(c));
    return take_end(c, chunks);
}

int rsd_imatrix_parse(const uint8_t *data, size_t size, rsd_imatrix *out)
{
    cursor c;
    size_t chunks;
    *out = (rsd_imatrix){ 0 };
    if (size >= 4 && memcmp(data, "GGUF", 4) == 0)
        return RSD_FAIL(RSD_EFORMAT, "imatrix: in the GGUF form, which is not read here; "
                                     "llama-imatrix writes the other with --output-format dat");
    RSD_TRY(pass(data, size, NULL, &c, &chunks));
    RSD_TRY(rsd_array_alloc(c.entries, 1, sizeof *out->entry, &out->entry));
    RSD_TRY(rsd_array_alloc(c.values, 1, sizeof *out->values, &out->values));
    RSD_TRY(rsd_array_alloc(c.text, 1, 1, &out->text));
    return pass(data, size, out, &c, &out->chunks);
}

int rsd_imatrix_read(const char *path, rsd_imatrix *out)
{
    rsd_map map;
    *out = (rsd_imatrix){ 0 };
    RSD_TRY(rsd_map_open(path, &map));
    const int err = rsd_imatrix_parse(map.data, map.size, out);
    rsd_map_close(&map);
    return err ? rsd_fail_prefix(err, "%s", path) : RSD_OK;
}

const rsd_imatrix_entry *rsd_imatrix_find(const rsd_imatrix *m, const char *name)
{
    const ptrdiff_t i = rsd_intern_find(&m->names, name, strlen(name));
    return i >= 0 && (size_t)i < m->count ? &m->entry[i] : NULL;
}

void rsd_imatrix_free(rsd_imatrix *m)
{
    rsd_intern_free(&m->names);
    free(m->entry);
    free(m->values);
    free(m->text);
    *m = (rsd_imatrix){ 0 };
}
