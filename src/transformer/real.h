/* The number type of the transformer, and how its layers see attention heads.
 *
 * Weights, activations and training are in float.  The gradient tests compile the same sources
 * again with -DRSD_REAL=double: central differences need the digits.
 *
 * Letters: B windows of T tokens, M = B T rows, C channels, V words of the vocabulary, H heads of
 * D channels; row-major, the last index contiguous.  dx is the gradient of the loss by x; each
 * function says whether it writes or accumulates it.  Gradients of weights always accumulate. */
#ifndef RSD_TRANSFORMER_REAL_H
#define RSD_TRANSFORMER_REAL_H

#include <stddef.h>

#ifndef RSD_REAL
#define RSD_REAL float
#endif
typedef RSD_REAL rsd_real;

/* Heads inside a row of activations: head h of row m is x[m*row + h*head + i], 0 <= i < D.
 * [q|k|v] (GPT-2) has row 3C, head D and x at 0, C, 2C; NeoX's interleaved [H][q,k,v] has row 3C,
 * head 3D and x at 0, D, 2D; separate projections have row H*D, head D. */
typedef struct {
    rsd_real *x;
    size_t row, head;
} rsd_heads;

#endif
