/* NVFP4.  Blocks of 16 E2M1 numbers along a row, with a scale in E4M3 of max|w|/6.  Two stores
 * exist:
 *
 *   tensor  as checkpoints have it: block scales are relative to one float32 scale of the tensor,
 *           max|W| / (6 * 448), so that the largest is 448 whatever W's size; everything is rounded
 *           with halves to even.
 *           codes U8 (first element in the low nibble, rows start at a byte), scales F8_E4M3[rows]
 *           [ceil(columns/16)], scale F32[1]
 *   none    as ggml has it: no scale of the tensor; scale halves go up, and scales that would round
 *           up to the least normal number stay below it; element halves go to the smaller.
 *           blocks U8, 36 bytes for 64 elements of a row padded with zeros: 4 scales, then 8 bytes
 *           for each 16, element j in the low nibble and j + 8 in the high one */
#include "fp.h"
#include "quantizers/blocks.h"
#include "quantizers/quantizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int scale;
} params;

enum { SCALE_TENSOR, SCALE_NONE };
enum { SUB = 16, SUBS = 4, BLOCK = SUB * SUBS, BLOCK_BYTES = SUBS + BLOCK / 2 };

static const rsd_fp e2m1 = { "e2m1", 2, 1, 1, RSD_FP_NONE, 6 };
static const float level[16] = { 0,     0.5f,  1,  1.5f,  2,  3,  4,  6,
                                 -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6 };

static const params defaults = { .scale = SCALE_TENSOR };

/* clang-format off */
static const rsd_opt options[] = {
    { "scale", 0, RSD_OPT_CHOICE, offsetof(params, scale), 0, 0, "tensor|none",
      "a float32 scale of the tensor beside those of the blocks, or ggml's blocks without" },
    { 0 },
};
/* clang-format on */

static size_t count_of(size_t n, size_t block) { return n / block + (n % block != 0); }

/* ---- with the tensor's scale ---- */

static float tensor_scale(rsd_mat W)
{
    float largest = 0;
    for (size_t i = 0; i < W.m; i++) {
        const float absmax = rsd_absmax(W.x + i * W.ld, W.n);
        largest = absmax > largest ? absmax : largest;
    }
    return rsd_grid_step(largest, 6 * 448);
}

/* Block scales of a row; y is the row divided by them, 0 where a scale is. */
static void scale_row(const float *x, size_t n, float tensor, uint8_t *scales, float *y)
{
    for (size_t start = 0; start < n; start += SUB) {
        const size_t count = n - start < SUB ? n - start : SUB;
        const float want = rsd_absmax(x + start, count) / 6 / tensor;
        *scales = (uint8_t)rsd_fp_encode(&rsd_e4m3, want, true);
        const float s = rsd_fp_decode(&rsd_e4m3, *scales++) * tensor;
        for (size_t j = start; j < start + count; j++)
            y[j] = s > 0 ? x[j] / s : 0;
    }
}

static int pack_scaled(rsd_mat W, rsd_packed *out)
{
    const size_t row_bytes = rsd_bits_bytes(W.n, 4), blocks = count_of(W.n, SUB);
    int err = RSD_OK;
    float *row = NULL, *tensor;
    uint8_t *row_codes = NULL, *codes, *scales;
    RSD_TRY_DONE(rsd_packed_add(out, "codes", "U8", W.m * row_bytes, &codes));
    RSD_TRY_DONE(rsd_packed_add(out, "scales", "F8_E4M3", W.m * blocks, &scales));
    RSD_TRY_DONE(rsd_packed_add(out, "scale", "F32", 1, &tensor));
    RSD_TRY_DONE(rsd_array_alloc(W.n, 1, sizeof *row, &row));
    RSD_TRY_DONE(rsd_array_alloc(W.n, 1, 1, &row_codes));
    *tensor = tensor_scale(W);
    for (size_t i = 0; i < W.m; i++) {
        scale_row(W.x + i * W.ld, W.n, *tensor, scales + i * blocks, row);
        rsd_fp_encode_array(&e2m1, row, row_codes, W.n, true);
        rsd_bits_pack(row_codes, W.n, 4, codes + i * row_bytes);
    }
done:
    free(row_codes);
    free(row);
    return err;
}

static int unpack_scaled(const rsd_packed *in, rsd_mat Wq)
{
    const size_t row_bytes = rsd_bits_bytes(Wq.n, 4), blocks = count_of(Wq.n, SUB);
    const uint8_t *codes = rsd_packed_get(in, "codes")->data;
    const uint8_t *scales = rsd_packed_get(in, "scales")->data;
    const float tensor = *(const float *)rsd_packed_get(in, "scale")->data;
    uint8_t *row;
    RSD_TRY(rsd_array_alloc(Wq.n, 1, 1, &row));
    for (size_t i = 0; i < Wq.m; i++) {
        rsd_bits_unpack(codes + i * row_bytes, Wq.n, 4, row);
        for (size_t start = 0; start < Wq.n; start += SUB) {
            const size_t end = Wq.n - start < SUB ? Wq.n : start + SUB;
            const uint8_t code = scales[i * blocks + start / SUB];
            const float s = rsd_fp_decode(&rsd_e4m3, code) * tensor;
            for (size_t j = start; j < end; j++)
                Wq.x[i * Wq.ld + j] = rsd_finite(level[row[j]] * s);
        }
    }
    free(row);
    return RSD_OK;
}

/* ---- ggml's blocks ---- */

/* The unsigned E4M3 code of x >= 0. */
static uint8_t ggml_scale(float x)
{
    if (x < 0x1p-6f) {
        const float m = x * 512 + 0.5f; /* in units of the subnormals */
        return (uint8_t)(m < 7 ? m : 7);
    }
    uint32_t u;
    x = x < rsd_e4m3.max ? x : rsd_e4m3.max;
    memcpy(&u, &x, sizeof u);
    return (uint8_t)(((u + (UINT32_C(1) << 19)) >> 20) - ((127 - 7) << 3));
}

/* x[16] into 8 bytes; returns the scale's code.  Counting the midpoints below |x| is exact: they
 * have few bits. */
static uint8_t encode_sub(const float *x, uint8_t *out)
{
    static const float middle[7] = { 0.25f, 0.75f, 1.25f, 1.75f, 2.5f, 3.5f, 5 };
    const uint8_t scale = ggml_scale(rsd_absmax(x, SUB) / 6);
    const float d = rsd_fp_decode(&rsd_e4m3, scale);
    uint8_t code[SUB];
    for (int j = 0; j < SUB; j++) {
        int below = 0;
        for (int k = 0; k < 7; k++)
            below += fabsf(x[j]) > middle[k] * d;
        code[j] = (uint8_t)(below | (x[j] < 0 && below ? 8 : 0));
    }
    for (int j = 0; j < SUB / 2; j++)
        out[j] = (uint8_t)(d > 0 ? code[j] | code[j + SUB / 2] << 4 : 0);
    return scale;
}

static int pack_blocks(rsd_mat W, rsd_packed *out)
{
    const size_t blocks = count_of(W.n, BLOCK);
    uint8_t *block;
    RSD_TRY(rsd_packed_add(out, "blocks", "U8", W.m * blocks * BLOCK_BYTES, &block));
    for (size_t i = 0; i < W.m; i++)
        for (size_t start = 0; start < W.n; start += BLOCK, block += BLOCK_BYTES) {
            float x[BLOCK] = { 0 };
            const size_t count = W.n - start < BLOCK ? W.n - start : BLOCK;
            memcpy(x, W.x + i * W.ld + start, count * sizeof *x);
            for (int s = 0; s < SUBS; s++)
                block[s] = encode_sub(x + s * SUB, block + SUBS + s * SUB / 2);
        }
    return RSD_OK;
}

static void decode_sub(uint8_t scale, const uint8_t *in, float *x)
{
    const float d = rsd_fp_decode(&rsd_e4m3, scale);
    for (int j = 0; j < SUB / 2; j++) {
        x[j] = level[in[j] & 15] * d;
        x[j + SUB / 2] = level[in[j] >> 4] * d;
    }
}

static int unpack_blocks(const rsd_packed *in, rsd_mat Wq)
{
    const uint8_t *block = rsd_packed_get(in, "blocks")->data;
    for (size_t i = 0; i < Wq.m; i++)
        for (size_t start = 0; start < Wq.n; start += BLOCK, block += BLOCK_BYTES) {
            float x[BLOCK];
            const size_t count = Wq.n - start < BLOCK ? Wq.n - start : BLOCK;
            for (int s = 0; s < SUBS; s++)
                decode_sub(block[s], block + SUBS + s * SUB / 2, x + s * SUB);
            memcpy(Wq.x + i * Wq.ld + start, x, count * sizeof *x);
        }
    return RSD_OK;
}

static int pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    (void)c;
    const params *a = rsd_spec_params(spec);
    return a->scale == SCALE_TENSOR ? pack_scaled(W, out) : pack_blocks(W, out);
}

static int unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    const params *a = rsd_spec_params(spec);
    return a->scale == SCALE_TENSOR ? unpack_scaled(in, Wq) : unpack_blocks(in, Wq);
}

static rsd_scale_runs scales(const rsd_spec *spec)
{
    (void)spec;
    return (rsd_scale_runs){ .over = RSD_RUNS_OF_ROW, .length = SUB };
}

const rsd_quantizer rsd_quantizer_nvfp4 = {
    .name = "nvfp4",
    .summary = "blocks of 16 E2M1 numbers with scales in E4M3",
    .reference = "NVIDIA, NVFP4 (scale=tensor); ggml d99724f (scale=none)",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .scales = scales,
    .pack = pack,
    .unpack = unpack,
};
