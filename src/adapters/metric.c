#include "adapters/metric.h"

#include "linalg/apply.h"
#include "linalg/eigen.h"
#include "linalg/lowrank.h"
#include "linalg/spectrum.h"

#include <assert.h>
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* With M = S_G' R S_H and P its r leading left singular vectors, the best approximation of M of
 * rank r is P P' M, so
 *
 *     C = S_G'^-1 P P' S_G' R,   B = S_G'^-1 P,   A = P' S_G' R:
 *
 * H is never inverted (its null space needs no care), and G = E D^2 E' only on the r vectors, by
 * its eigenvectors.  P comes from M rounded to float32, an orthonormal basis to rounding in double:
 * what that rounding costs is the choice of the subspace, to 1e-7 of ||M||, and what G's inverse
 * makes of it, 1e-7 / root, in directions that the metric weighs with root. */

/* A root of G below this would make a weight of 6e-3 ||R|| out of float32's roundings. */
static const double least_root = 1e-5;

static void make_roots(rsd_side *side, double damping)
{
    double trace = 0, most = 0;
    for (size_t i = 0; i < side->n; i++) {
        side->clamped += side->root[i] < 0;
        trace += side->root[i];
        most = fmax(most, side->root[i]);
    }
    const double floor = damping * fmax(trace, 0) / (double)side->n;
    for (size_t i = 0; i < side->n && most > 0; i++)
        side->root[i] = sqrt((fmax(side->root[i], 0) + floor) / (most + floor));
    if (most == 0) { /* zeros */
        const size_t clamped = side->clamped;
        rsd_side_free(side);
        side->clamped = clamped;
    }
}

static int check_moment(const double *M, size_t n)
{
    double trace = 0;
    for (size_t i = 0; i < n * n; i++)
        if (!isfinite(M[i]))
            return RSD_FAIL(RSD_EDOM, "second moment of %zu channels: %g at (%zu, %zu)", n, M[i],
                            i / n, i % n);
    for (size_t i = 0; i < n; i++)
        trace += M[i * n + i];
    if (trace < 0)
        return RSD_FAIL(RSD_EDOM, "second moment of %zu channels: trace %g", n, trace);
    return RSD_OK;
}

int rsd_eigenaxes_compute(const double *M, size_t n, rsd_eigenaxes *out)
{
    int err = RSD_OK;
    double *copy = NULL;
    *out = (rsd_eigenaxes){ .n = n };
    RSD_TRY_DONE(check_moment(M, n));
    RSD_TRY_DONE(rsd_array_alloc(n, n, sizeof *copy, &copy));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *out->lambda, &out->lambda));
    RSD_TRY_DONE(rsd_array_alloc(n, n, sizeof *out->axis, &out->axis));
    memcpy(copy, M, n * n * sizeof *copy);
    RSD_TRY_DONE(rsd_eigen(copy, n, n, out->lambda, out->axis));
done:
    free(copy);
    return err;
}

void rsd_eigenaxes_free(rsd_eigenaxes *axes)
{
    free(axes->lambda);
    free(axes->axis);
    *axes = (rsd_eigenaxes){ 0 };
}

int rsd_side_of(const rsd_eigenaxes *axes, double damping, rsd_side *out)
{
    *out = (rsd_side){ .n = axes->n, .axis = axes->axis, .borrowed = true };
    RSD_TRY(rsd_array_alloc(axes->n, 1, sizeof *out->root, &out->root));
    memcpy(out->root, axes->lambda, axes->n * sizeof *out->root);
    make_roots(out, damping);
    return RSD_OK;
}

int rsd_side_full(const double *M, size_t n, double damping, rsd_side *out)
{
    int err = RSD_OK;
    rsd_eigenaxes axes;
    *out = (rsd_side){ .n = n };
    RSD_TRY_DONE(rsd_eigenaxes_compute(M, n, &axes));
    RSD_TRY_DONE(rsd_side_of(&axes, damping, out));
    if (out->axis) { /* not where M is 0 */
        out->borrowed = false;
        axes.axis = NULL;
    }
done:
    rsd_eigenaxes_free(&axes);
    return err;
}

int rsd_side_diagonal(const double *d, size_t stride, size_t n, double damping, rsd_side *out)
{
    *out = (rsd_side){ .n = n };
    RSD_TRY(rsd_array_alloc(n, 1, sizeof *out->root, &out->root));
    for (size_t i = 0; i < n; i++) {
        out->root[i] = d[i * stride];
        if (!isfinite(out->root[i]))
            return RSD_FAIL(RSD_EDOM, "second moment of channel %zu of %zu: %g", i, n,
                            d[i * stride]);
    }
    make_roots(out, damping);
    return RSD_OK;
}

void rsd_side_free(rsd_side *side)
{
    free(side->root);
    if (!side->borrowed)
        free(side->axis);
    *side = (rsd_side){ 0 };
}

void rsd_metric_free(rsd_weighting *metric)
{
    rsd_side_free(&metric->G);
    rsd_side_free(&metric->H);
}

/* Y = S' X, m x n.  Y is not X. */
static void apply_left(const rsd_side *G, size_t m, size_t n, const double *X, double *Y)
{
    if (G->axis)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)m, 1, G->axis,
                    (int)m, X, (int)n, 0, Y, (int)n);
    else
        memcpy(Y, X, m * n * sizeof *Y);
    for (size_t i = 0; i < m && G->root; i++)
        for (size_t j = 0; j < n; j++)
            Y[i * n + j] *= G->root[i];
}

/* Y = X S, m x n.  Y is not X. */
static void apply_right(const rsd_side *H, size_t m, size_t n, const double *X, double *Y)
{
    if (H->axis)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)n, 1, X, (int)n,
                    H->axis, (int)n, 0, Y, (int)n);
    else
        memcpy(Y, X, m * n * sizeof *Y);
    for (size_t i = 0; i < m && H->root; i++)
        for (size_t j = 0; j < n; j++)
            Y[i * n + j] *= H->root[j];
}

/* GR = S_G' R and GRH = S_G' R S_H, both allocated here; free them, also after a failure. */
static int press(const rsd_weighting *metric, rsd_mat R, double **GR, double **GRH)
{
    const size_t m = R.m, n = R.n;
    assert((!metric->G.root || metric->G.n == m) && (!metric->H.root || metric->H.n == n));
    *GR = *GRH = NULL;
    RSD_TRY(rsd_array_alloc(m, n, sizeof **GR, GR));
    RSD_TRY(rsd_array_alloc(m, n, sizeof **GRH, GRH));
    rsd_widen(R, 0, m, 0, n, *GRH);
    apply_left(&metric->G, m, n, *GRH, *GR);
    apply_right(&metric->H, m, n, *GR, *GRH);
    return RSD_OK;
}

/* u[r][m]: leading (or last) left singular vectors of M[m*n]; *s is to be freed.  *s stays empty
 * for a matrix of zeros. */
static int left_vectors(const rsd_weighting *metric, size_t m, size_t n, const double *M, size_t r,
                        uint64_t seed, rsd_spectrum *s, const double **u)
{
    int err = RSD_OK;
    const size_t d = m < n ? m : n;
    double most = 0;
    rsd_mat scaled = { 0 };
    *s = (rsd_spectrum){ 0 };
    for (size_t i = 0; i < m * n; i++)
        most = fmax(most, fabs(M[i]));
    if (most == 0)
        return RSD_OK;
    RSD_TRY_DONE(rsd_mat_alloc(m, n, &scaled));
    for (size_t i = 0; i < m * n; i++)
        scaled.x[i] = (float)(M[i] / most);
    rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    opts.seed = seed;
    opts.quick = true;
    opts.top = opts.vectors = metric->bottom ? d : r;
    if (metric->bottom)
        opts.method = RSD_METHOD_GESDD;
    RSD_TRY_DONE(rsd_spectrum_compute(scaled, &opts, s));
    *u = s->u + (metric->bottom ? (d - r) * m : 0);
done:
    rsd_mat_free(&scaled);
    return err;
}

/* Column k of B and row k of A, in double: b[r][m], a[r][n]. */
static int factors(const rsd_side *G, size_t m, size_t n, size_t r, const double *u,
                   const double *GR, double *b, double *a)
{
    double *weighed;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)r, (int)n, (int)m, 1, u, (int)m, GR,
                (int)n, 0, a, (int)n);
    RSD_TRY(rsd_array_alloc(r, m, sizeof *weighed, &weighed));
    for (size_t k = 0; k < r; k++)
        for (size_t i = 0; i < m; i++) {
            const double root = G->root ? G->root[i] : 1;
            weighed[k * m + i] = root < least_root ? 0 : u[k * m + i] / root;
        }
    if (G->axis)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)r, (int)m, (int)m, 1, weighed,
                    (int)m, G->axis, (int)m, 0, b, (int)m);
    else
        memcpy(b, weighed, r * m * sizeof *b);
    free(weighed);
    return RSD_OK;
}

/* Norms are shared out evenly, as sqrt(sigma) on either side is for a plain decomposition. */
static void store_balanced(size_t r, const double *b, const double *a, rsd_mat B, rsd_mat A)
{
    for (size_t k = 0; k < r; k++) {
        const double of_b = cblas_dnrm2((int)B.m, b + k * B.m, 1);
        const double of_a = cblas_dnrm2((int)A.n, a + k * A.n, 1);
        const bool none = of_b == 0 || of_a == 0;
        const double to_b = none ? 0 : sqrt(of_a / of_b), to_a = none ? 0 : sqrt(of_b / of_a);
        for (size_t i = 0; i < B.m; i++)
            B.x[i * B.ld + k] = (float)(to_b * b[k * B.m + i]);
        for (size_t j = 0; j < A.n; j++)
            A.x[k * A.ld + j] = (float)(to_a * a[k * A.n + j]);
    }
}

int rsd_metric_lowrank(const rsd_weighting *metric, rsd_mat R, uint64_t seed, rsd_mat B, rsd_mat A)
{
    const size_t m = R.m, n = R.n, r = A.m;
    assert(B.m == m && B.n == r && A.n == n);
    if (!metric->G.root && !metric->H.root && !metric->bottom)
        return rsd_lowrank(R, r, seed, B, A, NULL);
    int err = RSD_OK;
    double *GR = NULL, *GRH = NULL, *b = NULL, *a = NULL;
    const double *u = NULL;
    rsd_spectrum s = { 0 };
    RSD_TRY_DONE(rsd_mat_check_finite(R));
    RSD_TRY_DONE(press(metric, R, &GR, &GRH));
    RSD_TRY_DONE(rsd_array_alloc(r, m, sizeof *b, &b));
    RSD_TRY_DONE(rsd_array_alloc(r, n, sizeof *a, &a));
    RSD_TRY_DONE(left_vectors(metric, m, n, GRH, r, seed, &s, &u));
    if (u) {
        RSD_TRY_DONE(factors(&metric->G, m, n, r, u, GR, b, a));
    } else {
        memset(b, 0, r * m * sizeof *b);
        memset(a, 0, r * n * sizeof *a);
    }
    store_balanced(r, b, a, B, A);
done:
    rsd_spectrum_free(&s);
    free(a);
    free(b);
    free(GRH);
    free(GR);
    return err;
}

int rsd_metric_norm(const rsd_weighting *metric, rsd_mat R, double *norm)
{
    if (!metric->G.root && !metric->H.root) {
        *norm = sqrt(rsd_mat_sumsq(R));
        return RSD_OK;
    }
    double *GR, *GRH;
    const int err = press(metric, R, &GR, &GRH);
    if (!err) {
        double sum = 0;
        for (size_t i = 0; i < R.m; i++) {
            const double row = cblas_dnrm2((int)R.n, GRH + i * R.n, 1);
            sum += row * row;
        }
        *norm = sqrt(sum);
    }
    free(GR);
    free(GRH);
    return err;
}
