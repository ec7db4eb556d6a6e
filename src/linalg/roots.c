#include "linalg/roots.h"

#include "linalg/apply.h"
#include "linalg/eigen.h"

#include <assert.h>
#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static int trace_of(const double *M, size_t n, double *trace)
{
    *trace = 0;
    for (size_t i = 0; i < n * n; i++)
        if (!isfinite(M[i]))
            return RSD_FAIL(RSD_EDOM, "second moment of %zu channels: %g at (%zu, %zu)", n, M[i],
                            i / n, i % n);
    for (size_t i = 0; i < n; i++)
        *trace += M[i * n + i];
    if (*trace < 0)
        return RSD_FAIL(RSD_EDOM, "second moment of %zu channels: trace %g", n, *trace);
    return RSD_OK;
}

/* Root = sum_k sqrt(lambda_k) x_k x_k' = Y Y' with y_k = lambda_k^(1/4) x_k: one symmetric product,
 * which stays symmetric and positive whatever rounding does. */
int rsd_root(double *M, size_t n, double delta, size_t *clamped)
{
    double trace, *lambda = NULL, *x = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(trace_of(M, n, &trace));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *lambda, &lambda));
    RSD_TRY_DONE(rsd_array_alloc(n, n, sizeof *x, &x));
    RSD_TRY_DONE(rsd_eigen(M, n, n, lambda, x));
    *clamped = 0;
    for (size_t k = 0; k < n; k++) {
        *clamped += lambda[k] < 0;
        const double root = sqrt(sqrt(fmax(lambda[k], 0) + delta * trace / (double)n));
        for (size_t i = 0; i < n; i++)
            x[k * n + i] *= root;
    }
    cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, (int)n, (int)n, 1, x, (int)n, 0, M,
                (int)n);
    for (size_t j = 0; j < n; j++)
        for (size_t i = 0; i < j; i++)
            M[j * n + i] = M[i * n + j];
done:
    free(x);
    free(lambda);
    return err;
}

/* Column by column LAPACK's lower factor is, row by row, the upper one.  It leaves the other
 * triangle as it was, from which M comes back. */
int rsd_any_root(double *M, size_t n, double delta)
{
    double trace, *own = NULL;
    size_t clamped;
    int err = RSD_OK;
    if (n > INT_MAX)
        return RSD_FAIL(RSD_EARG, "a second moment of %zu channels: more than LAPACK counts", n);
    RSD_TRY_DONE(trace_of(M, n, &trace));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *own, &own));
    for (size_t i = 0; i < n; i++) {
        own[i] = M[i * (n + 1)];
        M[i * (n + 1)] += delta * trace / (double)n;
    }
    const bool definite =
        LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (lapack_int)n, M, (lapack_int)n) == 0;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (definite)
                M[i * n + j] = 0;
            else
                M[j * n + i] = M[i * n + j];
    for (size_t i = 0; i < n && !definite; i++)
        M[i * (n + 1)] = own[i];
    if (!definite)
        err = rsd_root(M, n, delta, &clamped);
done:
    free(own);
    return err;
}

int rsd_quadratic(const double *G, rsd_mat R, const double *H, double *trace)
{
    const size_t m = R.m, n = R.n;
    double *wide = NULL, *RH = NULL, *GR = NULL;
    int err = RSD_OK;
    *trace = 0;
    RSD_TRY_DONE(rsd_array_alloc(m, n, sizeof *wide, &wide));
    RSD_TRY_DONE(rsd_array_alloc(m, n, sizeof *RH, &RH));
    rsd_widen(R, 0, m, 0, n, wide);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)n, 1, wide, (int)n,
                H, (int)n, 0, RH, (int)n);
    if (G) {
        RSD_TRY_DONE(rsd_array_alloc(m, n, sizeof *GR, &GR));
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)m, 1, G, (int)m,
                    wide, (int)n, 0, GR, (int)n);
    }
    const double *left = G ? GR : wide;
    for (size_t i = 0; i < m * n; i++)
        *trace += left[i] * RH[i];
done:
    free(GR);
    free(RH);
    free(wide);
    return err;
}

int rsd_between(const double *G, rsd_mat R, const double *H, rsd_mat out)
{
    const size_t m = R.m, n = R.n;
    double *panel = NULL, *RH = NULL, *GRH = NULL;
    int err = RSD_OK;
    assert(out.m == m && out.n == n);
    RSD_TRY_DONE(rsd_array_alloc(RSD_PANEL, n, sizeof *panel, &panel));
    RSD_TRY_DONE(rsd_array_alloc(m, n, sizeof *RH, &RH));
    for (size_t at = 0; at < m; at += RSD_PANEL) {
        const size_t p = m - at < RSD_PANEL ? m - at : RSD_PANEL;
        rsd_widen(R, at, p, 0, n, H ? panel : RH + at * n);
        if (H)
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)p, (int)n, (int)n, 1, panel,
                        (int)n, H, (int)n, 0, RH + at * n, (int)n);
    }
    if (G) {
        RSD_TRY_DONE(rsd_array_alloc(m, n, sizeof *GRH, &GRH));
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)m, 1, G, (int)m,
                    RH, (int)n, 0, GRH, (int)n);
    }
    const double *product = G ? GRH : RH;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            out.x[i * out.ld + j] = (float)product[i * n + j];
done:
    free(panel);
    free(RH);
    free(GRH);
    return err;
}

void rsd_scale_columns(rsd_mat R, const double *d, rsd_mat out)
{
    assert(out.m == R.m && out.n == R.n);
    for (size_t i = 0; i < R.m; i++)
        for (size_t j = 0; j < R.n; j++)
            out.x[i * out.ld + j] = (float)((double)R.x[i * R.ld + j] * sqrt(d[j]));
}
