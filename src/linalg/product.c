#include "linalg/product.h"

#include <assert.h>
#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* Q (d x r, column after column) and R (r x r, columns) of a factor; q holds the factor before. */
static int thin_qr(double *q, size_t d, size_t r, double *R, double *tau)
{
    const lapack_int rows = (lapack_int)d, cols = (lapack_int)r;
    lapack_int info = LAPACKE_dgeqrf(LAPACK_COL_MAJOR, rows, cols, q, rows, tau);
    for (size_t j = 0; !info && j < r; j++)
        for (size_t i = 0; i < r; i++)
            R[j * r + i] = i <= j ? q[j * d + i] : 0;
    if (!info)
        info = LAPACKE_dorgqr(LAPACK_COL_MAJOR, rows, cols, cols, q, rows, tau);
    assert(info >= 0 || info == LAPACK_WORK_MEMORY_ERROR);
    return info ? RSD_FAIL(RSD_ENOMEM, "QR of a %zu x %zu matrix", d, r) : RSD_OK;
}

static int check(rsd_mat B, rsd_mat A)
{
    assert(B.n == A.m);
    const size_t r = B.n, least = B.m < A.n ? B.m : A.n;
    if (r == 0 || r > least || B.m > INT_MAX || A.n > INT_MAX)
        return RSD_FAIL(RSD_EARG, "rank %zu of a %zu x %zu product", r, B.m, A.n);
    RSD_TRY(rsd_mat_check_finite(B));
    return rsd_mat_check_finite(A);
}

/* Arrays of the small problem: R_B, R_A, the core and its vectors, r x r each; work. */
typedef struct {
    double *small, *tau, *qb, *qa, *superb;
} memory;

/* core = R_B R_A' = X diag(s) Y', so that B A = (Q_B X) diag(s) (Q_A Y)'. */
static int core_svd(const memory *w, size_t r, double *s)
{
    const int k = (int)r;
    double *rb = w->small, *ra = rb + r * r, *core = ra + r * r, *x = core + r * r, *yt = x + r * r;
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, k, k, k, 1, rb, k, ra, k, 0, core, k);
    const lapack_int info =
        LAPACKE_dgesvd(LAPACK_COL_MAJOR, 'A', 'A', k, k, core, k, s, x, k, yt, k, w->superb);
    assert(info >= 0 || info == LAPACK_WORK_MEMORY_ERROR);
    if (info == LAPACK_WORK_MEMORY_ERROR)
        return RSD_FAIL(RSD_ENOMEM, "svd of a %zu x %zu matrix", r, r);
    return info ? RSD_FAIL(RSD_ECONV, "svd of a %zu x %zu matrix", r, r) : RSD_OK;
}

int rsd_product_svd(rsd_mat B, rsd_mat A, double *s, double *u, double *v)
{
    const size_t m = B.m, n = A.n, r = B.n;
    memory w = { 0 };
    int err = RSD_OK;
    RSD_TRY(check(B, A));
    RSD_TRY_DONE(rsd_array_alloc(5 * r, r, sizeof *w.small, &w.small));
    RSD_TRY_DONE(rsd_array_alloc(r, 1, sizeof *w.tau, &w.tau));
    RSD_TRY_DONE(rsd_array_alloc(r, 1, sizeof *w.superb, &w.superb));
    RSD_TRY_DONE(rsd_array_alloc(m, r, sizeof *w.qb, &w.qb));
    RSD_TRY_DONE(rsd_array_alloc(n, r, sizeof *w.qa, &w.qa));
    for (size_t k = 0; k < r; k++) {
        for (size_t i = 0; i < m; i++)
            w.qb[k * m + i] = B.x[i * B.ld + k];
        for (size_t j = 0; j < n; j++)
            w.qa[k * n + j] = A.x[k * A.ld + j];
    }
    RSD_TRY_DONE(thin_qr(w.qb, m, r, w.small, w.tau));
    RSD_TRY_DONE(thin_qr(w.qa, n, r, w.small + r * r, w.tau));
    RSD_TRY_DONE(core_svd(&w, r, s));
    const double *x = w.small + 3 * r * r, *yt = x + r * r;
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)r, (int)r, 1, w.qb, (int)m,
                x, (int)r, 0, u, (int)m);
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, (int)n, (int)r, (int)r, 1, w.qa, (int)n,
                yt, (int)r, 0, v, (int)n);
done:
    free(w.small);
    free(w.tau);
    free(w.superb);
    free(w.qb);
    free(w.qa);
    return err;
}
