/* The move of a step as a sum of one term for each array that trains, and the tail of the weighted
 * residual's spectrum. */
#include "adapters/displacement.h"

#include "linalg/roots.h"
#include "linalg/spectrum.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>

/* A tail below this share of all is what rounding leaves of none. */
static const double least_tail = 1e-6;

static void damp(double *M, size_t n, double damping)
{
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += M[i * (n + 1)];
    for (size_t i = 0; i < n; i++)
        M[i * (n + 1)] += damping * trace / (double)n;
}

/* q[k] = x_k' M x_k for the rows x_k of X[r*n]; work[r*n]. */
static void forms(const double *X, size_t r, const double *M, size_t n, double *work, double *q)
{
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)r, (int)n, (int)n, 1, X, (int)n, M,
                (int)n, 0, work, (int)n);
    for (size_t k = 0; k < r; k++)
        q[k] = cblas_ddot((int)n, X + k * n, 1, work + k * n, 1);
}

/* Rows of A over every input. */
static void rows_of_A(const rsd_adapter *a, double *x)
{
    for (size_t k = 0; k < a->rank; k++)
        for (size_t j = 0; j < a->n; j++)
            x[k * a->n + j] = (double)a->A[k * (a->n / a->pool) + j / a->pool];
}

static void columns_of_B(const rsd_adapter *a, double *x)
{
    for (size_t k = 0; k < a->rank; k++)
        for (size_t i = 0; i < a->m; i++)
            x[k * a->m + i] = (double)a->B[i * a->rank + k];
}

/* The trace of M over sums of `pool` channels: E of the square of what a row of random signs, one
 * for each pool, makes of the inputs. */
static double pooled_trace(const double *M, size_t n, size_t pool)
{
    double sum = 0;
    for (size_t first = 0; first < n; first += pool)
        for (size_t i = first; i < first + pool; i++)
            for (size_t j = first; j < first + pool; j++)
                sum += M[i * n + j];
    return sum;
}

/* E ||G^(1/2) dC H^(1/2)||^2 / eta^2, but for magnitudes. */
static int move_of_factors(const rsd_adapter *a, const double *G, const double *H, double b_ratio,
                           double *square)
{
    const size_t r = a->rank, wide = a->m > a->n ? a->m : a->n;
    double *x = NULL, *work = NULL, *AHA = NULL, *BGB = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(r, wide, sizeof *x, &x));
    RSD_TRY_DONE(rsd_array_alloc(r, wide, sizeof *work, &work));
    RSD_TRY_DONE(rsd_array_alloc(r, 1, sizeof *AHA, &AHA));
    RSD_TRY_DONE(rsd_array_alloc(r, 1, sizeof *BGB, &BGB));
    rows_of_A(a, x);
    forms(x, r, H, a->n, work, AHA);
    columns_of_B(a, x);
    forms(x, r, G, a->m, work, BGB);
    const double of_B = b_ratio * b_ratio * pooled_trace(G, a->m, 1);
    const double of_A = pooled_trace(H, a->n, a->pool), s = (double)a->scale;
    double sum = 0;
    for (size_t k = 0; k < r; k++) {
        const double l = a->lambda ? (double)a->lambda[k] : 1;
        sum += l * l * (of_B * AHA[k] + of_A * BGB[k]) + (a->lambda ? AHA[k] * BGB[k] : 0);
    }
    *square = s * s * sum;
done:
    free(BGB);
    free(AHA);
    free(work);
    free(x);
    return err;
}

/* dora: row i of W + C is multiplied by g_i / ||row||, which at the start is 1, so that a step of
 * g_i moves it by eta row / ||row||. */
static int add_move_of_magnitudes(const rsd_adapter *a, rsd_mat W, const double *G, const double *H,
                                  double *square)
{
    const size_t m = a->m, n = a->n;
    double *row = NULL, *work = NULL, q;
    rsd_mat V = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_mat_alloc(m, n, &V));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *row, &row));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *work, &work));
    RSD_TRY_DONE(rsd_adapter_delta(a, V));
    for (size_t i = 0; i < m; i++) {
        for (size_t j = 0; j < n; j++)
            row[j] = (double)W.x[i * W.ld + j] + (double)V.x[i * V.ld + j];
        const double norm = cblas_ddot((int)n, row, 1, row, 1);
        forms(row, 1, H, n, work, &q);
        *square += norm > 0 ? G[i * (m + 1)] * q / norm : 0;
    }
done:
    free(work);
    free(row);
    rsd_mat_free(&V);
    return err;
}

static void transpose(double *M, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            const double t = M[i * n + j];
            M[i * n + j] = M[j * n + i];
            M[j * n + i] = t;
        }
}

/* What rank r leaves of ||F_G R F_H'||^2; 0 where that is rounding. */
static int tail_of(rsd_mat R, size_t r, double *G, double *H, double *tail)
{
    rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    rsd_spectrum s = { 0 };
    int err = RSD_OK;
    *tail = 0;
    if (r >= R.m || r >= R.n || !(rsd_mat_sumsq(R) > 0))
        return RSD_OK;
    RSD_TRY_DONE(rsd_any_root(G, R.m, 0));
    RSD_TRY_DONE(rsd_any_root(H, R.n, 0));
    transpose(H, R.n);
    RSD_TRY_DONE(rsd_between(G, R, H, R));
    opts.top = r;
    opts.quick = true;
    RSD_TRY_DONE(rsd_spectrum_compute(R, &opts, &s));
    double rest = s.sumsq;
    for (size_t k = 0; k < s.count; k++)
        rest -= s.s[k] * s.s[k];
    *tail = rest > least_tail * s.sumsq ? rest : 0;
done:
    rsd_spectrum_free(&s);
    return err;
}

int rsd_displacement(const rsd_adapter *a, rsd_mat W, rsd_mat R, double *G, double *H,
                     const rsd_displacement_options *options, double *delta)
{
    double square, tail;
    *delta = NAN;
    if (!a->rank || R.m != a->m || R.n != a->n || (a->magnitude && (W.m != a->m || W.n != a->n)))
        return RSD_FAIL(RSD_EARG, "an adapter of rank %zu for %zu x %zu, a residual of %zu x %zu",
                        a->rank, a->m, a->n, R.m, R.n);
    damp(G, a->m, options->damping);
    damp(H, a->n, options->damping);
    RSD_TRY(move_of_factors(a, G, H, options->b_ratio, &square));
    if (a->magnitude)
        RSD_TRY(add_move_of_magnitudes(a, W, G, H, &square));
    RSD_TRY(tail_of(R, a->rank, G, H, &tail));
    if (tail > 0)
        *delta = sqrt(square / tail);
    return RSD_OK;
}
