/* What a base of the same bytes as an adapted model may be quantized with: a list for every run,
 * and for each quantizer that a run has under its adapters its own next ones, of more bits and of
 * finer groups.  A run's choice depends on its own quantizer and that list alone: what else is in
 * the sweep changes nothing. */
#ifndef RSD_RECOVER_MENU_H
#define RSD_RECOVER_MENU_H

#include "cli/select.h"
#include "quantize/trial.h"

/* The word of --same-bytes for the list that is taken when none is given. */
#define MENU_USUAL "usual"

typedef struct {
    size_t specs, common; /* all; those that every run may have, the first ones */
    rsd_spec *spec;
    /* what they make of the matrices, once they were tried */
    size_t tensors;
    trial *item;        /* [tensors], NULL before */
    rsd_option *option; /* [tensors][specs] */
    bool predicted;     /* losses are predicted; or else squared errors */
    double *probe;      /* [specs] loss on training windows of a model all of it; NaN: not known */
} menu;

/* words: of --same-bytes, none: the usual ones.  under: the quantizers of the runs.
 * Free with menu_free, also after a failure.
 * Errors: RSD_EUSAGE for a word that is no quantizer, or one that needs a calibration without one;
 * RSD_ENOMEM. */
RSD_CHECK int menu_make(const rsd_list *words, const select_specs *under, bool calibrated,
                        menu *out);
void menu_free(menu *m);

/* May a run on these quantizers (its own, or NULL, and the rules) have spec[c]? */
bool menu_allows(const menu *m, const rsd_spec *own, const select_specs *under, size_t c);

/* The list of a run in one line, for provenance.h: "same-bytes=SPEC,same-bytes=SPEC,...",
 * the commas inside a SPEC as '+'.  Caller frees. */
RSD_CHECK int menu_text(const menu *m, const rsd_spec *own, const select_specs *under, char **out);

/* Try all of them on these matrices, unless it was done: losses are predicted where the calibration
 * has H and G of each.  Errors: those of trials_run. */
RSD_CHECK int menu_try(menu *m, const rsd_model *model, const calibration *known,
                       const rsd_tensor *const *tensor, size_t tensors);

#endif
