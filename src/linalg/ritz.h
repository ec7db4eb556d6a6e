/* Private to src/linalg: singular triplets of a matrix on a given subspace. */
#ifndef RSD_LINALG_RITZ_H
#define RSD_LINALG_RITZ_H

#include "err.h"
#include "mat.h"

/* Singular values and vectors of A restricted to span(x_1..x_k), a subspace of the short side.
 *
 *   in   k <= min(m,n); x[k][d], d = min(m,n), orthonormal to 1e-4 or so.  If m >= n they are right
 *        vectors (d = n) and x is also v, else left ones (d = m) and x is also u
 *   out  x[k][d]         the singular vectors on that side, orthonormal to rounding
 *        y[k][max(m,n)]  those on the other: y = A x / s (A' x / s), likewise orthonormal
 *        s[k]            nonincreasing; s[i] <= sigma_i, with an error quadratic in the subspace's
 *
 * Threads: the BLAS's.  Memory: k d + k^2 doubles and rsd_apply's.  Errors: RSD_ENOMEM, RSD_ECONV.
 * Source: Golub & Van Loan 10.4 (Rayleigh-Ritz for the singular value problem). */
RSD_CHECK int rsd_ritz(rsd_mat A, size_t k, double *x, double *y, double *s);

/* How good such triplets are: ||R||_2 of the residuals r_i = A' y_i - s_i x_i (m >= n; else A y_i -
 * s_i x_i), computed in double.  There are k singular values of A, one for each s_i, within that
 * distance: (s, x, y) are exact for A less y r', whose distance from A is ||R||_2.
 * residual[k], if not NULL, gets the norms of the r_i.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_ritz_residual(rsd_mat A, size_t k, const double *x, const double *y,
                                const double *s, double *norm, double *residual);

#endif
