/* The null curves of one residual, in every weighting that it is seen in. */
#ifndef RSD_MEASURE_NULL_H
#define RSD_MEASURE_NULL_H

#include "analyze/measure_moments.h"
#include "result/result.h"

typedef struct {
    const char *tensor, *spec; /* name the random stream */
    size_t draws;
    uint64_t seed;
    size_t rank; /* at which shares of draws are compared */
    rsd_spectrum_opts opts;
    const moment_roots *roots; /* n is 0: R alone */
    rsd_mat seen;              /* room for R in a weighting; empty where roots are */
} null_request;

/* Mean over draws, and the band from the least to the largest; count 0: not computed. */
typedef struct {
    size_t count, draws;
    double energy_total; /* ||.||_F^2: its mean */
    double spread; /* of the share of energy at the rank, over draws: its standard deviation */
    double *s, *sum, *sum_low, *sum_high, *energy, *energy_low, *energy_high; /* one block, at s */
} null_curves;

/* By drawing, out[RSD_WEIGHTINGS]: the draws of one null are the same in each weighting.  Those of
 * a null of R alone are R's; R is overwritten. */
RSD_CHECK int null_draws(const null_request *request, rsd_null null, rsd_mat R, null_curves *out);

/* The sign-flip null in closed form, out[RSD_WEIGHTINGS].  R stays. */
RSD_CHECK int null_profile(const null_request *request, rsd_mat R, null_curves *out);

/* Marchenko-Pastur with the variance of R, whose spectrum is given. */
RSD_CHECK int null_quadrature(const null_request *request, const rsd_spectrum *R, null_curves *out);

RSD_CHECK int null_write(rsd_store *store, const result_record *record, rsd_null null,
                         const null_curves *curves);
void null_curves_free(null_curves *curves);

#endif
