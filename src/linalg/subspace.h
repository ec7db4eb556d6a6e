/* How much two subspaces share. */
#ifndef RSD_LINALG_SUBSPACE_H
#define RSD_LINALG_SUBSPACE_H

#include "err.h"

#include <stddef.h>

/* Cosines of the principal angles between span(u_1..u_i) and span(v_1..v_j).
 *
 *   in   u[i][d], v[j][d]  orthonormal rows
 *   out  cosines[min(i,j)] nonincreasing, in [0,1]
 *
 * Errors: RSD_EARG if i or j is 0 or above d, RSD_ECONV, RSD_ENOMEM. */
RSD_CHECK int rsd_principal_cosines(const double *u, size_t i, const double *v, size_t j, size_t d,
                                    double *cosines);

/* phi = ||U' V||_F^2 / min(i,j), in [0,1]: the mean squared cosine.  A random pair of subspaces
 * has expectation max(i,j)/d.  Source: LoRA, section 7.2. */
double rsd_overlap(const double *cosines, size_t i, size_t j);
double rsd_overlap_random(size_t i, size_t j, size_t d);

#endif
