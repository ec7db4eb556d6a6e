/* Corrections one after the other: each layer is quantized and corrected for the inputs that the
 * layers before it, corrected as they are, will really send it.
 *
 * With x the original's input of a layer and x~ the corrected model's, the layer's output is to be
 * W x, but it sees x~.  The linear map of x~ that comes nearest is
 *
 *     W' = W (E[x x~'] + l I) (E[x~ x~'] + l I)^-1
 *
 * (l pulls towards W, which it is where x~ = x): W' is what to quantize and correct, in the metric
 * of E[x~ x~'].  Errors of earlier layers are so made good by later ones, which is what layers that
 * are corrected side by side cannot do, and what 3 and 2 bits lack. */
#ifndef RSD_ADAPTERS_SEQUENCE_H
#define RSD_ADAPTERS_SEQUENCE_H

#include "quantizers/calibration.h"
#include "transformer/calibrate.h"

typedef struct {
    rsd_weights *original;          /* not changed */
    rsd_weights *current;           /* a copy of it, which becomes the corrected model */
    const rsd_block_moments *block; /* [layers] finished moments of the original; its G are handed
                                       on.  NULL: none */
    const rsd_tokens *tokens;
    size_t context, windows;
    size_t batch; /* windows a pass */
    double ridge; /* l as a share of the mean eigenvalue of E[x~ x~'], > 0 */

    /* target: W', m x n.  calibration: H, mean_abs and max_abs of x~, G of the original where
     * given. Puts the layer's corrected weight into W, the current model's own; leaves it where the
     * layer is not to change. */
    int (*correct)(void *context, size_t layer, rsd_slot slot, rsd_mat target,
                   const rsd_calibration *calibration, rsd_mat W);
    bool (*stop)(void *context); /* asked before each pass; may be NULL */
    void *callback_context;
} rsd_sequence_job;

/* Block after block, in each q k v (or qkv), then o, then gate and up, then down.  *done: layers
 * that were visited; fewer than there are only where stop said so. Cost: both models forward over
 * all windows, up to the layer in question, four times a block. Memory: two forward passes, and 3
 * n^2 doubles for the widest layer. Errors: RSD_EARG (ridge), RSD_EDOM where a moment is not
 * finite, those of tokens, passes and correct, RSD_ENOMEM. Source: ridge regression; as
 * quantization with a target of this kind: Li et al., GPTAQ, arXiv:2504.02692; Arai & Ichikawa,
 * QEP, arXiv:2504.09629. */
RSD_CHECK int rsd_sequence(const rsd_sequence_job *job, size_t *done);

#endif
