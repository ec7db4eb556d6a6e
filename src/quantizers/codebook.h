/* Private to src/quantizers.  Blockwise codebooks: each block of the flat row-major matrix, which
 * may cross rows, is divided by its largest magnitude and every weight becomes the code of the
 * nearest level.
 *
 * The arithmetic is that of bitsandbytes' reference kernels, to the bit: w * (1/absmax) in float32,
 * but w / absmax in a last block that is short, whose absmax is at least 1e-38; an exact midpoint
 * goes to the lower level.  (Where 1/absmax overflows, those kernels answer NaN; here they divide.)
 * Source: bitsandbytes 95f9af30, backends/default; Dettmers et al., NeurIPS 2023. */
#ifndef RSD_QUANTIZERS_CODEBOOK_H
#define RSD_QUANTIZERS_CODEBOOK_H

#include "err.h"
#include "mat.h"
#include "quantizers/quantizer.h"

#include <stdbool.h>

typedef struct {
    int bits;        /* 2, 3 or 4 */
    float value[16]; /* level of each code; largest magnitude 1; holds 0, perhaps twice */
} rsd_codebook;

/* What these quantizers take; the options are block and double, 4 bits and 64 weights the defaults.
 * Their .data is an rsd_codebook, or several of which `bits` chooses. */
typedef struct {
    size_t bits, block;
    bool double_quant;
} rsd_codebook_params;
extern const rsd_opt rsd_codebook_options[];
extern const rsd_codebook_params rsd_codebook_defaults;

/* Unless absmaxima are rounded themselves. */
bool rsd_codebook_idempotent(const rsd_spec *spec);

/* Blocks of the flat matrix. */
rsd_scale_runs rsd_codebook_scales(const rsd_spec *spec);

/* Blocks must fill whole bytes of codes.  Errors: RSD_EUSAGE unless block is a multiple of 8. */
RSD_CHECK int rsd_codebook_settle(void *params);

/* Sections, for n = rows x columns weights in blocks of `block` (a multiple of 8):
 *   codes   U8, bits each, first code in the low bits; 4-bit codes first in the high nibble, as
 *           bitsandbytes packs them, and an odd last one is followed by the code of 0
 *   absmax  F32[ceil(n/block)], or with double_quant what rsd_double_quant_pack adds
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_codebook_pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c,
                                rsd_packed *out);
RSD_CHECK int rsd_codebook_unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq);

/* scaled[n] = x / max|x| in the arithmetic above, `whole` for a block that is not cut short;
 * returns the maximum.  scaled may be x. */
float rsd_block_normalize(const float *x, size_t n, bool whole, float *scaled);

/* codes[n] of the nearest of count <= 256 levels to x[n] (ascending, the midpoints between them in
 * bound[count-1]; an exact midpoint goes down): how many bounds lie below x. */
void rsd_nearest(const float *x, size_t n, const float *bound, size_t count, uint8_t *codes);

#endif
