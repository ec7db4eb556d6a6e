/* Private to src/quantizers.  Double quantization: the absmax of each block stored in 8 bits, after
 * their mean is taken off.
 *
 * Adds to a packed matrix, for absmax[n]:
 *   absmax  U8[n]               index into the signed dynamic map of 256 levels
 *   nested  F32[ceil(n/256)]    the largest |absmax - offset| of each 256
 *   offset  F32[1]              mean of absmax
 *
 * so a block of 64 weights costs 8/64 + 32/(64*256) bits per weight instead of 32/64.  A block of
 * zeros may come back with a small or negative absmax: its codes still mean 0.
 * Source: Dettmers et al., NeurIPS 2023, section 3; bitsandbytes 95f9af30, to the bit. */
#ifndef RSD_QUANTIZERS_DOUBLE_QUANT_H
#define RSD_QUANTIZERS_DOUBLE_QUANT_H

#include "err.h"
#include "quantizers/packed.h"

enum { RSD_DOUBLE_BLOCK = 256, RSD_DYNAMIC_LEVELS = 256 };

/* absmax[n], n > 0, finite.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_double_quant_pack(const float *absmax, size_t n, rsd_packed *out);
void rsd_double_quant_unpack(const rsd_packed *in, float *absmax);

/* The signed dynamic map, ascending: in the decades 1e-6 to 1, 1, 2, ... 64 equal cells of
 * [0.1, 1] each, both signs, and 0 and 1 beside them. */
void rsd_dynamic_map(float level[RSD_DYNAMIC_LEVELS]);

/* Point i of `points` evenly spaced ones from first to last, to upstream's last bit. */
float rsd_even_point(float first, float last, int i, int points);

#endif
