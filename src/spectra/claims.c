#include "spectra/claims.h"

#include <gsl/gsl_cdf.h>
#include <math.h>

double rsd_p_value(rsd_interval x, size_t clusters, double bound)
{
    const double away = fabs(x.value - bound);
    const double side = bound < x.value ? x.value - x.low : x.high - x.value;
    if (isnan(side) || clusters < 2)
        return NAN;
    if (!(side > 0))
        return away > 0 ? 0 : 1;
    const double freedom = (double)(clusters - 1);
    return 2 * gsl_cdf_tdist_Q(gsl_cdf_tdist_Qinv(0.025, freedom) * away / side, freedom);
}

double rsd_p_beyond(rsd_interval x, size_t clusters, double least)
{
    if (isnan(x.low))
        return NAN;
    if (fabs(x.value) <= least)
        return 1;
    return rsd_p_value(x, clusters, copysign(least, x.value));
}

void rsd_holm(const double *p, size_t n, double *out)
{
    for (size_t i = 0; i < n; i++) {
        size_t left = 0; /* p-values that are not below this one */
        for (size_t k = 0; k < n; k++)
            left += p[k] >= p[i];
        out[i] = fmin(1, p[i] * (double)left);
        if (isnan(p[i]))
            out[i] = NAN;
    }
    /* nor is one smaller than those before it; what is raised here is raised for those after too */
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++)
            if (p[k] <= p[i] && out[k] > out[i])
                out[i] = out[k];
}
