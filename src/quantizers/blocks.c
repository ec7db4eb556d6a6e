#include "quantizers/blocks.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Do `count` elements from `start` lie side by side?  If so, where. */
static float *adjacent(rsd_mat W, size_t start, size_t count)
{
    const size_t i = start / W.n, j = start % W.n;
    return W.ld == W.n || j + count <= W.n ? W.x + i * W.ld + j : NULL;
}

const float *rsd_flat_get(rsd_mat W, size_t start, size_t count, float *buffer)
{
    const float *x = adjacent(W, start, count);
    if (x)
        return x;
    size_t i = start / W.n, j = start % W.n;
    for (float *to = buffer; count; i++, j = 0) {
        const size_t run = count < W.n - j ? count : W.n - j;
        memcpy(to, W.x + i * W.ld + j, run * sizeof *to);
        to += run;
        count -= run;
    }
    return buffer;
}

float *rsd_flat_place(rsd_mat W, size_t start, size_t count, float *buffer)
{
    float *x = adjacent(W, start, count);
    return x ? x : buffer;
}

void rsd_flat_put(rsd_mat W, size_t start, size_t count, const float *buffer)
{
    if (adjacent(W, start, count))
        return;
    size_t i = start / W.n, j = start % W.n;
    for (const float *from = buffer; count; i++, j = 0) {
        const size_t run = count < W.n - j ? count : W.n - j;
        memcpy(W.x + i * W.ld + j, from, run * sizeof *from);
        from += run;
        count -= run;
    }
}

static int32_t bits_of(float x)
{
    int32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float from_bits(int32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Read as integers, float32s that are >= 0 keep their order and those with a sign are negative.
 * Integer maxima are what a compiler may reorder, and so vectorise, without -ffast-math. */
static inline float largest(const float *x, size_t n, int32_t clear, int32_t flip)
{
    int32_t top = 0;
#pragma omp simd reduction(max : top)
    for (size_t i = 0; i < n; i++) {
        const int32_t u = (bits_of(x[i]) & ~clear) ^ flip;
        top = u > top ? u : top;
    }
    return from_bits(top);
}

float rsd_absmax(const float *x, size_t n) { return largest(x, n, INT32_MIN, 0); }

void rsd_range(const float *x, size_t n, float *low, float *high)
{
    *low = largest(x, n, 0, INT32_MIN);
    *high = largest(x, n, 0, 0);
}

float rsd_grid_step(float span, float steps)
{
    const float step = span / steps;
    if (step >= FLT_MIN)
        return step;
    /* subnormal steps are coarse: rounded down, they would clip a good part of the span */
    return span == 0 ? 1 : step * steps < span ? nextafterf(step, 1) : step;
}
