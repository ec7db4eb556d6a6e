/* ggml's Q2_K: sixteen sub-blocks of 16, 2 bits, scales and minima of 4 bits. */
#include "ggml/fields.h"
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/super.h"

static const rsd_super_pairs pairs = {
    .sub = 16,
    .scale_top = 15,
    .plain = { 3, -0.5f, 0.1f, 15, 1 },
    .sigma = 1,
};

static void encode_block(const float *x, const float *weight, void *block)
{
    rsd_q2_K *out = block;
    rsd_super s;
    rsd_super_encode_pairs(&pairs, x, weight, &s, out->d, out->dmin);
    for (size_t k = 0; k < 16; k++)
        out->scales[k] = (uint8_t)(s.scale[k] | s.min[k] << 4);
    rsd_fields_put(s.code, RSD_GGML_SUPER, 0, 2, 32, out->q);
}

static const rsd_ggml_format format = {
    .type = "q2_K", .limit = 0x1p32f, .encode_block = encode_block, .sub = 16, .affine = true
};

const rsd_quantizer rsd_quantizer_q2_k = {
    .name = "q2_k",
    .summary =
        "llama.cpp's K type: 2-bit codes, 4-bit scales and minima of 16, 2.625 bits per weight",
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
