/* The frozen part of a quantized model's linear layers, dense or packed.
 *
 *   dense    W_q dequantized once, in the weights themselves: fast, as large as the model
 *   packed   the quantizer's own bytes; a layer is unpacked into shared memory each time it is
 *            multiplied (QLoRA's storage), in float32 and, where products are in bfloat16, in that
 *
 * Both give the same numbers. */
#ifndef RSD_ADAPTERS_BASE_H
#define RSD_ADAPTERS_BASE_H

#include "quantizers/quantizer.h"
#include "transformer/weights.h"

typedef struct {
    rsd_spec spec;
    rsd_packed packed; /* m 0: this layer is dense */
} rsd_base_layer;

typedef struct {
    size_t layers;
    rsd_base_layer (*layer)[RSD_LINEARS];
} rsd_base;

/* All layers are dense.  Free with rsd_base_free.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_base_alloc(size_t layers, rsd_base *out);
void rsd_base_free(rsd_base *base);

/* The layer keeps packed, which is taken over (left empty).  Nothing in it (m 0): the layer stays
 * dense, and only its spec is known. */
void rsd_base_put(rsd_base *base, size_t layer, rsd_slot slot, const rsd_spec *spec,
                  rsd_packed *packed);

size_t rsd_base_bytes(const rsd_base *base); /* of all packed sections */

#endif
