/* Cumulative curves of a spectrum.  Two are in use and are often confused: the share of the sum of
 * singular values (the blog's) and the share of the sum of squares (most papers'). */
#ifndef RSD_SPECTRA_CURVES_H
#define RSD_SPECTRA_CURVES_H

#include "err.h"

#include <stddef.h>

/* s: nonincreasing, >= 0; out: nondecreasing, at most 1 when total is right to roundoff.
 *
 * out[k-1] = sum_{i<=k} s_i / total;  total = sum of all singular values.  NaN throughout when
 * total is NaN (unknown: truncated spectrum), 0 throughout when total is 0 (zero matrix).
 * out may be s. */
void rsd_cumulative_sum(const double *s, size_t n, double total, double *out);

/* out[k-1] = sum_{i<=k} s_i^2 / total;  total = ||A||_F^2; NaN and 0 as above.  out may be s. */
void rsd_cumulative_energy(const double *s, size_t n, double total, double *out);

/* Least r in 1..n with curve[r-1] >= share (to a relative 1e-12), or 0 when none reaches it or
 * the curve is NaN. */
size_t rsd_rank_at_share(const double *curve, size_t n, double share);

/* Relative Frobenius error of the best rank-r approximation, sqrt(1 - energy share at r);
 * 0 for a share above 1 by roundoff. */
double rsd_rank_error(double energy_share);

/* Mean of the curve over its n points: a summary that names no rank, in (0,1]. */
double rsd_curve_mean(const double *curve, size_t n);

/* What the first `rank` directions leave of a curve whose last value is known to be 1 at `full`,
 * min(rows, cols): 1 for rank 0, 0 from `full` on, NaN where the curve ends before. */
double rsd_remaining(const double *curve, size_t n, size_t full, size_t rank);

/* Share of the energy in the first r of s[n], less the null's null[r-1] (a curve of n values or
 * more), at r = min(rank, n): what structure holds beyond chance.  NaN for a zero matrix or r 0. */
double rsd_excess(const double *s, size_t n, double total, const double *null, size_t rank);

/* Singular values over ||A||_F, back from cumulative_energy; out may be the curve. */
void rsd_values_of_energy(const double *curve, size_t n, double *out);

/* exp(-sum p ln p), p = s/sum s: as many equal values would have this entropy.  s[n] >= 0; NaN for
 * no values or zeros alone.  Source: Roy & Vetterli, EUSIPCO 2007. */
double rsd_effective_rank(const double *s, size_t n);

/* (sum s^2)^2 / sum s^4: as many equal values would have these two sums.  As above. */
double rsd_participation_ratio(const double *s, size_t n);

#endif
