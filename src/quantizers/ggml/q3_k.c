/* ggml's Q3_K: sixteen sub-blocks of 16, 3 bits, scales of 6 bits. */
#include "ggml/fields.h"
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/super.h"

#include <string.h>

/* The sixteen scales with their importances: a sub-block themselves, in one lane. */
static float search_scales(const float *scale, const rsd_lane_tile tiles[4], uint8_t *code)
{
    rsd_lane_tile t;
    rsd_lanes l[16];
    memset(&t, 0, sizeof t);
    for (size_t s = 0; s < 16; s++) {
        float sum = 0;
        for (size_t i = 0; i < 16; i++)
            sum += tiles[s / 4].w[i][s % 4];
        t.x[s][0] = scale[s];
        t.w[s][0] = sum;
    }
    const float d = rsd_search_symmetric(&t, 16, 32, l)[0];
    lanes_codes(l, 16, 1, code);
    return d;
}

/* -32 to 31 in units of the scale of largest magnitude / -32. */
static float round_scales(const float *scale, uint8_t *code)
{
    const float max = rsd_extreme(scale, 16);
    memset(code, 0, 16);
    if (max == 0)
        return 0;
    const float inverse = -32 / max;
    for (size_t s = 0; s < 16; s++)
        code[s] = (uint8_t)(int)(nearest_within(inverse * scale[s], -32, 31) + 32);
    return 1 / inverse;
}

static void encode_block(const float *x, const float *weight, void *block)
{
    rsd_q3_K *out = block;
    rsd_lane_tile tiles[4];
    float scale[16], d;
    uint8_t code[RSD_GGML_SUPER], factor[16];
    const float sigma2 = weight ? 2 * rsd_ggml_sumsq(x, RSD_GGML_SUPER) / RSD_GGML_SUPER : 0;
    for (size_t g = 0; g < 4; g++)
        if (weight)
            tile_load_weighted(&tiles[g], x + 64 * g, weight + 64 * g, 16, 4, sigma2);
        else
            tile_load_squares(&tiles[g], x + 64 * g, 16, 4);
    rsd_super_search_symmetric(tiles, weight ? RSD_SUPER_TRIALS : RSD_SUPER_DESCENT, 4, scale,
                               code);
    d = weight ? search_scales(scale, tiles, factor) : round_scales(scale, factor);
    rsd_ggml_half(&d, out->d);
    for (size_t s = 0; s < 16; s++)
        scale[s] = d * (float)(factor[s] - 32);
    rsd_super_recode(x, scale, 4, code);
    rsd_fields_put(factor, 16, 0, 4, 8, out->scales);
    rsd_fields_put(factor, 16, 4, 2, 4, out->scales + 8);
    rsd_fields_put(code, RSD_GGML_SUPER, 0, 2, 32, out->q);
    rsd_fields_put(code, RSD_GGML_SUPER, 2, 1, 32, out->high);
}

static const rsd_ggml_format format = {
    .type = "q3_K", .limit = 0x1p32f, .encode_block = encode_block, .sub = 16
};

const rsd_quantizer rsd_quantizer_q3_k = {
    .name = "q3_k",
    .summary = "llama.cpp's K type: 3-bit codes, 6-bit scales of 16, 3.4375 bits per weight",
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
