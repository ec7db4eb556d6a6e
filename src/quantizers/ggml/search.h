/* Private to src/quantizers/ggml: the searches for a sub-block's scale, four sub-blocks at a time
 * (lanes.h).  n is the length of a sub-block, at most RSD_SUB_MAX; t->w >= 0 are the
 * importances.  Codes are written as numbers, code[i][lane].
 * Source: ggml d99724f, ggml-quants.c: make_qx_quants, make_q3_quants, make_qkx2_quants,
 * make_qkx3_quants, make_qp_quants, quantize_row_iq4_nl_impl. */
#ifndef RSD_QUANTIZERS_GGML_SEARCH_H
#define RSD_QUANTIZERS_GGML_SEARCH_H

#include "quantizers/ggml/lanes.h"

/* The first weight of largest magnitude of each sub-block, and that magnitude. */
rsd_lanes rsd_lanes_extreme(const rsd_lane_tile *t, size_t n, rsd_lanes *magnitude);

/* x ~ scale (code - levels), codes 0 to 2 levels - 1: nineteen scales near the one that puts the
 * largest weight on code 0; the one with the largest (sum w x l)^2 / sum w l^2 wins, and becomes
 * sum w x l / sum w l^2.  Sub-blocks below 1e-15 get scale 0 and codes 0. */
rsd_lanes rsd_search_symmetric(const rsd_lane_tile *t, size_t n, float levels, rsd_lanes *code);

/* The same by coordinate descent from the first of these scales: a code changes where that makes
 * the same quotient larger, weights being x^2; five passes at most.  q3_K's, levels = 4. */
rsd_lanes rsd_search_descent(const rsd_lane_tile *t, size_t n, float levels, rsd_lanes *code);

/* x ~ scale code - min, codes 0 to top, min >= 0: weighted least squares for the codes of each of
 * steps + 1 trial scales (first + step k + top) / (max - min). */
typedef struct {
    float top, first, step;
    int steps;
    int absolute; /* keep the least sum of w |error|, else of w error^2 */
} rsd_pair_search;
rsd_lanes rsd_search_pair(const rsd_pair_search *how, const rsd_lane_tile *t, size_t n,
                          rsd_lanes *code, rsd_lanes *min);

/* x ~ scale level[code] on iq4's levels: 2 trials + 1 scales besides the first; for trials = 0
 * none, and a first scale of the other sign.  Sub-blocks below 1e-15 get scale 0.  *first: 1/scale
 * of the first. */
rsd_lanes rsd_search_iq4(const rsd_lane_tile *t, size_t n, int trials, rsd_lanes *first);

/* code[n]: nearest of iq4's levels to inverse * x, ties to the upper one; 0 for a NaN. */
void rsd_nearest_iq4(const float *x, size_t n, float inverse, uint8_t *code);

/* x[n] >= 0 ~ scale code, codes 0 to top: a super-block's scales, weighted; n <= RSD_SUB_MAX. */
float rsd_search_scales(const float *x, const float *w, size_t n, float top, uint8_t *code);

#endif
