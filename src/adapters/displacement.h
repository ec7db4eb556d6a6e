/* How far one step of Adam moves a layer's correction, beside what there is left to correct.
 *
 * Adam moves a number by at most its rate eta.  Where the signs of the moves are independent, to
 * first order in eta and in the metric of the loss (metric.h), C = s B A moves by
 *
 *   E || G^(1/2) dC H^(1/2) ||_F^2 = eta^2 s^2 (tr G tr(A H A') + tr(B' G B) tr H)
 *
 * whatever it gains.  Half of that is added to the loss, half of sum_{k > r} sigma_k^2 of
 * G^(1/2) R H^(1/2) is what the best correction of rank r leaves; the root of their ratio is
 *
 *   delta(eta) = eta s sqrt(tr G tr(A H A') + tr(B' G B) tr H) / sqrt(sum_{k > r} sigma_k^2).
 *
 * Where a step moves a correction by a tenth of what is left, what training gains is lost in the
 * noise of its steps. */
#ifndef RSD_ADAPTERS_DISPLACEMENT_H
#define RSD_ADAPTERS_DISPLACEMENT_H

#include "adapters/adapter.h"
#include "mat.h"

typedef struct {
    double damping; /* of G and H, as a share of their mean eigenvalue */
    double b_ratio; /* the rate of B over that of everything else (LoRA+); 1: the same */
} rsd_displacement_options;

/* *delta = delta(1): it is proportional to eta.  NaN where there is nothing left that a step could
 * spoil: R is 0, or of the adapter's rank to rounding.
 *
 *   in   a       of the layer, at its start, every variant: adalora's lambda and dora's magnitudes
 *                move too, qalora's A acts on sums of inputs (what dora's normalization takes away
 *                of a row's move, a share of about 1/n, is left in)
 *        W       m x n: W_q, the weight that the adapter stands beside; read for dora only
 *   in/work  R   m x n: W - W_q
 *            G[m*m], H[n*n]  second moments, not damped; all three are overwritten
 *
 * Threads: the BLAS's.  Memory: 3 m n doubles, or 2 r (m + n).
 * Errors: RSD_EARG for shapes that are not the adapter's; those of rsd_any_root, rsd_between and
 * rsd_spectrum_compute. */
RSD_CHECK int rsd_displacement(const rsd_adapter *a, rsd_mat W, rsd_mat R, double *G, double *H,
                               const rsd_displacement_options *options, double *delta);

#endif
