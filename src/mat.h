/* Matrix views and the memory behind them. */
#ifndef RSD_MAT_H
#define RSD_MAT_H

#include "err.h"

#include <stddef.h>

/* A view of a row-major float32 matrix: out x in, y = W x.  Passed by value; owns nothing. */
typedef struct {
    float *x;    /* x[i*ld + j], 0 <= i < m, 0 <= j < n */
    size_t m, n; /* rows (outputs), columns (inputs)    */
    size_t ld;   /* distance between rows, >= n         */
} rsd_mat;

/* a*b*size bytes aligned to 64, uninitialised.  Caller frees with free().
 * Errors: RSD_ENOMEM, also when the product overflows; the message says how many bytes. */
RSD_CHECK int rsd_array_alloc(size_t a, size_t b, size_t size, void *out);

/* A dense m x n matrix (ld = n), uninitialised.  Caller frees with rsd_mat_free.
 * Errors: as rsd_array_alloc. */
RSD_CHECK int rsd_mat_alloc(size_t m, size_t n, rsd_mat *out);
void rsd_mat_free(rsd_mat *A); /* NULL x is fine; leaves an empty view */

/* B = A; shapes must agree (asserted). */
void rsd_mat_copy(rsd_mat A, rsd_mat B);

/* R = A - B; R may be A or B. */
void rsd_mat_sub(rsd_mat A, rsd_mat B, rsd_mat R);

/* Sum of squares and inner product <A,B>, accumulated in double. */
double rsd_mat_sumsq(rsd_mat A);
double rsd_mat_dot(rsd_mat A, rsd_mat B);

/* RSD_EDOM with the row, column and value of the first NaN or Inf, else RSD_OK.
 * Every SVD is preceded by this: LAPACK hangs or answers NaN with info 0 otherwise. */
RSD_CHECK int rsd_mat_check_finite(rsd_mat A);

#endif
