/* How well a prediction goes with what was measured. */
#ifndef RSD_SPECTRA_ASSOCIATION_H
#define RSD_SPECTRA_ASSOCIATION_H

#include "spectra/dependent.h"

typedef struct {
    const double *predicted, *measured; /* [n]; pairs with a NaN count nowhere */
    const size_t *cluster; /* [n] pairs of equal number are not independent; NULL: all are */
    const size_t *group; /* [n] kinds that may differ by a constant, as quantizers do; NULL: one */
    size_t n;
    bool logarithms; /* the line is one of logarithms: pairs with a side at or below 0 are not on it
                      */
    uint64_t seed;
} rsd_association_job;

typedef struct {
    size_t n, clusters;    /* pairs, and independent ones among them */
    size_t line, groups;   /* pairs on the line; groups that `within` is a mean over */
    rsd_interval spearman; /* rank correlation, of all n: ranks need no logarithm */
    rsd_interval within;  /* mean over groups of the rank correlation inside each; NaN: no groups */
    rsd_interval pearson; /* of the pairs on the line, and so what follows */
    rsd_interval intercept, slope; /* least squares: measured = intercept + slope predicted */
    rsd_interval error;            /* sqrt of the mean squared difference: nothing is fitted */
} rsd_association;

/* Intervals are those of rsd_clusters_intervals.  Where every draw has the same perfect order a
 * bootstrap knows no doubt: the interval of a correlation is at least as wide as Fisher's z makes
 * it for as many pairs as there are clusters, a correlation of 1 being taken half of one exchange
 * of neighbours below (1 - 6/(G (G^2 - 1)). Fewer than 3 pairs, or values that are all equal, have
 * no correlation and no line: NaN. Errors: RSD_ENOMEM. Source: Bonett & Wright, Psychometrika 65
 * (2000) 23: se(z) = sqrt((1 + r^2/2)/(G - 3)). */
RSD_CHECK int rsd_associate(const rsd_association_job *job, rsd_association *out);

/* Are there independent pairs enough for a correlation, or a line, to be claimed? */
bool rsd_association_counts(const rsd_association *a);

#endif
