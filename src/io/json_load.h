/* Private to src/io.  JSON as Python's json module writes it: what the configurations of models are
 * made with.
 *
 * Beside JSON proper it writes Infinity, -Infinity and NaN, and whole numbers of any length (the
 * model_max_length of 10^30 in tokenizer_config.json).  The first are read as the texts "Infinity",
 * "-Infinity" and "NaN", so that who asks for a number there refuses them by name; the second as
 * real numbers. */
#ifndef RSD_IO_JSON_LOAD_H
#define RSD_IO_JSON_LOAD_H

#include "err.h"

#include <jansson.h>
#include <stddef.h>

/* The value in text[size]; free *out with json_decref.  Texts may
 * hold NULs; names twice in an object are refused.
 * Errors: RSD_EFORMAT ("line 3: ..."), RSD_ENOMEM; *out is then NULL. */
RSD_CHECK int rsd_json_load(const char *text, size_t size, json_t **out);

#endif
