#include "spectra/curves.h"

#include <float.h>
#include <math.h>

/* A share above 1 by rounding only becomes 1; a larger excess means that values and total do not
 * belong together, and stays visible.  A NaN total goes through the division. */
static double fraction(double part, double total, size_t n)
{
    const double slack = 16 * (double)(n + 16) * DBL_EPSILON;
    const double x = total == 0 ? 0 : part / total;
    return x > 1 && x <= 1 + slack ? 1 : x;
}

void rsd_cumulative_sum(const double *s, size_t n, double total, double *out)
{
    double part = 0;
    for (size_t k = 0; k < n; k++) {
        part += s[k];
        out[k] = fraction(part, total, n);
    }
}

void rsd_cumulative_energy(const double *s, size_t n, double total, double *out)
{
    double part = 0;
    for (size_t k = 0; k < n; k++) {
        part += s[k] * s[k];
        out[k] = fraction(part, total, n);
    }
}

size_t rsd_rank_at_share(const double *curve, size_t n, double share)
{
    const double least = share * (1 - 1e-12);
    for (size_t k = 0; k < n; k++)
        if (curve[k] >= least)
            return k + 1;
    return 0;
}

double rsd_rank_error(double energy_share)
{
    const double rest = 1 - energy_share;
    return rest < 0 ? 0 : sqrt(rest);
}

double rsd_curve_mean(const double *curve, size_t n)
{
    double total = 0;
    for (size_t k = 0; k < n; k++)
        total += curve[k];
    return total / (double)n;
}
