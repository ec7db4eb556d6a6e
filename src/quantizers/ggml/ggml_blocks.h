/* Private to src/quantizers/ggml: blocks of 32 weights that differ in two numbers.
 *
 *   signed   d = x_max / -2^(bits-1), x_max the first weight of largest magnitude, which so gets
 *            code 0; code = floor(x/d + 2^(bits-1) + 1/2), at most 2^bits - 1
 *   affine   d = (max - min) / (2^bits - 1), m = min; code = floor((x - m)/d + 1/2)
 *
 * with d unrounded; it is stored as fp16.  With importance weights d (and m) are searched for. */
#ifndef RSD_QUANTIZERS_GGML_BLOCKS_H
#define RSD_QUANTIZERS_GGML_BLOCKS_H

#include "quantizers/quantizer.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    int bits; /* 4, 5 */
    bool affine;
} rsd_ggml_blocks;

/* The format's .how is an rsd_ggml_blocks. */
void rsd_ggml_encode_blocks(const rsd_spec *spec, const float *x, const float *weight, size_t n,
                            void *blocks);

/* The largest |x| of 32. */
float rsd_absmax32(const float *x);

#endif
