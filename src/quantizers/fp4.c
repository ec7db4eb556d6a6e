#include "quantizers/codebook.h"
#include "quantizers/quantizer.h"

/* bitsandbytes' FP4: a sign, then eight magnitudes over 12 in the order of their bit patterns.
 * It is not OCP's E2M1, whose smallest step is 1/12 = .0833 instead of .0052. */
static const rsd_codebook book = { 4,
                                   { 0, 0.0625f / 12, 8.0f / 12, 1, 4.0f / 12, 6.0f / 12, 2.0f / 12,
                                     3.0f / 12, 0, -0.0625f / 12, -8.0f / 12, -1, -4.0f / 12,
                                     -6.0f / 12, -2.0f / 12, -3.0f / 12 } };

typedef struct {
    size_t block;
    bool double_quant;
} params;

static const params defaults = { .block = 64 };

static const rsd_opt options[] = {
    { "block", 0, RSD_OPT_SIZE, offsetof(params, block), 8, 65536, "weights",
      "weights that share an absmax, a multiple of 8; blocks run over the flat tensor" },
    { "double", 0, RSD_OPT_FLAG, offsetof(params, double_quant), 0, 0, NULL,
      "store each absmax in 8 bits (double quantization)" },
    { 0 },
};

static bool idempotent(const void *p)
{
    return !((const params *)p)->double_quant;
}

static int settle(void *p)
{
    return rsd_codebook_check_block(((const params *)p)->block);
}

static int pack(const void *p, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    (void)c;
    const params *a = p;
    return rsd_codebook_pack(&book, a->block, a->double_quant, W, out);
}

static int unpack(const void *p, const rsd_packed *in, rsd_mat Wq)
{
    const params *a = p;
    return rsd_codebook_unpack(&book, a->block, a->double_quant, in, Wq);
}

const rsd_quantizer rsd_quantizer_fp4 = {
    .name = "fp4",
    .summary = "bitsandbytes' 4-bit float: blockwise absmax, a sign and eight magnitudes",
    .source = "Dettmers et al., QLoRA, NeurIPS 2023; bitsandbytes",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .idempotent = idempotent,
    .settle = settle,
    .pack = pack,
    .unpack = unpack,
};
