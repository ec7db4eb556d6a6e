#include "spectra/leak.h"

#include <math.h>

double rsd_leak(rsd_mat R, rsd_mat W)
{
    const double sumsq = rsd_mat_sumsq(W);
    return sumsq > 0 ? rsd_mat_dot(R, W) / sumsq : 0;
}

size_t rsd_leak_directions(double rho, const double *s, size_t n, double edge, double *strength)
{
    size_t count = 0;
    while (count < n && fabs(rho) * s[count] > edge)
        count++;
    *strength = n > 0 && edge > 0 ? fabs(rho) * s[0] / edge : NAN;
    return count;
}
