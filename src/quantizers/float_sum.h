/* Private to src/quantizers.  Sums of float32 in float32, in the order in which the reference of
 * several quantizers adds them: their means, and every code that depends on one, come out to the
 * bit.
 *
 * The order: 4 x 8 running sums, folded every 16 rounds (more for long arrays) into a second, third
 * and fourth level, so that the error grows with the number of levels rather than with n.
 * Source: PyTorch 1.13, aten/src/ATen/native/cpu/SumKernel.cpp, with AVX2 or wider. */
#ifndef RSD_QUANTIZERS_FLOAT_SUM_H
#define RSD_QUANTIZERS_FLOAT_SUM_H

#include <stddef.h>

/* Sum of x[n], adjacent elements. */
float rsd_float_sum(const float *x, size_t n);

/* sum[j] = sum over i < m of x[i*n + j]: down the columns of an m x n array. */
void rsd_float_sum_columns(const float *x, size_t m, size_t n, float *sum);

#endif
