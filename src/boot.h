/* Means and quantiles. */
#ifndef RSD_BOOT_H
#define RSD_BOOT_H

#include <stddef.h>

/* Sum in a fixed order divided by n; NaN for n = 0. */
double rsd_mean(const double *x, size_t n);

/* The q-quantile of x[n], 0 <= q <= 1, interpolated between order statistics; x is reordered.
 * NaN for n = 0. */
double rsd_quantile(double *x, size_t n, double q);

#endif
