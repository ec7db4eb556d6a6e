#include "quantizers/nf.h"

#include "quantizers/codebook.h"

/* Levels at quantiles of the normal distribution, so that weights drawn from one use every code
 * about equally often.  With k = 2^(bits-1) and o = 1 - (1/32 + 1/30)/2: the k upper ones of the
 * k+1 quantiles evenly spaced from 1/2 to o, the k-1 lower ones of k, mirrored, and 0, divided by
 * the largest.  o is that of 4 bits for every width.  The constants are the published float32
 * ones; recomputed in double, some differ in the last bit. */
static const rsd_codebook books[] = {
    { 2, { -1, 0, 0.33791524f, 1 } },
    { 3, { -1, -0.4786292f, -0.21714179f, 0, 0.1609302f, 0.33791524f, 0.562617f, 1 } },
    { 4,
      { -1, -0.6961928009986877f, -0.5250730514526367f, -0.39491748809814453f,
        -0.28444138169288635f, -0.18477343022823334f, -0.09105003625154495f, 0,
        0.07958029955625534f, 0.16093020141124725f, 0.24611230194568634f, 0.33791524171829224f,
        0.44070982933044434f, 0.5626170039176941f, 0.7229568362236023f, 1 } },
};

float rsd_nf_level(int bits, uint8_t code) { return books[bits - 2].value[code]; }

uint8_t rsd_nf_code(int bits, float x)
{
    const float *level = books[bits - 2].value;
    uint8_t code = 0;
    while (code + 1 < 1 << bits && x > (level[code] + level[code + 1]) / 2)
        code++;
    return code;
}

/* clang-format off */
static const rsd_opt options[] = {
    { "bits", 0, RSD_OPT_SIZE, offsetof(rsd_codebook_params, bits), 2, 4, "bits", "bits per code" },
    { "block", 0, RSD_OPT_SIZE, offsetof(rsd_codebook_params, block), 8, 65536, "weights",
      "weights that share an absmax, a multiple of 8; blocks run over the flat tensor" },
    { "double", 0, RSD_OPT_FLAG, offsetof(rsd_codebook_params, double_quant), 0, 0, NULL,
      "store each absmax in 8 bits (double quantization)" },
    { 0 },
};
/* clang-format on */

static const rsd_alias aliases[] = {
    { "nf4", "bits=4" },
    { "nf3", "bits=3" },
    { "nf2", "bits=2" },
    { 0 },
};

const rsd_quantizer rsd_quantizer_nf = {
    .name = "nf",
    .summary = "NormalFloat: blockwise absmax, levels at normal quantiles",
    .reference = "Dettmers et al., QLoRA, NeurIPS 2023; bitsandbytes",
    .options = options,
    .defaults = &rsd_codebook_defaults,
    .params_size = sizeof(rsd_codebook_params),
    .aliases = aliases,
    .data = books,
    .idempotent = rsd_codebook_idempotent,
    .scales = rsd_codebook_scales,
    .settle = rsd_codebook_settle,
    .pack = rsd_codebook_pack,
    .unpack = rsd_codebook_unpack,
};
