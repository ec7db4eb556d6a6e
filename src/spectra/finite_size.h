/* Private to src/spectra: from the law of large noise to matrices of random signs as they are.
 *
 * The law of Y = G^1/2 (R o signs) H^1/2 knows two of the four terms of
 *
 *     E tr (YY')^2 / E^2 = law + crossed - 2 same,    E = E ||Y||^2,
 *     crossed = sum_ikjl G_ik^2 H_jl^2 R_ij^2 R_kl^2 / E^2,
 *     same = sum_ij (G_ii R_ij^2 H_jj)^2 / E^2,
 *
 * and Var ||Y||^2 / E^2 = 2 (crossed - same) is what single values, which hardly move against each
 * other, move by together.  So the squares of their means add up to law - crossed, and shares of a
 * matrix' own energy differ from shares of E by how far the two move together.  Both are O(1/d). */
#ifndef RSD_SPECTRA_FINITE_SIZE_H
#define RSD_SPECTRA_FINITE_SIZE_H

#include <stddef.h>

typedef struct {
    double law, crossed, same;
} rsd_pairings;

/* Correct what rsd_separable_curves gave, in place: energy[d], and s[d] and sum[d], of
 * which both may be NULL, or sum.
 *
 * Energies become powers of themselves, the exponent being such that the sum of their squares is
 * right; none is changed where it is not too large.  Then energy[r-1] is from a share of the
 * expected energy made the expected share. */
void rsd_finite_size_correct(rsd_pairings p, size_t d, double *s, double *sum, double *energy);

#endif
