#include "linalg/gram.h"

#include "linalg/apply.h"
#include "linalg/eigen.h"
#include "linalg/ritz.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int rsd_gram(rsd_mat A, double *G)
{
    const bool tall = A.m >= A.n;
    const size_t d = tall ? A.n : A.m, length = tall ? A.m : A.n;
    double *panel;
    RSD_TRY(rsd_array_alloc(RSD_PANEL, d, sizeof *panel, &panel));
    for (size_t at = 0; at < length; at += RSD_PANEL) {
        const size_t p = length - at < RSD_PANEL ? length - at : RSD_PANEL;
        const double beta = at ? 1 : 0;
        if (tall)
            rsd_widen(A, at, p, 0, d, panel);
        else
            rsd_widen(A, 0, d, at, p, panel);
        cblas_dsyrk(CblasColMajor, CblasLower, tall ? CblasNoTrans : CblasTrans, (int)d, (int)p, 1,
                    panel, tall ? (int)d : (int)p, beta, G, (int)d);
    }
    free(panel);
    return RSD_OK;
}

/* What rounding can move an eigenvalue by.  Products of float32s are exact in double; a sum runs
 * over a panel, then over panels: RSD_PANEL + length / RSD_PANEL steps at most, each of eps/2 of
 * the sum of magnitudes, and || |A|' |A| ||_2 <= ||A||_F^2.  The reduction and the roots add
 * LAPACK's p(d) eps lambda_1.  In s that is |ds| = |dlambda| / (s + sigma). */
static double bound(rsd_mat A, double sumsq, double largest, double smallest)
{
    const double d = (double)(A.m < A.n ? A.m : A.n), length = (double)(A.m < A.n ? A.n : A.m);
    const double steps = (RSD_PANEL + length / RSD_PANEL + 1) / 2;
    const double moved = DBL_EPSILON * (steps * sumsq + 10 * d * largest * largest);
    return smallest > 0 ? fmin(sqrt(moved), moved / smallest) : sqrt(moved);
}

/* The leading values again, from A itself; the others must not rise above them by rounding. */
static int refine(rsd_mat A, rsd_spectrum *out)
{
    const bool tall = A.m >= A.n;
    RSD_TRY(rsd_ritz(A, out->vectors, tall ? out->v : out->u, tall ? out->u : out->v, out->s));
    for (size_t i = out->vectors; i < out->count; i++)
        out->s[i] = fmin(out->s[i], out->s[i - 1]);
    return RSD_OK;
}

int rsd_gram_spectrum(rsd_mat A, rsd_spectrum *out)
{
    int err = RSD_OK;
    const size_t d = A.m < A.n ? A.m : A.n;
    double *G = NULL, *lambda = NULL;
    RSD_TRY_DONE(rsd_array_alloc(d, d, sizeof *G, &G));
    RSD_TRY_DONE(rsd_array_alloc(d, 1, sizeof *lambda, &lambda));
    RSD_TRY_DONE(rsd_gram(A, G));
    RSD_TRY_DONE(rsd_eigen(G, d, out->vectors, lambda, A.m >= A.n ? out->v : out->u));
    free(G);
    G = NULL;
    for (size_t i = 0; i < out->count; i++)
        out->s[i] = sqrt(fmax(lambda[i], 0));
    out->error_bound = bound(A, out->sumsq, out->s[0], out->s[out->count - 1]);
    if (out->vectors)
        RSD_TRY_DONE(refine(A, out));
done:
    free(G);
    free(lambda);
    return err;
}

size_t rsd_gram_bytes(size_t m, size_t n, size_t vectors)
{
    const size_t d = m < n ? m : n, longer = m < n ? n : m;
    const size_t values = d * d + (RSD_PANEL + 80) * d;
    const size_t refinement =
        vectors * (2 * d + 3 * longer) + 8 * vectors * vectors + RSD_PANEL * n;
    return sizeof(double) * (vectors * (m + n) + (refinement > values ? refinement : values));
}
