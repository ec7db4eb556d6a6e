#include "train/recovered.h"

#include "boot.h"
#include "mat.h"

#include <math.h>
#include <stdlib.h>

int rsd_recovered_fraction(const double *base, const double *q, const double *rec, size_t n,
                           uint64_t seed, rsd_recovered *out)
{
    int err = RSD_OK;
    double *d = NULL;
    *out = (rsd_recovered){ NAN, NAN, NAN, NAN };
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *d, &d));
    for (size_t i = 0; i < n; i++)
        d[i] = q[i] - base[i];
    out->gap = rsd_mean(d, n);
    RSD_TRY_DONE(rsd_bootstrap_se(d, n, seed, &out->gap_se));
    if (!(out->gap > out->gap_se))
        goto done;
    for (size_t i = 0; i < n; i++)
        d[i] = q[i] - rec[i];
    const double f = rsd_mean(d, n) / out->gap;
    for (size_t i = 0; i < n; i++)
        d[i] = (q[i] - rec[i] - f * (q[i] - base[i])) / out->gap;
    RSD_TRY_DONE(rsd_bootstrap_se(d, n, seed, &out->se));
    out->fraction = f;
done:
    free(d);
    return err;
}
