/* What is left of adapters when their factors are stored in a quantizer's bytes.
 *
 * A (rank x n) is packed as it is and B (m x rank) turned, so that every row is one of the `rank`
 * directions and a quantizer's groups run along the long side, inside a direction: directions
 * differ in size by the singular values that they carry, the numbers of one do not.  Measured on
 * closed-form corrections of two models at 4 bits: in affine groups of 64 along them C is off by
 * 14 % at 4.35 bits a number; in groups across them by 12 % at 5 bits for rank 16 and 8 % at 8 bits
 * for rank 4, which is more than those bits would buy along them. */
#ifndef RSD_ADAPTERS_STORED_H
#define RSD_ADAPTERS_STORED_H

#include "adapters/adapter.h"
#include "quantizers/quantizer.h"

/* Every A and B becomes what unpacking would give; lambda and magnitudes become bfloat16 whatever
 * the quantizer.  *bytes: those of all of them, counted; layers without adapter have none.
 * Errors: those of rsd_quantize, with the layer. */
RSD_CHECK int rsd_adapters_store(const rsd_spec *spec, rsd_adapters *a, size_t *bytes);

#endif
