/* Private to src/quantizers.  Clusters of numbers on a line: k-means with weights. */
#ifndef RSD_QUANTIZERS_CLUSTER_H
#define RSD_QUANTIZERS_CLUSTER_H

#include <stddef.h>

enum { RSD_CLUSTERS_MAX = 16 };

typedef struct {
    float x; /* finite */
    float w; /* >= 0 */
} rsd_weighted;

/* a[n] in ascending order of x (-0 before 0), stably; scratch[n].  Radix sort, O(n). */
void rsd_weighted_sort(rsd_weighted *a, size_t n, rsd_weighted *scratch);

/* Centres of k clusters, 1 <= k <= 16, that make sum_i w_i min_j (x_i - centre_j)^2 small.
 *
 *   in   a[n]       sorted, n > 0
 *        sums[2(n+1)] scratch
 *   out  centre[k]  ascending; each is the weighted mean of the points that are nearest to it (of a
 *                   cluster of zero weights the plain mean); a's own values where k suffice
 *
 * Lloyd's iteration from the optimum of clusters that part at a few hundred places only: a local
 * optimum within a few per mille of the best.  On prefix sums a pass is O(k log n).
 * Source: Lloyd, IEEE Trans. Inf. Theory 28 (1982) 129; Wang & Song, R Journal 3/2 (2011) 29. */
void rsd_cluster(const rsd_weighted *a, size_t n, size_t k, double *sums, double *centre);

#endif
