/* The null curves of one residual. */
#ifndef RSD_MEASURE_NULL_H
#define RSD_MEASURE_NULL_H

#include "result/result.h"

typedef struct {
    const char *tensor, *spec; /* name the random stream */
    size_t draws;
    uint64_t seed;
    rsd_spectrum_opts opts;
} null_request;

/* Mean over draws, and the band from the least to the largest; count 0: not computed. */
typedef struct {
    size_t count, draws;
    double *s, *sum, *sum_low, *sum_high, *energy, *energy_low, *energy_high; /* one block, at s */
} null_curves;

/* By drawing; R is overwritten. */
RSD_CHECK int null_draws(const null_request *request, rsd_null null, rsd_mat R, null_curves *out);

/* Marchenko-Pastur with the variance of R, whose spectrum is given. */
RSD_CHECK int null_quadrature(const null_request *request, const rsd_spectrum *R, null_curves *out);

RSD_CHECK int null_write(rsd_store *store, const result_record *record, rsd_null null,
                         const null_curves *curves);
void null_curves_free(null_curves *curves);

#endif
