/* LayerNorm and RMSNorm over the C channels of each of M rows.
 *
 *   LayerNorm  y = (x - mean) rstd w + b,  rstd = 1/sqrt(mean((x - mean)^2) + eps)
 *   RMSNorm    y = x rstd w,               rstd = 1/sqrt(mean(x^2) + eps)
 *
 * mean and rstd (M each) are what backward needs besides x.  y may be x where no backward follows.
 * Sources: Ba, Kiros & Hinton, arXiv:1607.06450, eq. 4; Zhang & Sennrich, arXiv:1910.07467,
 * eq. 4. */
#ifndef RSD_TRANSFORMER_NORM_H
#define RSD_TRANSFORMER_NORM_H

#include "transformer/real.h"

typedef struct {
    size_t C;
    const rsd_real *w, *b; /* C each; b NULL: no bias; RMSNorm has none */
    double eps;
} rsd_norm;

void rsd_layernorm_forward(const rsd_norm *norm, const rsd_real *x, size_t M, rsd_real *y,
                           rsd_real *mean, rsd_real *rstd);
void rsd_rmsnorm_forward(const rsd_norm *norm, const rsd_real *x, size_t M, rsd_real *y,
                         rsd_real *rstd);

/* dx accumulates; dw and db (C) accumulate, NULL: frozen.  dx must not overlap dy or x. */
void rsd_layernorm_backward(const rsd_norm *norm, const rsd_real *dy, const rsd_real *x,
                            const rsd_real *mean, const rsd_real *rstd, size_t M, rsd_real *dx,
                            rsd_real *dw, rsd_real *db);
void rsd_rmsnorm_backward(const rsd_norm *norm, const rsd_real *dy, const rsd_real *x,
                          const rsd_real *rstd, size_t M, rsd_real *dx, rsd_real *dw);

#endif
