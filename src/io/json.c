#include "io/json.h"

#include <stdio.h>
#include <string.h>

int rsd_json_known(const json_t *j, const char *what, const char *const *known)
{
    const char *key;
    json_t *value;
    if (!json_is_object(j))
        return RSD_FAIL(RSD_EFORMAT, "%s is not an object", what);
    json_object_foreach((json_t *)j, key, value)
    {
        const char *const *k = known;
        while (*k && strcmp(*k, key) != 0)
            k++;
        if (!*k)
            return RSD_FAIL(RSD_EFORMAT, "%s: '%s' is not supported", what, key);
    }
    return RSD_OK;
}

bool rsd_json_absent(const json_t *j, const char *key)
{
    const json_t *value = json_object_get(j, key);
    return !value || json_is_null(value);
}

int rsd_json_flag(const json_t *j, const char *what, const char *key, bool *value)
{
    if (rsd_json_absent(j, key))
        return RSD_OK;
    if (!json_is_boolean(json_object_get(j, key)))
        return RSD_FAIL(RSD_EFORMAT, "%s: '%s' is not true or false", what, key);
    *value = json_is_true(json_object_get(j, key));
    return RSD_OK;
}

int rsd_json_string(const json_t *j, const char *what, const char *key, const char **text,
                    size_t *n)
{
    const json_t *value = json_object_get(j, key);
    *text = "";
    *n = 0;
    if (!json_is_string(value))
        return RSD_FAIL(RSD_EFORMAT, "%s: '%s' is %s", what, key,
                        value ? "not a string" : "missing");
    *text = json_string_value(value);
    *n = json_string_length(value);
    return RSD_OK;
}

int rsd_json_size(const json_t *j, const char *what, const char *key, size_t most, size_t *value)
{
    const json_t *number = json_object_get(j, key);
    if (!json_is_integer(number) || json_integer_value(number) < 0 ||
        (size_t)json_integer_value(number) > most)
        return RSD_FAIL(RSD_EFORMAT, "%s: '%s' is not a whole number in [0, %zu]", what, key, most);
    *value = (size_t)json_integer_value(number);
    return RSD_OK;
}

int rsd_json_type(const json_t *j, const char *what, const void *rows, size_t count, size_t size,
                  size_t *row)
{
    const char *type;
    char known[512] = "";
    size_t n, used = 0;
    RSD_TRY(rsd_json_string(j, what, "type", &type, &n));
    for (size_t k = 0; k < count; k++) {
        const char *name = *(const char *const *)((const char *)rows + k * size);
        if (strcmp(name, type) == 0) {
            *row = k;
            return RSD_OK;
        }
        const int wrote = snprintf(known + used, sizeof known - used, "%s%s", k ? ", " : "", name);
        if (wrote > 0 && (size_t)wrote < sizeof known - used)
            used += (size_t)wrote;
    }
    return RSD_FAIL(RSD_EFORMAT, "%s '%s' is not supported; known: %s", what, type, known);
}
