/* ggml's Q5_K: eight sub-blocks of 32, 5 bits, scales and minima of 6 bits. */
#include "ggml/fields.h"
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/super.h"

static const rsd_super_pairs pairs = {
    .sub = 32,
    .scale_top = 63,
    .plain = { 31, -0.5f, 0.1f, 15, 0 },
    .sigma = 2,
};

static void encode_block(const float *x, const float *weight, void *block)
{
    rsd_q5_K *out = block;
    rsd_super s;
    rsd_super_encode_pairs(&pairs, x, weight, &s, out->d, out->dmin);
    rsd_scales6_put(s.scale, s.min, out->scales);
    rsd_fields_put(s.code, RSD_GGML_SUPER, 0, 4, 32, out->q);
    rsd_fields_put(s.code, RSD_GGML_SUPER, 4, 1, 32, out->high);
}

static const rsd_ggml_format format = {
    .type = "q5_K", .limit = 0x1p32f, .encode_block = encode_block, .sub = 32, .affine = true
};

const rsd_quantizer rsd_quantizer_q5_k = {
    .name = "q5_k",
    .summary =
        "llama.cpp's K type: 5-bit codes, 6-bit scales and minima of 32, 5.5 bits per weight",
    .reference = "ggml d99724f",
    .options = rsd_ggml_options,
    .defaults = &rsd_ggml_defaults,
    .params_size = sizeof(rsd_ggml_params),
    .calibration = RSD_CALIBRATION_TAKES,
    .data = &format,
    .scales = rsd_ggml_scales,
    .pack = rsd_ggml_pack,
    .unpack = rsd_ggml_unpack,
};
