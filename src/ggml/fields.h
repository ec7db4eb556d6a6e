/* Private to src/ggml, src/quantizers/ggml.  Where ggml's blocks keep the bits of their codes: for
 * the decoders here and for quantizers.
 *
 * Every layout of ggml is the same one with other numbers: n codes lie in groups of
 * (8 / bits) * stride; byte l of a group holds, from its low end up, `bits` bits of the group's
 * codes l, l + stride, l + 2 stride ...
 *
 *   nibbles of a block of 32     bits 4, stride 16      2-bit codes of 256   bits 2, stride 32
 *   nibbles of q4_K and q5_K     bits 4, stride 32      a high bit of 256    bits 1, stride 32
 *   nibbles of q6_K              bits 4, stride 64      fifth bits of q5_0   bits 1, stride 1 */
#ifndef RSD_GGML_FIELDS_H
#define RSD_GGML_FIELDS_H

#include <stddef.h>
#include <stdint.h>

/* Bits [shift, shift+bits) of codes[n] to out[n*bits/8]; n is a multiple of the group. */
static inline void rsd_fields_put(const uint8_t *restrict codes, size_t n, int shift, int bits,
                                  size_t stride, uint8_t *restrict out)
{
    const size_t fields = (size_t)(8 / bits);
    const unsigned mask = (1u << bits) - 1;
    for (size_t g = 0; g < n; g += fields * stride, out += stride)
        for (size_t l = 0; l < stride; l++) {
            unsigned byte = 0;
            for (size_t k = 0; k < fields; k++)
                byte |= ((unsigned)codes[g + k * stride + l] >> shift & mask) << ((size_t)bits * k);
            out[l] = (uint8_t)byte;
        }
}

/* The inverse.  The lowest bits first: shift 0 sets the codes, others add to them. */
static inline void rsd_fields_get(const uint8_t *restrict in, size_t n, int shift, int bits,
                                  size_t stride, uint8_t *restrict codes)
{
    const size_t fields = (size_t)(8 / bits);
    const unsigned mask = (1u << bits) - 1;
    for (size_t g = 0; g < n; g += fields * stride, in += stride)
        for (size_t k = 0; k < fields; k++)
            for (size_t l = 0; l < stride; l++) {
                const unsigned field = ((unsigned)in[l] >> ((size_t)bits * k) & mask) << shift;
                uint8_t *code = &codes[g + k * stride + l];
                *code = (uint8_t)(shift ? *code | field : field);
            }
}

/* Eight scales and eight minima of 6 bits in twelve bytes (q4_K, q5_K): the first four of each in
 * the low bits of bytes 0-3 and 4-7; the others' low nibbles in bytes 8-11, their upper two bits
 * above the first ones. */
static inline void rsd_scales6_put(const uint8_t *scale, const uint8_t *min, uint8_t *out)
{
    for (int j = 0; j < 4; j++) {
        out[j] = (uint8_t)(scale[j] | scale[j + 4] >> 4 << 6);
        out[j + 4] = (uint8_t)(min[j] | min[j + 4] >> 4 << 6);
        out[j + 8] = (uint8_t)((scale[j + 4] & 15) | (min[j + 4] & 15) << 4);
    }
}

static inline void rsd_scales6_get(const uint8_t *in, uint8_t *scale, uint8_t *min)
{
    for (int j = 0; j < 4; j++) {
        scale[j] = in[j] & 63;
        min[j] = in[j + 4] & 63;
        scale[j + 4] = (uint8_t)((in[j + 8] & 15) | in[j] >> 6 << 4);
        min[j + 4] = (uint8_t)(in[j + 8] >> 4 | in[j + 4] >> 6 << 4);
    }
}

#endif
