/* ggml's TQ2_0.  Meant for models trained to be ternary: the scale is the largest weight, and what
 * is less than half of it becomes 0. */
#include "ggml/block_layout.h"
#include "ggml/fields.h"
#include "quantizers/blocks.h"
#include "quantizers/ggml/ggml.h"

#include <math.h>

static void encode_block(const float *x, const float *weight, void *block)
{
    (void)weight;
    rsd_tq2_0 *out = block;
    uint8_t code[RSD_GGML_SUPER];
    float d = rsd_absmax(x, RSD_GGML_SUPER);
    const float inverse = rsd_ggml_inverse(d);
    for (size_t j = 0; j < RSD_GGML_SUPER; j++) {
        const float y = x[j] * inverse;
        code[j] = (uint8_t)(1 + (y >= 0.5f) - (y <= -0.5f));
    }
    rsd_ggml_half(&d, out->d);
    rsd_fields_put(code, RSD_GGML_SUPER, 0, 2, 32, out->q);
}

static const rsd_ggml_format format = { .type = "tq2_0",
                                        .limit = 0x1p32f,
                                        .encode_block = encode_block };

/* Idempotent: the largest weight is always kept. */
const rsd_quantizer rsd_quantizer_tq2_0 = {
    .name = "tq2_0",
    .summary = "llama.cpp's ternary blocks of 256: -1, 0, 1 times a scale, 2.0625 bits per weight",
    .reference = "ggml d99724f",
    .idempotent = rsd_idempotent_always,
    .data = &format,
    .scales = rsd_ggml_scales,
    .pack = rsd_ggml_pack,
    .unpack = rsd_ggml_unpack,
};
