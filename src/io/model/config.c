/* Values of a config.json by key, and which keys were asked for. */
#include "io/config.h"

#include "alloc.h"
#include "io/json_load.h"
#include "io/model/config_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MAX = 64 };

struct rsd_config {
    json_t *json;
    json_t *read; /* an object: the keys that were asked for, "outer.inner" too */
};

int rsd_config_parse(const char *text, rsd_config **out)
{
    RSD_TRY(rsd_zeroed(1, sizeof **out, out));
    const int err = rsd_json_load(text, strlen(text), &(*out)->json);
    if (err)
        return rsd_fail_prefix(err, "config.json");
    if (!json_is_object((*out)->json))
        return RSD_FAIL(RSD_EFORMAT, "config.json: not an object");
    (*out)->read = json_object();
    return (*out)->read ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "configuration");
}

void rsd_config_free(rsd_config *c)
{
    if (!c)
        return;
    json_decref(c->json);
    json_decref(c->read);
    free(c);
}

static json_t *look_up(const rsd_config *c, const char *key)
{
    const char *dot = strchr(key, '.');
    json_t *at = c->json;
    if (dot) {
        char outer[KEY_MAX];
        snprintf(outer, sizeof outer, "%.*s", (int)(dot - key), key);
        at = json_object_get(at, outer);
        key = dot + 1;
    }
    at = json_object_get(at, key);
    return json_is_null(at) ? NULL : at;
}

static json_t *take(rsd_config *c, const char *key)
{
    json_object_set_new(c->read, key, json_true());
    return look_up(c, key);
}

int rsd_config_size(rsd_config *c, const char *key, size_t least, size_t most, size_t *value)
{
    const json_t *j = take(c, key);
    if (!j)
        return RSD_OK;
    const json_int_t v = json_integer_value(j);
    if (!json_is_integer(j) || v < 0 || (size_t)v < least || (size_t)v > most) {
        char want[80];
        snprintf(want, sizeof want, "a whole number from %zu to %zu", least, most);
        return rsd_config_refuse(key, j, want);
    }
    *value = (size_t)v;
    return RSD_OK;
}

int rsd_config_real(rsd_config *c, const char *key, double *value)
{
    const json_t *j = take(c, key);
    if (!j)
        return RSD_OK;
    if (!json_is_number(j))
        return rsd_config_refuse(key, j, "a number");
    *value = json_number_value(j);
    return RSD_OK;
}

int rsd_config_flag(rsd_config *c, const char *key, bool *value)
{
    const json_t *j = take(c, key);
    if (!j)
        return RSD_OK;
    if (!json_is_boolean(j))
        return rsd_config_refuse(key, j, "true or false");
    *value = json_is_true(j);
    return RSD_OK;
}

int rsd_config_text(rsd_config *c, const char *key, const char **value)
{
    const json_t *j = take(c, key);
    if (!j)
        return RSD_OK;
    if (!json_is_string(j))
        return rsd_config_refuse(key, j, "a string");
    *value = json_string_value(j);
    return RSD_OK;
}

bool rsd_config_has(const rsd_config *c, const char *key) { return look_up(c, key) != NULL; }

bool rsd_config_is_null(const rsd_config *c, const char *key)
{
    return json_is_null(json_object_get(c->json, key));
}

int rsd_config_group(rsd_config *c, const char *key, bool *there)
{
    const json_t *j = take(c, key);
    *there = json_object_size(j) > 0;
    return !j || json_is_object(j) ? RSD_OK : rsd_config_refuse(key, j, "an object");
}

/* Append the texts of list; *used counts them, also beyond count. */
static int append(const char *key, const json_t *list, size_t count, const char **texts,
                  size_t *used)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        if (json_is_string(item)) {
            if (*used < count)
                texts[*used] = json_string_value(item);
            ++*used;
            continue;
        }
        const json_t *inner = json_array_get(item, 0);
        const json_int_t times = json_integer_value(json_array_get(item, 1));
        if (json_array_size(inner) == 0 || times < 1)
            return rsd_config_refuse(key, item,
                                     "a text, or a list of texts and how many times it stands");
        for (json_int_t k = 0; k < times && *used <= count; k++)
            RSD_TRY(append(key, inner, count, texts, used));
    }
    return RSD_OK;
}

int rsd_config_texts(rsd_config *c, const char *key, size_t count, const char **texts, bool *found)
{
    const json_t *j = take(c, key);
    *found = j != NULL;
    if (!j)
        return RSD_OK;
    if (!json_is_array(j))
        return rsd_config_refuse(key, j, "a list");
    size_t used = 0;
    RSD_TRY(append(key, j, count, texts, &used));
    if (used != count)
        return RSD_FAIL(RSD_EFORMAT, "config.json: %s has %zu%s items, not %zu", key, used,
                        used > count ? " or more" : "", count);
    return RSD_OK;
}

/* The members of an object that was looked into: what is not known of them is refused as well. */
static int finish_group(const rsd_config *c, const char *outer, json_t *group)
{
    const char *key;
    json_t *value;
    bool inside = false;
    const size_t n = strlen(outer);
    json_object_foreach(c->read, key, value)
    {
        inside = inside || (strncmp(key, outer, n) == 0 && key[n] == '.');
    }
    if (!inside)
        return RSD_OK;
    json_object_foreach(group, key, value)
    {
        char full[2 * KEY_MAX];
        snprintf(full, sizeof full, "%s.%s", outer, key);
        if (!json_object_get(c->read, full))
            RSD_TRY(rsd_config_judge(full, key, value));
    }
    return RSD_OK;
}

int rsd_config_finish(const rsd_config *c)
{
    const char *key;
    json_t *value;
    json_object_foreach(c->json, key, value)
    {
        if (json_object_get(c->read, key))
            RSD_TRY(finish_group(c, key, value));
        else
            RSD_TRY(rsd_config_judge(key, key, value));
    }
    return RSD_OK;
}
