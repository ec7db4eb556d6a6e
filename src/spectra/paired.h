/* Two models on the same windows of text: is one better?  Everything is of the differences d[n] of
 * their losses, so that what makes a window easy for both drops out.
 *
 * Windows follow each other and resemble their neighbours, so the interval in blocks (serial.h) is
 * what decides.  The three tests are what papers report; they take windows for independent, and
 * where blocks are longer than one window their p-values are too small. */
#ifndef RSD_SPECTRA_PAIRED_H
#define RSD_SPECTRA_PAIRED_H

#include "err.h"

#include <stddef.h>

/* Student's t: p of the two-sided test that the mean of d is 0; NaN for n < 2; where all d are
 * alike, 0, and 1 if they are 0. */
double rsd_t_test(const double *d, size_t n);

/* p of the two-sided sign test that above and below are as likely: exact, of the binomial
 * distribution, whatever the numbers; 1 where both are 0.  Differences of 0 are left out before.
 * Source: Conover, Practical Nonparametric Statistics, 1999, section 3.4. */
double rsd_sign_test(size_t above, size_t below);

/* p of Wilcoxon's two-sided signed-rank test that d is symmetric about 0.  Differences of 0 are
 * left out, ties have the mean of their ranks.  Up to RSD_WILCOXON_EXACT that are left the
 * distribution over all 2^m signs of these very ranks is summed up, ties included; above, it is
 * taken as normal with the variance that ties leave, (sum of squared ranks) / 4, and half a step
 * for continuity.  1 where nothing is left.
 * Errors: RSD_ENOMEM.  Source: Wilcoxon 1945; Pratt & Gibbons, Concepts of Nonparametric Theory,
 * 1981, section 3.7. */
enum { RSD_WILCOXON_EXACT = 50 };
RSD_CHECK int rsd_wilcoxon(const double *d, size_t n, double *p);

typedef struct {
    size_t n, above, below;   /* windows; those with d > 0 and d < 0 */
    double mean, se;          /* of d; se in blocks */
    double low, high;         /* the 95 % interval: mean -+ t(.975; n/block - 1) se; NaN: none */
    size_t block;             /* windows of a block (rsd_block_length) */
    double t, sign, wilcoxon; /* p of the tests */
} rsd_paired;

/* Of d = a - b over windows.  Mean, se and interval are NaN where serial.h has none, the interval
 * also where fewer than two blocks fit.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_paired_test(const double *a, const double *b, size_t n, rsd_paired *out);

/* -1: a is the lower, its interval lies below 0; 1: b is; 0: they are not told apart. */
int rsd_paired_sign(const rsd_paired *p);

#endif
