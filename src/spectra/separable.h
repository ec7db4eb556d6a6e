/* The spectrum expected of noise with a separable covariance, without a draw of it.
 *
 * Y = diag(g)^1/2 Z diag(h)^1/2 is m x n; Z has independent entries of mean 0 and variance 1, g[m]
 * and h[n] are >= 0.  A^1/2 Z B^1/2 with symmetric A and B of these eigenvalues has the same
 * spectrum, up to what a large Z does not feel: so noise of variance a_i b_j is seen through G and
 * H by the eigenvalues of A^1/2 G A^1/2 and B^1/2 H B^1/2.  E ||Y||_F^2 = sum g sum h.
 *
 * For Im z > 0 one pair with positive imaginary parts solves
 *
 *     d = -(1/z) sum_i g_i/(1 + dt g_i),    dt = -(1/z) sum_j h_j/(1 + d h_j),
 *
 * and where z comes down to t > 0 the number of eigenvalues of YY' above t is
 *
 *     N(t) = [ sum_i arg(1 + dt g_i) + sum_j arg(1 + d h_j) + t Im(d dt) ] / pi,
 *
 * the imaginary part of the deterministic equivalent of log det(YY' - z), of which the pair is the
 * stationary point.
 *
 * Source: Zhang, thesis, National University of Singapore 2006; Paul & Silverstein, J. Multivariate
 * Anal. 100 (2009) 37; the functional: Hachem, Loubaton & Najim, Ann. Appl. Probab. 17 (2007) 875.
 */
#ifndef RSD_SPECTRA_SEPARABLE_H
#define RSD_SPECTRA_SEPARABLE_H

#include "err.h"

#include <stddef.h>

/* The expected spectrum of Y, d = min(m,n).
 *
 *   in   g[m], h[n]  finite, >= 0, in any order and of any scale
 *   out  s[d]        the singular values: each the mean of its share of the law, 1/d
 *        sum[d], energy[d]  shares of the r largest, r = 1..d, the last 1
 *        *total      E ||Y||_F^2;  each of the four may be NULL
 *
 * Where all g or all h are 0, so is everything.  The law's own shares are had to about 1e-5; those
 * of a finite matrix differ by O(1/d): of random signs, shares at small r are lower by .002 at
 * d = 64.  Cost: 1 to 2 ms for 768 x 3072.
 * Errors: RSD_EARG for an empty shape; RSD_EDOM for a value that is negative or not finite, or
 * products beyond a double; RSD_ENOMEM; RSD_ECONV. */
RSD_CHECK int rsd_separable_curves(const double *g, size_t m, const double *h, size_t n, double *s,
                                   double *sum, double *energy, double *total);

#endif
