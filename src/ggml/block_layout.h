/* Private to src/ggml, src/quantizers/ggml.  The blocks of ggml's types, byte by byte: any address
 * will do, nothing is padded.  d, m, dmin are fp16, little-endian. */
#ifndef RSD_GGML_BLOCK_H
#define RSD_GGML_BLOCK_H

#include <stdint.h>

enum { RSD_GGML_BLOCK = 32, RSD_GGML_SUPER = 256 };

/* clang-format off */
/* Blocks of 32. */
typedef struct { uint8_t d[2], q[16]; } rsd_q4_0; /* and iq4_nl */
typedef struct { uint8_t d[2], m[2], q[16]; } rsd_q4_1;
typedef struct { uint8_t d[2], high[4], q[16]; } rsd_q5_0;
typedef struct { uint8_t d[2], m[2], high[4], q[16]; } rsd_q5_1;
typedef struct { uint8_t d[2]; int8_t q[32]; } rsd_q8_0;
typedef struct { uint8_t e, q[16]; } rsd_mxfp4;

/* Of 64, four scales of 16 weights. */
typedef struct { uint8_t d[4], q[32]; } rsd_nvfp4;

/* Super-blocks of 256: scales of 16 or 32 weights, themselves scaled. */
typedef struct { uint8_t scales[16], q[64], d[2], dmin[2]; } rsd_q2_K;
typedef struct { uint8_t high[32], q[64], scales[12], d[2]; } rsd_q3_K;
typedef struct { uint8_t d[2], dmin[2], scales[12], q[128]; } rsd_q4_K;
typedef struct { uint8_t d[2], dmin[2], scales[12], high[32], q[128]; } rsd_q5_K;
typedef struct { uint8_t q[128], high[64]; int8_t scales[16]; uint8_t d[2]; } rsd_q6_K;
typedef struct { uint8_t d[2], scales_high[2], scales_low[4], q[128]; } rsd_iq4_xs;
typedef struct { uint8_t q[48], rest[4], d[2]; } rsd_tq1_0; /* five and four base-3 digits a byte */
typedef struct { uint8_t q[64], d[2]; } rsd_tq2_0;

typedef struct { uint8_t d[2], q[16]; } rsd_q1_0; /* of 128: signs */
typedef struct { uint8_t d[2], q[16]; } rsd_q2_0; /* of 64 */
/* clang-format on */

/* iq4_nl's and iq4_xs' levels, and twice E2M1's (mxfp4, nvfp4). */
extern const int8_t rsd_iq4_levels[16], rsd_e2m1_doubled[16];

/* 2^(e-128): half of what E8M0 says, for the doubled levels; subnormal for e < 2. */
float rsd_e8m0_half(uint8_t e);

#endif
