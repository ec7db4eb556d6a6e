/* Private to src/linalg: leading singular triplets by randomized block Krylov iteration, with a
 * certificate. */
#ifndef RSD_LINALG_KRYLOV_H
#define RSD_LINALG_KRYLOV_H

#include "linalg/spectrum.h"

/* Fill in s, u, v and error_bound of an allocated out, 1 <= out->count, if that can be done for
 * less than the full spectrum costs; *done tells.  error_bound is ||R||_2 of the residuals, in
 * double (ritz.h), at most tolerance s[0]: then there are count singular values of A, one for each,
 * within it.  That these are the largest follows from the random start, with probability 1 unless a
 * value is repeated more often than the block has columns: 8 for count <= 8, else 16.
 *
 * A flat spectrum is recognised after some 10 % of the cost of a full one.
 * Errors: RSD_ENOMEM, RSD_ECONV. */
RSD_CHECK int rsd_krylov_spectrum(rsd_mat A, double tolerance, uint64_t seed, rsd_spectrum *out,
                                  bool *done);

/* Whether a decaying spectrum's first `count` values are worth trying this way. */
bool rsd_krylov_pays(size_t m, size_t n, size_t count);
size_t rsd_krylov_bytes(size_t m, size_t n, size_t count);

#endif
