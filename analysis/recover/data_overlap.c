/* Where a trained correction lies in what the data and the loss make of the residual. */
#include "adapters/metric.h"
#include "mat.h"
#include "recover/layers.h"

#include <stdlib.h>

/* The first r eigenvectors, of the largest eigenvalues, as the rows of a matrix. */
static int top_rows(const rsd_side *side, size_t r, rsd_mat *out)
{
    RSD_TRY(rsd_mat_alloc(r, side->n, out));
    for (size_t i = 0; i < r * side->n; i++)
        out->x[i] = (float)side->axis[i];
    return RSD_OK;
}

static int overlap_inputs(const rsd_side *H, measured_layer *l)
{
    rsd_mat A, none = { 0 };
    double unused;
    int err = top_rows(H, l->rank, &A);
    if (!err)
        err = measured_overlap(l, none, A, &unused, &l->row.overlap_H_right);
    rsd_mat_free(&A);
    return err;
}

static int overlap_outputs(const rsd_side *G, measured_layer *l)
{
    rsd_mat rows, B = { 0 }, none = { 0 };
    double unused;
    int err = top_rows(G, l->rank, &rows);
    if (!err)
        err = rsd_mat_alloc(rows.n, rows.m, &B);
    for (size_t k = 0; !err && k < rows.m; k++)
        for (size_t i = 0; i < rows.n; i++)
            B.x[i * B.ld + k] = rows.x[k * rows.ld + i];
    if (!err)
        err = measured_overlap(l, B, none, &l->row.overlap_G_left, &unused);
    rsd_mat_free(&rows);
    rsd_mat_free(&B);
    return err;
}

/* The best correction of R in this metric, of the trained one's rank. */
static int overlap_best(const rsd_weighting *metric, rsd_mat R, measured_layer *l, double *left,
                        double *right)
{
    rsd_mat B = { 0 }, A = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_mat_alloc(R.m, l->rank, &B));
    RSD_TRY_DONE(rsd_mat_alloc(l->rank, R.n, &A));
    RSD_TRY_DONE(rsd_metric_lowrank(metric, R, 0, B, A));
    err = measured_overlap(l, B, A, left, right);
done:
    rsd_mat_free(&B);
    rsd_mat_free(&A);
    return err;
}

int recover_overlap_data(const sweep *s, const rsd_tensor *t, rsd_mat R, measured_layer *l)
{
    const double damping = s->params->numbers.damping;
    rsd_weighting metric = { 0 };
    layer_calibration k = { 0 };
    int err = RSD_OK;
    if (!s->calibration.store || !(rsd_mat_sumsq(R) > 0))
        return RSD_OK;
    RSD_TRY_DONE(calibration_read(&s->calibration, t, &k));
    if (!k.c.H)
        goto done;
    RSD_TRY_DONE(rsd_side_full(k.c.H, t->cols, damping, &metric.H));
    RSD_TRY_DONE(overlap_inputs(&metric.H, l));
    RSD_TRY_DONE(overlap_best(&metric, R, l, &l->row.overlap_RH_left, &l->row.overlap_RH_right));
    if (!k.c.G)
        goto done;
    RSD_TRY_DONE(rsd_side_full(k.c.G, t->rows, damping, &metric.G));
    RSD_TRY_DONE(overlap_outputs(&metric.G, l));
    err = overlap_best(&metric, R, l, &l->row.overlap_GRH_left, &l->row.overlap_GRH_right);
done:
    rsd_metric_free(&metric);
    layer_calibration_free(&k);
    return err;
}
