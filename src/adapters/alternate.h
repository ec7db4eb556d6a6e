/* Private to src/adapters.  What most initialisations are made of: quantize, correct what is left,
 * and again. */
#ifndef RSD_ADAPTERS_ALTERNATE_H
#define RSD_ADAPTERS_ALTERNATE_H

#include "adapters/init.h"
#include "adapters/metric.h"

/* Quantize X (not W where a correction was taken off before) into out->Wq, packed and stats; what
 * out->packed held is freed.  Without quantizer Wq = X and packed is empty.
 * Errors: those of rsd_quantize. */
RSD_CHECK int rsd_init_quantize(const rsd_init_task *task, rsd_mat X, rsd_init_result *out);

/*     C_0 = 0, or with from_weights the best C of W itself
 *     Q_t = q(W - C_{t-1}),  C_t = best C of W - Q_t,  t = 1 .. steps
 *
 * best in the metric.  The result is (Q_T, C_T); without refit (Q_T, C_{T-1}), the pair that was
 * quantized for.  Correcting never raises the error, quantizing may. */
typedef struct {
    rsd_weighting metric;
    size_t steps; /* >= 1 */
    bool from_weights, refit;
    bool best; /* keep the best of all pairs */
    bool stop; /* the same, but end with the first step that is no better */
} rsd_alternation;

/* out->steps: quantizations done; out->clamped: of the metric.  Errors: the quantizer's and
 * rsd_metric_lowrank's. */
RSD_CHECK int rsd_alternate(const rsd_alternation *how, const rsd_init_task *task,
                            rsd_init_result *out);

#endif
