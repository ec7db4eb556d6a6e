/* ggml's Q8_0: blocks of 32, 8 bits, a scale of max|w| / 127. */
#include "ggml/block_layout.h"
#include "quantizers/ggml/ggml.h"
#include "quantizers/ggml/ggml_blocks.h"

#include <string.h>

enum { CHUNK = 64 };

/* code = x/d rounded, halves away from zero: x/d truncated after half a unit is added on its own
 * side.  The sum is rounded too, which would move the largest number below a half up: it is taken
 * instead of the half. */
static inline int8_t code_of(float y)
{
    const float half = y < 0 ? -0x1.fffffep-2f : 0x1.fffffep-2f;
    y += half;
    y = y < 127 ? y : 127;
    return (int8_t)(int)(y > -127 ? y : -127);
}

static void encode(const rsd_spec *spec, const float *x, const float *weight, size_t n,
                   void *blocks)
{
    (void)spec, (void)weight;
    rsd_q8_0 *out = blocks;
    float d[CHUNK];
    uint16_t half[CHUNK];
    for (size_t left = n / RSD_GGML_BLOCK, count; left; left -= count, out += count) {
        count = left < CHUNK ? left : CHUNK;
        for (size_t b = 0; b < count; b++, x += RSD_GGML_BLOCK) {
            d[b] = rsd_absmax32(x) / 127;
            const float inverse = rsd_ggml_inverse(d[b]);
            for (size_t j = 0; j < RSD_GGML_BLOCK; j++)
                out[b].q[j] = code_of(x[j] * inverse);
        }
        rsd_ggml_halves(d, count, half);
        for (size_t b = 0; b < count; b++)
            memcpy(out[b].d, &half[b], sizeof *half);
    }
}

static const rsd_ggml_format format = { .type = "q8_0", .limit = 0x1p32f, .encode = encode };

/* Idempotent: the largest code is always 127, and 127 times an fp16 number is exact. */
const rsd_quantizer rsd_quantizer_q8_0 = {
    .name = "q8_0",
    .summary = "llama.cpp's blocks of 32: 8-bit codes times a scale, 8.5 bits per weight",
    .reference = "ggml d99724f",
    .idempotent = rsd_idempotent_always,
    .data = &format,
    .scales = rsd_ggml_scales,
    .pack = rsd_ggml_pack,
    .unpack = rsd_ggml_unpack,
};
