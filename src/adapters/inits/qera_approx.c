/* QERA-approx.  S = diag(E[x^2])^(1/2), C = SVD_r(R S) S^-1: the least output error where inputs do
 * not correlate. */
#include "adapters/calibrated_weighting.h"

static int start(const void *params, const rsd_init_task *task, rsd_init_result *out)
{
    (void)params;
    const rsd_alternation how = { .steps = 1, .refit = true };
    return rsd_alternate_calibrated(how, "qera_approx", RSD_VIEW_NONE, RSD_VIEW_DIAGONAL, task,
                                    out);
}

static const rsd_alias aliases[] = { { "qera-approx", "" }, { 0 } };

const rsd_init rsd_init_qera_approx = {
    .name = "qera_approx",
    .summary = "C from the residual with columns scaled by the inputs' root mean square",
    .reference = "Zhang et al., QERA, ICLR 2025 (arXiv:2410.06040)",
    .aliases = aliases,
    .calibration = RSD_CALIBRATION_NEEDS,
    .start = start,
};
