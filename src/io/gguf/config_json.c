#include "io/gguf/config_json.h"

#include "alloc.h"
#include "utf8.h"

#include <stdio.h>
#include <stdlib.h>

/* Names of tensors and keys of a file need not be UTF-8, JSON's must. */
int rsd_gguf_config_put(json_t *json, const char *name, json_t *value)
{
    char *key = NULL;
    const size_t size = rsd_as_utf8(name, NULL, 0) + 1;
    const int err = rsd_zeroed(size, 1, &key);
    if (err) {
        json_decref(value);
        return err;
    }
    rsd_as_utf8(name, key, size);
    const int failed = json_object_set_new(json, key, value); /* takes the value over */
    free(key);
    return failed ? RSD_FAIL(RSD_ENOMEM, "configuration") : RSD_OK;
}

int rsd_gguf_config_real(json_t *json, const char *name, double value)
{
    char text[40];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if ((float)strtod(text, NULL) == (float)value)
            break;
    }
    return rsd_gguf_config_put(
        json, name, json_real((double)(float)value == value ? strtod(text, NULL) : value));
}
