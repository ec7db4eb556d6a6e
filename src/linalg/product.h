/* The singular value decomposition of a product of thin factors, without forming it. */
#ifndef RSD_LINALG_PRODUCT_H
#define RSD_LINALG_PRODUCT_H

#include "err.h"
#include "mat.h"

/* B A, B m x r and A r x n, r <= min(m,n).
 *
 *   out  s[r]     nonincreasing, >= 0
 *        u[r][m]  left vectors, one a row: orthonormal also where values are 0 (arbitrary there)
 *        v[r][n]  right vectors likewise
 *
 * In double: QR of both factors, then the SVD of an r x r matrix.
 * Errors: RSD_EARG for r 0 or above min(m,n), RSD_EDOM for NaN or Inf, RSD_ECONV, RSD_ENOMEM.
 * Cost: O((m + n) r^2).  Source: Golub & Van Loan, 4th ed., section 8.6. */
RSD_CHECK int rsd_product_svd(rsd_mat B, rsd_mat A, double *s, double *u, double *v);

#endif
