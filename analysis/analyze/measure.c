/* One matrix: W, W_q and R, their spectra and what relates them. */
#include "analyze/measured.h"

#include "alloc.h"
#include "cli/console.h"
#include "linalg/subspace.h"
#include "spectra/curves.h"
#include "spectra/leak.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t measure_bytes(const measure_item *item)
{
    const rsd_tensor *t = item->tensor;
    const size_t matrix = t->rows * t->cols * sizeof(float);
    const rsd_spectrum_opts opts = { .method = (rsd_method)item->options->method,
                                     .top = item->options->top,
                                     .vectors = item->options->overlap,
                                     .tolerance = item->options->tolerance };
    const size_t moments = item->moments && item->origins ? 2 * moment_bytes(t->rows, t->cols) : 0;
    const size_t a_priori =
        moments && item->options->a_priori ? a_priori_bytes(t->rows, t->cols) : 0;
    /* W, R, and half a matrix for codes and packed bytes */
    return 2 * matrix + matrix / 2 + moments + a_priori +
           rsd_spectrum_bytes(t->rows, t->cols, &opts);
}

/* Subspaces of W and R are compared, of no others. */
static size_t vectors_of(const measure_options *o, spectrum_what what)
{
    const bool compared = what == SPECTRUM_W || what == SPECTRUM_R;
    return compared && o->overlap > o->vectors ? o->overlap : o->vectors;
}

/* name: of the stream of random numbers. */
static rsd_spectrum_opts spectrum_options(const work *w, const char *spec, const char *name,
                                          size_t vectors)
{
    const measure_options *o = w->item->options;
    const rsd_tensor *t = w->item->tensor;
    const size_t least = t->rows < t->cols ? t->rows : t->cols;
    const size_t top = o->top && o->top < least ? o->top : 0;
    const size_t limit = top ? top : least;
    char key[RSD_SPEC_MAX + 256];
    snprintf(key, sizeof key, "%s/%s/%s", t->name, spec, name);
    return (rsd_spectrum_opts){ .method = (rsd_method)o->method,
                                .top = top,
                                .vectors = vectors < limit ? vectors : limit,
                                .tolerance = o->tolerance,
                                .seed = rsd_seed(o->seed, key) };
}

static const rsd_rounding none = { 0 };

/* What R has of rounding beside its own: W_q was computed in float32, and is as large as W. */
static rsd_rounding noise_of_residual(const work *w)
{
    const double stored = rsd_dtype_rounding(w->item->tensor->dtype);
    return rsd_rounding_scaled(w->w.spectrum.noise, RSD_ROUNDING_F32 / stored);
}

/* And R in a weighting: R's, as much larger as R is. */
static rsd_rounding noise_of_seen(const rsd_spectrum *R, rsd_mat seen)
{
    const double grown = R->sumsq > 0 ? sqrt(rsd_mat_sumsq(seen) / R->sumsq) : 0;
    return rsd_rounding_scaled(R->noise, grown);
}

/* Spectrum and metrics of A as one record.  noise: of rounding that A has beside its own. */
static int measure(const work *w, rsd_mat A, const char *spec, spectrum_what what,
                   rsd_rounding noise, measured *out)
{
    const rsd_tensor *t = w->item->tensor;
    const char *name = spectrum_names[what];
    rsd_spectrum_opts opts = spectrum_options(w, spec, name, vectors_of(w->item->options, what));
    opts.rounding = what == SPECTRUM_W ? rsd_dtype_rounding(t->dtype) : RSD_ROUNDING_F32;
    opts.noise = noise;
    out->record = (result_record){
        .place = { w->item->entry->name, t->name, t->role.role, t->role.layer, t->rows, t->cols },
        .spec = spec,
        .what = what,
        .spectrum = &out->spectrum,
        .relation = result_no_relation,
    };
    int err = rsd_spectrum_compute(A, &opts, &out->spectrum);
    if (!err)
        err = rsd_metrics_compute(&out->spectrum, &out->record.metrics);
    return err ? rsd_fail_prefix(err, "%s%s%s", name, *spec ? " of " : "", spec) : RSD_OK;
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

/* What a null says of R in a weighting: its energy share at rank r beyond the null's, and their
 * energies. */
static void compare_to_null(rsd_null null, const null_curves *c, measured *seen)
{
    const rsd_spectrum *s = &seen->spectrum;
    result_relation *rel = &seen->record.relation;
    const double beyond = rsd_excess(s->s, s->count, s->sumsq, c->energy, (size_t)rel->excess_rank);
    double *const out[RSD_NULLS] = {
        [RSD_NULL_SIGN_FLIP] = &rel->excess_sign_flip,
        [RSD_NULL_VARIANCE_PROFILE] = &rel->excess_variance_profile,
        [RSD_NULL_PERMUTED] = &rel->excess_permuted,
        [RSD_NULL_MARCHENKO_PASTUR] = &rel->excess_marchenko_pastur,
    };
    *out[null] = beyond;
    if (!rsd_null_is_weighted(null))
        return;
    rel->null_energy_ratio = c->energy_total > 0 ? s->sumsq / c->energy_total : NAN;
    if (null == RSD_NULL_SIGN_FLIP && c->draws > 1) {
        const double draws = (double)c->draws;
        rel->excess_error = c->spread / sqrt(draws);
        rel->excess_z = beyond / (c->spread * sqrt(1 + 1 / draws));
    }
}

static void excess(const work *w, quantized *q)
{
    const size_t rank = w->item->options->excess_rank;
    for (rsd_weighting_kind k = RSD_WEIGHTING_NONE; k < RSD_WEIGHTINGS; k++) {
        measured *seen = k == RSD_WEIGHTING_NONE ? &q->r : &q->seen[k];
        const rsd_spectrum *s = &seen->spectrum;
        if (s->count == 0 || !(s->sumsq > 0))
            continue;
        seen->record.relation.excess_rank = (double)(rank < s->count ? rank : s->count);
        for (int n = 0; n < RSD_NULLS; n++)
            if (q->null[n][k].count)
                compare_to_null((rsd_null)n, &q->null[n][k], seen);
    }
}

static int measure_seen(work *w, const char *spec, quantized *q)
{
    for (rsd_weighting_kind k = RSD_WEIGHTING_DIAG_H; k < RSD_WEIGHTINGS; k++) {
        RSD_TRY(moment_apply(&w->roots, k, w->R, w->seen));
        RSD_TRY(measure(w, w->seen, spec, spectrum_seen(k), noise_of_seen(&q->r.spectrum, w->seen),
                        &q->seen[k]));
    }
    return RSD_OK;
}

static int measure_nulls(work *w, const wq_origin *origin, quantized *q)
{
    const measure_options *o = w->item->options;
    const null_request request = { .tensor = w->item->tensor->name,
                                   .spec = origin->text,
                                   .draws = o->null_draws,
                                   .seed = o->seed,
                                   .rank = o->excess_rank,
                                   .opts = spectrum_options(w, origin->text, "null",
                                                            vectors_of(o, SPECTRUM_R)),
                                   .roots = &w->roots,
                                   .seen = w->seen };
    if (o->null[RSD_NULL_MARCHENKO_PASTUR])
        RSD_TRY(null_quadrature(&request, &q->r.spectrum, q->null[RSD_NULL_MARCHENKO_PASTUR]));
    if (o->null[RSD_NULL_VARIANCE_PROFILE])
        RSD_TRY(null_profile(&request, w->R, q->null[RSD_NULL_VARIANCE_PROFILE]));
    /* Signs are flipped in place: flips of flips are as random.  Permuting needs R as it was. */
    if (o->null[RSD_NULL_SIGN_FLIP])
        RSD_TRY(null_draws(&request, RSD_NULL_SIGN_FLIP, w->R, q->null[RSD_NULL_SIGN_FLIP]));
    if (o->null[RSD_NULL_PERMUTED]) {
        rsd_quant_stats stats;
        RSD_TRY(measure_wq(w, origin, &stats));
        rsd_mat_sub(w->W, w->Wq, w->R);
        RSD_TRY(null_draws(&request, RSD_NULL_PERMUTED, w->R, q->null[RSD_NULL_PERMUTED]));
    }
    return RSD_OK;
}

static int measure_quantized(work *w, const wq_origin *origin, quantized *q)
{
    const char *spec = origin->text;
    rsd_quant_stats stats;
    RSD_TRY(measure_wq(w, origin, &stats));
    RSD_TRY(measure(w, w->Wq, spec, SPECTRUM_WQ, none, &q->wq));
    rsd_mat_sub(w->W, w->Wq, w->R);
    RSD_TRY(measure(w, w->R, spec, SPECTRUM_R, noise_of_residual(w), &q->r));
    relate(w, &stats, q);
    RSD_TRY(overlap(w, q));
    if (w->roots.n)
        RSD_TRY(measure_seen(w, spec, q));

    RSD_TRY(measure_nulls(w, origin, q));
    excess(w, q);
    return RSD_OK;
}

/* What was to be expected of R in the loss's weighting, had it not been made. */
static int predict(work *w, const wq_origin *origin, quantized *q)
{
    const measure_options *o = w->item->options;
    const rsd_error_model *model = o->a_priori && w->roots.n && origin->spec
                                       ? a_priori_model_of(o->a_priori, origin->spec)
                                       : NULL;
    if (!model)
        return RSD_OK;
    if (!w->layer.roots) {
        rsd_spectrum_opts opts = spectrum_options(w, "", "GWH", 0);
        opts.rounding = RSD_ROUNDING_F32;
        RSD_TRY(a_priori_layer_make(w->W, &w->calibration.c, &w->roots, &opts, &w->layer));
    }
    q->a_priori =
        (a_priori_curve){ .place = q->r.record.place, .spec = origin->text, .damping = o->damping };
    return a_priori_layer_curve(&w->layer, model, &q->a_priori);
}

bool measure_is_absence(const work *w, size_t origin)
{
    const int code = w->q[origin].code;
    return w->item->entry->control ||
           (!w->item->origin[origin].spec && (code == RSD_ENOTFOUND || code == RSD_EARG));
}

/* A W_q that cannot be had is its own failure: W's spectrum and the others go on. */
static void measure_origin(work *w, const wq_origin *origin, quantized *q)
{
    q->code = measure_quantized(w, origin, q);
    if (!q->code)
        q->code = predict(w, origin, q);
    if (q->code)
        snprintf(q->message, sizeof q->message, "%s", rsd_errmsg());
}

/* The store takes one thread at a time. */
static int load_moments(work *w, parts *p)
{
    const measure_item *item = w->item;
    const rsd_tensor *t = item->tensor;
    if (strcmp(item->identity, "none") == 0 || item->origins == 0)
        return RSD_OK;
    parts_lock(p);
    const int err = calibration_read(item->calibration, t, &w->calibration);
    parts_unlock(p);
    RSD_TRY(err);
    if (!item->moments)
        return RSD_OK;
    RSD_TRY(moment_roots_make(&w->calibration.c, item->options->damping, t->name, &w->roots));
    return rsd_mat_alloc(t->rows, t->cols, &w->seen);
}

static int measure_all(work *w, parts *p)
{
    const measure_item *item = w->item;
    RSD_TRY(rsd_mat_alloc(item->tensor->rows, item->tensor->cols, &w->W));
    RSD_TRY(rsd_model_read(item->model, item->tensor, w->W));
    RSD_TRY(rsd_mat_check_finite(w->W));
    RSD_TRY(measure(w, w->W, "", SPECTRUM_W, none, &w->w));
    if (item->origins)
        RSD_TRY(rsd_mat_alloc(item->tensor->rows, item->tensor->cols, &w->R));
    w->Wq = w->R;
    RSD_TRY(load_moments(w, p));
    for (size_t i = 0; i < item->origins; i++)
        measure_origin(w, &item->origin[i], &w->q[i]);
    return RSD_OK;
}

/* The first W_q that failed by itself; its message is the last failure's again. */
static int failure_of(const work *w)
{
    for (size_t i = 0; i < w->item->origins; i++) {
        const quantized *q = &w->q[i];
        if (q->code && w->item->entry->control)
            console_note("%s left out: %s", w->item->entry->name, q->message);
        else if (q->code && !measure_is_absence(w, i))
            return RSD_FAIL(q->code, "%s", q->message);
    }
    return RSD_OK;
}

int measure_matrix(const measure_item *item, parts *p)
{
    work w = { .item = item };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_zeroed(item->origins, sizeof *w.q, &w.q));
    w.matrix_path = result_matrix_path(item->entry->name, item->tensor->name);
    if (!w.matrix_path) {
        err = RSD_FAIL(RSD_ENOMEM, "path of %s", item->tensor->name);
        goto done;
    }
    err = measure_all(&w, p);
    a_priori_layer_free(&w.layer);
    moment_roots_free(&w.roots);
    layer_calibration_free(&w.calibration);
    rsd_mat_free(&w.seen);
    rsd_mat_free(&w.R); /* before the parts wait for their turn */
    rsd_mat_free(&w.W);
    if (!err) {
        err = parts_put(p, NULL, measure_fill, &w);
        err = err ? err : failure_of(&w);
    } else {
        snprintf(w.message, sizeof w.message, "%s", rsd_errmsg());
        const int put = parts_put(p, NULL, measure_fill_failed, &w);
        if (!put) /* the matrix' own failure is the one to report */
            RSD_FAIL(err, "%s", w.message);
    }
done:
    for (size_t i = 0; w.q && i < item->origins; i++) {
        rsd_spectrum_free(&w.q[i].wq.spectrum);
        rsd_spectrum_free(&w.q[i].r.spectrum);
        for (int k = 0; k < RSD_WEIGHTINGS; k++)
            rsd_spectrum_free(&w.q[i].seen[k].spectrum);
        for (int n = 0; n < RSD_NULLS; n++)
            for (int k = 0; k < RSD_WEIGHTINGS; k++)
                null_curves_free(&w.q[i].null[n][k]);
        free(w.q[i].a_priori.share);
    }
    rsd_spectrum_free(&w.w.spectrum);
    free(w.q);
    free(w.matrix_path);
    return err;
}
