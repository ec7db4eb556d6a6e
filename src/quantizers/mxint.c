/* Sign and magnitude in blocks that share the exponent of their largest weight: what QERA and the
 * papers before it call MXINT.  bits=8,block=32 gives the numbers of mx:format=int8. */
#include "quantizers/microscale.h"

typedef struct {
    size_t bits, block;
} params;

static const params defaults = { .bits = 4, .block = 32 };

/* clang-format off */
static const rsd_opt options[] = {
    { "bits", 0, RSD_OPT_SIZE, offsetof(params, bits), 2, 8, "bits",
      "bits per code, sign included" },
    { "block", 0, RSD_OPT_SIZE, offsetof(params, block), 2, 65536, "weights",
      "weights of a row that share an exponent" },
    { 0 },
};
/* clang-format on */

static const rsd_alias aliases[] = {
    { "mxint4", "bits=4" },
    { "mxint3", "bits=3" },
    { "mxint2", "bits=2,block=16" },
    { 0 },
};

/* Magnitudes are below 2 and counted in units of 2^(2-bits); halves go to even.  Whole numbers from
 * -top to top take a sign bit by a shift of theirs. */
static void encode(const void *p, const float *x, size_t n, uint8_t *codes)
{
    const params *a = p;
    const float units = (float)(1 << (a->bits - 2)), top = (float)((1 << (a->bits - 1)) - 1);
    const int sign = 1 << (a->bits - 1);
    for (size_t i = 0; i < n; i++) {
        float q = x[i] * units;
        q = q > top ? top : q < -top ? -top : q;
        const int whole = (int)((q + 0x1.8p23f) - 0x1.8p23f), below = whole >> 31;
        codes[i] = (uint8_t)(((whole ^ below) - below) | (sign & below));
    }
}

static void decode(const void *p, const uint8_t *codes, size_t n, float *x)
{
    const params *a = p;
    const float unit = 1 / (float)(1 << (a->bits - 2));
    const int sign = 1 << (a->bits - 1);
    for (size_t i = 0; i < n; i++) {
        const int size = codes[i] & (sign - 1), below = -((codes[i] & sign) != 0);
        x[i] = (float)((size ^ below) - below) * unit;
    }
}

static rsd_microscale layout(const void *p)
{
    const params *a = p;
    return (rsd_microscale){ .block = a->block, .bits = (int)a->bits, .dtype = "U8" };
}

static const rsd_microscale_elements elements = { layout, encode, decode };

/* Idempotent: the largest magnitude has its top bit set before and after. */
const rsd_quantizer rsd_quantizer_mxint = {
    .name = "mxint",
    .summary = "block floating point: sign and magnitude, an exponent per block of a row",
    .reference = "Zhang et al., QERA, ICLR 2025; Darvish Rouhani et al., ISCA 2023",
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
