/* Private to src/quantizers/ggml: four sub-blocks side by side, one in each lane of a vector
 * register, so that every sum over a sub-block adds in the order of the reference's scalar loop.
 * The bytes depend on that order.
 *
 * Numbers may become infinite or NaN where weights are near the ends of float32: every comparison
 * and clamp below then still has a definite answer. */
#ifndef RSD_QUANTIZERS_GGML_LANES_H
#define RSD_QUANTIZERS_GGML_LANES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { RSD_SUB_MAX = 32 }; /* weights in the longest sub-block */

typedef float rsd_lanes __attribute__((vector_size(16)));
typedef int32_t rsd_lane_mask __attribute__((vector_size(16))); /* 0 or -1 */
enum { RSD_LANE_COUNT = sizeof(rsd_lanes) / sizeof(float) };

/* x[i][l]: weight i of sub-block l; w its importance. */
typedef struct {
    rsd_lanes x[RSD_SUB_MAX], w[RSD_SUB_MAX];
} rsd_lane_tile;

static inline rsd_lanes lanes_of(float a) { return (rsd_lanes){ a, a, a, a }; }

static inline rsd_lanes lanes_select(rsd_lane_mask m, rsd_lanes a, rsd_lanes b)
{
    return (rsd_lanes)((m & (rsd_lane_mask)a) | (~m & (rsd_lane_mask)b));
}

static inline int lanes_any(rsd_lane_mask m) { return (m[0] | m[1] | m[2] | m[3]) != 0; }

static inline rsd_lanes lanes_abs(rsd_lanes a) { return (rsd_lanes)((rsd_lane_mask)a & INT32_MAX); }

/* In this form both compilers find the one instruction; a NaN becomes the bound. */
static inline rsd_lanes lanes_min(rsd_lanes a, float bound)
{
    for (int l = 0; l < RSD_LANE_COUNT; l++)
        a[l] = a[l] < bound ? a[l] : bound;
    return a;
}

static inline rsd_lanes lanes_max(rsd_lanes a, float bound)
{
    for (int l = 0; l < RSD_LANE_COUNT; l++)
        a[l] = a[l] > bound ? a[l] : bound;
    return a;
}

/* The nearest whole number, halves to even, within [low, high]: exact for |x| < 2^22, and beyond
 * it the clamp decides. */
static inline rsd_lanes lanes_nearest(rsd_lanes x, float low, float high)
{
    const rsd_lanes magic = lanes_of(0x1.8p23f);
    return lanes_max(lanes_min((x + magic) - magic, high), low);
}

static inline rsd_lanes lanes_sqrt(rsd_lanes a)
{
    for (int l = 0; l < RSD_LANE_COUNT; l++)
        a[l] = sqrtf(a[l]);
    return a;
}

static inline rsd_lanes lanes_load(const float *x)
{
    rsd_lanes a;
    memcpy(&a, x, sizeof a);
    return a;
}

/* subs sub-blocks of n weights, one behind the other, into the lanes; zeros where there are fewer
 * than lanes. */
static inline void lanes_transpose(const float *x, size_t n, size_t subs, rsd_lanes *out)
{
    memset(out, 0, n * sizeof *out);
    for (size_t l = 0; l < subs && l < RSD_LANE_COUNT; l++)
        for (size_t i = 0; i < n; i++)
            out[i][l] = x[l * n + i];
}

/* Back, as codes. */
static inline void lanes_codes(const rsd_lanes *code, size_t n, size_t subs, uint8_t *out)
{
    for (size_t l = 0; l < subs && l < RSD_LANE_COUNT; l++)
        for (size_t i = 0; i < n; i++)
            out[l * n + i] = (uint8_t)(int)code[i][l];
}

/* x and w = weight sqrt(sigma2 + x^2): the importance that ggml gives a weight of an input. */
static inline void tile_load_weighted(rsd_lane_tile *t, const float *x, const float *weight,
                                      size_t n, size_t subs, float sigma2)
{
    lanes_transpose(x, n, subs, t->x);
    lanes_transpose(weight, n, subs, t->w);
    for (size_t i = 0; i < n; i++)
        t->w[i] = t->w[i] * lanes_sqrt(sigma2 + t->x[i] * t->x[i]);
}

/* x and w = x^2. */
static inline void tile_load_squares(rsd_lane_tile *t, const float *x, size_t n, size_t subs)
{
    lanes_transpose(x, n, subs, t->x);
    for (size_t i = 0; i < n; i++)
        t->w[i] = t->x[i] * t->x[i];
}

/* The clamp of lanes_nearest for one number. */
static inline float nearest_within(float x, float low, float high)
{
    const float y = (x + 0x1.8p23f) - 0x1.8p23f;
    const float z = y < high ? y : high;
    return z > low ? z : low;
}

#endif
