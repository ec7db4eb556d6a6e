#include "ggml/block_layout.h"
#include "ggml/fields.h"
#include "quantizers/blocks.h"
#include "quantizers/ggml/ggml.h"

#include <math.h>

/* Meant for models trained to be ternary: the scale is the largest weight, and what is less than
 * half of it becomes 0. */
static void encode(const void *how, const float *x, const float *weight, size_t n, void *blocks)
{
    (void)how, (void)weight;
    rsd_tq2_0 *out = blocks;
    for (size_t at = 0; at < n; at += RSD_GGML_SUPER, x += RSD_GGML_SUPER, out++) {
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
}

static const rsd_ggml_format format = { "tq2_0", 0x1p32f, NULL, encode };

static int pack(const void *p, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    (void)p, (void)c;
    return rsd_ggml_pack(&format, W, NULL, out);
}

static int unpack(const void *p, const rsd_packed *in, rsd_mat Wq)
{
    (void)p;
    return rsd_ggml_unpack(format.type, in, Wq);
}

/* The largest weight is always kept. */
static bool idempotent(const void *p)
{
    (void)p;
    return true;
}

const rsd_quantizer rsd_quantizer_tq2_0 = {
    .name = "tq2_0",
    .summary = "llama.cpp's ternary blocks of 256: -1, 0, 1 times a scale, 2.0625 bits per weight",
    .source = "ggml d99724f",
    .options = rsd_ggml_no_options,
    .defaults = "",
    .idempotent = idempotent,
    .pack = pack,
    .unpack = unpack,
};
