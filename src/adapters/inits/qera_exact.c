/* QERA-exact: the best correction for the output, C = SVD_r(R H^(1/2)) H^(-1/2). */
#include "adapters/calibrated_weighting.h"

static int start(const void *params, const rsd_init_task *task, rsd_init_result *out)
{
    (void)params;
    const rsd_alternation how = { .steps = 1, .refit = true };
    return rsd_alternate_calibrated(how, "qera_exact", RSD_VIEW_NONE, RSD_VIEW_FULL, task, out);
}

static const rsd_alias aliases[] = { { "qera-exact", "" }, { 0 } };

const rsd_init rsd_init_qera_exact = {
    .name = "qera_exact",
    .summary = "C = SVD_r(R H^(1/2)) H^(-1/2): the least mean squared error of the output",
    .reference = "Zhang et al., QERA, ICLR 2025 (arXiv:2410.06040)",
    .aliases = aliases,
    .calibration = RSD_CALIBRATION_NEEDS,
    .start = start,
};
