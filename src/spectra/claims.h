/* What may be claimed of several numbers with intervals: p-values that agree with the intervals,
 * and Holm's correction for looking at many. */
#ifndef RSD_SPECTRA_CLAIMS_H
#define RSD_SPECTRA_CLAIMS_H

#include "spectra/dependent.h"

/* Two-sided p-value of the number being `bound`: the side of the interval that faces the bound is
 * t(.975; G-1) standard errors long (rsd_clusters_intervals), and as many of them away is the
 * bound.  At most .05 where the bound lies outside the interval, and only there.  NaN without an
 * interval; of one without width 0, or 1 where it is the bound. */
double rsd_p_value(rsd_interval x, size_t clusters, double bound);

/* p-value of the number lying no further than `least` >= 0 from 0: that of the bound on its side,
 * 1 for a number within. */
double rsd_p_beyond(rsd_interval x, size_t clusters, double least);

/* out[i]: the least level at which a test of all n at once rejects i, step-down: p-values in order,
 * the k-th times n - k + 1, no smaller than those before and at most 1.  NaN stay and do not count.
 * out is not p.  Source: Holm, Scandinavian Journal of Statistics 6 (1979) 65. */
void rsd_holm(const double *p, size_t n, double *out);

#endif
