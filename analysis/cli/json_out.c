/* Building a tree of JSON and printing it whole. */
#include "cli/json_out.h"

#include "utf8.h"

#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

json_out json_begin_object(void) { return (json_out){ .open = { json_object() } }; }

json_out json_begin_list(void) { return (json_out){ .open = { json_array() } }; }

const json_t *json_whole(const json_out *j) { return j->open[0]; }

void json_drop(json_out *j)
{
    json_decref(j->open[0]);
    *j = (json_out){ 0 };
}

static void fail(json_out *j)
{
    json_decref(j->open[0]);
    j->open[0] = NULL; /* depth goes on counting */
}

/* The text as UTF-8: itself, or a copy that *owned is. */
static const char *as_utf8(const char *text, char **owned)
{
    const size_t n = strlen(text);
    *owned = NULL;
    if (rsd_utf8_check((const uint8_t *)text, n) == n)
        return text;
    const size_t size = rsd_as_utf8(text, NULL, 0) + 1;
    *owned = malloc(size);
    if (*owned)
        rsd_as_utf8(text, *owned, size);
    return *owned;
}

void json_put_tree(json_out *j, const char *key, json_t *value)
{
    json_t *to = j->open[j->depth];
    char *owned = NULL;
    if (!j->open[0]) {
        json_decref(value);
        return;
    }
    assert(!key == json_is_array(to));
    const char *name = key ? as_utf8(key, &owned) : NULL;
    int failed = -1;
    if (!key)
        failed = json_array_append_new(to, value); /* takes it over, whatever comes */
    else if (name)
        failed = json_object_set_new(to, name, value);
    else
        json_decref(value);
    if (failed)
        fail(j);
    free(owned);
}

static void open_tree(json_out *j, const char *key, json_t *value)
{
    json_put_tree(j, key, value);
    assert(j->depth + 1 < JSON_OUT_DEPTH);
    j->open[++j->depth] = value; /* the tree's */
}

void json_open_object(json_out *j, const char *key) { open_tree(j, key, json_object()); }

void json_open_list(json_out *j, const char *key) { open_tree(j, key, json_array()); }

void json_close(json_out *j)
{
    assert(j->depth > 0);
    j->depth--;
}

void json_put_text(json_out *j, const char *key, const char *value)
{
    char *owned = NULL;
    const char *text = value ? as_utf8(value, &owned) : NULL;
    json_put_tree(j, key, !value ? json_null() : text ? json_string(text) : NULL);
    free(owned);
}

void json_put_int(json_out *j, const char *key, int64_t value)
{
    json_put_tree(j, key, json_integer(value));
}

void json_put_size(json_out *j, const char *key, size_t value)
{
    json_put_int(j, key, (int64_t)value);
}

void json_put_real(json_out *j, const char *key, double value)
{
    json_put_tree(j, key, isfinite(value) ? json_real(value) : json_null());
}

void json_put_bool(json_out *j, const char *key, bool value)
{
    json_put_tree(j, key, json_boolean(value));
}

int json_print(json_out *j, FILE *f, json_style style)
{
    static const size_t flags[] = { [JSON_INDENTED] = JSON_INDENT(1),
                                    [JSON_NINE_DIGITS] = JSON_INDENT(1) | JSON_REAL_PRECISION(9),
                                    [JSON_ONE_LINE] = JSON_COMPACT };
    int err = RSD_OK;
    if (!j->open[0])
        err = RSD_FAIL(RSD_ENOMEM, "memory for what is printed as JSON");
    else if (json_dumpf(j->open[0], f, flags[style]) ||
             (style != JSON_ONE_LINE && fputc('\n', f) == EOF))
        err = RSD_FAIL(RSD_EIO, "cannot print as JSON: %s", strerror(errno));
    json_drop(j);
    return err;
}
