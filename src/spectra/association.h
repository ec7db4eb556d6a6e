/* How well a prediction goes with what was measured. */
#ifndef RSD_SPECTRA_ASSOCIATION_H
#define RSD_SPECTRA_ASSOCIATION_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    double value, low, high; /* the estimate, and the interval that 95 % of the draws lie in */
} rsd_interval;

typedef struct {
    size_t n;              /* pairs that are finite on both sides */
    rsd_interval spearman; /* rank correlation */
    rsd_interval pearson;
    rsd_interval slope; /* of the least-squares line measured = a + slope predicted */
    rsd_interval error; /* sqrt of the mean squared difference */
} rsd_association;

/* Of pairs (predicted[i], measured[i]); pairs with a NaN count nowhere.  Intervals are the
 * percentile bootstrap's over 2000 draws of n pairs.  cluster: pairs of equal number are drawn
 * together, as pairs of one layer or of one run are not independent; NULL: each for itself.
 * Fewer than 3 pairs, or values that are all equal, have no correlation: NaN.
 * Errors: RSD_ENOMEM.  Source: Efron & Tibshirani 1993, section 13. */
RSD_CHECK int rsd_associate(const double *predicted, const double *measured, const size_t *cluster,
                            size_t n, uint64_t seed, rsd_association *out);

/* Mean of x[n] with its percentile bootstrap interval; NaN for n = 0, no interval for n = 1. */
RSD_CHECK int rsd_mean_interval(const double *x, size_t n, uint64_t seed, rsd_interval *out);

#endif
