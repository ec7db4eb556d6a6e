/* bitsandbytes' 8-bit blockwise quantization: each block of the flat matrix is divided by its
 * largest magnitude, and every weight becomes the code of the nearest of 256 levels:
 *
 *   dynamic  decades 1e-6 to 1, each cut finer than the one before (double_quant.h)
 *   linear   255 even steps from -1 to 1; the middle one, which upstream's arithmetic puts at
 *            -3.7e-9, and an exact 0 beside it
 *   fp8      1 sign, 4 exponent and 3 mantissa bits, divided by the largest of them
 *
 * Blocks divide as those of codebook.h do. */
#include "quantizers/blocks.h"
#include "quantizers/codebook.h"
#include "quantizers/double_quant.h"
#include "quantizers/quantizer.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    size_t block;
    int map;
} params;

enum { DYNAMIC, LINEAR, FP8, LEVELS = RSD_DYNAMIC_LEVELS };

static const params defaults = { .block = 256 };

/* clang-format off */
static const rsd_opt options[] = {
    { "block", 0, RSD_OPT_SIZE, offsetof(params, block), 8, 65536, "weights",
      "weights that share an absmax; blocks run over the flat tensor" },
    { "map", 0, RSD_OPT_CHOICE, offsetof(params, map), 0, 0, "dynamic|linear|fp8",
      "levels: finer near 0, evenly spaced, or those of a float of 8 bits" },
    { 0 },
};
/* clang-format on */

static void linear_map(float level[LEVELS])
{
    const int points = LEVELS - 1, half = points / 2;
    for (int i = 0; i < points; i++)
        level[i + (i >= half)] = rsd_even_point(-1, 1, i, points);
    level[half] = 0;
}

/* Magnitudes of the normal numbers ascend in codes; the subnormals lie below. */
static void fp8_map(float level[LEVELS])
{
    const float largest = 480;
    for (int i = 0; i < LEVELS / 2; i++) {
        const int exponent = i / 8, mantissa = i % 8;
        const float x =
            exponent ? ldexpf((float)(8 + mantissa), exponent - 10) : ldexpf((float)mantissa, -11);
        level[LEVELS / 2 + i] = x / largest;
        level[LEVELS / 2 - 1 - i] = -x / largest;
    }
    level[LEVELS / 2 - 1] = 0;
}

static void make_map(int map, float level[LEVELS])
{
    if (map == DYNAMIC)
        rsd_dynamic_map(level);
    else if (map == LINEAR)
        linear_map(level);
    else
        fp8_map(level);
}

/* The dynamic map lacks -1, and the linear one's middle is not quite 0. */
static bool idempotent(const rsd_spec *spec)
{
    return ((const params *)rsd_spec_params(spec))->map == FP8;
}

static size_t block_count(const params *a, size_t n) { return n / a->block + (n % a->block != 0); }

static int pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    (void)c;
    const params *a = rsd_spec_params(spec);
    const size_t n = W.m * W.n;
    float level[LEVELS], bound[LEVELS - 1], *absmax, *x;
    uint8_t *codes;
    make_map(a->map, level);
    for (int k = 0; k + 1 < LEVELS; k++)
        bound[k] = (level[k] + level[k + 1]) / 2;
    RSD_TRY(rsd_packed_add(out, "codes", "U8", n, &codes));
    RSD_TRY(rsd_packed_add(out, "absmax", "F32", block_count(a, n), &absmax));
    RSD_TRY(rsd_array_alloc(a->block, 1, sizeof *x, &x));
    for (size_t start = 0; start < n; start += a->block) {
        const size_t count = n - start < a->block ? n - start : a->block;
        const float *w = rsd_flat_get(W, start, count, x);
        *absmax++ = rsd_block_normalize(w, count, count == a->block, x);
        rsd_nearest(x, count, bound, LEVELS, codes + start);
    }
    free(x);
    return RSD_OK;
}

static int unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    const params *a = rsd_spec_params(spec);
    const size_t n = Wq.m * Wq.n;
    const uint8_t *codes = rsd_packed_get(in, "codes")->data;
    const float *absmax = rsd_packed_get(in, "absmax")->data;
    float level[LEVELS], *buffer;
    make_map(a->map, level);
    RSD_TRY(rsd_array_alloc(a->block, 1, sizeof *buffer, &buffer));
    for (size_t start = 0; start < n; start += a->block) {
        const size_t count = n - start < a->block ? n - start : a->block;
        float *x = rsd_flat_place(Wq, start, count, buffer);
        const float scale = *absmax++;
        for (size_t i = 0; i < count; i++)
            x[i] = level[codes[start + i]] * scale;
        rsd_flat_put(Wq, start, count, x);
    }
    free(buffer);
    return RSD_OK;
}

static rsd_scale_runs scales(const rsd_spec *spec)
{
    const params *a = rsd_spec_params(spec);
    return (rsd_scale_runs){ .over = RSD_RUNS_FLAT, .length = a->block };
}

const rsd_quantizer rsd_quantizer_dynamic8 = {
    .name = "dynamic8",
    .summary = "bitsandbytes' 8-bit blockwise quantization on a map of 256 levels",
    .reference = "Dettmers et al., 8-bit optimizers via block-wise quantization, ICLR 2022; "
                 "bitsandbytes 95f9af30",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .idempotent = idempotent,
    .scales = scales,
    .pack = pack,
    .unpack = unpack,
};
