#include "quantizers/ggml/super.h"

#include "quantizers/ggml/ggml.h"

/* Importances of a tile for which none are given. */
static void weigh(rsd_lane_tile *t, size_t n, int absolute)
{
    rsd_lanes sum = lanes_of(0);
    for (size_t i = 0; i < n && !absolute; i++)
        sum += t->x[i] * t->x[i];
    const rsd_lanes mean = lanes_sqrt(sum / (float)n);
    for (size_t i = 0; i < n; i++)
        t->w[i] = absolute ? lanes_abs(t->x[i]) : mean + lanes_abs(t->x[i]);
}

/* Whole numbers up to top for x[n] >= 0; returns their unit. */
static float round_scales(const float *x, size_t n, float top, uint8_t *code)
{
    float max = 0;
    for (size_t s = 0; s < n; s++)
        max = x[s] > max ? x[s] : max;
    const float inverse = max > 0 ? top / max : 0;
    for (size_t s = 0; s < n; s++)
        code[s] = (uint8_t)nearest_within(inverse * x[s], 0, top);
    return max / top;
}

static void recode_pairs(const float *x, size_t sub, float top, float d, float dmin, rsd_super *out)
{
    for (size_t s = 0; s < RSD_GGML_SUPER / sub; s++) {
        const float scale = d * (float)out->scale[s], min = dmin * (float)out->min[s];
        if (scale == 0)
            continue;
        for (size_t i = s * sub; i < (s + 1) * sub; i++)
            out->code[i] = (uint8_t)(int)nearest_within((x[i] + min) / scale, 0, top);
    }
}

void rsd_super_encode_pairs(const rsd_super_pairs *how, const float *x, const float *weight,
                            rsd_super *out, uint8_t *d_at, uint8_t *dmin_at)
{
    const size_t sub = how->sub, count = RSD_GGML_SUPER / sub;
    const rsd_pair_search weighted = { how->plain.top, -0.9f, 0.05f, 36, 0 };
    float scale[16], min[16], importance[16], d, dmin;
    const float sigma2 =
        weight ? how->sigma * rsd_ggml_sumsq(x, RSD_GGML_SUPER) / RSD_GGML_SUPER : 0;
    for (size_t s = 0; s < count; s += RSD_LANE_COUNT) {
        rsd_lane_tile t;
        rsd_lanes code[RSD_SUB_MAX], lowest, sum = lanes_of(0);
        if (weight) {
            tile_load_weighted(&t, x + s * sub, weight + s * sub, sub, RSD_LANE_COUNT, sigma2);
        } else {
            lanes_transpose(x + s * sub, sub, RSD_LANE_COUNT, t.x);
            weigh(&t, sub, how->plain.absolute);
        }
        const rsd_lanes found =
            rsd_search_pair(weight ? &weighted : &how->plain, &t, sub, code, &lowest);
        lanes_codes(code, sub, RSD_LANE_COUNT, out->code + s * sub);
        for (size_t i = 0; i < sub; i++)
            sum += t.w[i];
        memcpy(scale + s, &found, sizeof found);
        memcpy(min + s, &lowest, sizeof lowest);
        memcpy(importance + s, &sum, sizeof sum);
    }
    if (weight) {
        d = rsd_search_scales(scale, importance, count, how->scale_top, out->scale);
        dmin = rsd_search_scales(min, importance, count, how->scale_top, out->min);
    } else {
        d = round_scales(scale, count, how->scale_top, out->scale);
        dmin = round_scales(min, count, how->scale_top, out->min);
    }
    rsd_ggml_half(&d, d_at);
    rsd_ggml_half(&dmin, dmin_at);
    recode_pairs(x, sub, how->plain.top, d, dmin, out);
}

void rsd_super_search_symmetric(const rsd_lane_tile tiles[4], rsd_super_search how, float levels,
                                float scale[16], uint8_t *code)
{
    for (size_t g = 0; g < 4; g++) {
        rsd_lanes l[16];
        const rsd_lanes found = how == RSD_SUPER_DESCENT
                                    ? rsd_search_descent(&tiles[g], 16, levels, l)
                                    : rsd_search_symmetric(&tiles[g], 16, levels, l);
        lanes_codes(l, 16, RSD_LANE_COUNT, code + 64 * g);
        memcpy(scale + 4 * g, &found, sizeof found);
    }
}

void rsd_super_recode(const float *x, const float d[16], float levels, uint8_t *code)
{
    for (size_t s = 0; s < 16; s++) {
        const float scale = d[s];
        if (scale == 0)
            continue;
        for (size_t i = 16 * s; i < 16 * (s + 1); i++)
            code[i] = (uint8_t)(int)(nearest_within(x[i] / scale, -levels, levels - 1) + levels);
    }
}

float rsd_extreme(const float *x, size_t n)
{
    float top = 0;
    for (size_t i = 0; i < n; i++)
        top = fabsf(x[i]) > fabsf(top) ? x[i] : top;
    return top;
}
