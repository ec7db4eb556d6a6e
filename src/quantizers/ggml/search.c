#include "quantizers/ggml/search.h"

/* Sums are written as the reference writes them, w x l as (w x) l and w l l as (w l) l: another
 * order would round differently and now and then choose another scale. */

static const float too_small = 1e-15f;

rsd_lanes rsd_lanes_extreme(const rsd_lane_tile *t, size_t n, rsd_lanes *magnitude)
{
    rsd_lanes top = lanes_of(0), at = top;
    for (size_t i = 0; i < n; i++) {
        const rsd_lanes a = lanes_abs(t->x[i]);
        const rsd_lane_mask larger = a > top;
        top = lanes_select(larger, a, top);
        at = lanes_select(larger, t->x[i], at);
    }
    *magnitude = top;
    return at;
}

static inline rsd_lanes quotient(rsd_lanes a, rsd_lanes b)
{
    return lanes_select(b != 0, a / b, lanes_of(0));
}

/* One trial: the sums for the codes that 1/scale = inverse gives. */
static inline void symmetric_sums(const rsd_lanes *x, const rsd_lanes *w, const rsd_lanes *wx,
                                  size_t n, float levels, rsd_lanes inverse, rsd_lanes *sum_xl,
                                  rsd_lanes *sum_ll)
{
    rsd_lanes xl = lanes_of(0), ll = xl;
    for (size_t i = 0; i < n; i++) {
        const rsd_lanes l = lanes_nearest(inverse * x[i], -levels, levels - 1);
        xl += wx[i] * l;
        ll += w[i] * l * l;
    }
    *sum_xl = xl;
    *sum_ll = ll;
}

/* Codes for a scale, 0 where the sub-block is too small. */
static void symmetric_codes(const rsd_lane_tile *t, size_t n, float levels, rsd_lanes inverse,
                            rsd_lane_mask keep, rsd_lanes *code)
{
    for (size_t i = 0; i < n; i++) {
        const rsd_lanes l = lanes_nearest(inverse * t->x[i], -levels, levels - 1) + levels;
        code[i] = lanes_select(keep, l, lanes_of(0));
    }
}

rsd_lanes rsd_search_symmetric(const rsd_lane_tile *t, size_t n, float levels, rsd_lanes *code)
{
    rsd_lanes magnitude, wx[RSD_SUB_MAX], xl, ll;
    const rsd_lanes max = rsd_lanes_extreme(t, n, &magnitude);
    const rsd_lane_mask keep = magnitude >= too_small;
    for (size_t i = 0; i < n; i++)
        wx[i] = t->w[i] * t->x[i];

    rsd_lanes inverse = -levels / max;
    symmetric_sums(t->x, t->w, wx, n, levels, inverse, &xl, &ll);
    rsd_lanes scale = quotient(xl, ll), best = scale * xl;
    for (int k = -9; k <= 9; k++) {
        if (k == 0)
            continue;
        const rsd_lanes trial = -(levels + 0.1f * (float)k) / max;
        symmetric_sums(t->x, t->w, wx, n, levels, trial, &xl, &ll);
        const rsd_lane_mask better = (ll > 0) & (xl * xl > best * ll);
        const rsd_lanes found = xl / ll;
        inverse = lanes_select(better, trial, inverse);
        scale = lanes_select(better, found, scale);
        best = lanes_select(better, found * xl, best);
    }
    symmetric_codes(t, n, levels, inverse, keep, code);
    return lanes_select(keep, scale, lanes_of(0));
}

/* One pass of the descent; did anything change? */
static rsd_lane_mask descend(const rsd_lanes *x, const rsd_lanes *w, size_t n, float levels,
                             rsd_lanes *code, rsd_lanes *sum_xl, rsd_lanes *sum_ll)
{
    rsd_lanes xl = *sum_xl, ll = *sum_ll;
    rsd_lane_mask changed = { 0 };
    for (size_t i = 0; i < n; i++) {
        const rsd_lanes wx = w[i] * x[i], l = code[i];
        const rsd_lanes other_xl = xl - wx * l, other_ll = ll - w[i] * l * l;
        const rsd_lanes next = lanes_nearest(x[i] * other_ll / other_xl, -levels, levels - 1);
        const rsd_lanes new_xl = other_xl + wx * next, new_ll = other_ll + w[i] * next * next;
        const rsd_lane_mask better =
            (other_xl > 0) & (next != l) & (new_ll > 0) & (new_xl * new_xl * ll > xl * xl * new_ll);
        code[i] = lanes_select(better, next, l);
        xl = lanes_select(better, new_xl, xl);
        ll = lanes_select(better, new_ll, ll);
        changed |= better;
    }
    *sum_xl = xl;
    *sum_ll = ll;
    return changed;
}

/* A sub-block whose pass changed nothing is left alone by the passes that others still need. */
rsd_lanes rsd_search_descent(const rsd_lane_tile *t, size_t n, float levels, rsd_lanes *code)
{
    rsd_lanes magnitude, xl = lanes_of(0), ll = xl, w[RSD_SUB_MAX];
    const rsd_lanes inverse = -levels / rsd_lanes_extreme(t, n, &magnitude);
    const rsd_lane_mask keep = magnitude >= too_small;
    for (size_t i = 0; i < n; i++) {
        w[i] = t->x[i] * t->x[i];
        code[i] = lanes_nearest(inverse * t->x[i], -levels, levels - 1);
        xl += w[i] * t->x[i] * code[i];
        ll += w[i] * code[i] * code[i];
    }
    for (int pass = 0; pass < 5; pass++)
        if (!lanes_any(descend(t->x, w, n, levels, code, &xl, &ll) & keep))
            break;
    for (size_t i = 0; i < n; i++)
        code[i] = lanes_select(keep, code[i] + levels, lanes_of(0));
    return lanes_select(keep & (ll > 0), xl / ll, lanes_of(0));
}

/* The sums of a sub-block that no trial changes, and its range widened to hold 0 below. */
typedef struct {
    rsd_lanes min, max, w, wx;
} pair_sums;

static pair_sums pair_start(const rsd_lane_tile *t, size_t n)
{
    pair_sums s = { t->x[0], t->x[0], t->w[0], t->w[0] * t->x[0] };
    for (size_t i = 1; i < n; i++) {
        s.min = lanes_select(t->x[i] < s.min, t->x[i], s.min);
        s.max = lanes_select(t->x[i] > s.max, t->x[i], s.max);
        s.w += t->w[i];
        s.wx += t->w[i] * t->x[i];
    }
    s.min = lanes_select(s.min > 0, lanes_of(0), s.min);
    return s;
}

static inline rsd_lanes pair_error(const rsd_lane_tile *t, const rsd_lanes *code, size_t n,
                                   int absolute, rsd_lanes scale, rsd_lanes min)
{
    rsd_lanes error = lanes_of(0);
    for (size_t i = 0; i < n; i++) {
        const rsd_lanes d = scale * code[i] + min - t->x[i];
        error += t->w[i] * (absolute ? lanes_abs(d) : d * d);
    }
    return error;
}

/* Least squares for the codes of one trial; where min would be > 0, through the origin. */
static inline rsd_lane_mask pair_fit(const pair_sums *s, rsd_lanes sl, rsd_lanes sll, rsd_lanes sxl,
                                     rsd_lanes *scale, rsd_lanes *min)
{
    const rsd_lanes D = s->w * sll - sl * sl;
    const rsd_lanes b = (sll * s->wx - sl * sxl) / D;
    const rsd_lane_mask above = b > 0;
    *scale = lanes_select(above, sxl / sll, (s->w * sxl - s->wx * sl) / D);
    *min = lanes_select(above, lanes_of(0), b);
    return D > 0;
}

/* Where a trial's codes come from: round((x - min) inverse). */
typedef struct {
    rsd_lanes inverse, min;
} pair_grid;

static inline rsd_lanes pair_code(rsd_lanes x, const pair_grid *g, float top)
{
    return lanes_nearest(g->inverse * (x - g->min), 0, top);
}

/* Codes of one trial, and their fit.  Inlined for each n. */
static inline rsd_lane_mask pair_trial(const rsd_lane_tile *t, size_t n, const pair_sums *s,
                                       const pair_grid *g, float top, rsd_lanes *code,
                                       rsd_lanes *scale, rsd_lanes *min)
{
    rsd_lanes sl = lanes_of(0), sll = sl, sxl = sl;
    for (size_t i = 0; i < n; i++) {
        const rsd_lanes l = pair_code(t->x[i], g, top), wl = t->w[i] * l;
        code[i] = l;
        sl += wl;
        sll += wl * l;
        sxl += wl * t->x[i];
    }
    return pair_fit(s, sl, sll, sxl, scale, min);
}

/* A better fit's min is where the trials after it start from. */
static inline rsd_lanes search_pair(const rsd_pair_search *how, int absolute,
                                    const rsd_lane_tile *t, size_t n, rsd_lanes *code,
                                    rsd_lanes *lowest)
{
    const pair_sums s = pair_start(t, n);
    const rsd_lane_mask keep = s.max > s.min;
    pair_grid chosen = { how->top / (s.max - s.min), s.min };
    rsd_lanes scale = 1 / chosen.inverse, min = s.min;
    for (size_t i = 0; i < n; i++)
        code[i] = pair_code(t->x[i], &chosen, how->top);
    rsd_lanes best = pair_error(t, code, n, absolute, scale, min);
    for (int k = 0; k <= how->steps; k++) {
        const float span = how->first + how->step * (float)k + how->top;
        const pair_grid g = { span / (s.max - min), min };
        rsd_lanes fit_scale, fit_min;
        const rsd_lane_mask valid = pair_trial(t, n, &s, &g, how->top, code, &fit_scale, &fit_min);
        const rsd_lanes error = pair_error(t, code, n, absolute, fit_scale, fit_min);
        const rsd_lane_mask better = valid & (error < best);
        best = lanes_select(better, error, best);
        chosen.inverse = lanes_select(better, g.inverse, chosen.inverse);
        chosen.min = lanes_select(better, g.min, chosen.min);
        scale = lanes_select(better, fit_scale, scale);
        min = lanes_select(better, fit_min, min);
    }
    for (size_t i = 0; i < n; i++)
        code[i] = lanes_select(keep, pair_code(t->x[i], &chosen, how->top), lanes_of(0));
    *lowest = -lanes_select(keep, min, s.min);
    return lanes_select(keep, scale, lanes_of(0));
}

rsd_lanes rsd_search_pair(const rsd_pair_search *how, const rsd_lane_tile *t, size_t n,
                          rsd_lanes *code, rsd_lanes *min)
{
    if (n == 16)
        return how->absolute ? search_pair(how, 1, t, 16, code, min)
                             : search_pair(how, 0, t, 16, code, min);
    return search_pair(how, how->absolute, t, n, code, min);
}

/* One pass over a vector of scales, as `descend` for one sub-block; how many codes changed? */
static int descend_scales(const float *x, const float *w, size_t n, float top, float *code,
                          float *sum_xl, float *sum_ll)
{
    int changed = 0;
    for (size_t i = 0; i < n; i++) {
        float xl = *sum_xl - w[i] * x[i] * code[i], ll = *sum_ll - w[i] * code[i] * code[i];
        if (!(xl > 0 && ll > 0))
            continue;
        const float l = nearest_within(x[i] * ll / xl, 0, top);
        if (l == code[i])
            continue;
        xl += w[i] * x[i] * l;
        ll += w[i] * l * l;
        if (xl * xl * *sum_ll > *sum_xl * *sum_xl * ll) {
            code[i] = l;
            *sum_xl = xl;
            *sum_ll = ll;
            changed++;
        }
    }
    return changed;
}

static float scales_error(const float *x, const float *w, size_t n, float top, float inverse)
{
    const float scale = 1 / inverse;
    float error = 0;
    for (size_t i = 0; i < n; i++) {
        const float d = x[i] - scale * nearest_within(inverse * x[i], 0, top);
        error += w[i] * d * d;
    }
    return error;
}

float rsd_search_scales(const float *x, const float *w, size_t n, float top, uint8_t *code)
{
    float max = 0, l[RSD_SUB_MAX] = { 0 }, xl = 0, ll = 0;
    for (size_t i = 0; i < n; i++)
        max = x[i] > max ? x[i] : max;
    if (max >= too_small) {
        float inverse = top / max, best = scales_error(x, w, n, top, inverse);
        for (int k = -4; k <= 4; k++) {
            const float trial = (0.1f * (float)k + top) / max;
            const float error = k ? scales_error(x, w, n, top, trial) : best;
            if (error < best) {
                best = error;
                inverse = trial;
            }
        }
        for (size_t i = 0; i < n; i++) {
            l[i] = nearest_within(inverse * x[i], 0, top);
            xl += w[i] * x[i] * l[i];
            ll += w[i] * l[i] * l[i];
        }
        for (int pass = 0; pass < 5 && descend_scales(x, w, n, top, l, &xl, &ll); pass++)
            ;
    }
    for (size_t i = 0; i < n; i++)
        code[i] = (uint8_t)l[i];
    return ll > 0 ? xl / ll : 0;
}
