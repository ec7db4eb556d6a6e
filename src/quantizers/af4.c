#include "quantizers/codebook.h"
#include "quantizers/quantizer.h"

/* AbnormalFloat: the 16 levels, 1, 0 and -1 among them, whose expected absolute error is least for
 * normal weights in blocks of 64.  NF4's would be, were the largest of a block not one of them.
 * Codes descend, as bitsandbytes numbers them. */
static const rsd_codebook book = {
    4,
    { 1, 0.72424865f, 0.55496234f, 0.42563882f, 0.31675667f, 0.21961275f, 0.12934484f, 0.04273164f,
      0, -0.04934812f, -0.14982478f, -0.25607553f, -0.3736951f, -0.5124374f, -0.6944101f, -1 }
};

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

const rsd_quantizer rsd_quantizer_af4 = {
    .name = "af4",
    .summary = "AbnormalFloat: blockwise absmax, levels of least absolute error",
    .source = "Yoshida, NF4 isn't information theoretically optimal, 2023; bitsandbytes 95f9af30",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .idempotent = idempotent,
    .settle = settle,
    .pack = pack,
    .unpack = unpack,
};
