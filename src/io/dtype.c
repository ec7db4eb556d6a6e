#include "io/dtype.h"

#include "fp.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "model files are little-endian");

/* Elements converted at a time: the piece that is copied out of the file to be aligned. */
enum { PIECE = 1024 };

static const struct {
    const char *name, *numpy;
    size_t bits;
    bool real;
} types[RSD_DTYPES] = {
#define ROW(code, name, bits, numpy, real) [RSD_##code] = { name, numpy, bits, real },
    RSD_DTYPE_LIST(ROW)
#undef ROW
};

const char *rsd_dtype_name(rsd_dtype t) { return types[t].name; }

const char *rsd_dtype_numpy(rsd_dtype t) { return types[t].numpy; }

size_t rsd_dtype_bytes(rsd_dtype t)
{
    assert(types[t].bits % 8 == 0);
    return types[t].bits / 8;
}

bool rsd_dtype_span(rsd_dtype t, size_t numbers, size_t *bytes)
{
    const size_t bits = types[t].bits;
    if (bits % 8 == 0)
        return !__builtin_mul_overflow(numbers, bits / 8, bytes);
    if (__builtin_mul_overflow(numbers, bits, bytes) || *bytes % 8)
        return false;
    *bytes /= 8;
    return true;
}

bool rsd_dtype_is_real(rsd_dtype t) { return types[t].real; }

double rsd_dtype_rounding(rsd_dtype t)
{
    const rsd_fp *format = t == RSD_F16    ? &rsd_fp16
                           : t == RSD_BF16 ? &rsd_bf16
                           : t == RSD_E4M3 ? &rsd_e4m3
                           : t == RSD_E5M2 ? &rsd_e5m2
                                           : NULL;
    return format ? ldexp(1, -1 - format->mantissa_bits) : 0x1p-24;
}

bool rsd_dtype_find(const char *name, rsd_dtype *out)
{
    for (int t = 0; t < RSD_DTYPES; t++)
        if (strcmp(types[t].name, name) == 0) {
            *out = (rsd_dtype)t;
            return true;
        }
    return false;
}

bool rsd_dtype_find_numpy(const char *descr, rsd_dtype *out)
{
    for (int t = 0; t < RSD_DTYPES; t++)
        if (*descr && strcmp(types[t].numpy, descr) == 0) {
            *out = (rsd_dtype)t;
            return true;
        }
    return false;
}

/* A power of two, of which the code is the exponent of a float; 255 is no number. */
static void decode_e8m0(const uint8_t *code, float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] = code[i] == UINT8_MAX ? NAN : ldexpf(1, code[i] - 127);
}

/* n <= PIECE values; from is aligned for every type. */
static void convert(rsd_dtype t, const void *from, float *x, size_t n)
{
    switch (t) {
    case RSD_F64:
        for (size_t i = 0; i < n; i++)
            x[i] = (float)((const double *)from)[i];
        break;
    case RSD_F16:
        rsd_fp_decode_array(&rsd_fp16, from, x, n);
        break;
    case RSD_BF16:
        rsd_fp_decode_array(&rsd_bf16, from, x, n);
        break;
    case RSD_E4M3:
        rsd_fp_decode_array(&rsd_e4m3, from, x, n);
        break;
    case RSD_E5M2:
        rsd_fp_decode_array(&rsd_e5m2, from, x, n);
        break;
    case RSD_E8M0:
        decode_e8m0(from, x, n);
        break;
    default:
        assert(rsd_dtype_is_real(t));
    }
}

/* A tensor may begin at any byte of its file, so each piece is first copied to where doubles may
 * lie.  The copy stays in the first-level cache; the file's page faults cost far more. */
void rsd_dtype_to_f32(rsd_dtype t, const void *data, float *x, size_t n)
{
    if (t == RSD_F32) {
        if (n)
            memcpy(x, data, n * sizeof *x);
        return;
    }
    const size_t size = rsd_dtype_bytes(t);
    const uint8_t *from = data;
    double aligned[PIECE];
    while (n) {
        const size_t k = n < PIECE ? n : PIECE;
        memcpy(aligned, from, k * size);
        convert(t, aligned, x, k);
        from += k * size;
        x += k;
        n -= k;
    }
}
