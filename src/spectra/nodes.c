#include "spectra/nodes.h"

#include "mat.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The largest ones, of which a spectrum shows each, stay alone. */
enum { ALONE = 48, MOST = 160 };
#define LEAST (DBL_EPSILON * DBL_EPSILON) /* over the largest */

static int falling(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Nodes that groups of this width give; written where value is not NULL. */
static size_t group(const double *x, size_t n, double width, double *value, double *weight)
{
    size_t count = 0;
    for (size_t i = 0; i < n;) {
        const double least = count < ALONE ? x[i] : x[i] * (1 - width);
        const size_t first = i;
        double sum = 0;
        while (i < n && x[i] >= least)
            sum += x[i++];
        if (value) {
            value[count] = sum / (double)(i - first);
            weight[count] = (double)(i - first);
        }
        count++;
    }
    return count;
}

static int check(const double *x, size_t n)
{
    if (n == 0)
        return RSD_FAIL(RSD_EARG, "no variances: noise of an empty shape has no spectrum");
    for (size_t i = 0; i < n; i++)
        if (!(x[i] >= 0) || !isfinite(x[i]))
            return RSD_FAIL(RSD_EDOM, "variance %zu of %zu is %g", i, n, x[i]);
    return RSD_OK;
}

int rsd_nodes_make(const double *x, size_t n, rsd_nodes *out)
{
    double *sorted = NULL;
    int err = RSD_OK;
    *out = (rsd_nodes){ 0 };
    RSD_TRY(check(x, n));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *sorted, &sorted));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *out->value, &out->value));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *out->weight, &out->weight));
    memcpy(sorted, x, n * sizeof *x);
    qsort(sorted, n, sizeof *sorted, falling);
    out->scale = sorted[0];
    while (out->number < n && sorted[out->number] / out->scale > LEAST)
        sorted[out->number++] /= out->scale;
    double width = .01;
    while (width < .5 && group(sorted, out->number, width, NULL, NULL) > MOST)
        width *= 1.25;
    out->count = group(sorted, out->number, width, out->value, out->weight);
done:
    free(sorted);
    return err;
}

void rsd_nodes_free(rsd_nodes *nodes)
{
    free(nodes->value);
    free(nodes->weight);
    *nodes = (rsd_nodes){ 0 };
}

double rsd_nodes_sum(const rsd_nodes *nodes)
{
    double sum = 0;
    for (size_t i = 0; i < nodes->count; i++)
        sum += nodes->weight[i] * nodes->value[i];
    return sum;
}
