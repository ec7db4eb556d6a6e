#include "quantizers/expected_error.h"

#include "alloc.h"
#include "boot.h"
#include "quantizers/importance.h"
#include "rng.h"

#include <gsl/gsl_fit.h>
#include <gsl/gsl_multifit.h>
#include <math.h>
#include <stdlib.h>

enum { SAMPLE_ROWS = 128, SAMPLE_COLS = 1024, TERMS = 3, BANDS = 8 };

bool rsd_error_is_expected(const rsd_spec *spec)
{
    return spec->quantizer->scales && spec->quantizer->scales(spec).over != RSD_RUNS_UNKNOWN;
}

/* ---- runs ---- */

/* The run of entry (i, j); runs are numbered as they come. */
static size_t run_of(const rsd_scale_runs *runs, rsd_mat W, size_t i, size_t j)
{
    const size_t per_row = W.n / runs->length + (W.n % runs->length != 0);
    switch (runs->over) {
    case RSD_RUNS_OF_ROW:
        return i * per_row + j / runs->length;
    case RSD_RUNS_FLAT:
        return (i * W.n + j) / runs->length;
    default:
        return i / runs->length;
    }
}

/* Sizes of runs, counted from the first; of single weights none are kept. */
typedef struct {
    const rsd_scale_runs *runs;
    double *size;
} run_sizes;

static double size_at(const run_sizes *s, rsd_mat W, size_t i, size_t j)
{
    return s->size ? s->size[run_of(s->runs, W, i, j)] : fabs((double)W.x[i * W.ld + j]);
}

static int find_sizes(const rsd_scale_runs *runs, rsd_mat W, run_sizes *out)
{
    *out = (run_sizes){ .runs = runs };
    if (runs->length == 1 && runs->over != RSD_RUNS_OF_ROWS)
        return RSD_OK;
    const size_t count = run_of(runs, W, W.m - 1, W.n - 1) + 1;
    double *low, *high;
    RSD_TRY(rsd_zeroed(2 * count, sizeof *high, &high));
    low = high + count;
    for (size_t i = 0; i < W.m; i++)
        for (size_t j = 0; j < W.n; j++) {
            const double w = (double)W.x[i * W.ld + j];
            const size_t r = run_of(runs, W, i, j);
            low[r] = fmin(low[r], w);
            high[r] = fmax(high[r], w);
        }
    for (size_t r = 0; r < count; r++)
        high[r] = runs->size == RSD_SIZE_RANGE ? high[r] - low[r] : fmax(high[r], -low[r]);
    out->size = high;
    return RSD_OK;
}

/* ---- importances ---- */

/* relative[n]: each input's importance over the mean of those that share a run with it in a row; 1
 * throughout where inputs are not weighed, or runs cross rows' ends. */
static int find_relative(const rsd_scale_runs *runs, const double *square, size_t n,
                         double *relative)
{
    const size_t length = runs->over == RSD_RUNS_OF_ROW && runs->length < n ? runs->length : n;
    for (size_t j = 0; j < n; j++)
        relative[j] = 1;
    if (!square || runs->over == RSD_RUNS_FLAT)
        return RSD_OK;
    RSD_TRY(rsd_importance_fill(square, n, length, relative, NULL));
    for (size_t first = 0; first < n; first += length) {
        const size_t count = n - first < length ? n - first : length;
        const double mean = rsd_mean(relative + first, count);
        for (size_t j = first; j < first + count; j++)
            relative[j] /= mean;
    }
    return RSD_OK;
}

/* ---- the constants ---- */

/* The sample and what a quantizer made of it. */
typedef struct {
    rsd_mat W, Q;
    double *square, *relative; /* importances of its inputs, NULL: none; over those of their runs */
    run_sizes sizes;
} sample;

static double leak_of(const sample *s)
{
    double product = 0, square = 0;
    for (size_t i = 0; i < s->W.m * s->W.n; i++) {
        const double w = (double)s->W.x[i];
        product += w * (w - (double)s->Q.x[i]);
        square += w * w;
    }
    return product / square;
}

static double square_of(const double *c, double s, double w)
{
    return fmax(0, c[0] * s * s + c[1] * s * w + c[2] * w * w);
}

static double weigh(const rsd_error_model *m, double relative)
{
    return m->by_importance ? pow(relative, -m->by_importance) : 1;
}

/* What is below 0 is taken as 0: the sum over the sample is what it was again. */
static void restore_sum(const gsl_matrix *u, const gsl_vector *y, double *c, size_t terms)
{
    double made = 0, told = 0;
    for (size_t i = 0; i < y->size; i++) {
        made += gsl_vector_get(y, i);
        told += square_of(c, 1, gsl_matrix_get(u, i, terms > 1));
    }
    for (size_t k = 0; k < TERMS && told > 0; k++)
        c[k] *= made / told;
}

/* Least squares of what the leak does not explain, in units of the run's size: on 1, u and u^2 of
 * u = |w|/s.  Of single weights u is 1, and the last alone is left. */
static int fit_terms(const sample *s, rsd_error_model *m)
{
    const size_t n = s->W.m * s->W.n, terms = m->runs.length == 1 ? 1 : TERMS;
    gsl_multifit_linear_workspace *space = gsl_multifit_linear_alloc(n, terms);
    gsl_matrix *u = gsl_matrix_alloc(n, terms), *cov = gsl_matrix_alloc(terms, terms);
    gsl_vector *y = gsl_vector_alloc(n);
    gsl_vector_view c = gsl_vector_view_array(m->c + TERMS - terms, terms);
    double rest;
    int err = space && u && cov && y ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "a fit to %zu weights", n);
    if (err)
        goto done;
    for (size_t at = 0; at < n; at++) {
        const size_t i = at / s->W.n, j = at % s->W.n;
        const double w = (double)s->W.x[at], size = size_at(&s->sizes, s->W, i, j);
        const double e = (w - (double)s->Q.x[at] - m->leak * w) / size;
        for (size_t k = 0; k < terms; k++)
            gsl_matrix_set(u, at, k, pow(fabs(w) / size, (double)k));
        gsl_vector_set(y, at, e * e / weigh(m, s->relative[j]));
    }
    if (gsl_multifit_linear(u, y, &c.vector, cov, &rest, space))
        err = RSD_FAIL(RSD_ECONV, "a fit to %zu weights", n);
    else
        restore_sum(u, y, m->c, terms);
done:
    gsl_vector_free(y);
    gsl_matrix_free(cov);
    gsl_matrix_free(u);
    gsl_multifit_linear_free(space);
    return err;
}

/* The slope of a column's error, over what the terms say of it, with its importance; of
 * logarithms. */
static int fit_importance(const sample *s, rsd_error_model *m)
{
    double *x, *y, c0, c1, cov00, cov01, cov11, rest;
    if (!s->square)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(s->W.n, 2, sizeof *x, &x));
    y = x + s->W.n;
    for (size_t j = 0; j < s->W.n; j++) {
        double made = 0, told = 0;
        for (size_t i = 0; i < s->W.m; i++) {
            const double w = (double)s->W.x[i * s->W.n + j];
            const double e = w - (double)s->Q.x[i * s->W.n + j] - m->leak * w;
            made += e * e;
            told += square_of(m->c, size_at(&s->sizes, s->W, i, j), fabs(w));
        }
        x[j] = log(s->relative[j]);
        y[j] = log(made / told);
    }
    gsl_fit_linear(x, 1, y, 1, s->W.n, &c0, &c1, &cov00, &cov01, &cov11, &rest);
    free(x);
    m->by_importance = isfinite(c1) ? -c1 : 0;
    return RSD_OK;
}

/* Normal numbers.  What rounds scales to powers of two makes errors that go with where a size lies
 * between two of them: 8 bands of rows lie evenly, but where a run would mix them. */
static void fill_sample(rsd_rng *rng, const rsd_scale_runs *runs, rsd_mat W)
{
    rsd_rng_normals(rng, W.x, W.m * W.n);
    for (size_t i = 0; i < W.m && runs->over != RSD_RUNS_OF_ROWS; i++) {
        const float scale = exp2f((float)(i * BANDS / W.m) / BANDS);
        for (size_t j = 0; j < W.n; j++)
            W.x[i * W.n + j] *= scale;
    }
}

static int make_sample(const rsd_scale_runs *runs, bool importances, sample *s)
{
    rsd_rng *rng;
    int err = RSD_OK;
    *s = (sample){ 0 };
    RSD_TRY(rsd_rng_alloc(0, "expected error", &rng));
    RSD_TRY_DONE(rsd_mat_alloc(SAMPLE_ROWS, SAMPLE_COLS, &s->W));
    RSD_TRY_DONE(rsd_mat_alloc(SAMPLE_ROWS, SAMPLE_COLS, &s->Q));
    RSD_TRY_DONE(rsd_array_alloc(SAMPLE_COLS, 1, sizeof *s->relative, &s->relative));
    fill_sample(rng, runs, s->W);
    if (importances) {
        RSD_TRY_DONE(rsd_array_alloc(SAMPLE_COLS, 1, sizeof *s->square, &s->square));
        for (size_t j = 0; j < SAMPLE_COLS; j++)
            s->square[j] = exp(rsd_rng_normal(rng) / 2); /* as spread as most layers' */
    }
    RSD_TRY_DONE(find_relative(runs, s->square, SAMPLE_COLS, s->relative));
    err = find_sizes(runs, s->W, &s->sizes);
done:
    rsd_rng_free(rng);
    return err;
}

static void sample_free(sample *s)
{
    free(s->sizes.size);
    free(s->relative);
    free(s->square);
    rsd_mat_free(&s->Q);
    rsd_mat_free(&s->W);
}

int rsd_error_model_make(const rsd_spec *spec, bool importances, rsd_error_model *out)
{
    rsd_quant_stats stats;
    sample s;
    int err = RSD_OK;
    if (!rsd_error_is_expected(spec))
        return RSD_FAIL(RSD_EUSAGE, "%s: its error depends on more than the weights' sizes",
                        spec->text);
    importances = importances && spec->quantizer->calibration != RSD_CALIBRATION_NONE;
    *out = (rsd_error_model){ .runs = spec->quantizer->scales(spec) };
    RSD_TRY_DONE(make_sample(&out->runs, importances, &s));
    const rsd_calibration c = {
        .m = s.W.m, .n = s.W.n, .square = s.square, .mean_abs = s.square, .max_abs = s.square
    };
    RSD_TRY_DONE(rsd_quantize(spec, s.W, importances ? &c : NULL, s.Q, &stats, NULL));
    out->bits_per_weight = stats.bits_per_weight;
    out->leak = leak_of(&s);
    RSD_TRY_DONE(fit_terms(&s, out));
    RSD_TRY_DONE(fit_importance(&s, out));
    if (importances)
        err = fit_terms(&s, out);
done:
    sample_free(&s);
    return err;
}

/* ---- what they say of a matrix ---- */

int rsd_expect_error(const rsd_error_model *model, rsd_mat W, const double *square, rsd_mat V)
{
    run_sizes sizes = { 0 };
    double *relative = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(find_sizes(&model->runs, W, &sizes));
    RSD_TRY_DONE(rsd_array_alloc(W.n, 1, sizeof *relative, &relative));
    RSD_TRY_DONE(find_relative(&model->runs, square, W.n, relative));
    for (size_t j = 0; j < W.n; j++)
        relative[j] = weigh(model, relative[j]);
    for (size_t i = 0; i < W.m; i++)
        for (size_t j = 0; j < W.n; j++) {
            const double w = fabs((double)W.x[i * W.ld + j]);
            const double terms = square_of(model->c, size_at(&sizes, W, i, j), w);
            V.x[i * V.ld + j] = (float)sqrt(terms * relative[j]);
        }
done:
    free(relative);
    free(sizes.size);
    return err;
}
