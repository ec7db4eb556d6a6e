/* Linear layers with a packed base, with adapters, or with both: the hook that a transformer calls
 * for them (transformer/block.h).
 *
 * Products with W and the skinny ones with A and B are by rsd_matmul; nothing of size m x n is
 * formed but the unpacked W and, for dora, the rows of W + s B A of which only norms are kept.
 * Gradients of dora's magnitudes take one product with W more on the way back.
 *
 * straight: the layer multiplies with quantize(W + s B A) instead, the quantizer's own grid, and
 * gradients pass the rounding as if it were not there (quantization-aware training, EfficientDM
 * 2310.03270); lora only, with the base's specs. */
#ifndef RSD_ADAPTERS_ADAPTED_H
#define RSD_ADAPTERS_ADAPTED_H

#include "adapters/adapter.h"
#include "adapters/base.h"
#include "transformer/block.h"

typedef struct rsd_adapted rsd_adapted;

typedef struct {
    const rsd_weights *weights;   /* of the transformer; dense layers' W and all biases */
    const rsd_base *base;         /* packed layers; NULL: all are dense */
    const rsd_adapters *adapters; /* NULL: none */
    rsd_adapters *grad;           /* of the same shape, accumulated; NULL: adapters are frozen */
    size_t rows;                  /* most rows of a pass */
    bool straight;
} rsd_adapted_options;

/* Free with rsd_adapted_free.  Everything in options stays the caller's and must outlive it; mm's
 * precision is that of all passes.  Adapters are taken as they are now (rsd_adapted_refresh).
 * Errors: RSD_EARG (layers, shapes, a layer without weights; straight with another variant, or with
 * an adapted layer whose spec the base does not know), those of rsd_adapted_refresh, RSD_ENOMEM. */
RSD_CHECK int rsd_adapted_alloc(const rsd_adapted_options *options, rsd_matmul *mm,
                                rsd_adapted **out);
void rsd_adapted_free(rsd_adapted *a);

const rsd_linear_hook *rsd_adapted_hook(const rsd_adapted *a);
size_t rsd_adapted_bytes(const rsd_adapted *a); /* of work memory */

/* After adapters changed: what is computed once a step (bfloat16 copies, factors that are not the
 * parameters, dora's norms, straight's weights) is taken anew.
 * Errors: those of the quantizer (straight names the layer), RSD_ENOMEM. */
RSD_CHECK int rsd_adapted_refresh(rsd_adapted *a);

#endif
