/* Standard errors by the bootstrap.  A block is whatever is independent of the others: a window of
 * text, whose tokens are not independent among themselves. */
#ifndef RSD_BOOT_H
#define RSD_BOOT_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>

/* Standard deviation of the mean of n blocks drawn with replacement from x[n], over 2000 draws.
 * NaN for fewer than two blocks.  Source: Efron & Tibshirani 1993, section 6.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_bootstrap_se(const double *x, size_t n, uint64_t seed, double *se);

/* Sum in a fixed order divided by n; NaN for n = 0. */
double rsd_mean(const double *x, size_t n);

/* The q-quantile of x[n], 0 <= q <= 1, interpolated between order statistics; x is reordered.
 * NaN for n = 0. */
double rsd_quantile(double *x, size_t n, double q);

#endif
