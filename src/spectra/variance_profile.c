/* Sums over R^2, two symmetric eigenproblems, the law of separable noise, and what a matrix of
 * signs has of its own size. */
#include "spectra/variance_profile.h"

#include "linalg/eigen.h"
#include "spectra/finite_size.h"
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
    double *sum;      /* [n] over the other side; then the eigenvalues */
    double total;     /* sum_i diagonal_i sum_i, or of the eigenvalues */
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

/* sum_i (diagonal_i sum_i)^2 over the square of sum_i diagonal_i sum_i. */
static double concentration_of(side *s)
{
    double squares = 0;
    s->total = 0;
    for (size_t i = 0; i < s->n; i++) {
        const double x = s->diagonal[i] * s->sum[i];
        s->total += x;
        squares += x * x;
    }
    return squares / (s->total * s->total);
}

/* The sums become the eigenvalues of diag(sum)^1/2 (M + shift I)/level diag(sum)^1/2. */
static int eigenvalues(side *s)
{
    const size_t n = s->n;
    double *A = NULL, *root = NULL;
    int err = RSD_OK;
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
    s->total = 0;
    for (size_t i = 0; i < n; i++) {
        s->sum[i] = fmax(0, s->sum[i]); /* but for rounding they are */
        s->diagonal[i] = 1;             /* the matrix is diagonal now */
    }
done:
    free(root);
    free(A);
    return err;
}

/* Both sides' eigenvalues.  Where G or H is not diagonal, crossed is taken as if the profile were a
 * product, but for the terms on both diagonals, which are same. */
static int solve_sides(rsd_mat R, double mean, side *row, side *col, rsd_pairings *p)
{
    double fourth;
    sum_squares(R, mean, row, col, &fourth);
    const double rows = concentration_of(row), cols = concentration_of(col);
    p->same = fourth / (row->total * col->total);
    RSD_TRY(eigenvalues(row));
    RSD_TRY(eigenvalues(col));
    const double g = concentration_of(row), h = concentration_of(col);
    p->law = g + h;
    p->crossed = p->same + fmax(0, g * h - rows * cols);
    return RSD_OK;
}

int rsd_variance_profile_curves(rsd_mat R, rsd_profile_weight G, rsd_profile_weight H, double *s,
                                double *sum, double *energy, double *total)
{
    const double mean = rsd_mat_sumsq(R) / ((double)R.m * (double)R.n);
    side row = { 0 }, col = { 0 };
    rsd_pairings p = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(side_make(&row, R.m, G));
    RSD_TRY_DONE(side_make(&col, R.n, H));
    RSD_TRY_DONE(rsd_mat_check_finite(R));
    if (mean > 0)
        RSD_TRY_DONE(solve_sides(R, mean, &row, &col, &p));
    /* E ||Y||^2 is mean level_G level_H sum_i diagonal_i sum_i, of either side */
    const double scale = col.total > 0 ? mean * row.level * col.level / col.total : 0;
    for (size_t i = 0; i < R.m; i++)
        row.sum[i] *= scale;
    RSD_TRY_DONE(rsd_separable_curves(row.sum, R.m, col.sum, R.n, s, sum, energy, total));
    rsd_finite_size_correct(p, R.m < R.n ? R.m : R.n, s, sum, energy);
done:
    free(row.sum);
    free(col.sum);
    return err;
}
