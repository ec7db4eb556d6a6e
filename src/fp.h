/* Small floating-point formats: decode and encode, round half to even.
 *
 * One descriptor serves the readers (fp16, bf16, fp8 tensors in files), the float quantizer and
 * every scale that a quantizer stores in fewer than 32 bits. */
#ifndef RSD_FP_H
#define RSD_FP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    RSD_FP_INF_NAN, /* IEEE: largest exponent is Inf and NaN (fp16, bf16, e5m2)             */
    RSD_FP_NAN,     /* OCP E4M3FN: only S.1111.111 is NaN, no Inf                          */
    RSD_FP_NONE     /* every code is a number (E2M1, E2M3, E3M2)                           */
} rsd_fp_special;

typedef struct {
    const char *name;
    int exponent_bits, mantissa_bits, bias; /* 1 sign bit beside them */
    rsd_fp_special special;
    float max; /* largest finite value */
} rsd_fp;

extern const rsd_fp rsd_fp16; /* IEEE binary16, max 65504      */
extern const rsd_fp rsd_bf16; /* bfloat16, max 3.3895314e38    */
extern const rsd_fp rsd_e4m3; /* OCP E4M3FN, bias 7, max 448   */
extern const rsd_fp rsd_e5m2; /* OCP E5M2, bias 15, max 57344  */

/* Value of the low 1+e+m bits of code; subnormals, signed zero, Inf and NaN as the format has. */
float rsd_fp_decode(const rsd_fp *f, uint32_t code);

/* Nearest code, ties to the even mantissa; subnormals kept.  What lies beyond max after rounding
 * becomes max when saturate, else Inf (or NaN where the format has no Inf; max where it has
 * neither).  NaN stays NaN; a format without NaN asserts. */
uint32_t rsd_fp_encode(const rsd_fp *f, float x, bool saturate);

/* Arrays; codes are bytes for formats of up to 8 bits, else uint16 in the machine's order.
 * The fp16 and bf16 loops are the fast ones that file readers need. */
void rsd_fp_decode_array(const rsd_fp *f, const void *codes, float *x, size_t n);
void rsd_fp_encode_array(const rsd_fp *f, const float *x, void *codes, size_t n, bool saturate);

#endif
