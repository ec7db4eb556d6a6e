/* The Marchenko-Pastur law: what the spectrum of pure noise looks like.
 *
 * A is m x n, iid entries of mean 0 and variance v; D = max(m,n), d = min(m,n), gamma = d/D.
 * The d eigenvalues x of A A'/(v D) have density sqrt((b-x)(x-a)) / (2 pi gamma x) on [a,b],
 * a, b = (1 -+ sqrt gamma)^2.  Source: Marchenko & Pastur 1967. */
#ifndef RSD_SPECTRA_MARCHENKO_PASTUR_H
#define RSD_SPECTRA_MARCHENKO_PASTUR_H

#include "err.h"

#include <stddef.h>

/* Edge of the bulk in singular values, sqrt(v) (sqrt m + sqrt n). */
double rsd_mp_edge(size_t m, size_t n, double v);

/* Tracy-Widom fluctuation of the largest eigenvalue s_1^2 of noise (real case): its mean lies
 * 1.2065 units below the edge squared, its standard deviation is 1.268 units, where the unit is
 * v (sqrt D + sqrt d) (1/sqrt D + 1/sqrt d)^(1/3).  Returns the unit, in weight^2. */
double rsd_mp_tracy_widom(size_t m, size_t n, double v);

/* Median of the law (of x above), gamma in (0,1] (asserted). */
double rsd_mp_median(double gamma);

/* The null curves of an m x n noise matrix: the expected shares held by its r largest singular
 * values as m, n grow at this ratio; a finite matrix differs by O(1/d).
 *   out  sum[r-1], energy[r-1], r = 1..d, the last 1; either may be NULL
 * Error below 1e-12.  Errors: RSD_EARG for an empty shape; RSD_ENOMEM, if GSL's error handler is
 * off.  Cost: about 0.6 us a rank. */
RSD_CHECK int rsd_mp_curves(size_t m, size_t n, double *sum, double *energy);

/* Singular values expected of noise of variance v: s[k] = sqrt(v D x), k = 0..d-1, where a share
 * (k + 1/2)/d of the law lies above x.  Errors: RSD_EARG for an empty shape. */
RSD_CHECK int rsd_mp_quantiles(size_t m, size_t n, double v, double *s);

/* A rank-1 spike theta (of A/sqrt(v D)) is visible above the edge iff theta > gamma^(1/4); then
 * s^2/(v D) = (1 + theta^2)(gamma + theta^2)/theta^2, else (1 + sqrt gamma)^2.  Returns
 * s/sqrt(v D).
 * Source: Benaych-Georges & Nadakuditi, arXiv 1103.2221. */
double rsd_mp_spike(double gamma, double theta);

/* Gavish & Donoho (arXiv 1305.5870): optimal hard threshold, beta = d/D in (0,1].
 * lambda: times sqrt(D v) when the variance of the noise is known; omega: times median(s) when it
 * is not, the exact lambda / sqrt(median of the law), of which the paper gives a cubic fit. */
double rsd_gavish_donoho_lambda(double beta);
double rsd_gavish_donoho_omega(double beta);

#endif
