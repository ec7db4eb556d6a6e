#include "train/rates.h"

#include "boot.h"
#include "mat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static double base_of(const rsd_rate_layer *l)
{
    return 1e-3 * sqrt(8 / (double)l->rank) * sqrt(128 / (double)l->inputs) / l->scale;
}

static double three_digits(double x)
{
    char text[32];
    snprintf(text, sizeof text, "%.2e", x);
    return strtod(text, NULL);
}

/* Medians of delta(1), NaN where no layer has one, and of the base. */
static int medians(const rsd_rate_layer *layer, size_t count, double *displacement, double *base,
                   size_t *known)
{
    double *x;
    RSD_TRY(rsd_array_alloc(count, 1, sizeof *x, &x));
    for (size_t i = 0; i < count; i++)
        x[i] = base_of(&layer[i]);
    *base = rsd_quantile(x, count, 0.5);
    *known = 0;
    for (size_t i = 0; i < count; i++)
        if (layer[i].displacement > 0)
            x[(*known)++] = layer[i].displacement;
    *displacement = rsd_quantile(x, *known, 0.5);
    free(x);
    return RSD_OK;
}

int rsd_rate_choose(const rsd_rate_layer *layer, size_t count, bool corrects, rsd_rate *out)
{
    double displacement, base;
    *out = (rsd_rate){ NAN, NAN, 0 };
    RSD_TRY(medians(layer, count, &displacement, &base, &out->known));
    const double harmless = RSD_HARMLESS / displacement;
    out->rate = three_digits(!out->known ? base : corrects || harmless < base ? harmless : base);
    out->displacement = out->rate * displacement;
    return RSD_OK;
}

int rsd_rate_given(const rsd_rate_layer *layer, size_t count, double rate, rsd_rate *out)
{
    double base;
    *out = (rsd_rate){ rate, NAN, 0 };
    RSD_TRY(medians(layer, count, &out->displacement, &base, &out->known));
    out->displacement *= rate;
    return RSD_OK;
}

double rsd_rate_probe(double rate, size_t k)
{
    return rate / (k % 2 ? 3 : 1) / pow(10, (double)(k / 2));
}
