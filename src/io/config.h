/* A model's config.json, read strictly: what the reader does not ask for must be known to be
 * harmless, or it is refused by name, so that no model is ever run wrongly. */
#ifndef RSD_IO_CONFIG_H
#define RSD_IO_CONFIG_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct rsd_config rsd_config;

/* text: a JSON object, as Python writes them.  Free *out with rsd_config_free also after a failure.
 * Errors: RSD_EFORMAT with line and reason, RSD_ENOMEM. */
RSD_CHECK int rsd_config_parse(const char *text, rsd_config **out);
void rsd_config_free(rsd_config *c); /* NULL is fine */

/* Values by key; "rope_scaling.factor" looks inside an object.  A getter marks its key as read.
 * Missing or null: *value keeps what it had, the default.  Errors: RSD_EFORMAT for another type or
 * a number out of [least, most], with key and value. */
RSD_CHECK int rsd_config_size(rsd_config *c, const char *key, size_t least, size_t most,
                              size_t *value);
RSD_CHECK int rsd_config_real(rsd_config *c, const char *key, double *value);
RSD_CHECK int rsd_config_flag(rsd_config *c, const char *key, bool *value);
/* The text belongs to c.  Errors: as above. */
RSD_CHECK int rsd_config_text(rsd_config *c, const char *key, const char **value);
/* Is the key there, and not null?  Is it there, and null? */
bool rsd_config_has(const rsd_config *c, const char *key);
bool rsd_config_is_null(const rsd_config *c, const char *key);
/* An object, whose members are then asked for as "key.member": *there where it has any.
 * Errors: RSD_EFORMAT where it is something else. */
RSD_CHECK int rsd_config_group(rsd_config *c, const char *key, bool *there);
/* A list of texts, or of [list, times] pairs that stand for the list so many times (GPT-Neo's
 * [[["global","local"],6]]): its first `count` texts, which belong to c.  *found: the key is there.
 * Errors: RSD_EFORMAT when the list has another length. */
RSD_CHECK int rsd_config_texts(rsd_config *c, const char *key, size_t count, const char **texts,
                               bool *found);

/* After everything was read: RSD_EFORMAT naming the first key, or member of an object that was
 * asked for, that nobody read and that is not known to change nothing (model/config_keys.h). */
RSD_CHECK int rsd_config_finish(const rsd_config *c);

#endif
