/* Private to src/quantizers.  Groups of a row that are rounded on a common grid: what the
 * data-aware quantizers share.
 *
 *   affine      w ~ s (c - z), range min(0, min) .. max(0, max), z = round(-min / s)
 *   symmetric   the range is +-max|w|, z = 2^(bits-1): all 2^bits levels, unlike int's
 *   nf          w ~ s level[c], s = max|w|, NormalFloat levels
 *
 * The arithmetic is float32, halves to even, divisions true, as in GPTQ's and AWQ's code.
 * Source: Frantar et al., GPTQ, ICLR 2023, quant.py. */
#ifndef RSD_QUANTIZERS_GRID_H
#define RSD_QUANTIZERS_GRID_H

#include "fp.h"
#include "mat.h"
#include "quantizers/packed.h"

#include <stdbool.h>

typedef enum { RSD_GRID_AFFINE, RSD_GRID_SYMMETRIC, RSD_GRID_NF } rsd_grid_kind;

typedef struct {
    rsd_grid_kind kind;
    int bits;    /* 2 .. 8; nf 2 .. 4 */
    bool tight;  /* affine: the range is min .. max as it is, AWQ's; z is clamped all the same */
    bool search; /* shrink the range for the least sum |error|^2.4 (affine, symmetric) */
    const rsd_fp *store; /* scales are rounded to this before they are used; NULL: float32 */
} rsd_grid;

/* fp16 for the scales of W, or bf16 where its weights are too small or too large for fp16. */
const rsd_fp *rsd_grid_store(rsd_mat W, int bits);

typedef struct {
    float scale, zero;
} rsd_grid_group;

/* The grid of x[n], n >= 1. */
rsd_grid_group rsd_grid_fit(const rsd_grid *grid, const float *x, size_t n);

/* The same for a range that is given, low <= high. */
rsd_grid_group rsd_grid_range(const rsd_grid *grid, float low, float high);

uint8_t rsd_grid_code(const rsd_grid *grid, rsd_grid_group g, float x);
float rsd_grid_value(const rsd_grid *grid, rsd_grid_group g, uint8_t code);

/* Both of x[n] at once; value may be x. */
void rsd_grid_round(const rsd_grid *grid, rsd_grid_group g, const float *x, size_t n, uint8_t *code,
                    float *value);

/* Which group each column belongs to: consecutive runs of `length`, or by a list. */
typedef struct {
    size_t length, groups;
    const int32_t *index; /* [n] group of each column; NULL: column / length */
} rsd_grid_groups;

/* Sections codes (bits each, rows padded to bytes), scales [m][groups], zeros (affine: bits each)
 * and, where groups->index is there, g_idx I32[n].
 *
 *   in  codes[m*n], group[m*groups]
 *
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_grid_pack(const rsd_grid *grid, const rsd_grid_groups *groups, size_t m, size_t n,
                            const uint8_t *codes, const rsd_grid_group *group, rsd_packed *out);

/* The inverse; length: of a group, 0 for the whole row.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_grid_unpack(const rsd_grid *grid, size_t length, const rsd_packed *in,
                              rsd_mat Wq);

#endif
