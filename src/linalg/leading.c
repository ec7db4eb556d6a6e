#include "linalg/leading.h"

#include "linalg/apply.h"
#include "linalg/eigen.h"
#include "linalg/gram.h"
#include "linalg/ritz.h"

#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* In units of which rounding is counted: twice the unit roundoff, which leaves room for terms of
 * second order. */
static const double eps = DBL_EPSILON;

static size_t least(size_t a, size_t b) { return a < b ? a : b; }
static size_t most(size_t a, size_t b) { return a < b ? b : a; }

/* ||V'V - I||_F, V of k columns of length n. */
static int defect(const double *v, size_t k, size_t n, double *out)
{
    double *G, sum = 0;
    RSD_TRY(rsd_array_alloc(k, k, sizeof *G, &G));
    cblas_dsyrk(CblasColMajor, CblasLower, CblasTrans, (int)k, (int)n, 1, v, (int)n, 0, G, (int)k);
    for (size_t j = 0; j < k; j++)
        for (size_t i = j; i < k; i++) {
            const double e = G[j * k + i] - (i == j ? 1 : 0);
            sum += (i == j ? 1 : 2) * e * e;
        }
    free(G);
    *out = sqrt(sum) + (double)(n * k) * eps;
    return RSD_OK;
}

/* A product of unit columns with A is off by at most (max(m,n) + 1) eps ||A||_F a column; X and Y
 * that are orthonormal but for a defect are at most that far from some that are. */
int rsd_triplets_residual(rsd_mat A, const rsd_triplets *t, double sumsq, double *norm)
{
    double x, y;
    RSD_TRY(rsd_ritz_residual(A, t->k, t->x, t->y, t->s, norm, NULL));
    RSD_TRY(defect(t->x, t->k, least(A.m, A.n), &x));
    RSD_TRY(defect(t->y, t->k, most(A.m, A.n), &y));
    const double length = (double)most(A.m, A.n) + 2;
    *norm += 2 * length * eps * sqrt((double)t->k * sumsq) + 2 * (x + y) * t->s[0];
    return RSD_OK;
}

/* ||A - left diag(s) right'||_F, panel by panel. */
static int measure_rest(rsd_mat A, const rsd_triplets *t, double *out)
{
    const bool tall = A.m >= A.n;
    const double *left = tall ? t->y : t->x, *right = tall ? t->x : t->y;
    const int k = (int)t->k, n = (int)A.n, m = (int)A.m;
    double *panel = NULL, *scaled = NULL, sum = 0, rounding = 0;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(RSD_PANEL, A.n, sizeof *panel, &panel));
    RSD_TRY_DONE(rsd_array_alloc(t->k, A.m, sizeof *scaled, &scaled));
    for (size_t c = 0; c < t->k; c++) {
        for (size_t i = 0; i < A.m; i++)
            scaled[c * A.m + i] = t->s[c] * left[c * A.m + i];
        rounding += ((double)t->k + 3) * eps * t->s[c];
    }
    for (size_t row = 0; row < A.m; row += RSD_PANEL) {
        const size_t rows = least(RSD_PANEL, A.m - row);
        rsd_widen(A, row, rows, 0, A.n, panel);
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, n, (int)rows, k, -1, right, n,
                    scaled + row, m, 1, panel, n);
        sum += pow(cblas_dnrm2((int)(rows * A.n), panel, 1), 2);
    }
    *out = sqrt(sum) * (1 + (double)(A.m + A.n) * eps) + rounding;
done:
    free(scaled);
    free(panel);
    return err;
}

/* T less the shift, lower triangle, in place of G. */
static int form(size_t d, const rsd_triplets *t, double mu, double shift, double *G)
{
    double *xs;
    RSD_TRY(rsd_array_alloc(t->k, d, sizeof *xs, &xs));
    memcpy(xs, t->x, t->k * d * sizeof *xs);
    for (size_t c = 0; c < t->k; c++)
        cblas_dscal((int)d, t->s[c], xs + c * d, 1);
    cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, (int)d, (int)t->k, 2, xs, (int)d, -1, G,
                (int)d);
    for (size_t i = 0; i < d; i++)
        G[i * (d + 1)] += mu - shift;
    free(xs);
    return RSD_OK;
}

/* All that rounding can do, as a norm: sums of G run over a panel and then over panels, those of T
 * over k; Cholesky's over d, in units of T's trace. */
static double shift_of(rsd_mat A, const rsd_triplets *t, double sumsq, double mu)
{
    const double d = (double)least(A.m, A.n), length = (double)most(A.m, A.n);
    double known = 0;
    for (size_t c = 0; c < t->k; c++)
        known += t->s[c] * t->s[c];
    const double gram = (RSD_PANEL + length / RSD_PANEL + 2) * sumsq;
    const double sum = ((double)t->k + 4) * 2 * known + sumsq + d * mu;
    return eps * (gram + sum + (d + 2) * (d * mu + 2 * known));
}

/* Is ||A P||_2 below sqrt(mu)? */
static int inertia(rsd_mat A, const rsd_triplets *t, double sumsq, double mu, bool *below)
{
    const size_t d = least(A.m, A.n);
    double *G = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(d, d, sizeof *G, &G));
    RSD_TRY_DONE(rsd_gram(A, G));
    RSD_TRY_DONE(form(d, t, mu, shift_of(A, t, sumsq, mu), G));
    *below = LAPACKE_dpotrf_work(LAPACK_COL_MAJOR, 'L', (lapack_int)d, G, (lapack_int)d) == 0;
done:
    free(G);
    return err;
}

int rsd_prove_leading(rsd_mat A, const rsd_triplets *t, double sumsq, double norm, double allowed,
                      double *bound)
{
    const double s_k = t->s[t->k - 1], room = (allowed - norm) / 2;
    double known = 0, rest = INFINITY;
    *bound = INFINITY;
    if (!(room > 0))
        return RSD_OK;
    for (size_t c = 0; c < t->k; c++)
        known += t->s[c] * t->s[c];
    /* a sum of squares to within rounding, which tells whether looking closer can help */
    const double left = sumsq - known, fuzz = (double)(A.m + A.n) * eps * sumsq;
    if (left <= pow(s_k + room, 2) + fuzz)
        RSD_TRY(measure_rest(A, t, &rest));
    if (rest <= s_k + room) {
        *bound = norm + fmax(0, rest - s_k);
        return RSD_OK;
    }
    bool below = false;
    RSD_TRY(inertia(A, t, sumsq, pow(s_k + room, 2), &below));
    if (below)
        *bound = norm + room;
    return RSD_OK;
}

size_t rsd_prove_leading_bytes(size_t m, size_t n, size_t k)
{
    const size_t d = least(m, n);
    return sizeof(double) * (d * d + RSD_PANEL * most(m, n) + k * most(m, n));
}
