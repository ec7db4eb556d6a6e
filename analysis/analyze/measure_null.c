/* Null curves of one residual, and their band. */
#include "analyze/measure_null.h"

#include "mat.h"
#include "quantizers/quantizer.h"
#include "rng.h"
#include "spectra/curves.h"
#include "spectra/marchenko_pastur.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int curves_alloc(null_curves *out, size_t count, size_t draws)
{
    double *block;
    RSD_TRY(rsd_array_alloc(count, 7, sizeof *block, &block));
    *out = (null_curves){ count,
                          draws,
                          block,
                          block + count,
                          block + 2 * count,
                          block + 3 * count,
                          block + 4 * count,
                          block + 5 * count,
                          block + 6 * count };
    return RSD_OK;
}

void null_curves_free(null_curves *curves)
{
    free(curves->s);
    *curves = (null_curves){ 0 };
}

/* One draw: singular values and both curves into rows d of the three blocks. */
static int draw(const null_request *q, rsd_null null, size_t d, rsd_mat R, size_t n,
                double *const rows[3])
{
    char key[RSD_SPEC_MAX + 256];
    snprintf(key, sizeof key, "%s/%s/%s/%zu", q->tensor, q->spec, rsd_null_name(null), d);
    rsd_rng *rng;
    RSD_TRY(rsd_rng_alloc(q->seed, key, &rng));
    rsd_null_draw(null, R, rng, R);
    rsd_rng_free(rng);

    rsd_spectrum_opts opts = q->opts;
    opts.vectors = 0;
    opts.seed = rsd_seed(q->seed, key);
    rsd_spectrum s = { 0 };
    const int err = rsd_spectrum_compute(R, &opts, &s);
    if (!err) {
        double nuclear = s.complete ? 0 : NAN;
        for (size_t k = 0; s.complete && k < s.count; k++)
            nuclear += s.s[k];
        memcpy(rows[0] + d * n, s.s, n * sizeof *s.s);
        rsd_cumulative_sum(s.s, n, nuclear, rows[1] + d * n);
        rsd_cumulative_energy(s.s, n, s.sumsq, rows[2] + d * n);
    }
    rsd_spectrum_free(&s);
    return err ? rsd_fail_prefix(err, "%s null", rsd_null_name(null)) : RSD_OK;
}

int null_draws(const null_request *q, rsd_null null, rsd_mat R, null_curves *out)
{
    const size_t least = R.m < R.n ? R.m : R.n;
    const size_t n = q->opts.top ? q->opts.top : least;
    double *block = NULL, *spare = NULL;
    const double **row = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(curves_alloc(out, n, q->draws));
    RSD_TRY_DONE(rsd_array_alloc(n, 3 * q->draws, sizeof *block, &block));
    RSD_TRY_DONE(rsd_array_alloc(n, 2, sizeof *spare, &spare));
    RSD_TRY_DONE(rsd_array_alloc(q->draws, 1, sizeof *row, &row));
    double *const rows[3] = { block, block + n * q->draws, block + 2 * n * q->draws };
    for (size_t d = 0; d < q->draws; d++)
        RSD_TRY_DONE(draw(q, null, d, R, n, rows));

    double *const mean[3] = { out->s, out->sum, out->energy };
    double *const low[3] = { spare, out->sum_low, out->energy_low };
    double *const high[3] = { spare + n, out->sum_high, out->energy_high };
    for (int c = 0; c < 3; c++) {
        for (size_t d = 0; d < q->draws; d++)
            row[d] = rows[c] + d * n;
        rsd_band(row, q->draws, n, mean[c], low[c], high[c]);
    }
done:
    free(row);
    free(spare);
    free(block);
    if (err)
        null_curves_free(out);
    return err;
}

int null_quadrature(const null_request *q, const rsd_spectrum *R, null_curves *out)
{
    const size_t least = R->m < R->n ? R->m : R->n;
    const size_t n = q->opts.top ? q->opts.top : least;
    const double v = R->sumsq / ((double)R->m * (double)R->n);
    double *full;
    RSD_TRY(rsd_array_alloc(least, 3, sizeof *full, &full));
    int err = curves_alloc(out, n, 0);
    if (!err)
        err = rsd_mp_curves(R->m, R->n, full, full + least);
    if (!err)
        err = rsd_mp_quantiles(R->m, R->n, v, full + 2 * least);
    if (!err) {
        memcpy(out->sum, full, n * sizeof *full);
        memcpy(out->energy, full + least, n * sizeof *full);
        memcpy(out->s, full + 2 * least, n * sizeof *full);
    } else
        null_curves_free(out);
    free(full);
    return err;
}

int null_write(rsd_store *store, const result_record *record, rsd_null null, const null_curves *c)
{
    const bool band = c->draws > 0;
    const result_null out = { .null = null,
                              .count = c->count,
                              .draws = c->draws,
                              .s = c->s,
                              .sum = c->sum,
                              .energy = c->energy,
                              .sum_low = band ? c->sum_low : NULL,
                              .sum_high = band ? c->sum_high : NULL,
                              .energy_low = band ? c->energy_low : NULL,
                              .energy_high = band ? c->energy_high : NULL };
    return result_write_null(store, record, &out);
}
