/* EoRA.  H = V L V', C = SVD_r(R V L^(1/2)) L^(-1/2) V': qera_exact's C, where H is regular.  Where
 * it is not, qera_exact damps; here the eigenvalues below n eps_float of the largest are cut and
 * inverted to 0: the correction has no part outside the span of the data. */
#include "adapters/alternate.h"
#include "adapters/calibrated_weighting.h"

#include <cblas.h>
#include <float.h>
#include <stdlib.h>

/* A = A V V', V the axes that are left.  p is work space of n numbers. */
static void project(const rsd_side *H, rsd_mat A, double *row, double *p)
{
    const size_t n = H->n;
    for (size_t k = 0; k < A.m; k++) {
        for (size_t j = 0; j < n; j++)
            row[j] = (double)A.x[k * A.ld + j];
        cblas_dgemv(CblasRowMajor, CblasNoTrans, (int)n, (int)n, 1, H->axis, (int)n, row, 1, 0, p,
                    1);
        for (size_t i = 0; i < n; i++)
            p[i] = H->root[i] > 0 ? p[i] : 0;
        cblas_dgemv(CblasRowMajor, CblasTrans, (int)n, (int)n, 1, H->axis, (int)n, p, 1, 0, row, 1);
        for (size_t j = 0; j < n; j++)
            A.x[k * A.ld + j] = (float)row[j];
    }
}

static bool cut(rsd_side *H)
{
    const double least = (double)H->n * (double)FLT_EPSILON;
    bool any = false;
    for (size_t i = 0; i < H->n && H->root; i++)
        if (H->root[i] * H->root[i] < least) {
            H->root[i] = 0;
            any = true;
        }
    return any;
}

static int start(const void *params, const rsd_init_task *task, rsd_init_result *out)
{
    (void)params;
    int err = RSD_OK;
    double *work = NULL;
    rsd_init_task undamped = *task;
    undamped.damping = 0;
    rsd_alternation how = { .steps = 1, .refit = true };
    RSD_TRY_DONE(
        rsd_calibrated_weighting(&undamped, "eora", RSD_VIEW_NONE, RSD_VIEW_FULL, &how.metric));
    const bool singular = cut(&how.metric.H);
    RSD_TRY_DONE(rsd_alternate(&how, &undamped, out));
    if (singular) {
        RSD_TRY_DONE(rsd_array_alloc(2, task->W.n, sizeof *work, &work));
        project(&how.metric.H, out->A, work, work + task->W.n);
    }
done:
    free(work);
    rsd_metric_free(&how.metric);
    return err;
}

const rsd_init rsd_init_eora = {
    .name = "eora",
    .summary = "as qera_exact by H's eigenvectors; small eigenvalues are cut, not damped",
    .reference = "Liu et al., EoRA, arXiv:2410.21271; GPTQModel (the cut)",
    .calibration = RSD_CALIBRATION_NEEDS,
    .start = start,
};
