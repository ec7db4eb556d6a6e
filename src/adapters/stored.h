/* What is left of adapters when their factors are stored in a quantizer's bytes.
 *
 * A (rank x n) is packed as it is and B (m x rank) turned, so that every row is one of the `rank`
 * directions and a quantizer's groups run along the long side, inside a direction: directions
 * differ in size by the singular values that they carry, the numbers of one do not.  Measured on
 * closed-form corrections of two models (int4): in groups of 64 along it C is off by 14 % at 4.35
 * bits a number; in groups across the directions by 13 % at 5 bits for rank 16, at 8 for rank 4. */
#ifndef RSD_ADAPTERS_STORED_H
#define RSD_ADAPTERS_STORED_H

#include "adapters/adapter.h"
#include "quantizers/quantizer.h"

/* Every A and B becomes what unpacking would give; lambda and magnitudes become bfloat16 whatever
 * the quantizer.  *bytes: those of all of them, counted; layers without adapter have none.
 * Errors: those of rsd_quantize, with the layer. */
RSD_CHECK int rsd_adapters_store(const rsd_spec *spec, rsd_adapters *a, size_t *bytes);

#endif
