/* Which matrices of a model a command works on, and with which quantizers. */
#ifndef RSD_SELECT_H
#define RSD_SELECT_H

#include "io/model.h"
#include "opt.h"
#include "quantizers/quantizer.h"

typedef struct {
    rsd_list include, exclude; /* shell globs over tensor names */
    bool embeddings;
} select_options;

/* Rows for a command's option table; `base` is the select_options' offset in its struct. */
/* clang-format off */
#define SELECT_OPTIONS(base)                                                                       \
    { "include", 0, RSD_OPT_LIST, (base) + offsetof(select_options, include), 0, 0, "GLOB",        \
      "take the matrices whose name matches, whatever their role" },                               \
        { "exclude", 0, RSD_OPT_LIST, (base) + offsetof(select_options, exclude), 0, 0, "GLOB",    \
          "leave out the matrices whose name matches" },                                           \
    {                                                                                              \
        "embeddings", 0, RSD_OPT_FLAG, (base) + offsetof(select_options, embeddings), 0, 0, NULL,  \
            "embeddings, position tables and the head too"                                         \
    }
/* clang-format on */

/* Is t taken?  By default: the linear layers of the blocks; every matrix where the model has no
 * layer that the names tell. */
bool select_takes(const select_options *o, const rsd_model *model, const rsd_tensor *t);

/* A model on the command line: `[NAME=]SOURCE`.  *name points into argument and is not terminated
 * (length *len); NULL where there is none. */
const char *select_source(const char *argument, const char **name, size_t *len);

/* --map GLOB=SPEC, parsed. */
typedef struct {
    char *glob;
    rsd_spec spec;
} select_rule;

/* All specs of a command: those of -q, and the rules. */
typedef struct {
    size_t specs, rules;
    rsd_spec *spec; /* without repetitions */
    select_rule *rule;
} select_specs;

/* Commas part specs as they part ranks: "nf4,int:bits=3,group=32".  The word `all` stands for every
 * quantizer that needs no calibration, as its name and each of its aliases set it.  Free with
 * select_specs_free, also after a failure.
 * Errors: RSD_EUSAGE with the option and the word; RSD_ENOMEM. */
RSD_CHECK int select_specs_parse(const rsd_list *specs, const rsd_list *map, select_specs *out);
void select_specs_free(select_specs *s);

/* The specs for one tensor: the first rule that matches, else all of -q. */
const rsd_spec *select_specs_for(const select_specs *s, const char *tensor, size_t *count);

/* What would be found out after hours, before any work: globs that match no matrix of any model,
 * and quantizers that need a calibration where none is given.  specs may be NULL.
 * Errors: RSD_EUSAGE with the option, the glob and the way forward; RSD_ENOMEM. */
RSD_CHECK int select_check(const select_options *o, const select_specs *specs, bool calibrated,
                           const rsd_model *const *models, size_t count);
RSD_CHECK int select_check_glob(const char *option, const char *glob,
                                const rsd_model *const *models, size_t count);

#endif
