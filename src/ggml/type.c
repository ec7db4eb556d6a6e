#include "ggml/type.h"

#include "fp.h"
#include "ggml/block_layout.h"
#include "ggml/decode.h"

#include <string.h>
#include <strings.h>

static void decode_f32(const void *data, size_t blocks, float *x)
{
    memcpy(x, data, blocks * sizeof *x);
}

static void decode_f16(const void *data, size_t blocks, float *x)
{
    rsd_decode_halves(data, sizeof(uint16_t), blocks, x);
}

static void decode_bf16(const void *data, size_t blocks, float *x)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < blocks; i++) {
        const uint32_t bits = (uint32_t)p[2 * i] << 16 | (uint32_t)p[2 * i + 1] << 24;
        memcpy(&x[i], &bits, sizeof bits);
    }
}

static void decode_f64(const void *data, size_t blocks, float *x)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < blocks; i++) {
        double y;
        memcpy(&y, p + i * sizeof y, sizeof y);
        x[i] = (float)y;
    }
}

/* By id.  Left out are the numbers that ggml has retired: 4, 5, 31 to 33, 36 to 38. */
/* clang-format off */
const rsd_ggml_type rsd_ggml_types[] = {
    { "f32", 0, 1, 4, decode_f32 },
    { "f16", 1, 1, 2, decode_f16 },
    { "q4_0", 2, 32, sizeof(rsd_q4_0), rsd_decode_q4_0 },
    { "q4_1", 3, 32, sizeof(rsd_q4_1), rsd_decode_q4_1 },
    { "q5_0", 6, 32, sizeof(rsd_q5_0), rsd_decode_q5_0 },
    { "q5_1", 7, 32, sizeof(rsd_q5_1), rsd_decode_q5_1 },
    { "q8_0", 8, 32, sizeof(rsd_q8_0), rsd_decode_q8_0 },
    { "q8_1", 9, 32, 36, NULL }, /* activations: never in a file */
    { "q2_K", 10, 256, sizeof(rsd_q2_K), rsd_decode_q2_K },
    { "q3_K", 11, 256, sizeof(rsd_q3_K), rsd_decode_q3_K },
    { "q4_K", 12, 256, sizeof(rsd_q4_K), rsd_decode_q4_K },
    { "q5_K", 13, 256, sizeof(rsd_q5_K), rsd_decode_q5_K },
    { "q6_K", 14, 256, sizeof(rsd_q6_K), rsd_decode_q6_K },
    { "q8_K", 15, 256, 292, NULL }, /* activations */
    { "iq2_xxs", 16, 256, 66, NULL },
    { "iq2_xs", 17, 256, 74, NULL },
    { "iq3_xxs", 18, 256, 98, NULL },
    { "iq1_s", 19, 256, 50, NULL },
    { "iq4_nl", 20, 32, sizeof(rsd_q4_0), rsd_decode_iq4_nl },
    { "iq3_s", 21, 256, 110, NULL },
    { "iq2_s", 22, 256, 82, NULL },
    { "iq4_xs", 23, 256, sizeof(rsd_iq4_xs), rsd_decode_iq4_xs },
    { "i8", 24, 1, 1, NULL },
    { "i16", 25, 1, 2, NULL },
    { "i32", 26, 1, 4, NULL },
    { "i64", 27, 1, 8, NULL },
    { "f64", 28, 1, 8, decode_f64 },
    { "iq1_m", 29, 256, 56, NULL },
    { "bf16", 30, 1, 2, decode_bf16 },
    { "tq1_0", 34, 256, sizeof(rsd_tq1_0), rsd_decode_tq1_0 },
    { "tq2_0", 35, 256, sizeof(rsd_tq2_0), rsd_decode_tq2_0 },
    { "mxfp4", 39, 32, sizeof(rsd_mxfp4), rsd_decode_mxfp4 },
    { "nvfp4", 40, 64, sizeof(rsd_nvfp4), rsd_decode_nvfp4 },
    { "q1_0", 41, 128, sizeof(rsd_q1_0), rsd_decode_q1_0 },
    { "q2_0", 42, 64, sizeof(rsd_q2_0), rsd_decode_q2_0 },
    { 0 },
};
/* clang-format on */

const rsd_ggml_type *rsd_ggml_type_by_id(uint32_t id)
{
    for (const rsd_ggml_type *t = rsd_ggml_types; t->name; t++)
        if (t->id == id)
            return t;
    return NULL;
}

const rsd_ggml_type *rsd_ggml_type_by_name(const char *name)
{
    for (const rsd_ggml_type *t = rsd_ggml_types; t->name; t++)
        if (strcasecmp(t->name, name) == 0)
            return t;
    return NULL;
}

void rsd_decode_halves(const void *data, size_t stride, size_t count, float *x)
{
    const uint8_t *p = data;
    uint16_t half[RSD_DECODE_CHUNK];
    for (size_t at = 0; at < count; at += RSD_DECODE_CHUNK) {
        const size_t n = count - at < RSD_DECODE_CHUNK ? count - at : RSD_DECODE_CHUNK;
        for (size_t i = 0; i < n; i++)
            memcpy(&half[i], p + (at + i) * stride, sizeof half[i]);
        rsd_fp_decode_array(&rsd_fp16, half, x + at, n);
    }
}
