/* Private to src/linalg: singular values by LAPACK's divide and conquer, in double. */
#ifndef RSD_LINALG_GESDD_H
#define RSD_LINALG_GESDD_H

#include "linalg/spectrum.h"

/* Fill in s, u, v and error_bound of an allocated out.  A matrix that dgesdd cannot do is done by
 * dgesvd.  Errors: RSD_ENOMEM, RSD_ECONV.
 * Memory: m n doubles for values; with vectors (m + n) min(m,n) and 4 min(m,n)^2 more. */
RSD_CHECK int rsd_gesdd_spectrum(rsd_mat A, rsd_spectrum *out);
size_t rsd_gesdd_bytes(size_t m, size_t n, size_t vectors);

#endif
