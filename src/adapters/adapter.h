/* Adapters: the low-rank part of a linear layer that trains while the rest is frozen.
 *
 *   lora     y = W x + b + s B A x
 *   dora     y = c o (W x + s B A x) + b,  c_i = g_i / ||(W + s B A)_i||, row i; the norm is not
 *            differentiated, g starts as the norm
 *   adalora  y = W x + b + s P diag(l) Q x     (P = B, Q = A, l = lambda)
 *   qalora   y = W x + b + s B A p(x),  p: sums of `pool` consecutive inputs, pool = the group of
 *            W's affine quantizer, so that s B A can be merged into its zero points exactly
 *
 * with W the frozen (dequantized) weight, m x n, B m x r, A r x n (qalora: r x n/pool), s = alpha/r
 * or alpha/sqrt(r) (rsLoRA), adalora s = alpha/r.
 * Source: Hu et al. 2106.09685, Liu et al. 2402.09353 (PEFT's DoRA), Zhang et al. 2303.10512,
 * Xu et al. 2309.14717, Kalajdzievski 2312.03732. */
#ifndef RSD_ADAPTERS_ADAPTER_H
#define RSD_ADAPTERS_ADAPTER_H

#include "err.h"
#include "quantizers/packed.h"
#include "transformer/weights.h"

#include <stdint.h>

typedef enum { RSD_LORA, RSD_DORA, RSD_ADALORA, RSD_QALORA, RSD_VARIANTS } rsd_variant;
#define RSD_VARIANT_WORDS "lora|dora|adalora|qalora"
const char *rsd_variant_name(rsd_variant v);

/* One layer's: views into the set's memory.  rank 0: this layer has none. */
typedef struct {
    size_t m, n, rank;
    size_t pool;         /* inputs summed before A: 1 but for qalora; n is a multiple */
    rsd_real scale;      /* s */
    rsd_real *A;         /* rank x n/pool */
    rsd_real *B;         /* m x rank */
    rsd_real *lambda;    /* rank: adalora, else NULL */
    rsd_real *magnitude; /* m: dora, else NULL */
} rsd_adapter;

/* The adapters of a model, or their gradients: one block of numbers, in the order of layers, slots
 * and A, B, lambda, magnitude, each array padded to a multiple of 16 with zeros. */
typedef struct {
    rsd_variant variant;
    size_t layers;
    rsd_adapter (*layer)[RSD_LINEARS];
    rsd_real *memory;
    size_t count; /* numbers in memory, padding included */
} rsd_adapters;

/* What each layer is to have: rank 0 for none, whatever the rest. */
typedef struct {
    size_t rank, pool;
    rsd_real scale; /* > 0 */
} rsd_adapter_plan;

/* Zero adapters for w's linear layers.  Free with rsd_adapters_free, also after a failure.
 * Errors: RSD_EARG for a rank above min(m, n/pool), a pool that does not divide n or is not 1 where
 * the variant is not qalora, a scale that is not above 0, a layer that w does not have;
 * RSD_ENOMEM. */
RSD_CHECK int rsd_adapters_alloc(const rsd_weights *w, rsd_variant variant,
                                 const rsd_adapter_plan (*plan)[RSD_LINEARS], rsd_adapters *out);
/* Zeros of the same shapes: gradients.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_adapters_like(const rsd_adapters *a, rsd_adapters *out);
void rsd_adapters_free(rsd_adapters *a);

/* Numbers that train (padding not counted). */
size_t rsd_adapters_parameters(const rsd_adapters *a);

/* C (m x n) = the matrix that the adapter adds to W: s B A, s P diag(l) Q, or s B A with each
 * column of A repeated pool times.  For dora this is s B A as well; rsd_adapter_merge has the rest.
 * Errors: RSD_EARG (C is not m x n), RSD_ENOMEM. */
RSD_CHECK int rsd_adapter_delta(const rsd_adapter *a, rsd_mat C);

/* W, m x n, becomes the weight of the layer with its adapter: W + C, for dora c o (W + C).
 * W is the frozen one, dequantized.  Errors: RSD_EARG, RSD_ENOMEM. */
RSD_CHECK int rsd_adapter_merge(const rsd_adapter *a, rsd_mat W);

/* s B A into the zero points of an affine quantizer whose groups are the adapter's pool, with no
 * rounding but float32's: W = scale (code - zero), so zero' = zero - s (B A) / scale.
 * base: what rsd_pack made with int:scheme=affine_real,group=POOL.  (Zero points of few bits would
 * have to be rounded.)
 * Errors: RSD_EARG for a base of another shape, group or kind of zero points, for dora and adalora;
 * RSD_ENOMEM. */
RSD_CHECK int rsd_qalora_merge(const rsd_adapter *a, rsd_packed *base);

/* B and A from a correction C = B0 A0 that s B A is to be, whatever s: B0 is m x rank, A0 rank x
 * n/pool, B = B0 / sqrt(s), A = A0 / sqrt(s).  Where B0 or A0 is 0 there is nothing to correct, and
 * the other is taken as it is: LoRA's own start.
 *   adalora  P has unit columns and Q unit rows, lambda the rest.  A column (row) of zeros would
 *            never train: it becomes a random direction, drawn from the numbers of B0 and A0
 *   dora     magnitude = row norms of W + C; W (m x n, dequantized) is read by dora only
 * Errors: RSD_EARG (shapes), RSD_ENOMEM. */
RSD_CHECK int rsd_adapter_set(rsd_adapter *a, rsd_mat B0, rsd_mat A0, rsd_mat W);

#endif
