/* --target-bpw: which of several quantizers each matrix gets, so that the model as a whole takes no
 * more than so many bits per weight and the predicted loss, half of tr(G R H R') summed over
 * matrices, is the least. */
#ifndef RSD_BUDGET_H
#define RSD_BUDGET_H

#include "cli/select.h"
#include "io/model.h"
#include "result/calibration_file.h"

typedef struct {
    const rsd_model *model;
    const select_options *select;
    const calibration *calibration;
    double bits; /* per weight, over the matrices that are selected */
} budget_job;

/* specs holds the candidates (-q) and rules (--map), which bind; after, one rule per selected
 * matrix that no rule had bound, and no spec.  What was chosen is noted, beside the best single
 * quantizer that fits.  What the candidates cost and are predicted to lose is measured on every
 * matrix, which takes as long as quantizing the model once with each. Errors: RSD_EUSAGE without
 * calibration or fewer than two candidates; RSD_EARG where not even the smallest candidates fit;
 * the model's, the quantizers', RSD_ENOMEM. */
RSD_CHECK int budget_choose(const budget_job *job, select_specs *specs);

/* The part of it that chooses nothing: tensor[i] gets specs->spec[chosen[i]] by a rule that matches
 * its name alone, behind the rules that there are; no spec is left for others.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int budget_bind(select_specs *specs, const char *const *tensor, const size_t *chosen,
                          size_t n);

/* A name as a glob that matches it alone; caller frees.  Errors: RSD_ENOMEM. */
RSD_CHECK int budget_glob(const char *name, char **out);

#endif
