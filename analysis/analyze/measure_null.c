/* Null curves of one residual, and their bands. */
#include "analyze/measure_null.h"

#include "mat.h"
#include "quantizers/quantizer.h"
#include "rng.h"
#include "spectra/curves.h"
#include "spectra/marchenko_pastur.h"
#include "spectra/variance_profile.h"

#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int curves_alloc(null_curves *out, size_t count, size_t draws)
{
    double *block;
    RSD_TRY(rsd_array_alloc(count, 7, sizeof *block, &block));
    *out = (null_curves){ .count = count,
                          .draws = draws,
                          .energy_total = NAN,
                          .spread = NAN,
                          .s = block,
                          .sum = block + count,
                          .sum_low = block + 2 * count,
                          .sum_high = block + 3 * count,
                          .energy = block + 4 * count,
                          .energy_low = block + 5 * count,
                          .energy_high = block + 6 * count };
    return RSD_OK;
}

void null_curves_free(null_curves *curves)
{
    free(curves->s);
    *curves = (null_curves){ 0 };
}

/* Is the null one of R in this weighting? */
static bool applies(const null_request *q, rsd_null null, rsd_weighting_kind kind)
{
    return kind == RSD_WEIGHTING_NONE || (q->roots->n > 0 && rsd_null_is_weighted(null));
}

/* Values of the draws in one weighting. */
typedef struct {
    double *block;
    double *rows[3]; /* [draws][n] of s, sum, energy */
    double *total;   /* [draws] ||.||_F^2 */
} drawn;

static int drawn_alloc(drawn *w, size_t n, size_t draws)
{
    RSD_TRY(rsd_array_alloc(draws, 3 * n + 1, sizeof *w->block, &w->block));
    for (size_t c = 0; c < 3; c++)
        w->rows[c] = w->block + c * n * draws;
    w->total = w->block + 3 * n * draws;
    return RSD_OK;
}

/* Singular values and both curves of A into row d. */
static int take_draw(const null_request *q, const char *key, rsd_mat A, size_t d, size_t n,
                     drawn *w)
{
    rsd_spectrum_opts opts = q->opts;
    opts.vectors = 0;
    opts.seed = rsd_seed(q->seed, key);
    rsd_spectrum s = { 0 };
    const int err = rsd_spectrum_compute(A, &opts, &s);
    if (!err) {
        double nuclear = s.complete ? 0 : NAN;
        for (size_t k = 0; s.complete && k < s.count; k++)
            nuclear += s.s[k];
        memcpy(w->rows[0] + d * n, s.s, n * sizeof *s.s);
        rsd_cumulative_sum(s.s, n, nuclear, w->rows[1] + d * n);
        rsd_cumulative_energy(s.s, n, s.sumsq, w->rows[2] + d * n);
        w->total[d] = s.sumsq;
    }
    rsd_spectrum_free(&s);
    return err;
}

/* Draw d, seen in every weighting. */
static int draw(const null_request *q, rsd_null null, size_t d, rsd_mat R, size_t n, drawn *all)
{
    char key[RSD_SPEC_MAX + 256];
    int err = RSD_OK;
    snprintf(key, sizeof key, "%s/%s/%s/%zu", q->tensor, q->spec, rsd_null_name(null), d);
    rsd_rng *rng;
    RSD_TRY(rsd_rng_alloc(q->seed, key, &rng));
    rsd_null_draw(null, R, rng, R);
    rsd_rng_free(rng);
    for (rsd_weighting_kind k = RSD_WEIGHTING_NONE; !err && k < RSD_WEIGHTINGS; k++) {
        if (!applies(q, null, k))
            continue;
        if (k != RSD_WEIGHTING_NONE)
            err = moment_apply(q->roots, k, R, q->seen);
        if (!err)
            err = take_draw(q, key, k == RSD_WEIGHTING_NONE ? R : q->seen, d, n, &all[k]);
        if (err)
            rsd_fail_prefix(err, "%s null of %s", rsd_null_name(null), rsd_weighting_name(k));
    }
    return err;
}

/* Means, bands, and how much the share at the rank differs between draws. */
static int summarize(const null_request *q, const drawn *w, size_t n, null_curves *out)
{
    double *spare = NULL;
    const double **row = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(curves_alloc(out, n, q->draws));
    RSD_TRY_DONE(rsd_array_alloc(n, 2, sizeof *spare, &spare));
    RSD_TRY_DONE(rsd_array_alloc(q->draws, 1, sizeof *row, &row));
    double *const mean[3] = { out->s, out->sum, out->energy };
    double *const low[3] = { spare, out->sum_low, out->energy_low };
    double *const high[3] = { spare + n, out->sum_high, out->energy_high };
    for (int c = 0; c < 3; c++) {
        for (size_t d = 0; d < q->draws; d++)
            row[d] = w->rows[c] + d * n;
        rsd_band(row, q->draws, n, mean[c], low[c], high[c]);
    }
    out->energy_total = gsl_stats_mean(w->total, 1, q->draws);
    if (q->draws > 1) {
        const size_t at = (q->rank < n ? q->rank : n) - 1;
        out->spread = gsl_stats_sd(w->rows[2] + at, n, q->draws);
    }
done:
    free(row);
    free(spare);
    return err;
}

int null_draws(const null_request *q, rsd_null null, rsd_mat R, null_curves *out)
{
    const size_t least = R.m < R.n ? R.m : R.n;
    const size_t n = q->opts.top ? q->opts.top : least;
    drawn all[RSD_WEIGHTINGS] = { 0 };
    int err = RSD_OK;
    for (rsd_weighting_kind k = RSD_WEIGHTING_NONE; k < RSD_WEIGHTINGS; k++)
        if (applies(q, null, k))
            RSD_TRY_DONE(drawn_alloc(&all[k], n, q->draws));
    for (size_t d = 0; d < q->draws; d++)
        RSD_TRY_DONE(draw(q, null, d, R, n, all));
    for (rsd_weighting_kind k = RSD_WEIGHTING_NONE; k < RSD_WEIGHTINGS; k++)
        if (all[k].block)
            RSD_TRY_DONE(summarize(q, &all[k], n, &out[k]));
done:
    for (int k = 0; k < RSD_WEIGHTINGS; k++)
        free(all[k].block);
    return err;
}

/* The first n of least values and shares, as they were computed: s, sum, energy. */
static int keep(const double *full, size_t least, size_t n, null_curves *out)
{
    RSD_TRY(curves_alloc(out, n, 0));
    memcpy(out->s, full, n * sizeof *full);
    memcpy(out->sum, full + least, n * sizeof *full);
    memcpy(out->energy, full + 2 * least, n * sizeof *full);
    return RSD_OK;
}

int null_profile(const null_request *q, rsd_mat R, null_curves *out)
{
    const size_t least = R.m < R.n ? R.m : R.n;
    const size_t n = q->opts.top ? q->opts.top : least;
    double *full, total;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(least, 3, sizeof *full, &full));
    for (rsd_weighting_kind k = RSD_WEIGHTING_NONE; k < RSD_WEIGHTINGS; k++) {
        if (!applies(q, RSD_NULL_VARIANCE_PROFILE, k))
            continue;
        rsd_profile_weight G, H;
        /* columns that are scaled are independent still: R as it is then seen, without weights */
        const bool scaled = k == RSD_WEIGHTING_DIAG_H;
        if (scaled)
            RSD_TRY_DONE(moment_apply(q->roots, k, R, q->seen));
        moment_weights(q->roots, k, &G, &H);
        RSD_TRY_DONE(rsd_variance_profile_curves(scaled ? q->seen : R, G, H, full, full + least,
                                                 full + 2 * least, &total));
        RSD_TRY_DONE(keep(full, least, n, &out[k]));
        out[k].energy_total = total;
    }
done:
    free(full);
    return err;
}

int null_quadrature(const null_request *q, const rsd_spectrum *R, null_curves *out)
{
    const size_t least = R->m < R->n ? R->m : R->n;
    const size_t n = q->opts.top ? q->opts.top : least;
    const double v = R->sumsq / ((double)R->m * (double)R->n);
    double *full;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(least, 3, sizeof *full, &full));
    RSD_TRY_DONE(rsd_mp_quantiles(R->m, R->n, v, full));
    RSD_TRY_DONE(rsd_mp_curves(R->m, R->n, full + least, full + 2 * least));
    RSD_TRY_DONE(keep(full, least, n, out));
    out->energy_total = R->sumsq;
done:
    free(full);
    return err;
}

int null_write(rsd_store *store, const result_record *record, rsd_null null, const null_curves *c)
{
    const bool band = c->draws > 0;
    const result_null out = { .null = null,
                              .count = c->count,
                              .draws = c->draws,
                              .energy_total = c->energy_total,
                              .s = c->s,
                              .sum = c->sum,
                              .energy = c->energy,
                              .sum_low = band ? c->sum_low : NULL,
                              .sum_high = band ? c->sum_high : NULL,
                              .energy_low = band ? c->energy_low : NULL,
                              .energy_high = band ? c->energy_high : NULL };
    return result_write_null(store, record, &out);
}
