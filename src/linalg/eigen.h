/* Eigenvalues and leading eigenvectors of a dense symmetric matrix. */
#ifndef RSD_LINALG_EIGEN_H
#define RSD_LINALG_EIGEN_H

#include "err.h"

#include <stddef.h>

/*   in   A[n*n]  lower triangle, column-major; destroyed
 *        k       eigenvectors wanted, 0 <= k <= n
 *   out  lambda[n]  all eigenvalues, nonincreasing
 *        x[k][n]    x + i*n belongs to lambda[i]; orthonormal to about 1e-12.  NULL if k is 0
 *
 * Threads: the BLAS's.  Memory: about 60 n doubles.  Errors: RSD_ENOMEM, RSD_ECONV.
 * Source: Golub & Van Loan 8.3; vectors: Dhillon & Parlett, Linear Algebra Appl. 387 (2004) 1. */
RSD_CHECK int rsd_eigen(double *A, size_t n, size_t k, double *lambda, double *x);

#endif
