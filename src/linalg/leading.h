/* Private to src/linalg: proof that singular triplets of a matrix are its leading ones.
 *
 * Residuals alone say that each value found has one of the matrix near it, not that no larger one
 * was missed.  Let A Y' = Y S etc. hold on orthonormal X (short side) and Y (long side): A X = Y S
 * and A' Y = X S + R (m >= n; else with A' for A), and P = I - X X'.  Then
 *
 *     A = Y S X' + Y R' + (I - Y Y') A P,
 *
 * where the first and the last term have orthogonal ranges on both sides, so that the singular
 * values of their sum are S and those of the last term, t_1 the largest.  By Weyl, those of A are
 * within ||R|| of them, and the k leading ones are s_1 .. s_k to within
 *
 *     ||R||_2 + max(0, t_1 - s_k).
 *
 * Two ways bound t_1 <= ||A P||_2:
 *
 *   energy    t_1 <= ||A - Y S X'||_F, which settles matrices of low rank
 *   inertia   T = mu I + 2 X S^2 X' - G, G the Gram matrix of the short side: if T is positive
 *             definite, then x' G x < mu for every unit x orthogonal to X, and t_1 < sqrt(mu).
 *             Cholesky's method tells (Sylvester), as in Rump, BIT 46 (2006) 433: if it goes
 *             through for T less a shift that exceeds all rounding, of G, of T and its own, then T
 *             is positive definite whatever the rounding was
 *
 * The second costs the Gram matrix and d^3/6 multiplications, all of them in BLAS 3; a full
 * spectrum costs the same Gram matrix and 4 times as many again, half of them bound by memory. */
#ifndef RSD_LINALG_LEADING_H
#define RSD_LINALG_LEADING_H

#include "err.h"
#include "mat.h"

/* Triplets of A as rsd_ritz leaves them. */
typedef struct {
    size_t k;
    const double *x; /* [k][min(m,n)] */
    const double *y; /* [k][max(m,n)] */
    const double *s; /* [k] nonincreasing */
} rsd_triplets;

/* ||R||_2 with all that rounding may hide of it: each s_i has a singular value of A of its own
 * within that distance.  sumsq: ||A||_F^2.  Errors: RSD_ENOMEM, RSD_ECONV. */
RSD_CHECK int rsd_triplets_residual(rsd_mat A, const rsd_triplets *t, double sumsq, double *norm);

/* *bound on |s_i - sigma_i(A)|, every i < k, at most `allowed`; Inf where no such bound is proved.
 * norm: of rsd_triplets_residual.
 *
 * Threads: the BLAS's.  Memory: min(m,n)^2 doubles.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_prove_leading(rsd_mat A, const rsd_triplets *t, double sumsq, double norm,
                                double allowed, double *bound);
size_t rsd_prove_leading_bytes(size_t m, size_t n, size_t k);

#endif
