/* Round to nearest on evenly spaced levels: w is stored as a code c with w ~ s (c - z).
 *
 *   symmetric  s = max|w| / K, K = 2^(bits-1) - 1; z = 2^(bits-1), so one code is never used
 *              (2 bits: ternary)
 *   affine     s = (max - min) / (2^bits - 1), z = round(-min / s), both from a range widened to
 *              hold 0.  Without the widening z would be clamped, and a group of one sign lost.
 *   affine_real  the same with z = -min / s as it is, in float32: what a group-wise correction can
 *              be added to without rounding (QA-LoRA)
 *
 * Groups run along the inputs inside a row; a row's last group may be shorter.  Codes are computed
 * with the scale as it is stored, so rounding it to 16 bits moves the grid but biases nothing. */
#include "quantizers/blocks.h"
#include "quantizers/quantizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t bits, group;
    int scheme, scale;
} params;

enum { SYMMETRIC, AFFINE, AFFINE_REAL };
enum { SCALE_FP16, SCALE_F32 };
static const size_t group_row = RSD_WORD(0), group_tensor = RSD_WORD(1);

static const params defaults = { .bits = 4, .group = 128 };

/* clang-format off */
static const rsd_opt options[] = {
    { "bits", 0, RSD_OPT_SIZE, offsetof(params, bits), 2, 8, "bits", "bits per code" },
    { "group", 0, RSD_OPT_SIZE, offsetof(params, group), 2, 1 << 24, "row|tensor",
      "weights of a row that share a scale, or row, or tensor" },
    { "scheme", 0, RSD_OPT_CHOICE, offsetof(params, scheme), 0, 0, "symmetric|affine|affine_real",
      "affine has a zero point per group, of `bits` bits or a float32" },
    { "scale", 0, RSD_OPT_CHOICE, offsetof(params, scale), 0, 0, "fp16|f32",
      "how scales are stored; fp16 becomes bf16 where weights are too small or large for it" },
    { 0 },
};
/* clang-format on */

static const rsd_alias aliases[] = {
    { "int2", "bits=2" }, { "int3", "bits=3" }, { "int4", "bits=4" }, { "int5", "bits=5" },
    { "int6", "bits=6" }, { "int7", "bits=7" }, { "int8", "bits=8" }, { 0 },
};

/* The largest weight a comes back as K s rounded.  As s is a/K rounded, K s lies within K/2 last
 * places of s from a; its rounding goes to the nearest float32, so no farther, and divided by K it
 * rounds to s again (K is odd: never a tie).  A 16-bit s times K is exact. */
static bool idempotent(const rsd_spec *spec)
{
    return ((const params *)rsd_spec_params(spec))->scheme == SYMMETRIC;
}

static rsd_scale_runs scales(const rsd_spec *spec)
{
    const params *a = rsd_spec_params(spec);
    return (rsd_scale_runs){ .over = a->group == group_tensor ? RSD_RUNS_OF_ROWS : RSD_RUNS_OF_ROW,
                             .size = a->scheme == SYMMETRIC ? RSD_SIZE_LARGEST : RSD_SIZE_RANGE,
                             .length = a->group };
}

/* Where the groups of an m x n matrix lie. */
typedef struct {
    size_t length, per_row, count;
    bool shared; /* one group for all rows */
} layout;

static layout layout_of(const params *a, size_t m, size_t n)
{
    layout g = { .length = a->group < n ? a->group : n, .shared = a->group == group_tensor };
    if (a->group == group_row || g.shared)
        g.length = n;
    g.per_row = n / g.length + (n % g.length != 0);
    g.count = g.shared ? 1 : m * g.per_row;
    return g;
}

static size_t group_at(const layout *g, size_t i, size_t k)
{
    return g->shared ? 0 : i * g->per_row + k;
}

static size_t group_length(const layout *g, size_t n, size_t k)
{
    return k + 1 < g->per_row ? g->length : n - k * g->length;
}

static void find_ranges(const layout *g, rsd_mat W, float *low, float *high)
{
    for (size_t i = 0; i < g->count; i++)
        low[i] = high[i] = 0;
    for (size_t i = 0; i < W.m; i++)
        for (size_t k = 0; k < g->per_row; k++) {
            const size_t at = group_at(g, i, k);
            float below, above;
            rsd_range(W.x + i * W.ld + k * g->length, group_length(g, W.n, k), &below, &above);
            low[at] = below > low[at] ? below : low[at];
            high[at] = above > high[at] ? above : high[at];
        }
}

/* high[] becomes the scales; returns the least of them and 1, which is what zeros have. */
static float find_scales(const params *a, size_t count, const float *low, float *high)
{
    const float steps = (float)((1 << (a->bits - (a->scheme == SYMMETRIC))) - 1);
    const float least_bf16 = 0x1p-133f; /* a smaller scale would be stored as 0 */
    float least = 1;
    for (size_t i = 0; i < count; i++) {
        float step;
        if (a->scheme == SYMMETRIC)
            step = rsd_grid_step(low[i] > high[i] ? low[i] : high[i], steps);
        else if (isfinite(low[i] + high[i]))
            step = rsd_grid_step(low[i] + high[i], steps);
        else
            step = low[i] / steps + high[i] / steps;
        high[i] = a->scale == SCALE_FP16 && step < least_bf16 ? least_bf16 : step;
        if (high[i] < least)
            least = high[i];
    }
    return least;
}

/* Nearest whole number, halves to even, for |x| < 2^22: the sum has no room for a fraction. */
static inline float nearest(float x) { return (x + 0x1.8p23f) - 0x1.8p23f; }

static inline float clamp(float x, float low, float high)
{
    return x < low ? low : x > high ? high : x;
}

/* Zero points of `bits` bits, as numbers too. */
static void find_zeros(const params *a, size_t count, const float *scale, const float *low,
                       uint8_t *code, float *zero)
{
    const float top = (float)((1 << a->bits) - 1);
    for (size_t i = 0; i < count; i++)
        zero[i] = code[i] = (uint8_t)clamp(nearest(low[i] / scale[i]), 0, top);
}

static void encode_group(const params *a, const float *x, size_t n, float scale, float zero,
                         uint8_t *codes)
{
    const float bottom = a->scheme == SYMMETRIC ? 1 : 0, top = (float)((1 << a->bits) - 1);
    const float whole = a->scheme == AFFINE_REAL ? 0 : zero, rest = zero - whole;
    for (size_t j = 0; j < n; j++)
        codes[j] = (uint8_t)(int)clamp(nearest(x[j] / scale + rest) + whole, bottom, top);
}

/* zero[count] of every group: what is stored, or the middle code.  code[count] is work memory. */
static int pack_zeros(const params *a, size_t count, const float *scale, const float *low,
                      uint8_t *code, float *zero, rsd_packed *out)
{
    const int bits = (int)a->bits;
    if (a->scheme == SYMMETRIC) {
        for (size_t i = 0; i < count; i++)
            zero[i] = (float)(1 << (bits - 1));
        return RSD_OK;
    }
    if (a->scheme == AFFINE_REAL) {
        for (size_t i = 0; i < count; i++)
            zero[i] = low[i] / scale[i];
        return rsd_packed_add_reals(out, "zeros", zero, count, false, 0);
    }
    uint8_t *packed;
    RSD_TRY(rsd_packed_add(out, "zeros", "U8", rsd_bits_bytes(count, bits), &packed));
    find_zeros(a, count, scale, low, code, zero);
    rsd_bits_pack(code, count, bits, packed);
    return RSD_OK;
}

static int pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    (void)c;
    const params *a = rsd_spec_params(spec);
    const layout g = layout_of(a, W.m, W.n);
    const size_t row_bytes = rsd_bits_bytes(W.n, (int)a->bits);
    int err = RSD_OK;
    float *low = NULL, *scale = NULL, *zero = NULL;
    uint8_t *code = NULL, *row = NULL, *codes;
    RSD_TRY_DONE(rsd_array_alloc(g.count, 1, sizeof *low, &low));
    RSD_TRY_DONE(rsd_array_alloc(g.count, 1, sizeof *scale, &scale));
    RSD_TRY_DONE(rsd_array_alloc(g.count, 1, sizeof *zero, &zero));
    RSD_TRY_DONE(rsd_array_alloc(g.count, 1, sizeof *code, &code));
    RSD_TRY_DONE(rsd_array_alloc(W.n, 1, sizeof *row, &row));
    RSD_TRY_DONE(rsd_packed_add(out, "codes", "U8", W.m * row_bytes, &codes));

    find_ranges(&g, W, low, scale);
    const float least = find_scales(a, g.count, low, scale);
    RSD_TRY_DONE(
        rsd_packed_add_reals(out, "scales", scale, g.count, a->scale == SCALE_FP16, least));
    RSD_TRY_DONE(pack_zeros(a, g.count, scale, low, code, zero, out));
    for (size_t i = 0; i < W.m; i++) {
        for (size_t k = 0; k < g.per_row; k++) {
            const size_t at = group_at(&g, i, k), first = k * g.length;
            encode_group(a, W.x + i * W.ld + first, group_length(&g, W.n, k), scale[at], zero[at],
                         row + first);
        }
        rsd_bits_pack(row, W.n, (int)a->bits, codes + i * row_bytes);
    }
done:
    free(row);
    free(code);
    free(zero);
    free(scale);
    free(low);
    return err;
}

static void decode_group(const uint8_t *codes, size_t n, float scale, float zero, float *x)
{
    for (size_t j = 0; j < n; j++)
        x[j] = rsd_finite(scale * ((float)codes[j] - zero));
}

static int unpack_zeros(const params *a, const rsd_packed *in, size_t count, float *zero)
{
    if (a->scheme == AFFINE_REAL) {
        rsd_section_reals(rsd_packed_get(in, "zeros"), zero);
        return RSD_OK;
    }
    uint8_t *code;
    RSD_TRY(rsd_array_alloc(count, 1, sizeof *code, &code));
    memset(code, 1 << (a->bits - 1), count);
    if (a->scheme == AFFINE)
        rsd_bits_unpack(rsd_packed_get(in, "zeros")->data, count, (int)a->bits, code);
    for (size_t i = 0; i < count; i++)
        zero[i] = code[i];
    free(code);
    return RSD_OK;
}

static int unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    const params *a = rsd_spec_params(spec);
    const int bits = (int)a->bits;
    const layout g = layout_of(a, Wq.m, Wq.n);
    const size_t row_bytes = rsd_bits_bytes(Wq.n, bits);
    const uint8_t *codes = rsd_packed_get(in, "codes")->data;
    int err = RSD_OK;
    float *scale = NULL, *zero = NULL;
    uint8_t *row = NULL;
    RSD_TRY_DONE(rsd_array_alloc(g.count, 1, sizeof *scale, &scale));
    RSD_TRY_DONE(rsd_array_alloc(g.count, 1, sizeof *zero, &zero));
    RSD_TRY_DONE(rsd_array_alloc(Wq.n, 1, sizeof *row, &row));
    rsd_section_reals(rsd_packed_get(in, "scales"), scale);
    RSD_TRY_DONE(unpack_zeros(a, in, g.count, zero));
    for (size_t i = 0; i < Wq.m; i++) {
        rsd_bits_unpack(codes + i * row_bytes, Wq.n, bits, row);
        for (size_t k = 0; k < g.per_row; k++) {
            const size_t at = group_at(&g, i, k), first = k * g.length;
            decode_group(row + first, group_length(&g, Wq.n, k), scale[at], zero[at],
                         Wq.x + i * Wq.ld + first);
        }
    }
done:
    free(row);
    free(zero);
    free(scale);
    return err;
}

const rsd_quantizer rsd_quantizer_int = {
    .name = "int",
    .summary = "round to nearest on evenly spaced levels, a scale per group of a row",
    .reference = "Lin et al., AWQ, MLSys 2024 (affine; range as in GPTQ); absmax (symmetric)",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .aliases = aliases,
    .idempotent = idempotent,
    .scales = scales,
    .pack = pack,
    .unpack = unpack,
};
