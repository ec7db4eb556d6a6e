/* H and G of a model's linear layers over the windows of a token stream.
 *
 *   H = E[x x']  of a layer's input
 *   G = E[g g']  g_t = d(sum over the window's tokens s of loss_s) / dy_t, y the layer's output
 *
 * Means are over all tokens of all windows.  Labels of the losses are drawn from the model's own
 * distribution, which makes G a factor of the true Fisher matrix; with the data's labels it is the
 * empirical one, which is biased (Kunstner et al., arXiv:1905.12558).  Draws are named by (seed,
 * window): the batch and the threads change nothing. */
#ifndef RSD_TRANSFORMER_CALIBRATE_H
#define RSD_TRANSFORMER_CALIBRATE_H

#include "io/tokens.h"
#include "transformer/moments.h"
#include "transformer/transformer.h"

/* What is wanted of one block; NULL members are not computed. */
typedef struct {
    rsd_moment *H[RSD_LINEARS], *G[RSD_LINEARS];
} rsd_block_moments;

/* Do two layers of a block read the same activations? */
bool rsd_same_input(rsd_slot a, rsd_slot b);

typedef struct {
    rsd_transformer *model;   /* made with RSD_KEEP_INPUTS or RSD_KEEP_ALL where a G is wanted */
    rsd_block_moments *block; /* [layers]; moments of the layers' sizes, added to */
    size_t layers;
    const rsd_tokens *tokens;
    size_t context, windows;
    size_t first; /* window to begin with, a multiple of the batch: the moments hold those before */
    size_t batch; /* windows a pass: the model has memory for batch * context tokens */
    bool empirical; /* the data's labels */
    uint64_t seed;
    void (*progress)(void *context, size_t windows_done);
    bool (*stop)(void *context); /* true: end early; may be NULL */
    void *callback_context;
} rsd_calibrate_job;

/* *done: windows that the moments hold; fewer than asked only where stop said so.
 * Errors: the token stream's, the passes' and the loss's; RSD_ENOMEM. */
RSD_CHECK int rsd_calibrate(const rsd_calibrate_job *job, size_t *done);

#endif
