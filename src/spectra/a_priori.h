/* The energy that a rank-r correction of a residual is expected to hold in a weighting, before the
 * residual is there.
 *
 * R = leak W + N (quantizers/expected_error.h).  N has independent entries of known size: its
 * spectrum between G^(1/2) and H^(1/2) is that of variance_profile.h.  What leaks of W has W's own.
 * Both lie where G and H are large.  Independent as they are, the energies of both add up in any r
 * directions, and r directions that are the best for both hold
 *
 *     c(r) = (noise c_N(r) + leaked c_W(r)) / (noise + leaked),
 *
 * the largest share that is possible; G and H, which choose them for both, make it nearly so. */
#ifndef RSD_SPECTRA_A_PRIORI_H
#define RSD_SPECTRA_A_PRIORI_H

#include <stddef.h>

/* share[n], *energy: cumulative_energy of the noise and what it is a share of; they become those of
 * noise and leak.  leak[n]: W's cumulative_energy in the weighting; leaked: the energy of what
 * leaks of it.  share is 0 throughout where there is no energy. */
void rsd_a_priori_leak(double *share, size_t n, double leaked, const double *leak, double *energy);

#endif
