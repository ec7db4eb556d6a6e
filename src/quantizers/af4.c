/* AbnormalFloat: the 16 levels, 1, 0 and -1 among them, whose expected absolute error is least for
 * normal weights in blocks of 64.  NF4's would be, were the largest of a block not one of them.
 * Codes descend, as bitsandbytes numbers them. */
#include "quantizers/codebook.h"

static const rsd_codebook book = {
    4,
    { 1, 0.72424865f, 0.55496234f, 0.42563882f, 0.31675667f, 0.21961275f, 0.12934484f, 0.04273164f,
      0, -0.04934812f, -0.14982478f, -0.25607553f, -0.3736951f, -0.5124374f, -0.6944101f, -1 },
};

const rsd_quantizer rsd_quantizer_af4 = {
    .name = "af4",
    .summary = "AbnormalFloat: blockwise absmax, levels of least absolute error",
    .reference =
        "Yoshida, NF4 isn't information theoretically optimal, 2023; bitsandbytes 95f9af30",
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
