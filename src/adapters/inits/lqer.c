/* LQER.  S = diag(s), s_j = mean |x_j|, C = SVD_r(R S) S^-1.
 *
 * s is kept above 1e-4 of its largest, so that a silent input has a say.  The published code takes
 * the largest of the batches' means, and 1e-4 itself whatever the inputs' size; then it divides by
 * a number that cancels. */
#include "adapters/alternate.h"
#include "adapters/calibrated_weighting.h"

#include <math.h>
#include <stdlib.h>

static const double least_share = 1e-4;

static int scales(const rsd_calibration *c, rsd_side *out)
{
    double most = 0, *square;
    for (size_t j = 0; j < c->n; j++) {
        if (!isfinite(c->mean_abs[j]))
            return RSD_FAIL(RSD_EDOM, "mean |x| of channel %zu of %zu: %g", j, c->n,
                            c->mean_abs[j]);
        most = fmax(most, c->mean_abs[j]);
    }
    RSD_TRY(rsd_array_alloc(c->n, 1, sizeof *square, &square));
    for (size_t j = 0; j < c->n; j++) {
        const double s = fmax(c->mean_abs[j], least_share * most);
        square[j] = s * s;
    }
    const int err = rsd_side_diagonal(square, 1, c->n, 0, out);
    free(square);
    return err;
}

static int start(const void *params, const rsd_init_task *task, rsd_init_result *out)
{
    (void)params;
    int err = RSD_OK;
    rsd_alternation how = { .steps = 1, .refit = true };
    if (!task->calibration->mean_abs)
        return RSD_FAIL(RSD_EUSAGE, "lqer needs mean |x| of the layer's inputs, which the "
                                    "calibration does not hold");
    RSD_TRY_DONE(scales(task->calibration, &how.metric.H));
    RSD_TRY_DONE(rsd_alternate(&how, task, out));
done:
    rsd_metric_free(&how.metric);
    return err;
}

const rsd_init rsd_init_lqer = {
    .name = "lqer",
    .summary = "C from the residual with columns scaled by the inputs' mean |x|",
    .reference = "Zhang et al., LQER, ICML 2024 (arXiv:2402.02446)",
    .calibration = RSD_CALIBRATION_NEEDS,
    .start = start,
};
