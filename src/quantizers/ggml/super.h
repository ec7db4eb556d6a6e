/* Private to src/quantizers/ggml: super-blocks of 256 weights whose sub-blocks of 16 or 32 have
 * small integer scales, in units that the super-block stores as fp16.
 *
 * Each sub-block's scale is searched for (search.h), the scales are rounded to their integers,
 * and codes are chosen once more for the scales as they are stored, unless a stored scale is 0:
 * then the search's codes stay. */
#ifndef RSD_QUANTIZERS_GGML_SUPER_H
#define RSD_QUANTIZERS_GGML_SUPER_H

#include "ggml/block_layout.h"
#include "quantizers/ggml/search.h"

/* x ~ d scale[s] code - dmin min[s] (q2_K, q4_K, q5_K). */
typedef struct {
    size_t sub;            /* weights in a sub-block */
    float scale_top;       /* largest scale and minimum */
    rsd_pair_search plain; /* without importance weights; absolute: they are |x|, else
                              |x| + sqrt(mean x^2) of the sub-block */
    float sigma;           /* with them: sigma^2 / mean x^2 of the super-block */
} rsd_super_pairs;

typedef struct {
    uint8_t code[RSD_GGML_SUPER], scale[16], min[16];
} rsd_super;

/* d, dmin: two bytes each, of the block. */
void rsd_super_encode_pairs(const rsd_super_pairs *how, const float *x, const float *weight,
                            rsd_super *out, uint8_t *d, uint8_t *dmin);

/* Sixteen sub-blocks x ~ scale[s] (code - levels), four in each tile (q3_K, q6_K): the search. */
typedef enum { RSD_SUPER_DESCENT, RSD_SUPER_TRIALS } rsd_super_search;
void rsd_super_search_symmetric(const rsd_lane_tile tiles[4], rsd_super_search how, float levels,
                                float scale[16], uint8_t *code);

/* code = x / d[s] + levels within its range, where d[s] is not 0. */
void rsd_super_recode(const float *x, const float d[16], float levels, uint8_t *code);

/* The number of largest magnitude, the first of several; 0 if all are. */
float rsd_extreme(const float *x, size_t n);

#endif
