#include "linalg/ritz.h"

#include "linalg/apply.h"
#include "linalg/eigen.h"

#include <assert.h>
#include <cblas.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Orthonormal to rounding by one Cholesky factor of X'X, near I: X := X L^-T. */
static int orthonormalize(double *x, size_t k, size_t d)
{
    double *G;
    RSD_TRY(rsd_array_alloc(k, k, sizeof *G, &G));
    const int K = (int)k, D = (int)d;
    cblas_dsyrk(CblasColMajor, CblasLower, CblasTrans, K, D, 1, x, D, 0, G, K);
    const lapack_int info = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', K, G, K);
    if (info == 0)
        cblas_dtrsm(CblasColMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, D, K, 1, G, K,
                    x, D);
    free(G);
    return info ? RSD_FAIL(RSD_ECONV, "%zu vectors of length %zu are not independent", k, d)
                : RSD_OK;
}

/* y = left s right' (column-major, rows x k): the left vectors over y, right' into vt[k*k]. */
static int decompose(double *y, size_t rows, size_t k, double *s, double *vt)
{
    int err = RSD_OK;
    const lapack_int M = (lapack_int)rows, K = (lapack_int)k;
    double *work = NULL, size;
    lapack_int *integers = NULL, info;
    info =
        LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'O', M, K, y, M, s, NULL, M, vt, K, &size, -1, NULL);
    assert(info == 0);
    RSD_TRY_DONE(rsd_array_alloc((size_t)size, 1, sizeof *work, &work));
    RSD_TRY_DONE(rsd_array_alloc(k, 8, sizeof *integers, &integers));
    info = LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'O', M, K, y, M, s, NULL, M, vt, K, work,
                               (lapack_int)size, integers);
    assert(info >= 0);
    if (info)
        err = RSD_FAIL(RSD_ECONV, "svd of a %zu x %zu matrix", rows, k);
done:
    free(work);
    free(integers);
    return err;
}

int rsd_ritz(rsd_mat A, size_t k, double *x, double *y, double *s)
{
    int err = RSD_OK;
    const bool tall = A.m >= A.n;
    const size_t d = tall ? A.n : A.m, rows = tall ? A.m : A.n;
    double *vt = NULL, *old = NULL;
    RSD_TRY_DONE(rsd_array_alloc(k, k, sizeof *vt, &vt));
    RSD_TRY_DONE(rsd_array_alloc(k, d, sizeof *old, &old));
    RSD_TRY_DONE(orthonormalize(x, k, d));
    RSD_TRY_DONE(rsd_apply(A, !tall, x, k, y));
    RSD_TRY_DONE(decompose(y, rows, k, s, vt));
    memcpy(old, x, k * d * sizeof *x);
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, (int)d, (int)k, (int)k, 1, old, (int)d, vt,
                (int)k, 0, x, (int)d);
done:
    free(vt);
    free(old);
    return err;
}

int rsd_ritz_residual(rsd_mat A, size_t k, const double *x, const double *y, const double *s,
                      double *norm, double *residual)
{
    int err = RSD_OK;
    const bool tall = A.m >= A.n;
    const size_t d = tall ? A.n : A.m;
    double *r = NULL, *G = NULL, *lambda = NULL;
    RSD_TRY_DONE(rsd_array_alloc(k, d, sizeof *r, &r));
    RSD_TRY_DONE(rsd_array_alloc(k, k, sizeof *G, &G));
    RSD_TRY_DONE(rsd_array_alloc(k, 1, sizeof *lambda, &lambda));
    RSD_TRY_DONE(rsd_apply(A, tall, y, k, r));
    for (size_t i = 0; i < k; i++) {
        cblas_daxpy((int)d, -s[i], x + i * d, 1, r + i * d, 1);
        if (residual)
            residual[i] = cblas_dnrm2((int)d, r + i * d, 1);
    }
    cblas_dsyrk(CblasColMajor, CblasLower, CblasTrans, (int)k, (int)d, 1, r, (int)d, 0, G, (int)k);
    RSD_TRY_DONE(rsd_eigen(G, k, 0, lambda, NULL));
    *norm = sqrt(fmax(lambda[0], 0));
done:
    free(r);
    free(G);
    free(lambda);
    return err;
}
