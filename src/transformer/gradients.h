/* The gradient of the loss by every weight of a model: the arrays of weights.h once more, but to be
 * written.  Passes add to them. */
#ifndef RSD_TRANSFORMER_GRADIENTS_H
#define RSD_TRANSFORMER_GRADIENTS_H

#include "transformer/weights.h"

typedef struct {
    rsd_real *W;    /* out x in, dense; NULL: the architecture has none, or it was not loaded */
    rsd_real *bias; /* out, or NULL */
} rsd_linear_gradient;

typedef struct {
    rsd_real *w, *b; /* C each; b NULL: no bias */
} rsd_norm_gradient;

typedef struct {
    rsd_real *E; /* V x C */
    rsd_real *P; /* positions x C, or NULL */
} rsd_embedding_gradient;

typedef struct {
    rsd_norm_gradient norm1, norm2;
    rsd_linear_gradient linear[RSD_LINEARS];
} rsd_block_gradient;

typedef struct {
    rsd_embedding_gradient embedding;
    rsd_norm_gradient final_norm;
    rsd_linear_gradient head; /* W is embedding.E where the weights are tied: both uses add up */
    rsd_block_gradient *block;

    rsd_real *memory; /* every number above: memory[i] belongs to memory[i] of the weights */
    size_t count;     /* of numbers */
} rsd_gradients;

/* Zeros, for these weights.  Free with rsd_gradients_free.  Errors: RSD_ENOMEM; *out is then
 * NULL. */
RSD_CHECK int rsd_gradients_alloc(const rsd_weights *w, rsd_gradients **out);
void rsd_gradients_free(rsd_gradients *g);

void rsd_gradients_clear(rsd_gradients *g); /* zeros again */

/* Where the gradient lies of an array x of the weights that g was made for; NULL gives NULL. */
rsd_real *rsd_gradients_at(const rsd_gradients *g, const rsd_weights *w, const rsd_real *x);

#endif
