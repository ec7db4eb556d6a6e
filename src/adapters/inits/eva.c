/* EVA.  A's rows are the leading eigenvectors of H, the right singular vectors of the layer's
 * inputs; the paper finds them batch by batch.  Its sharing out of ranks among layers is not an
 * initialisation's. */
#include "adapters/alternate.h"
#include "adapters/calibrated_weighting.h"

#include <string.h>

static int start(const void *params, const rsd_init_task *task, rsd_init_result *out)
{
    (void)params;
    int err = RSD_OK;
    rsd_weighting metric;
    RSD_TRY_DONE(rsd_calibrated_weighting(task, "eva", RSD_VIEW_NONE, RSD_VIEW_FULL, &metric));
    RSD_TRY_DONE(rsd_init_quantize(task, task->W, out));
    out->clamped = metric.H.clamped;
    for (size_t k = 0; k < out->A.m;
         k++) /* no axes: inputs of zeros, any orthonormal rows will do */
        for (size_t j = 0; j < out->A.n; j++)
            out->A.x[k * out->A.ld + j] =
                (float)(metric.H.axis ? metric.H.axis[k * out->A.n + j] : j == k);
    for (size_t i = 0; i < out->B.m; i++)
        memset(out->B.x + i * out->B.ld, 0, out->B.n * sizeof *out->B.x);
done:
    rsd_metric_free(&metric);
    return err;
}

const rsd_init rsd_init_eva = {
    .name = "eva",
    .summary = "B = 0, A = the leading principal directions of the layer's inputs",
    .reference = "Paischer et al., EVA, arXiv:2410.07170",
    .calibration = RSD_CALIBRATION_NEEDS,
    .trains_only = true,
    .start = start,
};
