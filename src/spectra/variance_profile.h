/* What a residual's spectrum would be if its signs were random, in any weighting, without a draw.
 *
 * With signs drawn, R_ij are independent with variances R_ij^2.  Seen through G and H their first
 * moments are known exactly: with a_i = sum_j R_ij^2 H_jj and b_j = sum_i G_ii R_ij^2,
 *
 *     E YY' = G^1/2 diag(a) G^1/2,  E Y'Y = H^1/2 diag(b) H^1/2,  E ||Y||^2 = sum_i G_ii a_i,
 *
 * Y = G^1/2 (R o signs) H^1/2.  The spectrum taken for it is that of separable noise (separable.h)
 * with these moments: g and h are the eigenvalues of A^1/2 G A^1/2 and B^1/2 H B^1/2.  Energy and
 * second moment are then right for any profile, all else for one that is a product a_i b_j; one
 * that is none differs less than one would think, as sums over a row or column feel little of how
 * they are spread.  Where single entries hold much of the energy (a few tens of rows, one outlier),
 * it has some percent of it too much in few directions: such a matrix is drawn in no time. */
#ifndef RSD_SPECTRA_VARIANCE_PROFILE_H
#define RSD_SPECTRA_VARIANCE_PROFILE_H

#include "err.h"
#include "mat.h"

/* A symmetric positive semidefinite matrix M + shift I; M[n*n] NULL: the identity alone. */
typedef struct {
    const double *M;
    double shift;
} rsd_profile_weight;

/* The expected spectrum of R with random signs between G^1/2 and H^1/2, d = min(m,n).
 *
 *   in   R        m x n, finite
 *        G, H     of order m and n
 *   out  s[d]     mean singular values, or NULL
 *        sum[d]   shares of their sum, or NULL, as it must be without s
 *        energy[d] the expected shares of a draw's own energy
 *        *total    E ||Y||_F^2
 *
 * Against 200 draws, of matrices of 64 rows and more, energy errs by .001 to .002 (root mean square
 * over layers of language models), and is unbiased.
 * Memory: max(m,n)^2 doubles where there is G or H.  Threads: the BLAS's.
 * Errors: RSD_EDOM for what is not finite, or diagonals below 0; RSD_ENOMEM; RSD_ECONV. */
RSD_CHECK int rsd_variance_profile_curves(rsd_mat R, rsd_profile_weight G, rsd_profile_weight H,
                                          double *s, double *sum, double *energy, double *total);

#endif
