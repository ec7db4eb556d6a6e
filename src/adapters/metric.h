/* The low-rank correction of a residual that is best in a metric of the layer's outputs:
 *
 *     C = argmin over rank r of || G^(1/2) (R - C) H^(1/2) ||_F
 *
 * H (inputs) and G (outputs) are second moments, diagonals of them, or the identity.  H = I, G = I
 * is truncated singular value decomposition; H = E[x x'] gives the least mean squared error of the
 * output, G as well the least increase of the loss to second order (Kronecker-factored). */
#ifndef RSD_ADAPTERS_METRIC_H
#define RSD_ADAPTERS_METRIC_H

#include "err.h"
#include "mat.h"

#include <stdbool.h>
#include <stdint.h>

/* Eigenvectors of a second moment.  They cost n^3, far more than what follows, and are computed
 * once where several adapters of one layer start from them.  lambda[n] nonincreasing; axis[n][n],
 * one vector per row. */
typedef struct {
    size_t n;
    double *lambda, *axis;
} rsd_eigenaxes;

/* Of a symmetric M[n*n].  Free with rsd_eigenaxes_free, also after a failure.
 * Memory: 2 n^2 doubles, of which half stay.  Threads: the BLAS's.
 * Errors: RSD_EDOM where M is not finite or its trace negative; RSD_ENOMEM, RSD_ECONV. */
RSD_CHECK int rsd_eigenaxes_compute(const double *M, size_t n, rsd_eigenaxes *out);
void rsd_eigenaxes_free(rsd_eigenaxes *axes);

/* Half of a metric, S with S S' = M / lambda_1(M): constant factors change no minimum, and so
 * nothing overflows float32.  All zero (NULL, NULL): the identity. */
typedef struct {
    size_t n;
    double *root;   /* [n] square roots of eigenvalues, largest 1; NULL: the identity */
    double *axis;   /* [n][n] their unit eigenvectors, one per row; NULL: the coordinates */
    bool borrowed;  /* axis is not this side's to free */
    size_t clamped; /* eigenvalues (or entries of the diagonal) that were below 0 and count as 0 */
} rsd_side;

typedef struct {
    rsd_side G, H;
    bool bottom; /* keep the directions that matter least instead (CorDA) */
} rsd_weighting;

/* M + damping tr(M)/n I, M of these axes, which must outlive the side.  An M of zeros counts as the
 * identity: nothing is known then.  Free with rsd_side_free, also after a failure.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_side_of(const rsd_eigenaxes *axes, double damping, rsd_side *out);

/* The same with axes of its own, of M[n*n].  Errors: as rsd_eigenaxes_compute. */
RSD_CHECK int rsd_side_full(const double *M, size_t n, double damping, rsd_side *out);

/* The same of a diagonal alone: d[0], d[stride], ...
 * Errors: RSD_EDOM for a number that is not finite, RSD_ENOMEM. */
RSD_CHECK int rsd_side_diagonal(const double *d, size_t stride, size_t n, double damping,
                                rsd_side *out);
void rsd_side_free(rsd_side *side);
void rsd_metric_free(rsd_weighting *metric);

/* C = B A, ||B_k|| = ||A_k|| for every column and row; both 0 where there is nothing to correct.
 *
 *   in   R m x n, 1 <= r <= min(m,n)
 *   out  B m x r, A r x n
 *
 * Directions that the metric does not see (dead inputs, eigenvalue 0) cost nothing and get what the
 * limit of vanishing damping gives: the projection of R on the same columns, never a quotient of
 * roundings.  Directions of G below a millionth of its largest eigenvalue count as not seen and
 * get no correction.
 * Memory: 3 m n doubles.  Errors: as rsd_spectrum_compute.
 * Source: Eckart & Young 1936; Zhang et al., QERA, arXiv:2410.06040, theorem 1. */
RSD_CHECK int rsd_metric_lowrank(const rsd_weighting *metric, rsd_mat R, uint64_t seed, rsd_mat B,
                                 rsd_mat A);

/* *norm = || G^(1/2) R H^(1/2) ||_F over sqrt(lambda_1(G) lambda_1(H)).  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_metric_norm(const rsd_weighting *metric, rsd_mat R, double *norm);

#endif
