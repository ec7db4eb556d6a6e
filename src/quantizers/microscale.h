/* Private to src/quantizers.  Blocks that share a power of two: what mx and mxint have in common.
 * Blocks run along the inputs inside a row; a row's last block may be shorter. */
#ifndef RSD_QUANTIZERS_MICROSCALE_H
#define RSD_QUANTIZERS_MICROSCALE_H

#include "err.h"
#include "mat.h"
#include "quantizers/quantizer.h"

#include <stdint.h>

/* E8M0: a power of two in a byte, 2^(code - 127). */
enum { RSD_E8M0_BIAS = 127 };

/* floor(log2 max|x|) of x[n]; for zeros one less than any number's. */
int rsd_block_exponent(const float *x, size_t n);

/* 2^e, exactly, for -149 <= e <= 127. */
float rsd_power_of_2(int e);

/* How a method stores its elements: codes of `bits` bits, 2 to 8, for weights that were divided by
 * the power of two of their block, whose exponent is floor(log2 max|x|) - down, at least -127. */
typedef struct {
    size_t block;
    int bits, down;
    const char *dtype; /* of the codes: "U8" packs them to `bits` bits, row by row */
} rsd_microscale;

/* What these quantizers' .data is; params are the quantizer's own. */
typedef struct {
    rsd_microscale (*layout)(const void *params);
    void (*encode)(const void *params, const float *x, size_t n, uint8_t *codes);
    void (*decode)(const void *params, const uint8_t *codes, size_t n, float *x);
} rsd_microscale_elements;

/* Their blocks. */
rsd_scale_runs rsd_microscale_scales(const rsd_spec *spec);

/* Sections: codes, `bits` each, rows starting at a byte; E8M0 scales U8[rows][ceil(columns/block)].
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_microscale_pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c,
                                  rsd_packed *out);
RSD_CHECK int rsd_microscale_unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq);

#endif
