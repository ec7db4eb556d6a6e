/* ggml's Q6_K: sixteen sub-blocks of 16, 6 bits, scales of 8 bits. */
#include "ggml/fields.h"
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/super.h"

#include <string.h>

/* Importances are taken as they are given, without the weight's own size. */
static void load(const float *x, const float *weight, rsd_lane_tile tiles[4])
{
    for (size_t g = 0; g < 4; g++) {
        tile_load_squares(&tiles[g], x + 64 * g, 16, 4);
        if (weight)
            lanes_transpose(weight + 64 * g, 16, 4, tiles[g].w);
    }
}

static void encode_block(const float *x, const float *weight, void *block)
{
    rsd_q6_K *out = block;
    rsd_lane_tile tiles[4];
    float scale[16];
    uint8_t code[RSD_GGML_SUPER];
    load(x, weight, tiles);
    rsd_super_search_symmetric(tiles, RSD_SUPER_TRIALS, 32, scale, code);
    const float max = rsd_extreme(scale, 16);
    if (fabsf(max) < 1e-15f) {
        memset(out, 0, sizeof *out);
        return;
    }
    const float inverse = -128 / max;
    float d = 1 / inverse;
    rsd_ggml_half(&d, out->d);
    for (size_t s = 0; s < 16; s++) {
        out->scales[s] = (int8_t)(int)nearest_within(inverse * scale[s], -128, 127);
        scale[s] = d * (float)out->scales[s];
    }
    rsd_super_recode(x, scale, 32, code);
    rsd_fields_put(code, RSD_GGML_SUPER, 0, 4, 64, out->q);
    rsd_fields_put(code, RSD_GGML_SUPER, 4, 2, 32, out->high);
}

static const rsd_ggml_format format = {
    .type = "q6_K", .limit = 0x1p32f, .encode_block = encode_block, .sub = 16
};

const rsd_quantizer rsd_quantizer_q6_k = {
    .name = "q6_k",
    .summary = "llama.cpp's K type: 6-bit codes, 8-bit scales of 16, 6.5625 bits per weight",
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
