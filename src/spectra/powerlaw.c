/* n cut-offs with n distances each would be n^2/2 exponentials, 8 million for a layer of 4096.
 * Nearly all of them are spared without changing the answer: a distance is a maximum, so a cut-off
 * is out as soon as one of its deviations exceeds the least distance so far, and a bad fit shows
 * that at a handful of probes spread over its tail. */
#include "spectra/powerlaw.h"

#include "mat.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

enum { LEAST_TAIL = 8, SMALL = 20, PROBES = 16, COARSE = 64, MOST_CLIPPED = 9 };

typedef struct {
    const double *x;      /* [n] nonincreasing */
    const double *log_x;  /* [n] */
    const double *excess; /* [n] excess[j] = sum_{i<=j} ln(x_i/x_j) */
    size_t n;
    bool one_sided, small;
    double noise;
} sample;

/* alpha - 1 of the tail x[0..j]. */
static double slope(const sample *s, size_t j)
{
    return ((double)j + (s->small ? 0 : 1)) / s->excess[j];
}

/* Largest deviation at k = first, first + step, ... of the tail x[0..j], k counting upwards from
 * x[j]; the scan stops once one is above limit. */
static double deviation(const sample *s, size_t j, size_t first, size_t step, double limit)
{
    const double tail = (double)j + 1, power = slope(s, j);
    double worst = 0;
    for (size_t k = first; k <= j && worst <= limit; k += step) {
        const double fitted = 1 - exp(power * (s->log_x[j] - s->log_x[j - k]));
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

/* Has the tail x[0..j] a slope, and may it be taken?  The error of ln(x_i/x_j) is at most 4 noise /
 * sqrt(x_j): what is no more on average is no slope.  Of equal values the textbook has the whole
 * tail alone, WeightWatcher tries each. */
static bool is_candidate(const sample *s, size_t j)
{
    const double tail = (double)j + 1;
    const bool has_slope = s->excess[j] > tail * 4 * s->noise / sqrt(s->x[j]);
    if (s->small)
        return has_slope && (j + 1 >= LEAST_TAIL || (s->n < LEAST_TAIL && j + 1 == s->n));
    return has_slope && (s->one_sided || j + 1 == s->n || s->x[j] > s->x[j + 1]);
}

/* Index of the best cut-off, 0 for none.  Distances often fall steadily towards the best one, so
 * every candidate would beat the one before; a first pass over a few gives a bound to start with.
 */
static size_t best_cutoff(const sample *s, double *ks)
{
    const size_t n = s->n;
    const size_t stride = n / COARSE + 1;
    double limit = INFINITY;
    for (size_t j = n - 1; j > 0; j -= j < stride ? j : stride)
        if (is_candidate(s, j))
            limit = fmin(limit, distance(s, j, limit));

    size_t best = 0;
    *ks = INFINITY;
    for (size_t j = n - 1; j > 0; j--) {
        if (!is_candidate(s, j))
            continue;
        const double d = distance(s, j, limit);
        if (d <= limit && d < *ks) {
            limit = *ks = d;
            best = j;
        }
    }
    return best;
}

int rsd_powerlaw_fit(const double *x, size_t n, rsd_powerlaw_rule rule, double noise,
                     rsd_powerlaw *out)
{
    const bool one_sided = rule == RSD_POWERLAW_WEIGHTWATCHER;
    *out = (rsd_powerlaw){ NAN, NAN, NAN, NAN, 0 };
    if (n < (one_sided ? 2 : LEAST_TAIL))
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
    const sample s = { x, log_x, excess, n, one_sided, one_sided && n < SMALL, noise };
    const size_t j = best_cutoff(&s, &ks);
    if (j) {
        const double tail = (double)j + 1, power = slope(&s, j);
        *out = (rsd_powerlaw){ 1 + power, power / sqrt(tail), ks, x[j], j + 1 };
    }
    free(log_x);
    return RSD_OK;
}

int rsd_powerlaw_clip(const double *x, size_t n, double noise, const rsd_powerlaw *first,
                      rsd_powerlaw *out, size_t *fingers)
{
    for (size_t k = 2; k <= MOST_CLIPPED && k + 2 <= n; k++) {
        RSD_TRY(rsd_powerlaw_fit(x + k, n - k, RSD_POWERLAW_WEIGHTWATCHER, noise, out));
        if (out->alpha + 1 < first->alpha) {
            *fingers = k - 1;
            return RSD_OK;
        }
        if (out->alpha <= 2)
            break;
    }
    *fingers = 0;
    *out = *first;
    return RSD_OK;
}
