/* Private to src/io/gguf: members of the configuration that is written. */
#ifndef RSD_IO_GGUF_CONFIG_JSON_H
#define RSD_IO_GGUF_CONFIG_JSON_H

#include "err.h"

#include <jansson.h>

/* value, which is taken over, under name.  Names of a file need not be UTF-8, JSON's must: what is
 * not is written as rsd_as_utf8 does.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_config_put(json_t *json, const char *name, json_t *value);

/* A float32 as the decimal number that it was meant to be: 1e-05, not 9.99999974737875e-06.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_config_real(json_t *json, const char *name, double value);

#endif
