/* Number types of model files, and their conversion to float32. */
#ifndef RSD_IO_DTYPE_H
#define RSD_IO_DTYPE_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

/* ENTRY(code, name in safetensors, bits, NumPy's descr or "", a real number that converts): all
 * that the safetensors format has.  What does not convert is listed and copied, but not read. */
/* clang-format off */
#define RSD_DTYPE_LIST(ENTRY)                                                                      \
    ENTRY(F64, "F64", 64, "<f8", true)                                                             \
    ENTRY(F32, "F32", 32, "<f4", true)                                                             \
    ENTRY(F16, "F16", 16, "<f2", true)                                                             \
    ENTRY(BF16, "BF16", 16, "", true)                                                              \
    ENTRY(E4M3, "F8_E4M3", 8, "", true)                                                            \
    ENTRY(E5M2, "F8_E5M2", 8, "", true)                                                            \
    ENTRY(E8M0, "F8_E8M0", 8, "", true)                                                            \
    ENTRY(E4M3FNUZ, "F8_E4M3FNUZ", 8, "", false)                                                   \
    ENTRY(E5M2FNUZ, "F8_E5M2FNUZ", 8, "", false)                                                   \
    ENTRY(E3M2, "F6_E3M2", 6, "", false)                                                           \
    ENTRY(E2M3, "F6_E2M3", 6, "", false)                                                           \
    ENTRY(E2M1, "F4", 4, "", false)                                                                \
    ENTRY(C64, "C64", 64, "", false)                                                               \
    ENTRY(I64, "I64", 64, "<i8", false)                                                            \
    ENTRY(U64, "U64", 64, "<u8", false)                                                            \
    ENTRY(I32, "I32", 32, "<i4", false)                                                            \
    ENTRY(U32, "U32", 32, "<u4", false)                                                            \
    ENTRY(I16, "I16", 16, "<i2", false)                                                            \
    ENTRY(U16, "U16", 16, "<u2", false)                                                            \
    ENTRY(I8, "I8", 8, "|i1", false)                                                               \
    ENTRY(U8, "U8", 8, "|u1", false)                                                               \
    ENTRY(BOOL, "BOOL", 8, "|b1", false)
/* clang-format on */

typedef enum {
#define RSD_ENUM(code, name, bits, numpy, real) RSD_##code,
    RSD_DTYPE_LIST(RSD_ENUM)
#undef RSD_ENUM
        RSD_DTYPES
} rsd_dtype;

const char *rsd_dtype_name(rsd_dtype t); /* "F32" */
size_t rsd_dtype_bytes(rsd_dtype t);     /* of a type of whole bytes (asserted) */
/* Bytes of so many numbers; false where they overflow or do not fill the last byte. */
bool rsd_dtype_span(rsd_dtype t, size_t numbers, size_t *bytes);
bool rsd_dtype_is_real(rsd_dtype t);

/* Largest relative error of a number that was rounded to this type and then to float32: 2^-24 for
 * float32, 2^-11 for float16, 2^-8 for bfloat16. */
double rsd_dtype_rounding(rsd_dtype t);

/* The type called name ("BF16") or with this NumPy descr ("<f4"); false when there is none. */
bool rsd_dtype_find(const char *name, rsd_dtype *out);
bool rsd_dtype_find_numpy(const char *descr, rsd_dtype *out);
const char *rsd_dtype_numpy(rsd_dtype t);

/* x[i] = the i-th of n values at data (any alignment, little-endian), i.e. float32 by rounding to
 * nearest where the type is wider.  A real type (asserted).  F64 beyond float32's range becomes Inf
 * and is caught by the finiteness check like any other. */
void rsd_dtype_to_f32(rsd_dtype t, const void *data, float *x, size_t n);

#endif
