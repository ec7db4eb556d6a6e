/* OLoRA.  W = Q R without pivoting: B = the first r columns of Q, A = the first r rows of R.  Those
 * columns span the first r columns of W, so only they are factored, and A = B' W. */
#include "adapters/alternate.h"
#include "linalg/apply.h"
#include "linalg/lowrank.h"

#include <cblas.h>
#include <lapacke.h>
#include <stdlib.h>

/* q, column-major m x r: W's first r columns, orthonormalized. */
static int orthonormalize(rsd_mat W, size_t r, double *q)
{
    int err = RSD_OK;
    double *tau = NULL;
    for (size_t k = 0; k < r; k++)
        for (size_t i = 0; i < W.m; i++)
            q[k * W.m + i] = (double)W.x[i * W.ld + k];
    RSD_TRY_DONE(rsd_array_alloc(r, 1, sizeof *tau, &tau));
    int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, (int)W.m, (int)r, q, (int)W.m, tau);
    if (!info)
        info = LAPACKE_dorgqr(LAPACK_COL_MAJOR, (int)W.m, (int)r, (int)r, q, (int)W.m, tau);
    if (info) /* arguments are right: what is left is memory */
        err = RSD_FAIL(RSD_ENOMEM, "QR of %zu x %zu: LAPACK says %d", W.m, r, info);
done:
    free(tau);
    return err;
}

static int factor(rsd_mat W, rsd_mat B, rsd_mat A)
{
    int err = RSD_OK;
    const size_t r = A.m;
    double *q = NULL, *a = NULL;
    RSD_TRY_DONE(rsd_array_alloc(r, W.m, sizeof *q, &q));
    RSD_TRY_DONE(rsd_array_alloc(r, W.n, sizeof *a, &a));
    RSD_TRY_DONE(orthonormalize(W, r, q));
    RSD_TRY_DONE(rsd_apply(W, true, q, r, a));
    for (size_t k = 0; k < r; k++) {
        for (size_t i = 0; i < W.m; i++)
            B.x[i * B.ld + k] = (float)q[k * W.m + i];
        for (size_t j = 0; j < W.n; j++)
            A.x[k * A.ld + j] = (float)a[k * W.n + j];
    }
done:
    free(a);
    free(q);
    return err;
}

static bool moves_base(const void *p)
{
    (void)p;
    return true;
}

static int start(const void *params, const rsd_init_task *task, rsd_init_result *out)
{
    (void)params;
    int err = RSD_OK;
    rsd_mat rest = { 0 };
    RSD_TRY_DONE(rsd_mat_alloc(task->W.m, task->W.n, &rest));
    RSD_TRY_DONE(factor(task->W, out->B, out->A));
    rsd_mat_mul(out->B, out->A, rest);
    rsd_mat_sub(task->W, rest, rest);
    RSD_TRY_DONE(rsd_init_quantize(task, rest, out));
    out->steps = 1;
done:
    rsd_mat_free(&rest);
    return err;
}

const rsd_init rsd_init_olora = {
    .name = "olora",
    .summary = "W = Q R: B and A are their first r columns and rows, quantize the rest",
    .reference = "Buyukakyuz, OLoRA, arXiv:2406.01775; PEFT, init_lora_weights=\"olora\"",
    .moves_base = moves_base,
    .start = start,
};
