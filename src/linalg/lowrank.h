/* The best rank-r approximation. */
#ifndef RSD_LINALG_LOWRANK_H
#define RSD_LINALG_LOWRANK_H

#include "err.h"
#include "mat.h"

#include <stdint.h>

/* Factors B (m x r) and A (r x n) with B A = SVD_r(W), sqrt(sigma) on either side.
 *
 *   in   W m x n, 1 <= r <= min(m,n)
 *   out  B m x r, A r x n, allocated by the caller
 *
 * sigma[r], if not NULL, gets the singular values.  Errors: as rsd_spectrum_compute.
 * Source: Eckart & Young, Psychometrika 1 (1936) 211. */
RSD_CHECK int rsd_lowrank(rsd_mat W, size_t r, uint64_t seed, rsd_mat B, rsd_mat A, double *sigma);

/* C = B A, accumulated in float32 by BLAS.  Shapes m x r, r x n, m x n (asserted). */
void rsd_mat_mul(rsd_mat B, rsd_mat A, rsd_mat C);

#endif
