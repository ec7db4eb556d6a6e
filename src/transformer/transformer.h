/* A decoder from tokens to its last hidden states, and back. */
#ifndef RSD_TRANSFORMER_TRANSFORMER_H
#define RSD_TRANSFORMER_TRANSFORMER_H

#include "transformer/block.h"
#include "transformer/loss.h"

/* What a pass keeps for the way back. */
typedef enum {
    RSD_KEEP_NOTHING, /* forward only: one block's memory */
    RSD_KEEP_INPUTS,  /* each block's input; the block runs again on the way back */
    RSD_KEEP_ALL
} rsd_keep;

/* Memory and compiled products for passes of up to `rows` tokens.  The weights stay the caller's
 * and must outlive it; they may change between passes (bf16: rsd_weights_prepare again). */
typedef struct rsd_transformer rsd_transformer;

/* Errors: RSD_EARG (attention's numbers), RSD_ENOMEM. */
RSD_CHECK int rsd_transformer_alloc(rsd_weights *weights, rsd_precision precision, rsd_keep keep,
                                    size_t rows, rsd_transformer **out);
void rsd_transformer_free(rsd_transformer *t);

size_t rsd_transformer_bytes(const rsd_transformer *t); /* of activations */
rsd_matmul *rsd_transformer_mm(const rsd_transformer *t);
void rsd_transformer_capture(rsd_transformer *t, const rsd_capture *capture); /* NULL: none */
/* NULL: none.  The hook must outlive its use.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_transformer_hook(rsd_transformer *t, const rsd_linear_hook *hook);

/* Hidden states after the last norm, B T x C: *hidden points into t until the next pass.
 * Errors: RSD_EDOM for a token outside the vocabulary, RSD_EARG when T exceeds the context or B T
 * the rows, RSD_ENOMEM. */
RSD_CHECK int rsd_transformer_forward(rsd_transformer *t, const int32_t *token, size_t B, size_t T,
                                      const rsd_real **hidden);

/* From the gradient of the hidden states (B T x C, overwritten) back through the last forward.
 * grad: gradients of all weights, accumulated, or NULL: weights are frozen.  Not after
 * RSD_KEEP_NOTHING (asserted).  Errors: as rsd_block_backward. */
RSD_CHECK int rsd_transformer_backward(rsd_transformer *t, rsd_real *dhidden,
                                       const rsd_gradients *grad);

/* The head as the loss takes it. */
rsd_head rsd_transformer_head(const rsd_transformer *t, const rsd_real *hidden);

#endif
