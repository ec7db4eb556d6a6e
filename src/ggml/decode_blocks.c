/* Decoding ggml's types.  Blocks of 32 (and 64, 128) weights.  Products and sums as ggml's
 * reference has them: a code times the scale, plus the minimum, each rounded. */
#include "ggml/block_layout.h"
#include "ggml/decode.h"
#include "ggml/fields.h"

#include <string.h>

const int8_t rsd_iq4_levels[16] = { -127, -104, -83, -65, -49, -35, -22, -10,
                                    1,    13,   25,  38,  53,  69,  89,  113 };
const int8_t rsd_e2m1_doubled[16] = { 0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12 };

float rsd_e8m0_half(uint8_t e)
{
    const uint32_t bits = e < 2 ? UINT32_C(0x00200000) << e : (uint32_t)(e - 1) << 23;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static inline void scale(const uint8_t *restrict code, size_t n, int zero, float d, float m,
                         float *restrict x)
{
    for (size_t j = 0; j < n; j++)
        x[j] = (float)(code[j] - zero) * d + m;
}

static inline void look_up(const uint8_t *code, size_t n, const int8_t *level, float d, float *x)
{
    for (size_t j = 0; j < n; j++)
        x[j] = (float)level[code[j]] * d;
}

static size_t chunk_of(size_t blocks)
{
    return blocks < RSD_DECODE_CHUNK ? blocks : RSD_DECODE_CHUNK;
}

/* Nibbles at byte `q` of blocks of `bytes`, a fifth bit at `high`, a minimum at byte 2: 0 where the
 * type has none. */
static inline void decode_32(const void *data, size_t blocks, size_t bytes, size_t q, size_t high,
                             size_t minimum, int zero, float *x)
{
    const uint8_t *p = data;
    float d[RSD_DECODE_CHUNK], m[RSD_DECODE_CHUNK];
    for (size_t n; blocks; blocks -= n) {
        n = chunk_of(blocks);
        rsd_decode_halves(p, bytes, n, d);
        if (minimum)
            rsd_decode_halves(p + minimum, bytes, n, m);
        for (size_t b = 0; b < n; b++, p += bytes, x += 32) {
            uint8_t code[32];
            rsd_fields_get(p + q, 32, 0, 4, 16, code);
            if (high)
                rsd_fields_get(p + high, 32, 4, 1, 1, code);
            /* -0 is what x + -0 leaves as it is, also where x is 0 */
            scale(code, 32, zero, d[b], minimum ? m[b] : -0.0f, x);
        }
    }
}

void rsd_decode_q4_0(const void *data, size_t blocks, float *x)
{
    decode_32(data, blocks, sizeof(rsd_q4_0), offsetof(rsd_q4_0, q), 0, 0, 8, x);
}

void rsd_decode_q4_1(const void *data, size_t blocks, float *x)
{
    decode_32(data, blocks, sizeof(rsd_q4_1), offsetof(rsd_q4_1, q), 0, offsetof(rsd_q4_1, m), 0,
              x);
}

void rsd_decode_q5_0(const void *data, size_t blocks, float *x)
{
    decode_32(data, blocks, sizeof(rsd_q5_0), offsetof(rsd_q5_0, q), offsetof(rsd_q5_0, high), 0,
              16, x);
}

void rsd_decode_q5_1(const void *data, size_t blocks, float *x)
{
    decode_32(data, blocks, sizeof(rsd_q5_1), offsetof(rsd_q5_1, q), offsetof(rsd_q5_1, high),
              offsetof(rsd_q5_1, m), 0, x);
}

void rsd_decode_q8_0(const void *data, size_t blocks, float *x)
{
    const rsd_q8_0 *p = data;
    float d[RSD_DECODE_CHUNK];
    for (size_t n; blocks; blocks -= n) {
        n = chunk_of(blocks);
        rsd_decode_halves(p, sizeof *p, n, d);
        for (size_t b = 0; b < n; b++, p++, x += 32)
            for (size_t j = 0; j < 32; j++)
                x[j] = (float)p->q[j] * d[b];
    }
}

void rsd_decode_iq4_nl(const void *data, size_t blocks, float *x)
{
    const rsd_q4_0 *p = data;
    float d[RSD_DECODE_CHUNK];
    for (size_t n; blocks; blocks -= n) {
        n = chunk_of(blocks);
        rsd_decode_halves(p, sizeof *p, n, d);
        for (size_t b = 0; b < n; b++, p++, x += 32) {
            uint8_t code[32];
            rsd_fields_get(p->q, 32, 0, 4, 16, code);
            look_up(code, 32, rsd_iq4_levels, d[b], x);
        }
    }
}

void rsd_decode_mxfp4(const void *data, size_t blocks, float *x)
{
    const rsd_mxfp4 *p = data;
    for (; blocks; blocks--, p++, x += 32) {
        uint8_t code[32];
        rsd_fields_get(p->q, 32, 0, 4, 16, code);
        look_up(code, 32, rsd_e2m1_doubled, rsd_e8m0_half(p->e), x);
    }
}

/* Half of an E4M3 number without its sign, which ggml takes from the code: 0x7f, a NaN, as 0. */
static float ue4m3_half(uint8_t code)
{
    const unsigned exponent = code >> 3 & 15, fraction = code & 7;
    if (code == 0x7f)
        return 0;
    const float least = (float)fraction * 0x1p-10f; /* subnormal: fraction / 8 * 2^-6 / 2 */
    return exponent ? (8 + (float)fraction) * 0x1p-11f * (float)(1u << exponent) : least;
}

void rsd_decode_nvfp4(const void *data, size_t blocks, float *x)
{
    const rsd_nvfp4 *p = data;
    for (; blocks; blocks--, p++)
        for (size_t s = 0; s < 4; s++, x += 16) {
            uint8_t code[16];
            rsd_fields_get(p->q + 8 * s, 16, 0, 4, 8, code);
            look_up(code, 16, rsd_e2m1_doubled, ue4m3_half(p->d[s]), x);
        }
}

void rsd_decode_q1_0(const void *data, size_t blocks, float *x)
{
    const rsd_q1_0 *p = data;
    for (; blocks; blocks--, p++, x += 128) {
        uint8_t code[128];
        float d;
        rsd_decode_halves(p->d, 2, 1, &d);
        rsd_fields_get(p->q, 128, 0, 1, 1, code);
        for (size_t j = 0; j < 128; j++)
            x[j] = code[j] ? d : -d;
    }
}

void rsd_decode_q2_0(const void *data, size_t blocks, float *x)
{
    const rsd_q2_0 *p = data;
    for (; blocks; blocks--, p++, x += 64) {
        uint8_t code[64];
        float d;
        rsd_decode_halves(p->d, 2, 1, &d);
        rsd_fields_get(p->q, 64, 0, 2, 1, code);
        scale(code, 64, 1, d, -0.0f, x);
    }
}
