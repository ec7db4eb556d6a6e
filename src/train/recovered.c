#include "train/recovered.h"

#include "boot.h"
#include "mat.h"
#include "spectra/serial.h"

#include <math.h>
#include <stdlib.h>

int rsd_recovered_fraction(const double *base, const double *q, const double *rec, size_t n,
                           rsd_recovered *out)
{
    int err = RSD_OK;
    double *d = NULL;
    *out = (rsd_recovered){ NAN, NAN, NAN, NAN, 1 };
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *d, &d));
    for (size_t i = 0; i < n; i++)
        d[i] = q[i] - base[i];
    const rsd_series_mean gap = rsd_series_mean_of(d, n);
    out->gap = gap.mean;
    out->gap_se = gap.se;
    out->block = gap.block;
    if (!(gap.mean > gap.se))
        goto done;
    for (size_t i = 0; i < n; i++)
        d[i] = q[i] - rec[i];
    const double f = rsd_mean(d, n) / gap.mean;
    for (size_t i = 0; i < n; i++)
        d[i] = (q[i] - rec[i] - f * (q[i] - base[i])) / gap.mean;
    const rsd_series_mean linear = rsd_series_mean_of(d, n);
    out->se = linear.se;
    out->fraction = f;
    out->block = linear.block > gap.block ? linear.block : gap.block;
done:
    free(d);
    return err;
}
