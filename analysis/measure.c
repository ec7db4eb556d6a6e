#include "measure.h"

#include "linalg/subspace.h"
#include "measure_null.h"
#include "spectra/curves.h"
#include "spectra/leak.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A spectrum and what is said of it. */
typedef struct {
    rsd_spectrum spectrum;
    result_record record;
} measured;

typedef struct {
    measured wq, r, seen[MOMENT_METRICS]; /* seen: R in the metrics of the data */
    null_curves null[RSD_NULLS];
} quantized;

typedef struct {
    const measure_item *item;
    char *matrix_path;
    rsd_mat W, R;   /* R holds W_q first */
    rsd_mat seen;   /* R in one of the metrics */
    moment_roots roots;
    measured w;
    quantized *q;   /* [item->specs] */
    int code;       /* of the failure that fill_failed reports */
    char message[1024];
} work;

size_t measure_bytes(const measure_item *item)
{
    const rsd_tensor *t = item->tensor;
    const size_t matrix = t->rows * t->cols * sizeof(float);
    const rsd_spectrum_opts opts = { .method = (rsd_method)item->options->method,
                                     .top = item->options->top,
                                     .vectors = item->options->overlap,
                                     .tolerance = item->options->tolerance };
    const size_t moments = item->moments && item->specs ? moment_bytes(t->rows, t->cols) : 0;
    /* W, R, and half a matrix for codes and packed bytes */
    return 2 * matrix + matrix / 2 + moments + rsd_spectrum_bytes(t->rows, t->cols, &opts);
}

static bool is_metric(const char *what)
{
    for (int k = 0; k < MOMENT_METRICS; k++)
        if (strcmp(what, moment_metrics[k]) == 0)
            return true;
    return false;
}

static rsd_spectrum_opts spectrum_options(const work *w, const char *spec, const char *what)
{
    const measure_options *o = w->item->options;
    const rsd_tensor *t = w->item->tensor;
    const size_t least = t->rows < t->cols ? t->rows : t->cols;
    const size_t top = o->top && o->top < least ? o->top : 0;
    const size_t limit = top ? top : least;
    size_t vectors = o->vectors > o->overlap ? o->vectors : o->overlap;
    if (strcmp(what, "Wq") == 0 || is_metric(what)) /* their subspaces are not compared */
        vectors = o->vectors;
    char key[RSD_SPEC_MAX + 256];
    snprintf(key, sizeof key, "%s/%s/%s", t->name, spec, what);
    return (rsd_spectrum_opts){ .method = (rsd_method)o->method,
                                .top = top,
                                .vectors = vectors < limit ? vectors : limit,
                                .tolerance = o->tolerance,
                                .seed = rsd_seed(o->seed, key) };
}

/* Spectrum and metrics of A as one record. */
static int measure(const work *w, rsd_mat A, const char *spec, const char *what, measured *out)
{
    const rsd_tensor *t = w->item->tensor;
    const rsd_spectrum_opts opts = spectrum_options(w, spec, what);
    out->record = (result_record){
        .place = { w->item->entry->name, t->name, t->role.role, t->role.layer, t->rows, t->cols },
        .spec = spec, .what = what, .spectrum = &out->spectrum, .relation = result_no_relation,
    };
    int err = rsd_spectrum_compute(A, &opts, &out->spectrum);
    if (!err)
        err = rsd_metrics_compute(&out->spectrum, &out->record.metrics);
    return err ? rsd_fail_prefix(err, "%s%s%s", what, *spec ? " of " : "", spec) : RSD_OK;
}

/* Overlap of the top-k singular subspaces of R and W. */
static int overlap(const work *w, quantized *q)
{
    const rsd_spectrum *a = &w->w.spectrum, *b = &q->r.spectrum;
    result_relation *rel = &q->r.record.relation;
    size_t k = w->item->options->overlap;
    k = k < a->vectors ? k : a->vectors;
    k = k < b->vectors ? k : b->vectors;
    if (k == 0 || !(b->s[0] > 0) || !(a->s[0] > 0))
        return RSD_OK;
    double *cosines;
    RSD_TRY(rsd_array_alloc(k, 1, sizeof *cosines, &cosines));
    int err = rsd_principal_cosines(a->u, k, b->u, k, a->m, cosines);
    if (!err) {
        rel->overlap_left = rsd_overlap(cosines, k, k);
        err = rsd_principal_cosines(a->v, k, b->v, k, a->n, cosines);
    }
    if (!err) {
        rel->overlap_right = rsd_overlap(cosines, k, k);
        rel->overlap_rank = (double)k;
        rel->overlap_left_random = rsd_overlap_random(k, k, a->m);
        rel->overlap_right_random = rsd_overlap_random(k, k, a->n);
    }
    free(cosines);
    return err;
}

static void relate(const work *w, const rsd_quant_stats *stats, quantized *q)
{
    result_relation *rel = &q->r.record.relation;
    rel->bits_per_weight = stats->bits_per_weight;
    rel->packed_bytes = (double)stats->packed_bytes;
    rel->relative_error = stats->relative_error;
    rel->sqnr_db = stats->sqnr_db;
    rel->max_abs_error = stats->max_abs_error;
    q->wq.record.relation = *rel; /* the quantizer's own numbers stand beside W_q too */

    rel->leak = rsd_leak(w->R, w->W);
    rel->leak_directions =
        (double)rsd_leak_directions(rel->leak, w->w.spectrum.s, w->w.spectrum.count,
                                    q->r.record.metrics.mp_edge, &rel->leak_strength);
}

/* Energy share of R at rank r minus the null's. */
static void excess(const work *w, quantized *q)
{
    const rsd_spectrum *s = &q->r.spectrum;
    result_relation *rel = &q->r.record.relation;
    size_t r = w->item->options->excess_rank;
    r = r < s->count ? r : s->count;
    if (r == 0 || !(s->sumsq > 0))
        return;
    double share = 0;
    for (size_t k = 0; k < r; k++)
        share += s->s[k] * s->s[k];
    share /= s->sumsq;
    rel->excess_rank = (double)r;
    double *const out[RSD_NULLS] = {
        [RSD_NULL_SIGN_FLIP] = &rel->excess_sign_flip,
        [RSD_NULL_PERMUTED] = &rel->excess_permuted,
        [RSD_NULL_MARCHENKO_PASTUR] = &rel->excess_marchenko_pastur,
    };
    for (int n = 0; n < RSD_NULLS; n++)
        if (q->null[n].count)
            *out[n] = share - q->null[n].energy[r - 1];
}

static int quantize(work *w, const rsd_spec *spec, rsd_quant_stats *stats)
{
    const int err = rsd_quantize(spec, w->W, NULL, w->R, stats, NULL);
    return err ? rsd_fail_prefix(err, "%s", spec->text) : RSD_OK;
}

static int measure_seen(work *w, const rsd_spec *spec, quantized *q)
{
    for (int k = 0; k < MOMENT_METRICS; k++) {
        RSD_TRY(moment_apply(&w->roots, k, w->R, w->seen));
        RSD_TRY(measure(w, w->seen, spec->text, moment_metrics[k], &q->seen[k]));
    }
    return RSD_OK;
}

static int measure_quantized(work *w, const rsd_spec *spec, quantized *q)
{
    const measure_options *o = w->item->options;
    rsd_quant_stats stats;
    RSD_TRY(quantize(w, spec, &stats));
    RSD_TRY(measure(w, w->R, spec->text, "Wq", &q->wq));
    rsd_mat_sub(w->W, w->R, w->R);
    RSD_TRY(measure(w, w->R, spec->text, "R", &q->r));
    relate(w, &stats, q);
    RSD_TRY(overlap(w, q));
    if (w->roots.n)
        RSD_TRY(measure_seen(w, spec, q));

    const null_request request = { .tensor = w->item->tensor->name, .spec = spec->text,
                                   .draws = o->null_draws, .seed = o->seed,
                                   .opts = spectrum_options(w, spec->text, "null") };
    /* Signs are flipped in place: flips of flips are as random.  Permuting needs R as it was. */
    if (o->null[RSD_NULL_MARCHENKO_PASTUR])
        RSD_TRY(null_quadrature(&request, &q->r.spectrum, &q->null[RSD_NULL_MARCHENKO_PASTUR]));
    if (o->null[RSD_NULL_SIGN_FLIP])
        RSD_TRY(null_draws(&request, RSD_NULL_SIGN_FLIP, w->R, &q->null[RSD_NULL_SIGN_FLIP]));
    if (o->null[RSD_NULL_PERMUTED]) {
        RSD_TRY(quantize(w, spec, &stats));
        rsd_mat_sub(w->W, w->R, w->R);
        RSD_TRY(null_draws(&request, RSD_NULL_PERMUTED, w->R, &q->null[RSD_NULL_PERMUTED]));
    }
    excess(w, q);
    return RSD_OK;
}

static int put_place(rsd_store *store, const work *w, const char *status)
{
    return result_write_matrix(store, w->matrix_path, w->item->tensor, status, w->message);
}

/* The group of a spec: the quantizer's numbers are its attributes. */
static int put_spec(rsd_store *store, const work *w, const result_record *r)
{
    char *spec = rsd_store_escape(r->spec), *path = NULL;
    int err = RSD_OK;
    if (!spec || asprintf(&path, "%s/quantized/%s", w->matrix_path, spec) < 0) {
        path = NULL;
        err = RSD_FAIL(RSD_ENOMEM, "path of %s", r->spec);
        goto done;
    }
    RSD_TRY_DONE(rsd_store_group(store, path));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "spec", r->spec));
    const result_relation *rel = &r->relation;
    RSD_TRY_DONE(rsd_store_set_real(store, path, "bits_per_weight", rel->bits_per_weight));
    RSD_TRY_DONE(rsd_store_set_int(store, path, "packed_bytes", (int64_t)rel->packed_bytes));
    RSD_TRY_DONE(rsd_store_set_real(store, path, "relative_error", rel->relative_error));
    RSD_TRY_DONE(rsd_store_set_real(store, path, "sqnr_db", rel->sqnr_db));
    RSD_TRY_DONE(rsd_store_set_real(store, path, "max_abs_error", rel->max_abs_error));
    RSD_TRY_DONE(rsd_store_set_real(store, path, "leak", rel->leak));
done:
    free(path);
    free(spec);
    return err;
}

static int put_measured(rsd_store *store, const work *w, const measured *m, result_rows *rows)
{
    RSD_TRY(result_write_spectrum(store, &m->record));
    RSD_TRY(result_write_vectors(store, &m->record, w->item->options->vectors));
    return result_rows_add(rows, &m->record);
}

static int put_seen(rsd_store *store, const work *w, const measured *m, result_rows *rows)
{
    int err = RSD_OK;
    RSD_TRY(put_measured(store, w, m, rows));
    char *path = result_spectrum_path(&m->record);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", m->record.what);
    RSD_TRY_DONE(rsd_store_set_real(store, path, "damping", w->item->moments->damping));
    RSD_TRY_DONE(rsd_store_set_int(store, path, "clamped", (int64_t)w->roots.clamped));
    err = rsd_store_set_int(store, path, "calibration_tokens", w->roots.tokens);
done:
    free(path);
    return err;
}

static int fill(rsd_store *store, void *context)
{
    const work *w = context;
    result_rows rows = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(put_place(store, w, "ok"));
    RSD_TRY_DONE(put_measured(store, w, &w->w, &rows));
    for (size_t i = 0; i < w->item->specs; i++) {
        const quantized *q = &w->q[i];
        RSD_TRY_DONE(put_spec(store, w, &q->r.record));
        RSD_TRY_DONE(put_measured(store, w, &q->wq, &rows));
        RSD_TRY_DONE(put_measured(store, w, &q->r, &rows));
        for (int k = 0; w->roots.n && k < MOMENT_METRICS; k++)
            RSD_TRY_DONE(put_seen(store, w, &q->seen[k], &rows));
        for (int n = 0; n < RSD_NULLS; n++)
            if (q->null[n].count)
                RSD_TRY_DONE(null_write(store, &q->r.record, (rsd_null)n, &q->null[n]));
    }
    err = result_rows_write(&rows, store);
done:
    result_rows_free(&rows);
    return err;
}

static int fill_failed(rsd_store *store, void *context)
{
    return put_place(store, context, "failed");
}

static int load_moments(work *w, journal *j)
{
    const rsd_tensor *t = w->item->tensor;
    if (!w->item->moments || w->item->specs == 0)
        return RSD_OK;
    RSD_TRY(moment_roots_load(w->item->moments, j, w->matrix_path, t->rows, t->cols, &w->roots));
    return rsd_mat_alloc(t->rows, t->cols, &w->seen);
}

static int measure_all(work *w, journal *j)
{
    const measure_item *item = w->item;
    RSD_TRY(rsd_mat_alloc(item->tensor->rows, item->tensor->cols, &w->W));
    RSD_TRY(rsd_model_read(item->model, item->tensor, w->W));
    RSD_TRY(rsd_mat_check_finite(w->W));
    RSD_TRY(measure(w, w->W, "", "W", &w->w));
    if (item->specs)
        RSD_TRY(rsd_mat_alloc(item->tensor->rows, item->tensor->cols, &w->R));
    RSD_TRY(load_moments(w, j));
    for (size_t i = 0; i < item->specs; i++)
        RSD_TRY(measure_quantized(w, &item->spec[i], &w->q[i]));
    return RSD_OK;
}

int measure_matrix(const measure_item *item, journal *j)
{
    work w = { .item = item };
    int err = RSD_OK;
    w.matrix_path = result_matrix_path(item->entry->name, item->tensor->name);
    w.q = calloc(item->specs + 1, sizeof *w.q);
    if (!w.matrix_path || !w.q) {
        err = RSD_FAIL(RSD_ENOMEM, "results of %s", item->tensor->name);
        goto done;
    }
    err = measure_all(&w, j);
    moment_roots_free(&w.roots);
    rsd_mat_free(&w.seen);
    rsd_mat_free(&w.R); /* before the journal waits for its turn */
    rsd_mat_free(&w.W);
    if (!err)
        err = journal_put(j, item->entry, w.matrix_path, fill, &w);
    else {
        snprintf(w.message, sizeof w.message, "%s", rsd_errmsg());
        const int put = journal_put(j, item->entry, w.matrix_path, fill_failed, &w);
        if (!put) /* the matrix' own failure is the one to report */
            RSD_FAIL(err, "%s", w.message);
    }
done:
    for (size_t i = 0; w.q && i < item->specs; i++) {
        rsd_spectrum_free(&w.q[i].wq.spectrum);
        rsd_spectrum_free(&w.q[i].r.spectrum);
        for (int k = 0; k < MOMENT_METRICS; k++)
            rsd_spectrum_free(&w.q[i].seen[k].spectrum);
        for (int n = 0; n < RSD_NULLS; n++)
            null_curves_free(&w.q[i].null[n]);
    }
    rsd_spectrum_free(&w.w.spectrum);
    free(w.q);
    free(w.matrix_path);
    return err;
}
