/* Products of a float32 matrix with blocks of double vectors, accumulated in double, without ever
 * holding the matrix in double. */
#ifndef RSD_LINALG_APPLY_H
#define RSD_LINALG_APPLY_H

#include "err.h"
#include "mat.h"

#include <stdbool.h>

enum { RSD_PANEL = 192 }; /* rows or columns that are widened to double at a time */

/* out[i*cols + j] = A[row + i][col + j], a dense rows x cols copy in double. */
void rsd_widen(rsd_mat A, size_t row, size_t rows, size_t col, size_t cols, double *out);

/* y_j = A x_j, or A' x_j if transposed, for j < k.
 *
 *   in   x[k][n]  (transposed: x[k][m])
 *   out  y[k][m]  (transposed: y[k][n]); not x
 *
 * Threads: the BLAS's.  Memory: RSD_PANEL n doubles.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_apply(rsd_mat A, bool transposed, const double *x, size_t k, double *y);

enum { RSD_LANES = 16 }; /* vectors that rsd_apply_single is made for; it takes any number */

/* The same with products and short sums in float32, a few vectors at a time in half the time that a
 * BLAS takes: the error of y_j is some 1e-7 ||A|| ||x_j||.
 *
 * Nothing may overflow a float.  The bits depend neither on the threads nor on the processor.
 * Threads: rsd_par_inner().  Memory: 8 (m + n) doubles.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_apply_single(rsd_mat A, bool transposed, const double *x, size_t k, double *y);

#endif
