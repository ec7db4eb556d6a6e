/* ggml's Q5_1: blocks of 32, 5 bits, a scale and a minimum. */
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/ggml_blocks.h"

static const rsd_ggml_blocks blocks = { .bits = 5, .affine = true };
static const rsd_ggml_format format = { .type = "q5_1",
                                        .limit = 0x1p32f,
                                        .encode = rsd_ggml_encode_blocks,
                                        .affine = true,
                                        .how = &blocks };

/* Idempotent without importance weights: the first and the last code are always taken.  Only where
 * a block's range is some 10^4 times smaller than its minimum, and that beyond 10, may the rounding
 * of d code + m in float32 reach the last bit of d in fp16. */
const rsd_quantizer rsd_quantizer_q5_1 = {
    .name = "q5_1",
    .summary = "llama.cpp's blocks of 32: 5-bit codes, a scale and a minimum, 6 bits per weight",
    .reference = "ggml d99724f",
    .options = rsd_ggml_options,
    .defaults = &rsd_ggml_defaults,
    .params_size = sizeof(rsd_ggml_params),
    .calibration = RSD_CALIBRATION_TAKES,
    .idempotent = rsd_idempotent_always,
    .data = &format,
    .scales = rsd_ggml_scales,
    .pack = rsd_ggml_pack,
    .unpack = rsd_ggml_unpack,
};
