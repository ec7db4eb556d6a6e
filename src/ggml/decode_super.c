/* Decoding ggml's K types.  Super-blocks of 256 weights.  d times a sub-block's scale is rounded,
 * that times a code is rounded, and so is its difference to dmin times the sub-block's minimum. */
#include "ggml/block_layout.h"
#include "ggml/decode.h"
#include "ggml/fields.h"

#include <string.h>

enum { SUPER = RSD_GGML_SUPER };

/* x = d[s] (code - zero) - m[s] for sub-blocks of `sub` weights; m NULL: without minima. */
static inline void scale(const uint8_t *restrict code, size_t sub, int zero,
                         const float *restrict d, const float *restrict m, float *restrict x)
{
    for (size_t s = 0; s < SUPER / sub; s++)
        for (size_t j = 0; j < sub; j++) {
            const float y = d[s] * (float)(code[s * sub + j] - zero);
            x[s * sub + j] = m ? y - m[s] : y;
        }
}

static float half(const uint8_t *p)
{
    float x;
    rsd_decode_halves(p, 2, 1, &x);
    return x;
}

static void products(float d, const uint8_t *factor, int zero, size_t n, float *out)
{
    for (size_t s = 0; s < n; s++)
        out[s] = d * (float)(factor[s] - zero);
}

void rsd_decode_q2_K(const void *data, size_t blocks, float *x)
{
    const rsd_q2_K *p = data;
    for (; blocks; blocks--, p++, x += SUPER) {
        uint8_t code[SUPER], factor[32]; /* a scale and a minimum in turn */
        float d[16], m[16];
        rsd_fields_get(p->scales, 32, 0, 4, 1, factor);
        const float scale_unit = half(p->d), min_unit = half(p->dmin);
        for (size_t s = 0; s < 16; s++) {
            d[s] = scale_unit * (float)factor[2 * s];
            m[s] = min_unit * (float)factor[2 * s + 1];
        }
        rsd_fields_get(p->q, SUPER, 0, 2, 32, code);
        scale(code, 16, 0, d, m, x);
    }
}

void rsd_decode_q3_K(const void *data, size_t blocks, float *x)
{
    const rsd_q3_K *p = data;
    for (; blocks; blocks--, p++, x += SUPER) {
        uint8_t code[SUPER], factor[16];
        float d[16];
        rsd_fields_get(p->scales, 16, 0, 4, 8, factor);
        rsd_fields_get(p->scales + 8, 16, 4, 2, 4, factor);
        products(half(p->d), factor, 32, 16, d);
        rsd_fields_get(p->q, SUPER, 0, 2, 32, code);
        rsd_fields_get(p->high, SUPER, 2, 1, 32, code);
        scale(code, 16, 4, d, NULL, x);
    }
}

/* What q4_K and q5_K share. */
static void pair_scales(const uint8_t *d_bytes, const uint8_t *dmin, const uint8_t *scales,
                        float d[8], float m[8])
{
    uint8_t factor[8], minimum[8];
    rsd_scales6_get(scales, factor, minimum);
    products(half(d_bytes), factor, 0, 8, d);
    products(half(dmin), minimum, 0, 8, m);
}

void rsd_decode_q4_K(const void *data, size_t blocks, float *x)
{
    const rsd_q4_K *p = data;
    for (; blocks; blocks--, p++, x += SUPER) {
        uint8_t code[SUPER];
        float d[8], m[8];
        pair_scales(p->d, p->dmin, p->scales, d, m);
        rsd_fields_get(p->q, SUPER, 0, 4, 32, code);
        scale(code, 32, 0, d, m, x);
    }
}

void rsd_decode_q5_K(const void *data, size_t blocks, float *x)
{
    const rsd_q5_K *p = data;
    for (; blocks; blocks--, p++, x += SUPER) {
        uint8_t code[SUPER];
        float d[8], m[8];
        pair_scales(p->d, p->dmin, p->scales, d, m);
        rsd_fields_get(p->q, SUPER, 0, 4, 32, code);
        rsd_fields_get(p->high, SUPER, 4, 1, 32, code);
        scale(code, 32, 0, d, m, x);
    }
}

void rsd_decode_q6_K(const void *data, size_t blocks, float *x)
{
    const rsd_q6_K *p = data;
    for (; blocks; blocks--, p++, x += SUPER) {
        uint8_t code[SUPER];
        float d[16];
        const float unit = half(p->d);
        for (size_t s = 0; s < 16; s++)
            d[s] = unit * (float)p->scales[s];
        rsd_fields_get(p->q, SUPER, 0, 4, 64, code);
        rsd_fields_get(p->high, SUPER, 4, 2, 32, code);
        scale(code, 16, 32, d, NULL, x);
    }
}

void rsd_decode_iq4_xs(const void *data, size_t blocks, float *x)
{
    const rsd_iq4_xs *p = data;
    for (; blocks; blocks--, p++) {
        uint8_t factor[8];
        float d[8];
        rsd_fields_get(p->scales_low, 8, 0, 4, 1, factor);
        rsd_fields_get(p->scales_high, 8, 4, 2, 1, factor);
        products(half(p->d), factor, 32, 8, d);
        for (size_t s = 0; s < 8; s++, x += 32) {
            uint8_t code[32];
            rsd_fields_get(p->q + 16 * s, 32, 0, 4, 16, code);
            for (size_t j = 0; j < 32; j++)
                x[j] = d[s] * (float)rsd_iq4_levels[code[j]];
        }
    }
}

/* Digit k of n bytes, each a fraction of 256 written in base 3, most significant digit first. */
static void decode_digit(const uint8_t *bytes, size_t n, int k, float d, float *x)
{
    static const uint8_t power[] = { 1, 3, 9, 27, 81 };
    for (size_t j = 0; j < n; j++) {
        const uint8_t rest = (uint8_t)(bytes[j] * power[k]);
        x[j] = (float)((rest * 3 >> 8) - 1) * d;
    }
}

void rsd_decode_tq1_0(const void *data, size_t blocks, float *x)
{
    const rsd_tq1_0 *p = data;
    for (; blocks; blocks--, p++) {
        const float d = half(p->d);
        for (int k = 0; k < 5; k++, x += 32)
            decode_digit(p->q, 32, k, d, x);
        for (int k = 0; k < 5; k++, x += 16)
            decode_digit(p->q + 32, 16, k, d, x);
        for (int k = 0; k < 4; k++, x += 4)
            decode_digit(p->rest, 4, k, d, x);
    }
}

void rsd_decode_tq2_0(const void *data, size_t blocks, float *x)
{
    const rsd_tq2_0 *p = data;
    for (; blocks; blocks--, p++, x += SUPER) {
        uint8_t code[SUPER];
        const float d = half(p->d);
        rsd_fields_get(p->q, SUPER, 0, 2, 32, code);
        for (size_t j = 0; j < SUPER; j++)
            x[j] = (float)(code[j] - 1) * d;
    }
}
