/* One block of a decoder: attention and MLP around a residual stream, forward and backward.
 *
 *   sequential   x2 = x + O(attention(norm1 x));  y = x2 + MLP(norm2 x2)
 *   parallel     y = x + O(attention(norm1 x)) + MLP(norm2 x)          (GPT-NeoX) */
#ifndef RSD_TRANSFORMER_BLOCK_H
#define RSD_TRANSFORMER_BLOCK_H

#include "transformer/attention.h"
#include "transformer/gradients.h"

/* What passes a linear layer, to whoever wants to look: inputs on the way forward, gradients of
 * outputs on the way back.  rows x cols, dense.  NULL members are not called. */
typedef struct {
    int (*input)(void *context, size_t layer, rsd_slot slot, const rsd_real *x, size_t rows,
                 size_t cols);
    int (*gradient)(void *context, size_t layer, rsd_slot slot, const rsd_real *dy, size_t rows,
                    size_t cols);
    void *context;
} rsd_capture;

/* Linear layers that are more than y = x W' + b (packed weights, adapters): who gives this computes
 * them in place of rsd_linear_forward and rsd_linear_backward, with the same meaning of y, dx and
 * accumulate, and accumulates gradients of its own.  x is the layer's input both ways. */
typedef struct {
    int (*forward)(void *context, rsd_matmul *mm, size_t layer, rsd_slot slot, rsd_factor x,
                   rsd_real *y, bool accumulate);
    int (*backward)(void *context, rsd_matmul *mm, size_t layer, rsd_slot slot, rsd_factor dy,
                    rsd_factor x, rsd_real *dx, bool accumulate);
    bool trains; /* backward reads x; else x has no numbers, and computing it again is saved */
    void *context;
} rsd_linear_hook;

/* What a block's backward needs of its forward: M = B T rows each.  q, k, v are one array where
 * fused. */
typedef struct {
    rsd_real *x, *mean1, *rstd1, *q, *k, *v, *lse, *o;
    rsd_real *x2, *mean2, *rstd2, *gate,
        *up; /* x2 is x where parallel; gate NULL where not gated */
} rsd_block_state;

/* Memory that blocks share: contents do not outlive a call. */
typedef struct {
    rsd_real *n;     /* M x C: a norm's output, then its gradient */
    rsd_real *wide;  /* M x F: the MLP's activation, then its gradient */
    rsd_real *wide2; /* M x F: gated only, or backward */
    rsd_real *dq;    /* M x (q + k + v): backward only */
    rsd_real *d_o;   /* M x (H d): backward only */
    rsd_half *half;  /* bf16 only: M x max(C, F, H d) */
    rsd_half *input; /* bf16 and a hook that trains: the same, a layer's input on the way back */
    void *attention; /* rsd_attention_work */
} rsd_block_scratch;

/* All that a block works with. */
typedef struct {
    const rsd_weights *weights;
    const rsd_rotary *rotary; /* NULL: none */
    rsd_matmul *mm;
    const rsd_capture *capture;  /* NULL: none */
    const rsd_linear_hook *hook; /* NULL: none */
    rsd_block_scratch scratch;
    size_t B, T;
} rsd_block;

/* Numbers of rsd_real that a state takes for M rows, and where its arrays lie in them. */
size_t rsd_block_state_size(const rsd_shape *s, size_t M);
void rsd_block_state_carve(const rsd_shape *s, size_t M, rsd_real *memory, rsd_block_state *state);

/* y = block(state->x), M x C; the state is filled.  y must not be state->x.
 * Errors: the hook's, the capture's, RSD_ENOMEM. */
RSD_CHECK int rsd_block_forward(const rsd_block *b, size_t layer, rsd_block_state *state,
                                rsd_real *y);

/* dx, on entry the gradient of y, becomes that of x.  grad: of the block's weights, accumulated, or
 * NULL: they are frozen.  Errors: as above. */
RSD_CHECK int rsd_block_backward(const rsd_block *b, size_t layer, const rsd_block_state *state,
                                 rsd_real *dx, const rsd_block_gradient *grad);

#endif
