/* Square roots of second moments, and residuals that are weighted by them. */
#ifndef RSD_LINALG_ROOTS_H
#define RSD_LINALG_ROOTS_H

#include "err.h"
#include "mat.h"

/* The symmetric square root of (M + delta tr(M)/n I), in place.
 *
 *   in/out  M[n*n]    symmetric, finite; eigenvalues below 0 are rounding and count as 0
 *   in      delta     damping >= 0, as a share of the mean eigenvalue
 *   out     *clamped  eigenvalues of M that were below 0
 *
 * Threads: the BLAS's.  Memory: n^2 doubles more.
 * Errors: RSD_EDOM where M is not finite or its trace is negative; RSD_ENOMEM, RSD_ECONV. */
RSD_CHECK int rsd_root(double *M, size_t n, double delta, size_t *clamped);

/* F with F' F = M + delta tr(M)/n I, in place: Cholesky's upper factor (0 below the diagonal), or,
 * where rounding has left M no longer positive definite, rsd_root.  Any such F_G and F_H give the
 * same singular values of F_G R F_H' as the roots, at a twentieth of their cost.
 *
 * Threads: the BLAS's.  Memory: n doubles; rsd_root's where it is needed.
 * Errors: as rsd_root; RSD_EARG for n beyond LAPACK's int. */
RSD_CHECK int rsd_any_root(double *M, size_t n, double delta);

/* out = G R H, in double, rounded to float32 at the end.
 *
 *   in   R m x n;  H[n*n] and G[m*m], or NULL: the identity
 *   out  m x n, may be R
 *
 * Threads: the BLAS's.  Memory: 2 m n doubles (m n without G).  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_between(const double *G, rsd_mat R, const double *H, rsd_mat out);

/* *trace = tr(G R H R') = ||G^(1/2) R H^(1/2)||_F^2, without roots: for symmetric H[n*n] and
 * G[m*m] or NULL, the identity.  Memory: 3 m n doubles.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_quadratic(const double *G, rsd_mat R, const double *H, double *trace);

/* out = R diag(d)^(1/2), out may be R: the diagonal of H alone.  d[n] >= 0. */
void rsd_scale_columns(rsd_mat R, const double *d, rsd_mat out);

#endif
