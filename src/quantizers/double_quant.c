#include "quantizers/double_quant.h"

#include "quantizers/blocks.h"
#include "quantizers/codebook.h"
#include "quantizers/float_sum.h"

#include <math.h>

/* Evenly spaced points in float32, as the reference's array library makes them: it fuses the
 * product and sum of a point, counts the upper half down from the end, and where 16 points are left
 * fills them in eights from a fused first one.  That decides the last bit of 44 of the dynamic
 * map's 256 levels. */
float rsd_even_point(float first, float last, int i, int points)
{
    const float step = (last - first) / (float)(points - 1);
    const int lane = i < points / 16 * 16 ? i % 8 : 0, start = i - lane;
    const float base = start < points / 2 ? fmaf((float)start, step, first)
                                          : fmaf((float)(start + 1 - points), step, last);
    return base + (float)lane * step;
}

static float cell_edge(int i, int points) { return rsd_even_point(0.1f, 1, i, points); }

void rsd_dynamic_map(float level[RSD_DYNAMIC_LEVELS])
{
    static const float decade[] = { 1e-6f, 1e-5f, 1e-4f, 1e-3f, 1e-2f, 1e-1f, 1 };
    const int zero = RSD_DYNAMIC_LEVELS / 2 - 1;
    level[zero] = 0;
    level[RSD_DYNAMIC_LEVELS - 1] = 1;
    for (int e = 0, k = 1; e < 7; e++)
        for (int i = 0; i < 1 << e; i++, k++) {
            const int points = (1 << e) + 1;
            const float middle = (cell_edge(i, points) + cell_edge(i + 1, points)) / 2;
            level[zero + k] = decade[e] * middle;
            level[zero - k] = -level[zero + k];
        }
}

static float mean(const float *x, size_t n)
{
    const float sum = rsd_float_sum(x, n);
    if (isfinite(sum))
        return sum / (float)n;
    double wide = 0; /* the reference answers Inf here */
    for (size_t i = 0; i < n; i++)
        wide += (double)x[i];
    return (float)(wide / (double)n);
}

static void midpoints(const float *level, float *bound)
{
    for (int k = 0; k + 1 < RSD_DYNAMIC_LEVELS; k++)
        bound[k] = (level[k] + level[k + 1]) / 2;
}

int rsd_double_quant_pack(const float *absmax, size_t n, rsd_packed *out)
{
    float level[RSD_DYNAMIC_LEVELS], bound[RSD_DYNAMIC_LEVELS - 1], x[RSD_DOUBLE_BLOCK];
    float *nested, *offset;
    uint8_t *codes;
    rsd_dynamic_map(level);
    midpoints(level, bound);
    const size_t blocks = n / RSD_DOUBLE_BLOCK + (n % RSD_DOUBLE_BLOCK != 0);
    RSD_TRY(rsd_packed_add(out, "absmax", "U8", n, &codes));
    RSD_TRY(rsd_packed_add(out, "nested", "F32", blocks, &nested));
    RSD_TRY(rsd_packed_add(out, "offset", "F32", 1, &offset));
    *offset = mean(absmax, n);
    for (size_t b = 0; b < blocks; b++) {
        const size_t start = b * RSD_DOUBLE_BLOCK;
        const size_t count = n - start < RSD_DOUBLE_BLOCK ? n - start : RSD_DOUBLE_BLOCK;
        for (size_t i = 0; i < count; i++)
            x[i] = absmax[start + i] - *offset;
        nested[b] = rsd_block_normalize(x, count, count == RSD_DOUBLE_BLOCK, x);
        rsd_nearest(x, count, bound, RSD_DYNAMIC_LEVELS, codes + start);
    }
    return RSD_OK;
}

void rsd_double_quant_unpack(const rsd_packed *in, float *absmax)
{
    const rsd_section *codes = rsd_packed_get(in, "absmax");
    const uint8_t *code = codes->data;
    const float *nested = rsd_packed_get(in, "nested")->data;
    const float *offset = rsd_packed_get(in, "offset")->data;
    float level[RSD_DYNAMIC_LEVELS];
    rsd_dynamic_map(level);
    for (size_t i = 0; i < codes->count; i++)
        absmax[i] = rsd_finite(level[code[i]] * nested[i / RSD_DOUBLE_BLOCK] + *offset);
}
