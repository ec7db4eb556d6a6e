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

double rsd_remaining(const double *curve, size_t n, size_t full, size_t rank)
{
    if (rank == 0)
        return 1;
    if (rank >= full)
        return 0;
    return rank <= n ? 1 - curve[rank - 1] : NAN;
}

double rsd_excess(const double *s, size_t n, double total, const double *null, size_t rank)
{
    const size_t r = rank < n ? rank : n;
    double part = 0;
    for (size_t k = 0; k < r; k++)
        part += s[k] * s[k];
    return r && total > 0 ? part / total - null[r - 1] : NAN;
}

void rsd_values_of_energy(const double *curve, size_t n, double *out)
{
    double before = 0;
    for (size_t k = 0; k < n; k++) {
        const double here = curve[k];
        out[k] = here > before ? sqrt(here - before) : 0;
        before = here;
    }
}

static double largest(const double *s, size_t n)
{
    double top = 0;
    for (size_t k = 0; k < n; k++)
        top = s[k] > top ? s[k] : top;
    return top;
}

/* Over s/s_1, which neither over- nor underflows. */
double rsd_effective_rank(const double *s, size_t n)
{
    const double top = largest(s, n);
    double sum = 0, entropy = 0;
    if (!(top > 0))
        return NAN;
    for (size_t k = 0; k < n; k++) {
        const double t = s[k] / top;
        sum += t;
        entropy -= t > 0 ? t * log(t) : 0;
    }
    return exp(entropy / sum + log(sum)); /* -sum p ln p with p = t/sum */
}

double rsd_participation_ratio(const double *s, size_t n)
{
    const double top = largest(s, n);
    double sum2 = 0, sum4 = 0;
    if (!(top > 0))
        return NAN;
    for (size_t k = 0; k < n; k++) {
        const double t2 = s[k] / top * (s[k] / top);
        sum2 += t2;
        sum4 += t2 * t2;
    }
    return sum2 * sum2 / sum4;
}
