/* The error of a mean over windows of text, which follow each other and resemble their neighbours.
 *
 * Windows are drawn in blocks of b that follow each other, the series closed to a circle: the
 * circular block bootstrap of Politis & Romano (1992).  Its variance of the mean has a closed form,
 * so nothing is drawn and no seed matters:
 *
 *   var = (q b^2 v_b + r^2 v_r) / n^2 / (1 - b/n),   n = q b + r,
 *
 * v_b being the mean square over the n blocks of (mean of the block - mean of all).  The factor
 * 1 - b/n makes it unbiased for windows that are independent; b = 1 is s^2 / n then. */
#ifndef RSD_SPECTRA_SERIAL_H
#define RSD_SPECTRA_SERIAL_H

#include <stddef.h>

/* b for x[n], chosen from its autocorrelations: 1 or 2 where neighbours do not resemble each other,
 * at most min(3 sqrt(n), n/3), 1 for fewer than 4 windows.  Cost: n sqrt(n).
 * Source: Politis & White, Econometric Reviews 23 (2004) 53, for the circular bootstrap, with the
 * correction of Patton, Politis & White, ibid. 28 (2009) 372; flat-top window, c = 2. */
size_t rsd_block_length(const double *x, size_t n);

typedef struct {
    double mean, se; /* se NaN for fewer than two windows */
    size_t block;    /* windows of a block */
} rsd_series_mean;

/* Mean of x[n] with its standard error in blocks of rsd_block_length; NaN for n = 0. */
rsd_series_mean rsd_series_mean_of(const double *x, size_t n);

/* The standard error in blocks of `block`, 1 <= block < n; NaN for n < 2. */
double rsd_series_se(const double *x, size_t n, size_t block);

#endif
