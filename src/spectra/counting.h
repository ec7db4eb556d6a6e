/* Private to src/spectra: curves of a spectrum that is known by its counting function alone.
 *
 * N(t) says how many squared singular values lie above t; it need be no whole number.  The k-th
 * value is the mean of sqrt(t) between N = k - 1 and N = k, and the r largest have the integral of
 * -t dN above the t where N(t) = r. */
#ifndef RSD_SPECTRA_COUNTING_H
#define RSD_SPECTRA_COUNTING_H

#include "err.h"

#include <stddef.h>

typedef struct {
    double above; /* N(t), nonincreasing in t */
    double slope; /* -dN/d(log t), >= 0 */
} rsd_count;

typedef struct {
    /* N at t > 0.  Asked in no order, but mostly beside the last t. */
    int (*at)(void *law, double t, rsd_count *out);
    void *law;
    double top;    /* above which there is nothing */
    double energy; /* the integral of -t dN over all t > 0: known, > 0 */
    size_t rank;   /* N(0) > 0: all values but these are 0 */
} rsd_counting;

/*   out  s[d]       the singular values, nonincreasing; 0 from the rank on, d >= rank
 *        sum[d], energy[d]  shares of the r largest, r = 1..d, the last 1; each may be NULL
 *
 * N is taken at points that are added where a cubic through their neighbours misses it by more than
 * .02 values, or 1e-5 of the energy or of its root; values below 1e-15 of the largest count as 0.
 * Errors: those of at; RSD_ENOMEM. */
RSD_CHECK int rsd_counting_curves(const rsd_counting *c, size_t d, double *s, double *sum,
                                  double *energy);

#endif
