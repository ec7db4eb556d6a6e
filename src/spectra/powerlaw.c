/* n cut-offs with n distances each would be n^2/2 exponentials, 8 million for a layer of 4096.
 * Nearly all of them are spared without changing the answer: a distance is a maximum, so a cut-off
 * is out as soon as one of its deviations exceeds the least distance so far, and a bad fit shows
 * that at a handful of probes spread over its tail. */
#include "spectra/powerlaw.h"

#include "mat.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { LEAST_VALUES = 8, PROBES = 16, COARSE = 64, MOST_FINGERS = 10 };

typedef struct {
    const double *log_x;  /* nonincreasing */
    const double *excess; /* excess[j] = sum_{i<=j} ln(x_i/x_j) */
    bool one_sided;
} sample;

/* Largest deviation at k = first, first + step, ... of the tail x[0..j], k counting upwards from
 * x[j]; the scan stops once one is above limit. */
static double deviation(const sample *s, size_t j, size_t first, size_t step, double limit)
{
    const double tail = (double)j + 1, slope = tail / s->excess[j]; /* alpha - 1 */
    double worst = 0;
    for (size_t k = first; k <= j && worst <= limit; k += step) {
        const double fitted = 1 - exp(slope * (s->log_x[j] - s->log_x[j - k]));
        worst = fmax(worst, fabs(fitted - (double)k / tail));
        if (!s->one_sided)
            worst = fmax(worst, fabs(fitted - (double)(k + 1) / tail));
    }
    return worst;
}

/* Distance of the fit above x[j], or some number above limit when the distance is above it. */
static double distance(const sample *s, size_t j, double limit)
{
    const size_t step = j / PROBES + 1;
    const double probed = deviation(s, j, step / 2, step, limit);
    return probed > limit ? probed : deviation(s, j, 0, 1, limit);
}

/* Equal values: only the last of them has the whole tail.  All equal: no slope. */
static bool is_candidate(const sample *s, size_t n, size_t j)
{
    return s->excess[j] > 0 && (j + 1 == n || s->log_x[j] > s->log_x[j + 1]);
}

/* Index of the best cut-off, 0 for none.  Distances often fall steadily towards the best one, so
 * every candidate would beat the one before; a first pass over a few gives a bound to start with.
 */
static size_t best_cutoff(const sample *s, size_t n, double *ks)
{
    const size_t stride = n / COARSE + 1;
    double limit = INFINITY;
    for (size_t j = n - 1; j > 0; j -= j < stride ? j : stride)
        if (is_candidate(s, n, j))
            limit = fmin(limit, distance(s, j, limit));

    size_t best = 0;
    *ks = INFINITY;
    for (size_t j = n - 1; j > 0; j--) {
        if (!is_candidate(s, n, j))
            continue;
        const double d = distance(s, j, limit);
        if (d <= limit && d < *ks) {
            limit = *ks = d;
            best = j;
        }
    }
    return best;
}

int rsd_powerlaw_fit(const double *x, size_t n, bool one_sided, rsd_powerlaw *out)
{
    *out = (rsd_powerlaw){ NAN, NAN, NAN, NAN, 0 };
    if (n < LEAST_VALUES)
        return RSD_OK;
    double *log_x, ks;
    RSD_TRY(rsd_array_alloc(2, n, sizeof *log_x, &log_x));
    double *excess = log_x + n;
    for (size_t j = 0; j < n; j++) {
        assert(x[j] > 0 && (j == 0 || x[j] <= x[j - 1]));
        log_x[j] = log(x[j]);
        /* from the last one: terms >= 0, no cancellation between a sum and n ln xmin */
        excess[j] = j ? excess[j - 1] + (double)j * (log_x[j - 1] - log_x[j]) : 0;
    }
    const size_t j = best_cutoff(&(sample){ log_x, excess, one_sided }, n, &ks);
    if (j) {
        const double tail = (double)j + 1;
        *out = (rsd_powerlaw){ 1 + tail / excess[j], sqrt(tail) / excess[j], ks, x[j], j + 1 };
    }
    free(log_x);
    return RSD_OK;
}

int rsd_powerlaw_clip(const double *x, size_t n, bool one_sided, const rsd_powerlaw *first,
                      rsd_powerlaw *out, size_t *fingers)
{
    for (size_t k = 1; k <= MOST_FINGERS && k < n; k++) {
        RSD_TRY(rsd_powerlaw_fit(x + k, n - k, one_sided, out));
        if (out->alpha <= first->alpha - 1) {
            *fingers = k;
            return RSD_OK;
        }
    }
    *fingers = 0;
    *out = *first;
    return RSD_OK;
}
