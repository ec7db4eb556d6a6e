/* Sums over R^2, two symmetric eigenproblems, and the law of separable noise.
 *
 * The sums a_i and b_j are those of R as it is, and noise of their own: of a profile that is flat,
 * they are not.  The law would take them for scales and have too much in few directions, as much as
 * any finite size does.  But the second moment of the squared singular values is known: where G and
 * H are diagonal, and to leading order elsewhere,
 *
 *     E tr (YY')^2 = sum_i (G_ii a_i)^2 + sum_j (H_jj b_j)^2 - sum_ij (G_ii R_ij^2 H_jj)^2,
 *
 * of which the law has the first two terms.  Drawing a and b together towards their means until it
 * has the third as well takes their noise out, and what is left is of noise of one variance the
 * Marchenko-Pastur law. */
#include "spectra/variance_profile.h"

#include "linalg/eigen.h"
#include "spectra/separable.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One side; all of it over its mean, so that nothing over- or underflows. */
typedef struct {
    size_t n;
    const double *M;  /* NULL: the identity */
    double level;     /* mean of M's diagonal, shift and all */
    double *diagonal; /* [n] over level */
    double *sum;      /* [n] over the other side */
    double mean;      /* of sum, weighted by diagonal: to draw towards it leaves the energy */
} side;

static int side_make(side *s, size_t n, rsd_profile_weight weight)
{
    *s = (side){ .n = n, .M = weight.M };
    RSD_TRY(rsd_array_alloc(n, 2, sizeof *s->sum, &s->sum));
    s->diagonal = s->sum + n;
    for (size_t i = 0; i < n; i++) {
        s->sum[i] = 0;
        s->diagonal[i] = weight.M ? weight.M[i * n + i] + weight.shift : 1;
        if (!(s->diagonal[i] >= 0) || !isfinite(s->diagonal[i]))
            return RSD_FAIL(RSD_EDOM, "weight of order %zu: %g on its diagonal, at %zu", n,
                            s->diagonal[i], i);
        s->level += s->diagonal[i] / (double)n;
    }
    for (size_t i = 0; i < n && s->level > 0; i++)
        s->diagonal[i] /= s->level;
    return RSD_OK;
}

/* The sums of both sides, of R^2 over its mean; fourth: sum_ij (G_ii R_ij^2 H_jj)^2. */
static void sum_squares(rsd_mat R, double mean, side *row, side *col, double *fourth)
{
    *fourth = 0;
    for (size_t i = 0; i < R.m; i++) {
        const float *x = R.x + i * R.ld;
        const double g = row->diagonal[i];
        double total = 0, squares = 0;
        for (size_t j = 0; j < R.n; j++) {
            const double v = (double)x[j] * (double)x[j] / mean, seen = v * col->diagonal[j];
            total += seen;
            squares += seen * seen;
            col->sum[j] += g * v;
        }
        row->sum[i] = total;
        *fourth += g * g * squares;
    }
}

/* With sum = mean + f (sum - mean), sum_i (diagonal_i sum_i)^2 is constant + 2 linear f + square
 * f^2: both are added to. */
static void expand(side *s, double *linear, double *square)
{
    double total = 0, weight = 0;
    for (size_t i = 0; i < s->n; i++) {
        total += s->diagonal[i] * s->sum[i];
        weight += s->diagonal[i];
    }
    s->mean = weight > 0 ? total / weight : 0;
    for (size_t i = 0; i < s->n; i++) {
        const double d2 = s->diagonal[i] * s->diagonal[i], apart = s->sum[i] - s->mean;
        *linear += d2 * s->mean * apart;
        *square += d2 * apart * apart;
    }
}

/* f in [0,1] with which the second moment is less by fourth. */
static double share_of_scales(side *row, side *col, double fourth)
{
    double linear = 0, square = 0;
    expand(row, &linear, &square);
    expand(col, &linear, &square);
    if (!(square > 0))
        return 1;
    const double root = linear * linear + square * (square + 2 * linear - fourth);
    return fmin(1, fmax(0, (sqrt(fmax(0, root)) - linear) / square));
}

/* The sums without their noise, of mean 1, become the eigenvalues of
 * diag(sum)^1/2 (M + shift I)/level diag(sum)^1/2: n is their sum. */
static int eigenvalues(side *s, double share)
{
    const size_t n = s->n;
    double *A = NULL, *root = NULL;
    int err = RSD_OK;
    for (size_t i = 0; i < n; i++)
        s->sum[i] = 1 + share * (s->sum[i] / s->mean - 1);
    if (!s->M)
        return RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(n, n, sizeof *A, &A));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *root, &root));
    for (size_t i = 0; i < n; i++)
        root[i] = sqrt(s->sum[i]);
    for (size_t j = 0; j < n; j++) {
        A[j * n + j] = s->sum[j] * s->diagonal[j];
        for (size_t i = j + 1; i < n; i++)
            A[j * n + i] = root[i] * root[j] * (s->M[j * n + i] / s->level);
    }
    RSD_TRY_DONE(rsd_eigen(A, n, 0, s->sum, NULL));
    for (size_t i = 0; i < n; i++)
        s->sum[i] = fmax(0, s->sum[i]); /* but for rounding they are */
done:
    free(root);
    free(A);
    return err;
}

int rsd_variance_profile_curves(rsd_mat R, rsd_profile_weight G, rsd_profile_weight H, double *s,
                                double *sum, double *energy, double *total)
{
    const double mean = rsd_mat_sumsq(R) / ((double)R.m * (double)R.n);
    side row = { 0 }, col = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(side_make(&row, R.m, G));
    RSD_TRY_DONE(side_make(&col, R.n, H));
    if (mean > 0) {
        double fourth;
        sum_squares(R, mean, &row, &col, &fourth);
        const double share = share_of_scales(&row, &col, fourth);
        if (row.mean > 0 && col.mean > 0) {
            RSD_TRY_DONE(eigenvalues(&row, share));
            RSD_TRY_DONE(eigenvalues(&col, share));
        }
    }
    /* over the sum of all, E ||Y||^2 is mean level_G level_H sum_i diagonal_i sum_i */
    const double all = mean * row.level * col.level * row.mean * (double)R.m;
    for (size_t i = 0; i < R.m; i++)
        row.sum[i] *= all / ((double)R.m * (double)R.n);
    err = rsd_separable_curves(row.sum, R.m, col.sum, R.n, s, sum, energy, total);
done:
    free(row.sum);
    free(col.sum);
    return err;
}
