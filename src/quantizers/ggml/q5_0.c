/* ggml's Q5_0: blocks of 32, 5 bits, a scale. */
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/ggml_blocks.h"

static const rsd_ggml_blocks blocks = { .bits = 5, .affine = false };
static const rsd_ggml_format format = {
    .type = "q5_0", .limit = 0x1p32f, .encode = rsd_ggml_encode_blocks, .how = &blocks
};

/* Idempotent without importance weights: code 0 is always taken, and 2^(bits-1) d comes back as it
 * is. */
const rsd_quantizer rsd_quantizer_q5_0 = {
    .name = "q5_0",
    .summary = "llama.cpp's blocks of 32: 5-bit codes times a scale, 5.5 bits per weight",
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
