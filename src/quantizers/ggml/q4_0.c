/* ggml's Q4_0: blocks of 32, 4 bits, a scale. */
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/ggml_blocks.h"

static const rsd_ggml_blocks blocks = { .bits = 4, .affine = false };
static const rsd_ggml_format format = {
    .type = "q4_0", .limit = 0x1p32f, .encode = rsd_ggml_encode_blocks, .how = &blocks
};

/* Idempotent without importance weights: code 0 is always taken, and 2^(bits-1) d comes back as it
 * is. */
const rsd_quantizer rsd_quantizer_q4_0 = {
    .name = "q4_0",
    .summary = "llama.cpp's blocks of 32: 4-bit codes times a scale, 4.5 bits per weight",
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
