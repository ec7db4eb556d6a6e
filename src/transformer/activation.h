/* The nonlinearities of MLPs, and their gated form.  All arrays have n elements.
 *
 *   relu       max(x, 0)
 *   gelu       x P(X <= x), X standard normal
 *   gelu_tanh  x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2
 *   silu       x / (1 + e^-x)
 *
 * In float a value is right to 8 eps (1 + x^2) of itself (gelu_tanh 1 + |x|^3), eps = 2^-24, so the
 * tails keep their digits; a derivative to 2.4e-6.  NaN stays NaN.
 * Sources: Hendrycks & Gimpel, arXiv:1606.08415; gated: Shazeer, arXiv:2002.05202. */
#ifndef RSD_TRANSFORMER_ACTIVATION_H
#define RSD_TRANSFORMER_ACTIVATION_H

#include "err.h"
#include "transformer/real.h"

typedef enum { RSD_RELU, RSD_GELU, RSD_GELU_TANH, RSD_SILU } rsd_activation;

/* By the names of config.json: relu, gelu, gelu_new, gelu_fast, gelu_pytorch_tanh, silu, swish.
 * Errors: RSD_ENOTFOUND; the message lists what is known. */
RSD_CHECK int rsd_activation_find(const char *name, rsd_activation *out);

/* y = f(x); y may be x. */
void rsd_activation_forward(rsd_activation f, const rsd_real *x, rsd_real *y, size_t n);

/* dx = dy f'(x), written; dx may be dy or x. */
void rsd_activation_backward(rsd_activation f, const rsd_real *dy, const rsd_real *x, rsd_real *dx,
                             size_t n);

/* y = f(gate) up (SwiGLU with silu); y may be gate or up. */
void rsd_gated_forward(rsd_activation f, const rsd_real *gate, const rsd_real *up, rsd_real *y,
                       size_t n);

/* dgate = dy up f'(gate) and dup = dy f(gate), both written; either may be dy, gate or up. */
void rsd_gated_backward(rsd_activation f, const rsd_real *dy, const rsd_real *gate,
                        const rsd_real *up, rsd_real *dgate, rsd_real *dup, size_t n);

/* y += x: residual streams. */
void rsd_add(rsd_real *y, const rsd_real *x, size_t n);

#endif
