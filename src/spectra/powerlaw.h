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

typedef enum {
    RSD_POWERLAW_WEIGHTWATCHER, /* WeightWatcher 0.7.7, to roundoff */
    RSD_POWERLAW_TWO_SIDED      /* Clauset, Shalizi & Newman, arXiv 0706.1062 */
} rsd_powerlaw_rule;

/* Fit of x[n], nonincreasing and > 0 (asserted; a cut-off near 0 is the caller's).  Each value but
 * the largest is tried as xmin with alpha = 1 + tail/sum ln(x/xmin); the least distance wins, the
 * longer tail where two are equal.
 *
 *   WEIGHTWATCHER  D = max_k |1 - (x_k/xmin)^(1-alpha) - k/tail|, k = 0..tail-1, x_k the tail in
 *                  increasing order.  Below 20 values only tails of 8 or more count (all values, if
 *                  there are fewer than 8), and alpha = 1 + (tail - 1)/sum ln(x/xmin)
 *   TWO_SIDED      the textbook distance, which takes (k+1)/tail too; 8 values at least
 *
 * noise is the error that the square root of any x may have (an error of singular values, x being
 * their squares).  Where it could have made all the differences in a tail, that tail has no slope,
 * and is not tried.  All NaN, tail 0, where none is left: too few values, or all equal.
 * Errors: RSD_ENOMEM.  Cost: O(n^2) exponentials at worst, O(n) on most spectra. */
RSD_CHECK int rsd_powerlaw_fit(const double *x, size_t n, rsd_powerlaw_rule rule, double noise,
                               rsd_powerlaw *out);

/* Fingers: a few large values outside the tail's law, which pull alpha up.  WeightWatcher's
 * clip_xmax, with its fit: leaves out the 2 largest values, then 3, and so on to 9, until alpha is
 * lower than first->alpha by more than 1, and gives that fit; *first and 0 fingers where none is,
 * or where alpha comes to 2 or less before.
 *
 *   in   first     of rsd_powerlaw_fit with the same x, n and noise
 *   out  *fingers  the number that WeightWatcher gives: one less than were left out
 *
 * (WeightWatcher itself fails where fewer than 2 values are left.)  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_powerlaw_clip(const double *x, size_t n, double noise, const rsd_powerlaw *first,
                                rsd_powerlaw *out, size_t *fingers);

#endif
