/* The nearest level, and its scale, for iq4_nl and iq4_xs.  Their levels are whole numbers, not
 * evenly spaced.  Near a midpoint the reference's two differences x - level and level - x are
 * exact, so its choice is that of comparing x with the midpoint; counting the midpoints that are
 * passed needs no branch and no table. */
#include "quantizers/ggml/search.h"

static const float least = -127;
static const float midpoints[15] = { -115.5f, -93.5f, -74,   -57,   -42, -28.5f, -16, -4.5f,
                                     7,       19,     31.5f, 45.5f, 61,  79,     101 };
static const float steps[15] = { 23, 21, 18, 16, 14, 13, 12, 11, 12, 12, 13, 15, 16, 20, 24 };

void rsd_nearest_iq4(const float *x, size_t n, float inverse, uint8_t *code)
{
    for (size_t i = 0; i < n; i++) {
        const float y = inverse * x[i];
        int passed = 0;
        for (int k = 0; k < 15; k++)
            passed += y >= midpoints[k];
        code[i] = (uint8_t)passed;
    }
}

static inline rsd_lanes nearest_level(rsd_lanes x)
{
    rsd_lanes level = lanes_of(least);
    for (int k = 0; k < 15; k++)
        level += (rsd_lanes)((x >= midpoints[k]) & (rsd_lane_mask)lanes_of(steps[k]));
    return level;
}

/* (sum w q) x and (sum w q) q over the levels q that 1/scale = inverse gives. */
static inline void level_sums(const rsd_lane_tile *t, size_t n, rsd_lanes inverse,
                              rsd_lanes *sum_xq, rsd_lanes *sum_qq)
{
    rsd_lanes xq = lanes_of(0), qq = xq;
    for (size_t i = 0; i < n; i++) {
        const rsd_lanes q = nearest_level(inverse * t->x[i]), wq = t->w[i] * q;
        xq += wq * t->x[i];
        qq += wq * q;
    }
    *sum_xq = xq;
    *sum_qq = qq;
}

rsd_lanes rsd_search_iq4(const rsd_lane_tile *t, size_t n, int trials, rsd_lanes *first)
{
    rsd_lanes magnitude, xq, qq;
    const rsd_lanes max = rsd_lanes_extreme(t, n, &magnitude);
    const rsd_lane_mask keep = magnitude >= 1e-15f;
    *first = 1 / (trials ? -max / least : max / least);
    level_sums(t, n, *first, &xq, &qq);
    rsd_lanes scale = lanes_select(qq > 0, xq / qq, lanes_of(0)), best = scale * xq;
    for (int k = -trials; trials && k <= trials; k++) {
        level_sums(t, n, ((float)k + least) / max, &xq, &qq);
        const rsd_lane_mask better = (qq > 0) & (xq * xq > best * qq);
        const rsd_lanes found = xq / qq;
        scale = lanes_select(better, found, scale);
        best = lanes_select(better, found * xq, best);
    }
    return lanes_select(keep, scale, lanes_of(0));
}
