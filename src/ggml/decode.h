/* Private to src/ggml: x[blocks * block] of `blocks` blocks at data. */
#ifndef RSD_GGML_DECODE_H
#define RSD_GGML_DECODE_H

#include <stddef.h>

typedef void rsd_ggml_decoder(const void *data, size_t blocks, float *x);

rsd_ggml_decoder rsd_decode_q4_0, rsd_decode_q4_1, rsd_decode_q5_0, rsd_decode_q5_1,
    rsd_decode_q8_0, rsd_decode_iq4_nl, rsd_decode_mxfp4, rsd_decode_nvfp4, rsd_decode_q1_0,
    rsd_decode_q2_0; /* decode_blocks.c */
rsd_ggml_decoder rsd_decode_q2_K, rsd_decode_q3_K, rsd_decode_q4_K, rsd_decode_q5_K,
    rsd_decode_q6_K, rsd_decode_iq4_xs, rsd_decode_tq1_0, rsd_decode_tq2_0; /* decode_super.c */

/* The fp16 numbers at data, data + stride ... as float32. */
enum { RSD_DECODE_CHUNK = 64 };
void rsd_decode_halves(const void *data, size_t stride, size_t count, float *x);

#endif
