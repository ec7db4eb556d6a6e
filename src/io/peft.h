/* adapter_config.json, as Hugging Face's PEFT writes and reads it.
 *
 * What decides the numbers of a LoRA adapter is kept; what cannot change them is passed over (where
 * the base lies, which layers were meant: the tensors tell); everything else is refused by its
 * name: another peft_type, trained biases or whole modules, layers used twice, starts that change
 * the base's weights (pissa, olora, loftq ...), and keys that are not known and not null, false or
 * empty.
 * Follows PEFT 0.13. */
#ifndef RSD_IO_PEFT_H
#define RSD_IO_PEFT_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    char *module; /* a regular expression that a module's name, or an end of it behind a dot, is */
    double value;
} rsd_peft_pattern;

/* All zero is empty; free with rsd_peft_config_free. */
typedef struct {
    size_t rank;
    double alpha;
    bool rslora, dora;
    bool fan_in_fan_out; /* the base stores its linear layers in x out (GPT-2) */
    char *base;          /* name or path of the base model, or NULL */
    size_t targets, ranks, alphas;
    char **target;                        /* modules: ends of their names behind a dot */
    rsd_peft_pattern *rank_of, *alpha_of; /* of modules that differ */
} rsd_peft_config;

void rsd_peft_config_free(rsd_peft_config *c);

/* Texts are copied as they are: a dot in a name matches any character, as in PEFT's own files.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_peft_config_target(rsd_peft_config *c, const char *module);
RSD_CHECK int rsd_peft_config_except(rsd_peft_config *c, const char *module, size_t rank,
                                     double alpha);

/* alpha of a module by its full name ("model.layers.0.mlp.up_proj"): that of the first pattern
 * which matches, whatever the patterns of ranks say (PEFT 0.13 looks a module up in both lists at
 * once and may miss its alpha; later versions do not).
 * Errors: RSD_EFORMAT for a pattern that is no regular expression, RSD_EDOM where it takes too
 * long, RSD_ENOMEM. */
RSD_CHECK int rsd_peft_config_alpha(const rsd_peft_config *c, const char *module, double *alpha);

/* Errors: RSD_EIO, RSD_EARG for a text that is not UTF-8, RSD_ENOMEM. */
RSD_CHECK int rsd_peft_config_write(const rsd_peft_config *c, const char *path);

/* target is not filled.  Free *out also after an error.
 * Errors: RSD_EIO, RSD_EFORMAT (see above), RSD_ENOMEM. */
RSD_CHECK int rsd_peft_config_read(const char *path, rsd_peft_config *out);

#endif
