/* Private to src/transformer: element-wise work in loops that the compiler vectorises.
 *
 * RSD_WIDEST compiles a function three times; the machine's widest is chosen when the program is
 * loaded.  An OpenMP region inside would not be cloned: kernels take a range or a row and the
 * parallel loop calls them.  Their names are unique in the library, static as they are: clang 14
 * exports the functions that choose. */
#ifndef RSD_TRANSFORMER_VECTOR_H
#define RSD_TRANSFORMER_VECTOR_H

#include "transformer/real.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__)
#define RSD_WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define RSD_WIDEST
#endif

/* Elements that one call of an element-wise kernel handles: what stays in the first cache. */
enum { RSD_CHUNK = 2048 };

static inline int32_t vector_bits(float x)
{
    int32_t n;
    memcpy(&n, &x, sizeof n);
    return n;
}

static inline float vector_power2(int32_t n) /* 2^n, -126 <= n <= 127 */
{
    const uint32_t bits = ((uint32_t)n + 127) << 23;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* e^x to 1.1 ulp, 0 below -104, Inf above 88.73; NaN stays.
 * e^x = 2^n e^r, |r| <= ln2/2, with ln2 in two parts so that n ln2 is exact in the first; the
 * polynomial is the minimax one for (e^r - 1 - r)/r^2.  2^n is applied in two factors because it
 * may lie outside the normal range where the result does not. */
static inline float vector_exp_float(float x)
{
    const float shift = 0x1.8p23f; /* adding it leaves the nearest integer in the low bits */
    x = x < -104.0f ? -104.0f : x;
    x = x > 89.0f ? 89.0f : x;
    const float t = x * 0x1.715476p0f + shift;
    const float n = t - shift;
    const float r = (x - n * 0x1.62ep-1f) - n * 0x1.0bfbe8p-15f;
    float p = 0x1.6db5bcp-10f;
    p = p * r + 0x1.123c78p-7f;
    p = p * r + 0x1.55545cp-5f;
    p = p * r + 0x1.55548ep-3f;
    p = p * r + 0.5f;
    p = p * (r * r) + r + 1.0f;
    const int32_t k = (int32_t)((uint32_t)vector_bits(t) - (uint32_t)vector_bits(shift));
    const int32_t half = k >> 1;
    return p * vector_power2(half) * vector_power2(k - half);
}

/* P(X > x) of a standard normal X for x >= 0, given e = exp(-x^2/2): a polynomial in
 * 1/(1 + 0.35 x), right to 4e-7 relative with its rounding for x <= 14, where float ends. */
static inline float vector_tail_float(float x, float e)
{
    const float t = 1.0f / (1.0f + 0.35f * x);
    float p = -0.029145916f;
    p = p * t + 0.14397163f;
    p = p * t - 0.25571412f;
    p = p * t + 0.15917401f;
    p = p * t - 0.023109736f;
    p = p * t + 0.10550796f;
    p = p * t + 0.11983288f;
    p = p * t + 0.13986187f;
    p = p * t + 0.1396214f;
    return p * t * e;
}

static inline double vector_tail_double(double x, double e)
{
    (void)e;
    return 0.5 * erfc(x * M_SQRT1_2);
}

/* The largest of top and n values; NaN is passed over. */
static inline rsd_real vector_top(const rsd_real *x, size_t n, rsd_real top)
{
    enum { LANES = 32 };
    rsd_real lane[LANES];
    size_t i = 0;
    for (int l = 0; l < LANES; l++)
        lane[l] = top;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
    for (; i < n; i++)
        top = x[i] > top ? x[i] : top;
    for (int l = 0; l < LANES; l++)
        top = lane[l] > top ? lane[l] : top;
    return top;
}

/* The same for the number type at hand; in double libm's, speed is not asked for there. */
#define vector_exp(x) _Generic((rsd_real)0, float : vector_exp_float, double : exp)(x)
#define vector_tail(x, e)                                                                          \
    _Generic((rsd_real)0, float : vector_tail_float, double : vector_tail_double)(x, e)

#endif
