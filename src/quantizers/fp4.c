/* bitsandbytes' FP4: a sign, then eight magnitudes over 12 in the order of their bit patterns. It
 * is not OCP's E2M1, whose smallest step is 1/12 = .0833 instead of .0052. */
#include "quantizers/codebook.h"

static const rsd_codebook book = { 4,
                                   { 0, 0.0625f / 12, 8.0f / 12, 1, 4.0f / 12, 6.0f / 12, 2.0f / 12,
                                     3.0f / 12, 0, -0.0625f / 12, -8.0f / 12, -1, -4.0f / 12,
                                     -6.0f / 12, -2.0f / 12, -3.0f / 12 } };

const rsd_quantizer rsd_quantizer_fp4 = {
    .name = "fp4",
    .summary = "bitsandbytes' 4-bit float: blockwise absmax, a sign and eight magnitudes",
    .reference = "Dettmers et al., QLoRA, NeurIPS 2023; bitsandbytes",
    .options = rsd_codebook_options,
    .defaults = &rsd_codebook_defaults,
    .params_size = sizeof(rsd_codebook_params),
    .idempotent = rsd_codebook_idempotent,
    .scales = rsd_codebook_scales,
    .settle = rsd_codebook_settle,
    .data = &book,
    .pack = rsd_codebook_pack,
    .unpack = rsd_codebook_unpack,
};
