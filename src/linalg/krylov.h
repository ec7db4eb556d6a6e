/* Private to src/linalg: leading singular triplets by randomized block Krylov iteration, with a
 * proof that they are. */
#ifndef RSD_LINALG_KRYLOV_H
#define RSD_LINALG_KRYLOV_H

#include "linalg/spectrum.h"

/* Fill in s, u, v and error_bound of an allocated out, 1 <= out->count, if that can be done for
 * less than the full spectrum costs; *done tells.  error_bound, at most tolerance s[0], is proved
 * (leading.h): residuals show that each value has one of A near it, and the inertia of the Gram
 * matrix that no larger one was missed, be it repeated however often or orthogonal to the start.
 *
 * With opts->quick the second part, which costs a Gram matrix, is left out, and out->proved false:
 * error_bound is that of the residuals.  A value repeated more often than the block has columns (8
 * for count <= 8, else 16) shows as so many that agree to within the tolerance, and is left to the
 * full method; else the random start finds all, with probability 1.
 *
 * A flat spectrum is recognised after some 10 % of the cost of a full one.
 * Errors: RSD_ENOMEM, RSD_ECONV. */
RSD_CHECK int rsd_krylov_spectrum(rsd_mat A, const rsd_spectrum_opts *opts, rsd_spectrum *out,
                                  bool *done);

/* Whether a decaying spectrum's first `count` values are worth trying this way. */
bool rsd_krylov_pays(size_t m, size_t n, size_t count, bool quick);
size_t rsd_krylov_bytes(size_t m, size_t n, size_t count);

#endif
