/* Triangular factors of second moments, for rounding with feedback. */
#ifndef RSD_LINALG_TRIANGULAR_H
#define RSD_LINALG_TRIANGULAR_H

#include "err.h"

#include <stddef.h>

/* M + delta tr(M)/n I = V V', V upper triangular, in place (below the diagonal: 0).
 *
 *   in   M[n*n]  symmetric, finite; where M_ii <= 0 (nothing ever passed that channel) row and
 *                column count as those of the mean diagonal entry, apart from all others
 *        delta   damping >= 0, as a share of the mean diagonal entry
 *
 * Threads: the BLAS's.
 * Errors: RSD_EDOM where M is not finite, or with this damping not positive definite to rounding: a
 * channel of which less than n eps is not a combination of others (says which); RSD_EARG for n
 * beyond LAPACK's int; RSD_ENOMEM. */
RSD_CHECK int rsd_upper_factor(double *M, size_t n, double delta);

/* V becomes its inverse, upper triangular as well: (V V')^-1 = V^-T V^-1.  Errors: RSD_EDOM. */
RSD_CHECK int rsd_upper_inverse(double *V, size_t n);

#endif
