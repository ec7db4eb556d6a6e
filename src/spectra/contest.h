/* Which of several predictions is off by least, and which others that may be.
 *
 * All are held against the same measurements.  A prediction that knows nothing takes part: a
 * constant, which for each measurement is the mean of the others (those of its own cluster left
 * out, as it must not have seen them). */
#ifndef RSD_SPECTRA_CONTEST_H
#define RSD_SPECTRA_CONTEST_H

#include "spectra/dependent.h"

enum { RSD_CONTESTANTS = 8 };

typedef struct {
    size_t predictions; /* at most RSD_CONTESTANTS - 1; the constant joins behind them */
    const double *const
        *guess;             /* [predictions][n]; one that is NaN throughout does not take part */
    const double *measured; /* [n] */
    const size_t *cluster;  /* [n] or NULL */
    size_t n;
    uint64_t seed;
} rsd_contest_job;

typedef struct {
    size_t n, clusters; /* measurements that every one that takes part has a guess for */
    size_t best;        /* index; `predictions` is the constant; SIZE_MAX: no measurement */
    /* [predictions + 1] sqrt of the mean squared difference, and how far it lies above the best's,
     * drawn together; NaN for those that do not take part */
    rsd_interval error[RSD_CONTESTANTS], behind[RSD_CONTESTANTS];
} rsd_contest;

/* `behind` intervals hold together with 95 % (Bonferroni over those that take part).
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_contest_hold(const rsd_contest_job *job, rsd_contest *out);

/* Does prediction k lose to the best: does the interval of how far it is behind lie above 0?  False
 * without intervals. */
bool rsd_contest_loses(const rsd_contest *c, size_t k);

#endif
