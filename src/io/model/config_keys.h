/* Private to src/io/model: which keys of a config.json change nothing about a forward pass that
 * does not read them. */
#ifndef RSD_IO_CONFIG_KEYS_H
#define RSD_IO_CONFIG_KEYS_H

#include "err.h"

#include <jansson.h>

/* RSD_OK where the key is harmless: by its name, or by its value where only one value is what this
 * program does (is_causal: true), or because null, "", [] or {} asks for nothing.  That a value is
 * false or 0 does not make it harmless.
 * label: the key with the object it lies in, for the message.
 * Errors: RSD_EFORMAT with key, value and the way forward. */
RSD_CHECK int rsd_config_judge(const char *label, const char *key, const json_t *value);

/* RSD_EFORMAT: "config.json: KEY is VALUE, not WANT". */
int rsd_config_refuse(const char *key, const json_t *value, const char *want);

#endif
