/* KFAC.  To second order a residual R of one layer raises the loss by 1/2 tr(G R H R'), with the
 * layer's block of the Fisher matrix for the Hessian, factored as G x H.  The best rank-r
 * correction of that is C = G^(-1/2) SVD_r(G^(1/2) R H^(1/2)) H^(-1/2). */
#include "adapters/calibrated_weighting.h"

typedef struct {
    size_t steps;
} params;

static const params defaults = { .steps = 1 };

/* clang-format off */
static const rsd_opt options[] = {
    { "steps", 0, RSD_OPT_SIZE, offsetof(params, steps), 1, 1000, "count",
      "quantizations of W - C, each followed by a correction; the best is kept" },
    { 0 },
};
/* clang-format on */

static bool moves_base(const void *p) { return ((const params *)p)->steps > 1; }

static int start(const void *p, const rsd_init_task *task, rsd_init_result *out)
{
    const params *a = p;
    const rsd_alternation how = { .steps = a->steps, .refit = true, .best = a->steps > 1 };
    return rsd_alternate_calibrated(how, "kfac", RSD_VIEW_FULL, RSD_VIEW_FULL, task, out);
}

static const rsd_alias aliases[] = { { "k-fac", "" }, { 0 } };

const rsd_init rsd_init_kfac = {
    .name = "kfac",
    .summary = "the least increase of the loss to second order: SVD_r(G^(1/2) R H^(1/2))",
    .reference =
        "curvature: Martens & Grosse, K-FAC, ICML 2015 (arXiv:1503.05671); Eckart & Young 1936",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .aliases = aliases,
    .calibration = RSD_CALIBRATION_NEEDS,
    .moves_base = moves_base,
    .start = start,
};
