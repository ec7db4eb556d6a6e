#include "adapters/calibrated_weighting.h"

static int missing(const char *name, const char *what)
{
    return RSD_FAIL(RSD_EUSAGE, "%s needs %s of the layer, which the calibration does not hold",
                    name, what);
}

static int side_of(const double *M, const rsd_eigenaxes *axes, rsd_view view, size_t n,
                   double damping, rsd_side *out)
{
    if (view == RSD_VIEW_FULL)
        return axes ? rsd_side_of(axes, damping, out) : rsd_side_full(M, n, damping, out);
    return rsd_side_diagonal(M, n + 1, n, damping, out);
}

int rsd_calibrated_weighting(const rsd_init_task *task, const char *name, rsd_view G, rsd_view H,
                             rsd_weighting *out)
{
    const rsd_calibration *c = task->calibration;
    *out = (rsd_weighting){ 0 };
    if (G != RSD_VIEW_NONE && !c->G)
        return missing(name, "G, the second moment of the outputs' gradients,");
    if (H == RSD_VIEW_DIAGONAL ? !c->square && !c->H : H == RSD_VIEW_FULL && !c->H)
        return missing(name, H == RSD_VIEW_FULL ? "H, the second moment of the inputs,"
                                                : "E[x^2] of the inputs");
    if (G != RSD_VIEW_NONE)
        RSD_TRY(side_of(c->G, task->G, G, c->m, task->damping, &out->G));
    if (H == RSD_VIEW_DIAGONAL && c->square)
        return rsd_side_diagonal(c->square, 1, c->n, task->damping, &out->H);
    return H == RSD_VIEW_NONE ? RSD_OK : side_of(c->H, task->H, H, c->n, task->damping, &out->H);
}

int rsd_alternate_calibrated(rsd_alternation how, const char *name, rsd_view G, rsd_view H,
                             const rsd_init_task *task, rsd_init_result *out)
{
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_calibrated_weighting(task, name, G, H, &how.metric));
    RSD_TRY_DONE(rsd_alternate(&how, task, out));
done:
    rsd_metric_free(&how.metric);
    return err;
}
