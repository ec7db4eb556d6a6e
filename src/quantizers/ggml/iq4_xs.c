/* ggml's IQ4_XS: iq4_nl's levels in super-blocks of 256, whose eight scales have 6 bits. */
#include "ggml/fields.h"
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/super.h"

enum { TRIALS = 7 };

static void search(const float *x, const float *weight, float scale[8])
{
    const float sigma2 = 2.0f / RSD_GGML_SUPER * rsd_ggml_sumsq(x, RSD_GGML_SUPER);
    for (size_t g = 0; g < 2; g++) {
        rsd_lane_tile t;
        rsd_lanes first;
        if (weight)
            tile_load_weighted(&t, x + 128 * g, weight + 128 * g, 32, 4, sigma2);
        else
            tile_load_squares(&t, x + 128 * g, 32, 4);
        const rsd_lanes found = rsd_search_iq4(&t, 32, TRIALS, &first);
        memcpy(scale + 4 * g, &found, sizeof found);
    }
}

/* Unlike the K types', these codes are chosen for d before it is rounded to fp16. */
static void encode_block(const float *x, const float *weight, void *block)
{
    rsd_iq4_xs *out = block;
    float scale[8];
    uint8_t code[RSD_GGML_SUPER], factor[8];
    search(x, weight, scale);
    float d = -rsd_extreme(scale, 8) / 32;
    const float inverse = rsd_ggml_inverse(d);
    for (size_t s = 0; s < 8; s++) {
        const float whole = nearest_within(inverse * scale[s], -32, 31);
        factor[s] = (uint8_t)(int)(whole + 32);
        rsd_nearest_iq4(x + 32 * s, 32, rsd_ggml_inverse(d * whole), code + 32 * s);
    }
    rsd_ggml_half(&d, out->d);
    rsd_fields_put(factor, 8, 0, 4, 1, out->scales_low);
    rsd_fields_put(factor, 8, 4, 2, 1, out->scales_high);
    rsd_fields_put(code, RSD_GGML_SUPER, 0, 4, 16, out->q);
}

static const rsd_ggml_format format = {
    .type = "iq4_xs", .limit = 0x1p32f, .encode_block = encode_block, .sub = 32
};

const rsd_quantizer rsd_quantizer_iq4_xs = {
    .name = "iq4_xs",
    .summary = "llama.cpp's uneven 4-bit levels, 6-bit scales of 32, 4.25 bits per weight",
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
