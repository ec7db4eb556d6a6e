/* Casts to a small float format, halves to even; what lies beyond the format's largest number
 * becomes that number (other casts answer Inf, or NaN above 464 for e4m3).  An eight-bit format has
 * so little range that weights are first divided by scale = max|w| / format's max. */
#include "fp.h"
#include "quantizers/blocks.h"
#include "quantizers/quantizer.h"

#include <stdlib.h>

typedef struct {
    int format, scale;
} params;

enum { SCALE_AUTO, SCALE_NONE, SCALE_TENSOR, SCALE_ROW };

static const struct {
    const rsd_fp *fp;
    const char *dtype;
    size_t bytes;
} formats[] = {
    { &rsd_fp16, "F16", 2 },
    { &rsd_bf16, "BF16", 2 },
    { &rsd_e4m3, "F8_E4M3", 1 },
    { &rsd_e5m2, "F8_E5M2", 1 },
};

static const params defaults = { 0 };

/* clang-format off */
static const rsd_opt options[] = {
    { "format", 0, RSD_OPT_CHOICE, offsetof(params, format), 0, 0, "fp16|bf16|e4m3|e5m2",
      "number format" },
    { "scale", 0, RSD_OPT_CHOICE, offsetof(params, scale), 0, 0, "auto|none|tensor|row",
      "one float32 scale per tensor or row; auto: tensor for e4m3 and e5m2, else none" },
    { 0 },
};
/* clang-format on */

static const rsd_alias aliases[] = {
    { "fp16", "format=fp16" },
    { "bf16", "format=bf16" },
    { "fp8", "format=e4m3" },
    { 0 },
};

static int settle(void *p)
{
    params *a = p;
    const bool wide = formats[a->format].bytes > 1;
    if (a->scale == SCALE_AUTO)
        a->scale = wide ? SCALE_NONE : SCALE_TENSOR;
    if (wide && a->scale != SCALE_NONE)
        return RSD_FAIL(RSD_EUSAGE, "format=%s takes no scale; e4m3 and e5m2 do",
                        formats[a->format].fp->name);
    return RSD_OK;
}

static void find_scales(const params *a, rsd_mat W, float *scale)
{
    const float max = formats[a->format].fp->max;
    float largest = 0;
    for (size_t i = 0; i < W.m; i++) {
        const float absmax = rsd_absmax(W.x + i * W.ld, W.n);
        largest = absmax > largest ? absmax : largest;
        if (a->scale == SCALE_ROW)
            scale[i] = rsd_grid_step(absmax, max);
    }
    if (a->scale == SCALE_TENSOR)
        *scale = rsd_grid_step(largest, max);
}

static int pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    (void)c;
    const params *a = rsd_spec_params(spec);
    const rsd_fp *fp = formats[a->format].fp;
    const size_t row_bytes = W.n * formats[a->format].bytes;
    char *values;
    RSD_TRY(rsd_packed_add(out, "values", formats[a->format].dtype, W.m * W.n, &values));
    if (a->scale == SCALE_NONE) {
        for (size_t i = 0; i < W.m; i++)
            rsd_fp_encode_array(fp, W.x + i * W.ld, values + i * row_bytes, W.n, true);
        return RSD_OK;
    }
    float *scale, *row;
    RSD_TRY(rsd_packed_add(out, "scales", "F32", a->scale == SCALE_ROW ? W.m : 1, &scale));
    RSD_TRY(rsd_array_alloc(W.n, 1, sizeof *row, &row));
    find_scales(a, W, scale);
    for (size_t i = 0; i < W.m; i++) {
        const float s = scale[a->scale == SCALE_ROW ? i : 0];
        for (size_t j = 0; j < W.n; j++)
            row[j] = W.x[i * W.ld + j] / s;
        rsd_fp_encode_array(fp, row, values + i * row_bytes, W.n, true);
    }
    free(row);
    return RSD_OK;
}

static int unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    const params *a = rsd_spec_params(spec);
    const char *values = rsd_packed_get(in, "values")->data;
    const float *scale = a->scale == SCALE_NONE ? NULL : rsd_packed_get(in, "scales")->data;
    for (size_t i = 0; i < Wq.m; i++) {
        float *x = Wq.x + i * Wq.ld;
        rsd_fp_decode_array(formats[a->format].fp, values + i * Wq.n * formats[a->format].bytes, x,
                            Wq.n);
        if (!scale)
            continue;
        const float s = scale[a->scale == SCALE_ROW ? i : 0];
        for (size_t j = 0; j < Wq.n; j++)
            x[j] = rsd_finite(x[j] * s);
    }
    return RSD_OK;
}

/* A cast's error goes with the weight itself, but for the smallest ones of a scale. */
static rsd_scale_runs scales(const rsd_spec *spec)
{
    (void)spec;
    return (rsd_scale_runs){ .over = RSD_RUNS_OF_ROW, .length = 1 };
}

/* Idempotent: scaled too: both maxima are 7 times a power of two, and what int.c says of an odd K
 * holds. */
const rsd_quantizer rsd_quantizer_float = {
    .name = "float",
    .summary = "cast to fp16, bf16, e4m3 or e5m2, the 8-bit formats after scaling",
    .reference = "IEEE 754; OCP 8-bit floating point specification 1.0 (E4M3FN, E5M2)",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .aliases = aliases,
    .idempotent = rsd_idempotent_always,
    .scales = scales,
    .settle = settle,
    .pack = pack,
    .unpack = unpack,
};
