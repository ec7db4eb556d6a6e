/* Private to src/quantizers.  Runs of weights that share a scale: how to get at them, and how large
 * they are. */
#ifndef RSD_QUANTIZERS_BLOCKS_H
#define RSD_QUANTIZERS_BLOCKS_H

#include "mat.h"

#include <stddef.h>

/* count elements of the flat row-major matrix from element `start` on, rows' ends crossed: a
 * pointer into W where they lie side by side, else copied to buffer[count]. */
const float *rsd_flat_get(rsd_mat W, size_t start, size_t count, float *buffer);

/* The inverse: where to put them, and the call that does so if that was the buffer. */
float *rsd_flat_place(rsd_mat W, size_t start, size_t count, float *buffer);
void rsd_flat_put(rsd_mat W, size_t start, size_t count, const float *buffer);

/* The range of x[n] widened to hold 0: low = max(0, -min), high = max(0, max).  For finite x. */
void rsd_range(const float *x, size_t n, float *low, float *high);

/* max |x|. */
float rsd_absmax(const float *x, size_t n);

/* span / steps, the float32 distance of levels that covers `span` in `steps`: never 0, so that one
 * may divide by it (1 for an empty span, rounded up where it is subnormal). */
float rsd_grid_step(float span, float steps);

/* x, or the float32 nearest to it where x is infinite. */
static inline float rsd_finite(float x)
{
    const float max = 0x1.fffffep127f;
    return x > max ? max : x < -max ? -max : x;
}

#endif
