#include "spectra/metrics.h"

#include "mat.h"
#include "spectra/curves.h"
#include "spectra/marchenko_pastur.h"
#include "spectra/powerlaw.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>

/* WeightWatcher leaves smaller eigenvalues out of its fits: an absolute number, kept for parity. */
static const double power_law_floor = 1e-5;
enum { LEAST_VALUES = 8 };

/* Standard deviation of the Tracy-Widom law (real case), in units of rsd_mp_tracy_widom. */
static const double tracy_widom_deviation = 1.268;

const rsd_metric_info rsd_metric_table[] = {
#define INFO(name, units, text) { #name, units, text, offsetof(rsd_metrics, name) },
    RSD_METRIC_LIST(INFO)
#undef INFO
        { NULL, NULL, NULL, 0 },
};

double rsd_metric(const rsd_metrics *m, const rsd_metric_info *info)
{
    return *(const double *)((const char *)m + info->offset);
}

static size_t short_side(const rsd_spectrum *S) { return S->m < S->n ? S->m : S->n; }

static size_t long_side(const rsd_spectrum *S) { return S->m < S->n ? S->n : S->m; }

/* Number of values above a level; NaN when the level is, or when more may lie beyond those held. */
static double count_above(const rsd_spectrum *S, double level)
{
    size_t k = 0;
    while (k < S->count && S->s[k] > level)
        k++;
    return isnan(level) || (k == S->count && !S->complete) ? NAN : (double)k;
}

/* What is no larger than this cannot be told from 0.  Rounding of independent entries is noise.most
 * never, but it may be where entries repeat: if values lie in between, and nothing comes near them
 * from above, they are that.  Of a complete spectrum error_bound is the worst that could be, far
 * above what is. */
static double noise_level(const rsd_spectrum *S)
{
    static const double cliff = 16;
    const double roundoff = (double)long_side(S) * DBL_EPSILON * S->s[0];
    const double method = S->complete ? roundoff : fmax(roundoff, S->error_bound);
    size_t k = 0;
    while (k < S->count && S->s[k] > S->noise.most)
        k++;
    const bool alone = k > 0 && k < S->count && S->s[k - 1] > cliff * S->s[k];
    return fmax(method, alone ? S->noise.most : S->noise.likely);
}

/* Median of s^power over all d values; NaN when it lies beyond those held. */
static double median(const rsd_spectrum *S, double power)
{
    const size_t d = short_side(S), mid = d / 2;
    if (mid >= S->count)
        return NAN;
    const double high = pow(S->s[(d - 1) / 2], power), low = pow(S->s[mid], power);
    return (high + low) / 2;
}

/* The nuclear norm adds up as rsd_cumulative_sum does, so that its curve ends in exactly 1. */
static void norms(const rsd_spectrum *S, rsd_metrics *o)
{
    const double top = S->s[0];
    double nuclear = 0;
    for (size_t k = 0; k < S->count; k++)
        nuclear += S->s[k];
    o->nuclear = S->complete ? nuclear : NAN;
    o->frobenius = sqrt(S->sumsq);
    o->spectral = top;
    o->stable_rank = S->sumsq / top / top;
    o->log_norm = top > 0 ? log10(S->sumsq) : NAN;
    o->log_spectral_norm = top > 0 ? 2 * log10(top) : NAN;
}

static void ranks(const rsd_spectrum *S, rsd_metrics *o)
{
    o->numerical_rank = count_above(S, o->noise_level);
    o->rank_loss = (double)short_side(S) - o->numerical_rank;
    if (!S->complete)
        return;
    o->effective_rank = rsd_effective_rank(S->s, S->count);
    o->participation_ratio = rsd_participation_ratio(S->s, S->count);
}

/* WeightWatcher's entropy, 1 for equal values.  ln rank is 0 for rank 1, where the entropy is 0
 * but for roundoff. */
static void entropy_of_energy(const rsd_spectrum *S, rsd_metrics *o)
{
    if (!S->complete || !(S->s[0] > 0))
        return;
    double entropy = 0;
    for (size_t k = 0; k < S->count; k++) {
        const double e = S->s[k] / S->sumsq * S->s[k];
        entropy -= e > 0 ? e * log(e) : 0;
    }
    o->matrix_entropy = o->numerical_rank > 1 ? entropy / log(o->numerical_rank) : 0;
}

/* Largest r with prod_{k<=r} s_k^2/mean >= 1.  The logarithms fall, so their sum rises and then
 * falls: its last zero is the first one after the start.  Equal values sit on it: hence slack. */
static void detx(const rsd_spectrum *S, rsd_metrics *o)
{
    const double d = (double)short_side(S), rms = sqrt(S->sumsq / d);
    if (!(S->s[0] > 0))
        return;
    double sum = 0;
    for (size_t k = 0; k < S->count; k++) {
        sum += 2 * log(S->s[k] / rms);
        if (sum < -8 * d * DBL_EPSILON) {
            o->detx_count = (double)k;
            return;
        }
    }
    if (S->complete)
        o->detx_count = d;
}

static double rank_at(const double *curve, size_t n, double share)
{
    const size_t r = rsd_rank_at_share(curve, n, share);
    return r ? (double)r : NAN;
}

/* Ranks and means of the two cumulative curves, and the means less those of noise. */
static int shares(const rsd_spectrum *S, rsd_metrics *o)
{
    const size_t d = short_side(S), n = S->count;
    if (!(S->s[0] > 0))
        return RSD_OK;
    double *curve;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(2, d, sizeof *curve, &curve));

    rsd_cumulative_energy(S->s, n, S->sumsq, curve);
    o->energy_r50 = rank_at(curve, n, 0.50);
    o->energy_r90 = rank_at(curve, n, 0.90);
    o->energy_r95 = rank_at(curve, n, 0.95);
    o->energy_r99 = rank_at(curve, n, 0.99);
    if (S->complete) {
        o->energy_mean = rsd_curve_mean(curve, n);
        rsd_cumulative_sum(S->s, n, o->nuclear, curve);
        o->sum_r50 = rank_at(curve, n, 0.50);
        o->sum_r90 = rank_at(curve, n, 0.90);
        o->sum_r95 = rank_at(curve, n, 0.95);
        o->sum_r99 = rank_at(curve, n, 0.99);
        o->sum_mean = rsd_curve_mean(curve, n);
        RSD_TRY_DONE(rsd_mp_curves(S->m, S->n, curve, curve + d));
        o->sum_excess = o->sum_mean - rsd_curve_mean(curve, d);
        o->energy_excess = o->energy_mean - rsd_curve_mean(curve + d, d);
    }
done:
    free(curve);
    return err;
}

/* The noise under the spectrum, and what stands out of it. */
static void noise(const rsd_spectrum *S, rsd_metrics *o)
{
    const double d = (double)short_side(S), D = (double)long_side(S), top = S->s[0];
    o->mp_variance = S->sumsq / (double)S->m / (double)S->n;
    o->mp_edge = rsd_mp_edge(S->m, S->n, o->mp_variance);
    o->gavish_donoho_threshold = rsd_gavish_donoho_omega(d / D) * median(S, 1);
    o->mp_variance_robust = median(S, 2) / (D * rsd_mp_median(d / D));
    o->mp_edge_robust = rsd_mp_edge(S->m, S->n, o->mp_variance_robust);
    o->mp_softrank = pow(o->mp_edge_robust / top, 2);

    const double unit = rsd_mp_tracy_widom(S->m, S->n, o->mp_variance_robust);
    const double level2 = pow(o->mp_edge_robust, 2) + 3 * tracy_widom_deviation * unit;
    if (isnan(level2)) /* and then so is the threshold; fmax would drop it */
        return;
    o->mp_spikes = count_above(S, fmax(sqrt(level2), o->noise_level));
    o->gavish_donoho_rank = count_above(S, fmax(o->gavish_donoho_threshold, o->noise_level));
}

/* log10 sum (s^2)^alpha, by way of s/s_1: alpha may be 20. */
static double log_schatten(const rsd_spectrum *S, double alpha)
{
    double sum = 0;
    for (size_t k = 0; k < S->count; k++)
        sum += pow(S->s[k] / S->s[0], 2 * alpha);
    return 2 * alpha * log10(S->s[0]) + log10(sum);
}

static int power_laws(const rsd_spectrum *S, rsd_metrics *o)
{
    double *x;
    int err = RSD_OK;
    if (!S->complete)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(S->count, 1, sizeof *x, &x));
    size_t n = 0, fingers;
    for (; n < S->count && S->s[n] * S->s[n] > power_law_floor; n++)
        x[n] = S->s[n] * S->s[n];
    if (n < LEAST_VALUES)
        goto done;

    rsd_powerlaw fit, clipped, textbook;
    RSD_TRY_DONE(rsd_powerlaw_fit(x, n, RSD_POWERLAW_TWO_SIDED, o->noise_level, &textbook));
    o->alpha_two_sided = textbook.alpha;
    o->alpha_two_sided_ks = textbook.ks;
    RSD_TRY_DONE(rsd_powerlaw_fit(x, n, RSD_POWERLAW_WEIGHTWATCHER, o->noise_level, &fit));
    if (!fit.tail)
        goto done;
    RSD_TRY_DONE(rsd_powerlaw_clip(x, n, o->noise_level, &fit, &clipped, &fingers));
    o->alpha = fit.alpha;
    o->alpha_error = fit.error;
    o->alpha_ks = fit.ks;
    o->alpha_xmin = fit.xmin;
    o->alpha_tail = (double)fit.tail;
    o->alpha_clipped = clipped.alpha;
    o->alpha_fingers = (double)fingers;
    o->alpha_weighted = fit.alpha * o->log_spectral_norm;
    o->log_alpha_norm = log_schatten(S, fit.alpha);
done:
    free(x);
    return err;
}

int rsd_metrics_compute(const rsd_spectrum *S, rsd_metrics *out)
{
    assert(S->count > 0 && S->count <= short_side(S));
#define UNKNOWN(name, units, text) .name = NAN,
    *out = (rsd_metrics){ RSD_METRIC_LIST(UNKNOWN) };
#undef UNKNOWN
    int err = RSD_OK;
    rsd_spectrum above = *S; /* with 0 for what may be 0 */
    above.s = NULL;
    out->noise_level = noise_level(S);
    RSD_TRY_DONE(rsd_array_alloc(S->count, 1, sizeof *above.s, &above.s));
    for (size_t k = 0; k < S->count; k++)
        above.s[k] = S->s[k] > out->noise_level ? S->s[k] : 0;
    norms(S, out);
    ranks(&above, out);
    entropy_of_energy(&above, out);
    detx(&above, out);
    noise(&above, out);
    RSD_TRY_DONE(shares(S, out));
    RSD_TRY_DONE(power_laws(&above, out));
done:
    free(above.s);
    return err;
}
