#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/ggml_blocks.h"

static const rsd_ggml_blocks blocks = { .bits = 4, .affine = false };
static const rsd_ggml_format format = { "q4_0", 0x1p32f, &blocks, rsd_ggml_encode_blocks };

static int pack(const void *p, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    return rsd_ggml_pack(&format, W, rsd_ggml_weights(p, c), out);
}

static int unpack(const void *p, const rsd_packed *in, rsd_mat Wq)
{
    (void)p;
    return rsd_ggml_unpack(format.type, in, Wq);
}

/* Without importance weights: code 0 is always taken, and 2^(bits-1) d comes back as it is. */
static bool idempotent(const void *p)
{
    (void)p;
    return true;
}

const rsd_quantizer rsd_quantizer_q4_0 = {
    .name = "q4_0",
    .summary = "llama.cpp's blocks of 32: 4-bit codes times a scale, 4.5 bits per weight",
    .source = "ggml d99724f",
    .options = rsd_ggml_options,
    .defaults = &rsd_ggml_defaults,
    .params_size = sizeof(rsd_ggml_params),
    .calibration = RSD_CALIBRATION_TAKES,
    .idempotent = idempotent,
    .pack = pack,
    .unpack = unpack,
};
