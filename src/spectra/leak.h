/* How much of W is in its residual R = W - W_q: R = rho W + N with N orthogonal to W (Bussgang). */
#ifndef RSD_SPECTRA_LEAK_H
#define RSD_SPECTRA_LEAK_H

#include "err.h"
#include "mat.h"

/* rho = <R,W>/||W||_F^2; 0 for a zero W. */
double rsd_leak(rsd_mat R, rsd_mat W);

/* First-order prediction: direction k of W shows in R once |rho| s_k > edge, edge being the
 * Marchenko-Pastur edge of R.  Number of such k; *strength = |rho| s_1 / edge (NaN for edge 0).
 * Under-predicts where the local slope varies with |W|.
 * Source: the decomposition, Bussgang 1952; the threshold, Benaych-Georges & Nadakuditi, arXiv
 * 1103.2221. */
size_t rsd_leak_directions(double rho, const double *s, size_t n, double edge, double *strength);

#endif
