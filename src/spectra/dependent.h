/* Numbers of measurements of which some are not independent, with their intervals.
 *
 * Measurements of one layer under four quantizers are four looks at one layer: they form a cluster.
 * Whole clusters are drawn, so that an interval says what another set of layers would have given.
 * Few clusters say little of how much they differ: below RSD_FEWEST_CLUSTERS there is an estimate
 * and no interval. */
#ifndef RSD_SPECTRA_DEPENDENT_H
#define RSD_SPECTRA_DEPENDENT_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RSD_FEWEST_CLUSTERS = 8 };

typedef struct {
    double value, low, high; /* the estimate, and its 95 % interval; NaN: not known */
} rsd_interval;

/* Items 0 ... that count, a cluster's side by side. */
typedef struct {
    size_t n, count; /* items, clusters */
    size_t *item;    /* [n] */
    size_t *first;   /* [count + 1] into item */
    size_t *draw;    /* room for a draw */
} rsd_clusters;

/* cluster[i]: the number of item i's cluster, any numbers; NULL: each for itself.  counts[i]: item
 * i is there at all; NULL: all are.  Free with rsd_clusters_free, also after a failure.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_clusters_make(const size_t *cluster, const bool *counts, size_t n,
                                rsd_clusters *out);
void rsd_clusters_free(rsd_clusters *c);

/* Most items that a draw can have. */
size_t rsd_clusters_capacity(const rsd_clusters *c);

/* Numbers of a set of items, of which some may be there more than once; NaN where undefined. */
typedef void (*rsd_statistic)(const void *context, const size_t *item, size_t n, double *out);

/* out[numbers]: of all items, with the middle of 2000 draws of as many clusters with replacement.
 * Percentiles of draws are too narrow for few clusters G; they are taken as far out as makes the
 * interval of a mean as wide as Student's: at Phi(-+ sqrt(G/(G-1)) t(.975; G-1)).
 * No interval below RSD_FEWEST_CLUSTERS, or where more than a tenth of the draws are undefined.
 * together: how many intervals are looked at together, each being made so much wider that all hold
 * with 95 % (Bonferroni); 1 for one.  Errors: RSD_ENOMEM.
 * Source: Efron & Tibshirani 1993, section 13; Hesterberg, American Statistician 69 (2015) 371,
 * section 4.4 (the expanded percentile interval). */
RSD_CHECK int rsd_clusters_intervals(rsd_clusters *c, rsd_statistic statistic, const void *context,
                                     size_t numbers, size_t together, uint64_t seed,
                                     rsd_interval *out);

/* Mean of x[n] with its interval; values that are NaN count nowhere, and *clusters (or NULL) gets
 * the number of independent ones.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_mean_interval(const double *x, const size_t *cluster, size_t n, uint64_t seed,
                                rsd_interval *out, size_t *clusters);

#endif
