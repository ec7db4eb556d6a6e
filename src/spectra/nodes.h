/* Private to src/spectra: many values >= 0 as few with weights. */
#ifndef RSD_SPECTRA_NODES_H
#define RSD_SPECTRA_NODES_H

#include "err.h"

#include <stddef.h>

/* Values over the largest one.  The largest stand for themselves; below, neighbours of nearly the
 * same size are one node at their mean, so that sums of smooth functions are off by the square of
 * how much they differ. */
typedef struct {
    double *value, *weight; /* [count]; value falls from 1, weight: how many it stands for */
    size_t count, number;   /* number: of all values that are not 0 */
    double scale;           /* the largest value; 0 where there is none */
} rsd_nodes;

/* Of x[n] in any order; what is below 5e-32 of the largest counts as 0.  Free with rsd_nodes_free,
 * also after a failure.
 * Errors: RSD_EARG for n = 0; RSD_EDOM for a value that is negative or not finite; RSD_ENOMEM. */
RSD_CHECK int rsd_nodes_make(const double *x, size_t n, rsd_nodes *out);
void rsd_nodes_free(rsd_nodes *nodes);

/* Of the values over the largest one. */
double rsd_nodes_sum(const rsd_nodes *nodes);

#endif
