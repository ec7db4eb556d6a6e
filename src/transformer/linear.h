/* Linear layers: y = x W' + b with W out x in as everywhere, on M rows of activations.
 *
 * x and dy are factors: where several layers read the same rows, the caller may round them to
 * bfloat16 once (rsd_matmul_prepare or rsd_half_round) and pass both forms.
 * Errors of all three: those of rsd_matmul_run. */
#ifndef RSD_TRANSFORMER_LINEAR_H
#define RSD_TRANSFORMER_LINEAR_H

#include "transformer/matmul.h"

typedef struct {
    rsd_factor W;         /* out x in; float, bfloat16 or both */
    const rsd_real *bias; /* out, or NULL */
} rsd_linear;

/* y (M x out, dense) = x W' + b, or += when accumulate: a residual stream takes its branch so.
 * y must not overlap x. */
RSD_CHECK int rsd_linear_forward(rsd_matmul *mm, const rsd_linear *l, rsd_factor x, rsd_real *y,
                                 bool accumulate);

/* dx (M x in, dense) = dy W, or += when accumulate. */
RSD_CHECK int rsd_linear_backward(rsd_matmul *mm, const rsd_linear *l, rsd_factor dy, rsd_real *dx,
                                  bool accumulate);

/* dW (out x in) += dy' x and db (out) += sum over rows of dy (in double per call); NULL: frozen.
 * dy.x must be there when db is. */
RSD_CHECK int rsd_linear_backward_weight(rsd_matmul *mm, rsd_factor dy, rsd_factor x, rsd_real *dW,
                                         rsd_real *db);

#endif
