#include "spectra/a_priori.h"

void rsd_a_priori_leak(double *share, size_t n, double leaked, const double *leak, double *energy)
{
    const double total = *energy + leaked;
    for (size_t k = 0; k < n; k++)
        share[k] = total > 0 ? (*energy * share[k] + leaked * leak[k]) / total : 0;
    *energy = total;
}
