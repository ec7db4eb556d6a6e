#include "boot.h"

#include "rng.h"

#include <gsl/gsl_sort.h>
#include <gsl/gsl_statistics_double.h>
#include <math.h>

enum { DRAWS = 2000 };

double rsd_mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / (double)n : NAN;
}

int rsd_bootstrap_se(const double *x, size_t n, uint64_t seed, double *se)
{
    *se = NAN;
    if (n < 2)
        return RSD_OK;
    rsd_rng *rng;
    RSD_TRY(rsd_rng_alloc(seed, "bootstrap", &rng));
    double mean = 0, square = 0; /* Welford's running moments of the draws */
    for (size_t d = 0; d < DRAWS; d++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += x[(size_t)(rsd_rng_uniform(rng) * (double)n)];
        const double off = sum / (double)n - mean;
        mean += off / (double)(d + 1);
        square += off * (sum / (double)n - mean);
    }
    rsd_rng_free(rng);
    *se = sqrt(square / (DRAWS - 1));
    return RSD_OK;
}

double rsd_quantile(double *x, size_t n, double q)
{
    if (n == 0)
        return NAN;
    gsl_sort(x, 1, n);
    return gsl_stats_quantile_from_sorted_data(x, 1, n, q);
}
