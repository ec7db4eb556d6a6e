/* The Open Compute Project's microscaling formats: blocks of 32 share a power of two, which brings
 * the largest weight to the element format's largest exponent.  A weight whose mantissa lies beyond
 * the format's largest number becomes that number: for e2m1 all between 6 and 8, where the scale
 * could as well have been twice as large; the specification has it so. */
#include "fp.h"
#include "quantizers/microscale.h"

#include <math.h>

typedef struct {
    int format, rounding;
} params;

enum { BLOCK = 32, INT8_ONE = 64, INT8_MAX_CODE = 127 };
enum { EVEN, NEAREST };

static const rsd_fp e2m1 = { "e2m1", 2, 1, 1, RSD_FP_NONE, 6 };
static const rsd_fp e2m3 = { "e2m3", 2, 3, 1, RSD_FP_NONE, 7.5f };
static const rsd_fp e3m2 = { "e3m2", 3, 2, 3, RSD_FP_NONE, 28 };

static const struct {
    const rsd_fp *fp; /* NULL: two's complement in units of 1/64 */
    int bits, exponent;
    const char *dtype;
} formats[] = {
    { &e2m1, 4, 2, "U8" },          { &e2m3, 6, 2, "U8" },           { &e3m2, 6, 4, "U8" },
    { &rsd_e4m3, 8, 8, "F8_E4M3" }, { &rsd_e5m2, 8, 15, "F8_E5M2" }, { NULL, 8, 0, "I8" },
};

static const params defaults = { 0 };

/* clang-format off */
static const rsd_opt options[] = {
    { "format", 0, RSD_OPT_CHOICE, offsetof(params, format), 0, 0, "e2m1|e2m3|e3m2|e4m3|e5m2|int8",
      "number format of the elements" },
    { "rounding", 0, RSD_OPT_CHOICE, offsetof(params, rounding), 0, 0, "even|nearest",
      "where ties go: to the even mantissa, as the specification says, or away from 0" },
    { 0 },
};
/* clang-format on */

static const rsd_alias aliases[] = {
    { "mxfp6", "format=e2m3" },
    { "mxfp8", "format=e4m3" },
    { "mxint8", "format=int8" },
    { 0 },
};

/* Halves to even leave a tie at one of two codes; at the lower one it moves up. */
static void move_ties_up(const rsd_fp *fp, int bits, const float *x, size_t n, uint8_t *codes)
{
    float middle[128]; /* between a magnitude and the next */
    const uint8_t sign = (uint8_t)(1 << (bits - 1));
    const uint8_t last = (uint8_t)rsd_fp_encode(fp, fp->max, true);
    for (uint8_t c = 0; c < last; c++)
        middle[c] = (rsd_fp_decode(fp, c) + rsd_fp_decode(fp, c + 1U)) / 2;
    middle[last] = INFINITY;
    for (size_t i = 0; i < n; i++)
        codes[i] = (uint8_t)(codes[i] + (fabsf(x[i]) >= middle[codes[i] & (sign - 1)]));
}

/* Beyond 127/64 it is 127/64; |x| < 2, so the sum has no room for a fraction of 1/64. */
static void encode_int8(int rounding, const float *x, size_t n, uint8_t *codes)
{
    const float top = INT8_MAX_CODE;
    for (size_t i = 0; i < n; i++) {
        float t = x[i] * INT8_ONE;
        t = rounding == EVEN ? t : truncf(t + copysignf(0.5f, t));
        t = t > top ? top : t < -top ? -top : t;
        codes[i] = (uint8_t)(int8_t)(int)((t + 0x1.8p23f) - 0x1.8p23f);
    }
}

static void encode(const void *p, const float *x, size_t n, uint8_t *codes)
{
    const params *a = p;
    const rsd_fp *fp = formats[a->format].fp;
    if (!fp) {
        encode_int8(a->rounding, x, n, codes);
        return;
    }
    rsd_fp_encode_array(fp, x, codes, n, true);
    if (a->rounding == NEAREST)
        move_ties_up(fp, formats[a->format].bits, x, n, codes);
}

static void decode(const void *p, const uint8_t *codes, size_t n, float *x)
{
    const params *a = p;
    if (formats[a->format].fp)
        rsd_fp_decode_array(formats[a->format].fp, codes, x, n);
    else
        for (size_t i = 0; i < n; i++)
            x[i] = (float)(int8_t)codes[i] / INT8_ONE;
}

static rsd_microscale layout(const void *p)
{
    const params *a = p;
    return (rsd_microscale){ .block = BLOCK,
                             .bits = formats[a->format].bits,
                             .down = formats[a->format].exponent,
                             .dtype = formats[a->format].dtype };
}

static const rsd_microscale_elements elements = { layout, encode, decode };

/* Idempotent: the largest weight stays in its binade, so the block keeps its scale. */
const rsd_quantizer rsd_quantizer_mx = {
    .name = "mx",
    .summary = "microscaling: blocks of 32 small floats that share a power of two",
    .reference =
        "OCP Microscaling Formats (MX) specification 1.0; Rouhani et al., arXiv 2310.10537",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .aliases = aliases,
    .data = &elements,
    .idempotent = rsd_idempotent_always,
    .scales = rsd_microscale_scales,
    .pack = rsd_microscale_pack,
    .unpack = rsd_microscale_unpack,
};
