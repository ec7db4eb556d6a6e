/* Arrays of bfloat16, the upper half of a float32, in the machine's byte order. */
#ifndef RSD_TRANSFORMER_HALF_H
#define RSD_TRANSFORMER_HALF_H

#include "transformer/real.h"

#include <stdint.h>

typedef uint16_t rsd_half;

/* half (rows x cols, dense) = x rounded half to even; NaN stays NaN, what overflows becomes Inf.
 * x[i*ld + j], ld >= cols. */
void rsd_half_round(const rsd_real *x, size_t ld, size_t rows, size_t cols, rsd_half *half);

/* x = half, exactly. */
void rsd_half_expand(const rsd_half *half, rsd_real *x, size_t n);

#endif
