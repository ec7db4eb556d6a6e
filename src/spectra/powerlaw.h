/* Power-law fit of the upper tail of a spectrum. */
#ifndef RSD_SPECTRA_POWERLAW_H
#define RSD_SPECTRA_POWERLAW_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    double alpha; /* density ~ x^-alpha above xmin */
    double error; /* (alpha - 1)/sqrt(tail) */
    double ks;    /* distance of the fit that was chosen */
    double xmin;
    size_t tail; /* values >= xmin */
} rsd_powerlaw;

/* Fit of x[n], nonincreasing and > 0 (asserted; a cut-off near 0 is the caller's).  Every distinct
 * value but the largest is tried as xmin with alpha = 1 + tail/sum ln(x/xmin); the least distance
 * wins, the longer tail where two are equal.
 *   one_sided: WeightWatcher's D = max_k |1 - (x_k/xmin)^(1-alpha) - k/tail|, k = 0..tail-1, x_k
 *              the tail in increasing order
 *   otherwise the textbook distance, which takes (k+1)/tail too (Clauset et al., 0706.1062).
 * All NaN, tail 0, for fewer than 8 values or where all are equal.
 * Errors: RSD_ENOMEM.  Cost: O(n^2) exponentials at worst, O(n) on most spectra. */
RSD_CHECK int rsd_powerlaw_fit(const double *x, size_t n, bool one_sided, rsd_powerlaw *out);

/* Fingers: a few large values outside the tail's law, which pull alpha up.  Drops the fewest of
 * the largest values, 1 to 10, whose loss lowers alpha by at least 1 below first->alpha, and gives
 * the fit of what is left; *first and 0 fingers where none does (WeightWatcher's clip_xmax).
 *   first  of rsd_powerlaw_fit with the same x, n, one_sided
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_powerlaw_clip(const double *x, size_t n, bool one_sided,
                                const rsd_powerlaw *first, rsd_powerlaw *out, size_t *fingers);

#endif
