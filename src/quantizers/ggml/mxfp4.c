/* ggml's MXFP4: E2M1 numbers times a power of two, 2^e with e = floor(log2 max|x|) - 2.  Halfway
 * between two numbers the one nearer to 0 is taken, where OCP's specification rounds to even; and
 * there is no code for -0.  In units of half the scale the numbers are whole: 0 1 2 3 4 6 8 12. */
#include "ggml/block_layout.h"
#include "ggml/fields.h"
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/ggml_blocks.h"

#include <float.h>
#include <math.h>

static const float midpoints[7] = { 0.5f, 1.5f, 2.5f, 3.5f, 5, 7, 10 };

enum { N = RSD_GGML_BLOCK, BIAS = 127, EXPONENT_MAX = 125 /* 6 2^e is finite */ };

/* log2f and not the exponent field: just below a power of two it rounds up, and so does ggml. */
static uint8_t exponent(float largest)
{
    if (largest == 0)
        return 0;
    const float e = floorf(log2f(largest)) - 2;
    return (uint8_t)((int)(e < -BIAS ? -BIAS : e > EXPONENT_MAX ? EXPONENT_MAX : e) + BIAS);
}

static void encode_block(const float *x, const float *weight, void *block)
{
    (void)weight;
    rsd_mxfp4 *out = block;
    uint8_t code[N];
    float bound[7];
    out->e = exponent(rsd_absmax32(x));
    const float unit = rsd_e8m0_half(out->e);
    for (size_t k = 0; k < 7; k++)
        bound[k] = midpoints[k] * unit;
    for (size_t j = 0; j < N; j++) {
        const float a = fabsf(x[j]);
        int above = 0;
        for (size_t k = 0; k < 7; k++)
            above += a > bound[k];
        code[j] = (uint8_t)(above | (x[j] < 0 && above) << 3);
    }
    rsd_fields_put(code, N, 0, 4, 16, out->q);
}

static const rsd_ggml_format format = { .type = "mxfp4",
                                        .limit = FLT_MAX,
                                        .encode_block = encode_block };

/* Idempotent: the largest number becomes 4 or 6 times 2^e, so e stays. */
const rsd_quantizer rsd_quantizer_mxfp4 = {
    .name = "mxfp4",
    .summary = "llama.cpp's MXFP4: E2M1 numbers times a power of two, blocks of 32, 4.25 bits",
    .reference = "ggml d99724f; OCP Microscaling Formats 1.0",
    .idempotent = rsd_idempotent_always,
    .data = &format,
    .scales = rsd_ggml_scales,
    .pack = rsd_ggml_pack,
    .unpack = rsd_ggml_unpack,
};
