/* Private to src/linalg: the Gram matrix of the short side, and singular values from its
 * eigenvalues. */
#ifndef RSD_LINALG_GRAM_H
#define RSD_LINALG_GRAM_H

#include "linalg/spectrum.h"

/* Lower triangle (column-major) of A'A if m >= n, else of A A'; d = min(m,n).
 *
 *   out  G[d*d]  G[j*d + i], i >= j; what lies above stays unwritten
 *
 * Squares of float32 lie between 1e-90 and 1e77, so no scaling is needed in double.
 * Threads: the BLAS's.  Memory: RSD_PANEL d doubles.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_gram(rsd_mat A, double *G);

/* Fill in s, u, v and error_bound of an allocated out from the eigenvalues lambda of the Gram
 * matrix: s = sqrt(lambda).
 *
 * An error of eps lambda_1 in lambda is one of eps sigma_1^2 / sigma in s, at worst 1.5e-8 sigma_1
 * where sigma is 0: rsd_spectrum_compute takes gesdd for such matrices.  error_bound is what
 * rounding can at worst add up to, eps times some 200 ||A||_F^2 in lambda (gram.c).  The leading
 * out->vectors values and vectors are those of A itself on the span of the Gram matrix's
 * eigenvectors (ritz.h). Errors: RSD_ENOMEM, RSD_ECONV. */
RSD_CHECK int rsd_gram_spectrum(rsd_mat A, rsd_spectrum *out);
size_t rsd_gram_bytes(size_t m, size_t n, size_t vectors);

#endif
