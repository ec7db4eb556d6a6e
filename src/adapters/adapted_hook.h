/* Private to src/adapters: the hook's memory, and what its files do for each other. */
#ifndef RSD_ADAPTERS_ADAPTED_PRIVATE_H
#define RSD_ADAPTERS_ADAPTED_PRIVATE_H

#include "adapters/adapted.h"

/* A factor whose numbers the hook writes: those that view has, where they are its own. */
typedef struct {
    rsd_factor view;
    rsd_real *x;    /* NULL: view.x is the adapter's parameters, or there is bfloat16 alone */
    rsd_half *half; /* NULL: products are not in bfloat16 */
} rsd_adapted_factor;

/* What a layer with an adapter has between calls. */
typedef struct {
    rsd_adapted_factor A, B; /* factors.h: rank x n and m x rank, in bfloat16 too where mm has it */
    rsd_adapted_factor W;    /* straight: the quantized W + s B A, m x n */
    rsd_real *norm;          /* dora: m */
    rsd_adapted_factor u;    /* trains: x A' of the last forward, its rows x rank */
} rsd_adapted_layer;

struct rsd_adapted {
    rsd_adapted_options o;
    rsd_linear_hook hook;
    bool half; /* products are in bfloat16 */
    rsd_adapted_layer (*layer)[RSD_LINEARS];
    void *memory; /* everything below and in layers */
    size_t bytes;

    /* shared by layers: nothing in them outlives a call */
    float *unpacked; /* the largest packed m x n */
    rsd_real *W;     /* the same in the number type: unpacked itself where that is float */
    rsd_half *W_half;
    rsd_real *t; /* rows x rank: dy B, or x A' where nothing trains */
    rsd_half *t_half;
    rsd_real *c;    /* m of dora's: g / norm */
    rsd_real *wide; /* rows x m of dora's */
    rsd_half *wide_half;
    rsd_real *dA, *dB; /* gradients of factors that are not the parameters */
};

/* NULL where the layer has no adapter. */
static inline const rsd_adapter *rsd_adapted_adapter(const rsd_adapted *a, size_t layer,
                                                     rsd_slot slot)
{
    const rsd_adapter *l = a->o.adapters ? &a->o.adapters->layer[layer][slot] : NULL;
    return l && l->rank ? l : NULL;
}

static inline const rsd_base_layer *rsd_adapted_base(const rsd_adapted *a, size_t layer,
                                                     rsd_slot slot)
{
    const rsd_base_layer *b = a->o.base ? &a->o.base->layer[layer][slot] : NULL;
    return b && b->packed.m ? b : NULL;
}

/* The frozen weight as a factor, unpacked where it is packed, with its bfloat16 copy if `half`.
 * Errors: the quantizer's. */
RSD_CHECK int rsd_adapted_weight(rsd_adapted *a, size_t layer, rsd_slot slot, bool half,
                                 rsd_factor *W);

/* Straight's weights, all anew.  Errors: the quantizer's, RSD_ENOMEM. */
RSD_CHECK int rsd_adapted_requantize(rsd_adapted *a);

/* Members of rsd_linear_hook; context is the rsd_adapted. */
int rsd_adapted_forward(void *context, rsd_matmul *mm, size_t layer, rsd_slot slot, rsd_factor x,
                        rsd_real *y, bool accumulate);
int rsd_adapted_backward(void *context, rsd_matmul *mm, size_t layer, rsd_slot slot, rsd_factor dy,
                         rsd_factor x, rsd_real *dx, bool accumulate);

#endif
