/* Where W_q comes from: a quantizer makes it of W, or a checkpoint holds it. */
#include "analyze/measured.h"

#include <math.h>

/* A checkpoint was not made by rsd_quantize, which measures what it makes. */
static void compare(rsd_mat W, rsd_mat Wq, rsd_quant_stats *stats)
{
    double error = 0, largest = 0;
    for (size_t i = 0; i < W.m; i++)
        for (size_t j = 0; j < W.n; j++) {
            const double d = (double)W.x[i * W.ld + j] - (double)Wq.x[i * Wq.ld + j];
            error += d * d;
            largest = fmax(largest, fabs(d));
        }
    stats->relative_error = error == 0 ? 0 : sqrt(error / rsd_mat_sumsq(W));
    stats->sqnr_db = -20 * log10(stats->relative_error);
    stats->max_abs_error = largest;
}

static int read_checkpoint(work *w, const wq_origin *origin, rsd_quant_stats *stats)
{
    const rsd_tensor *t = origin->tensor, *of = w->item->tensor;
    const char *from = rsd_model_source(origin->model);
    if (!t)
        return RSD_FAIL(RSD_ENOTFOUND, "%s has no tensor called %s", from, of->name);
    if (!t->matrix || t->rows != of->rows || t->cols != of->cols)
        return RSD_FAIL(RSD_EARG, "%s: %s is %zu x %zu, in the original %zu x %zu", from, t->name,
                        t->rows, t->cols, of->rows, of->cols);
    int err = rsd_model_read(origin->model, t, w->Wq);
    if (!err)
        err = rsd_mat_check_finite(w->Wq);
    if (err)
        return rsd_fail_prefix(err, "%s: %s", from, t->name);
    compare(w->W, w->Wq, stats);
    stats->packed_bytes = t->stored_bytes;
    stats->bits_per_weight = 8 * (double)t->stored_bytes / (double)t->elements;
    return RSD_OK;
}

int measure_wq(work *w, const wq_origin *origin, rsd_quant_stats *stats)
{
    *stats = (rsd_quant_stats){ 0 };
    if (!origin->spec)
        return read_checkpoint(w, origin, stats);
    const int err = rsd_quantize(origin->spec, w->W, w->calibration.any ? &w->calibration.c : NULL,
                                 w->Wq, stats, NULL);
    return err ? rsd_fail_prefix(err, "%s", origin->text) : RSD_OK;
}
