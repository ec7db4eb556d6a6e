/* Second moments of rows that arrive in pieces: E[x x'], mean |x| and max |x|, of a linear layer's
 * inputs (H) or of the gradients of its outputs (G).  Everything is summed in double; memory does
 * not depend on the number of rows. */
#ifndef RSD_TRANSFORMER_MOMENTS_H
#define RSD_TRANSFORMER_MOMENTS_H

#include "err.h"
#include "transformer/real.h"

enum { RSD_MOMENT_PANEL = 192 }; /* rows that are widened to double at a time */

typedef struct {
    size_t n, rows;   /* channels, rows seen */
    double *second;   /* [n*n] sum of x x', lower triangle; E[x x'], whole, once finished */
    double *mean_abs; /* [n] sum of |x|; its mean once finished */
    double *max_abs;  /* [n] */
} rsd_moment;

/* Bytes that a moment of n channels holds; SIZE_MAX where they cannot be counted. */
size_t rsd_moment_bytes(size_t n);

/* Zero.  Free with rsd_moment_free, also after a failure.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_moment_alloc(size_t n, rsd_moment *out);
void rsd_moment_free(rsd_moment *m);

/* Add x[rows][n], dense.  work: RSD_MOMENT_PANEL * n doubles.
 *
 * The bits do not depend on the threads, of which it uses rsd_par_inner(); rows that arrive in
 * other pieces are summed in another order, which moves an entry by some eps sqrt(H_ii H_jj). */
void rsd_moment_add(rsd_moment *m, const rsd_real *x, size_t rows, double *work);

/* Sums become means, the triangle the whole matrix.
 * Errors: RSD_EDOM without rows, or where NaN or Inf passed (names the channel). */
RSD_CHECK int rsd_moment_finish(rsd_moment *m);

/* Eigenvalues of a finished moment, which is destroyed.
 *
 *   out  lambda[n]  nonincreasing, >= 0
 *        *clamped   how many were below n 2^-52 lambda_1, rounding's size, and are set to 0
 *
 * Threads: the BLAS's.  Errors: RSD_ENOMEM, RSD_ECONV. */
RSD_CHECK int rsd_moment_eigenvalues(rsd_moment *m, double *lambda, size_t *clamped);

#endif
