/* Predictions of spectra held against what was measured, and what is low rank. */
#ifndef RSD_COMPARISON_H
#define RSD_COMPARISON_H

#include "compare/ahead.h"
#include "compare/points.h"
#include "compare/starts.h"
#include "result/same_bytes.h"
#include "spectra/verdict.h"

/* Medians over matrices: a rank, and the same over the most that it could be. */
typedef struct {
    double rank, share;
} comparison_rank;

typedef struct {
    points kind[POINTS_KINDS];
    starts starts;
    ahead ahead;                      /* at the verdict's rank */
    comparison_rank W, R, H, G;       /* effective ranks; H and G: of their square roots */
    comparison_rank H_ratio, G_ratio; /* participation ratios of H and G */
    size_t rank;                      /* at which the verdict is reached */
    rsd_verdict verdict;              /* over the layers of all cases */
    rsd_verdict *by_case;             /* decided together */
    /* layers by the null that they are judged by; those that have a weighting and not its null */
    size_t judged_by[RSD_NULLS], no_null[RSD_WEIGHTINGS];
    same_bytes_list bytes; /* the caller's to fill; freed with the rest */
} comparison;

/* rank 0: the median of the runs' ranks, or 8; no more than the widest layer has.
 * Free with comparison_free, also after a failure.  Errors: RSD_ENOMEM. */
RSD_CHECK int comparison_make(const evidence *e, size_t rank, uint64_t seed, comparison *out);
void comparison_free(comparison *c);

#endif
