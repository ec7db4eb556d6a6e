#include "fp.h"

#include <assert.h>
#include <math.h>
#include <string.h>

const rsd_fp rsd_fp16 = { "fp16", 5, 10, 15, RSD_FP_INF_NAN, 65504.0f };
const rsd_fp rsd_bf16 = { "bf16", 8, 7, 127, RSD_FP_INF_NAN, 0x1.fep127f };
const rsd_fp rsd_e4m3 = { "e4m3", 4, 3, 7, RSD_FP_NAN, 448.0f };
const rsd_fp rsd_e5m2 = { "e5m2", 5, 2, 15, RSD_FP_INF_NAN, 57344.0f };

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

static float from_bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* A format in the terms of the two kernels below, which are branch-free so that their loops
 * vectorise, and are the only place where a code is made or read. */
typedef struct {
    int width, shift;   /* bits below the sign; float32 mantissa bits that the format lacks */
    uint32_t rebias;    /* difference of the exponent biases, at the code's exponent field */
    uint32_t max, over; /* largest finite code; the code of what is beyond it */
    uint32_t nan;       /* magnitude of the NaN that is written */
    uint32_t normal;    /* float32 bits of the smallest normal number */
    float scale;        /* 2^(127 - bias): float32's exponents to the format's */
    float magic;        /* 2^23 quanta of the subnormals: adding it rounds to a quantum */
} layout;

static layout layout_of(const rsd_fp *f, bool saturate)
{
    const int m = f->mantissa_bits, least = 1 - f->bias;
    const uint32_t all = (UINT32_C(1) << (f->exponent_bits + m)) - 1;
    layout a = { .width = f->exponent_bits + m,
                 .shift = 23 - m,
                 .rebias = (uint32_t)(127 - f->bias) << m,
                 .normal = (uint32_t)(least + 127) << 23,
                 .scale = ldexpf(1, 127 - f->bias),
                 .magic = ldexpf(1, least - m + 23) };
    const uint32_t infinity = all >> m << m;
    a.max = f->special == RSD_FP_INF_NAN ? infinity - 1 : f->special == RSD_FP_NAN ? all - 1 : all;
    a.nan = f->special == RSD_FP_INF_NAN ? infinity | UINT32_C(1) << (m - 1) : all;
    a.over = saturate || f->special == RSD_FP_NONE ? a.max : a.max + 1;
    return a;
}

/* The code's fields sit where float32 has its own, only the bias differs: one exact product puts
 * that right, for subnormals too.  Beyond max, the exponent field is filled up: Inf and NaN. */
static inline float decode(const layout *a, uint32_t code)
{
    const uint32_t magnitude = code & ((UINT32_C(1) << a->width) - 1);
    const uint32_t sign = (code >> a->width & 1) << 31;
    const uint32_t value = bits_of(from_bits(magnitude << a->shift) * a->scale);
    return from_bits(sign | value | (magnitude > a->max ? UINT32_C(0x7f800000) : 0));
}

/* Normal numbers round in integers: adding half a quantum less one, plus the bit that decides a
 * tie, carries into the exponent field by itself.  Subnormals round in the adder. */
static inline uint32_t encode(const layout *a, float x)
{
    const uint32_t u = bits_of(x) & UINT32_C(0x7fffffff);
    const uint32_t sign = bits_of(x) >> 31 << a->width;
    const uint32_t half = (UINT32_C(1) << (a->shift - 1)) - 1;
    const uint32_t rounded = ((u + half + (u >> a->shift & 1)) >> a->shift) - a->rebias;
    const uint32_t small = bits_of(from_bits(u) + a->magic) - bits_of(a->magic);
    const uint32_t is_small = -(uint32_t)(u < a->normal); /* a mask: `?:` would become a branch */
    uint32_t code = (small & is_small) | (rounded & ~is_small);
    code = code > a->max ? a->over : code;
    return sign | (u > UINT32_C(0x7f800000) ? a->nan : code);
}

float rsd_fp_decode(const rsd_fp *f, uint32_t code)
{
    const layout a = layout_of(f, true);
    return decode(&a, code);
}

uint32_t rsd_fp_encode(const rsd_fp *f, float x, bool saturate)
{
    assert(f->special != RSD_FP_NONE || !isnan(x));
    const layout a = layout_of(f, saturate);
    return encode(&a, x);
}

void rsd_fp_decode_array(const rsd_fp *f, const void *codes, float *x, size_t n)
{
    const layout a = layout_of(f, true);
    if (a.width < 8) {
        const uint8_t *c = codes;
        for (size_t i = 0; i < n; i++)
            x[i] = decode(&a, c[i]);
    } else {
        const uint16_t *c = codes;
        for (size_t i = 0; i < n; i++)
            x[i] = decode(&a, c[i]);
    }
}

void rsd_fp_encode_array(const rsd_fp *f, const float *x, void *codes, size_t n, bool saturate)
{
    const layout a = layout_of(f, saturate);
    if (f->special == RSD_FP_NONE)
        for (size_t i = 0; i < n; i++)
            assert(!isnan(x[i]));
    if (a.width < 8) {
        uint8_t *c = codes;
        for (size_t i = 0; i < n; i++)
            c[i] = (uint8_t)encode(&a, x[i]);
    } else {
        uint16_t *c = codes;
        for (size_t i = 0; i < n; i++)
            c[i] = (uint16_t)encode(&a, x[i]);
    }
}
