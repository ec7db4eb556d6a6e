/* bitsandbytes' 8-bit rows, the weights' side of LLM.int8(): w ~ code * absmax / 127, halves to
 * even.  Codes are computed from the float32 product w * (127/absmax), as upstream's are; where the
 * quotient overflows, or absmax is 0, from the double one. */
#include "quantizers/blocks.h"
#include "quantizers/quantizer.h"

#include <math.h>

static void encode_row(const float *x, size_t n, float absmax, int8_t *codes)
{
    const float inverse = 127 / absmax;
    if (isfinite(inverse))
        for (size_t j = 0; j < n; j++)
            codes[j] = (int8_t)(int)((x[j] * inverse + 0x1.8p23f) - 0x1.8p23f);
    else
        for (size_t j = 0; j < n; j++)
            codes[j] = absmax > 0 ? (int8_t)rint((double)x[j] * 127 / (double)absmax) : 0;
}

static int pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    (void)spec;
    (void)c;
    int8_t *codes;
    float *absmax;
    RSD_TRY(rsd_packed_add(out, "codes", "I8", W.m * W.n, &codes));
    RSD_TRY(rsd_packed_add(out, "absmax", "F32", W.m, &absmax));
    for (size_t i = 0; i < W.m; i++) {
        absmax[i] = rsd_absmax(W.x + i * W.ld, W.n);
        encode_row(W.x + i * W.ld, W.n, absmax[i], codes + i * W.n);
    }
    return RSD_OK;
}

static int unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    (void)spec;
    const int8_t *codes = rsd_packed_get(in, "codes")->data;
    const float *absmax = rsd_packed_get(in, "absmax")->data;
    for (size_t i = 0; i < Wq.m; i++)
        for (size_t j = 0; j < Wq.n; j++)
            Wq.x[i * Wq.ld + j] = (float)(codes[i * Wq.n + j] * (double)absmax[i] / 127);
    return RSD_OK;
}

static rsd_scale_runs scales(const rsd_spec *spec)
{
    (void)spec;
    return (rsd_scale_runs){ .over = RSD_RUNS_OF_ROW, .length = SIZE_MAX };
}

/* Idempotent: 127 steps of absmax/127, rounded once, are absmax; the others lie within a step's
 * 1e-5. */
const rsd_quantizer rsd_quantizer_int8vec = {
    .name = "int8vec",
    .summary = "bitsandbytes' vectorwise int8: one float32 absmax per row",
    .reference = "Dettmers et al., LLM.int8(), NeurIPS 2022; bitsandbytes 95f9af30",
    .idempotent = rsd_idempotent_always,
    .scales = scales,
    .pack = pack,
    .unpack = unpack,
};
