/* Curves that are expected of residuals: the noise's from variances, what leaks of W from W. */
#include "analyze/measure_a_priori.h"

#include "alloc.h"
#include "mat.h"
#include "spectra/a_priori.h"
#include "spectra/curves.h"

#include <stdlib.h>

/* ---- quantizers ---- */

static int make_model(const rsd_spec *spec, bool importances, rsd_error_model *out)
{
    *out = (rsd_error_model){ 0 };
    return rsd_error_is_expected(spec) ? rsd_error_model_make(spec, importances, out) : RSD_OK;
}

int a_priori_models_make(const select_specs *specs, bool importances, a_priori_models *out)
{
    *out = (a_priori_models){ .specs = specs };
    RSD_TRY(rsd_zeroed(specs->specs + specs->rules, sizeof *out->model, &out->model));
    for (size_t i = 0; i < specs->specs; i++)
        RSD_TRY(make_model(&specs->spec[i], importances, &out->model[i]));
    for (size_t i = 0; i < specs->rules; i++)
        RSD_TRY(make_model(&specs->rule[i].spec, importances, &out->model[specs->specs + i]));
    return RSD_OK;
}

void a_priori_models_free(a_priori_models *m)
{
    free(m->model);
    m->model = NULL;
}

const rsd_error_model *a_priori_model_of(const a_priori_models *m, const rsd_spec *spec)
{
    const select_specs *s = m->specs;
    size_t at = 0;
    while (at < s->specs && &s->spec[at] != spec)
        at++;
    while (at >= s->specs && at < s->specs + s->rules && &s->rule[at - s->specs].spec != spec)
        at++;
    if (at == s->specs + s->rules || m->model[at].runs.over == RSD_RUNS_UNKNOWN)
        return NULL;
    return &m->model[at];
}

/* ---- a matrix ---- */

size_t a_priori_bytes(size_t rows, size_t cols)
{
    const size_t larger = rows > cols ? rows : cols;
    return rows * cols * sizeof(float) + larger * larger * sizeof(double);
}

static size_t least(rsd_mat A) { return A.m < A.n ? A.m : A.n; }

int a_priori_layer_make(rsd_mat W, const rsd_calibration *c, const moment_roots *roots,
                        const rsd_spectrum_opts *opts, a_priori_layer *out)
{
    *out = (a_priori_layer){ .W = W,
                             .square = c->square,
                             .roots = roots,
                             .opts = *opts,
                             .n = opts->top ? opts->top : least(W) };
    RSD_TRY(rsd_mat_alloc(W.m, W.n, &out->V));
    RSD_TRY(moment_apply(roots, RSD_WEIGHTING_GH, W, out->V));
    out->energy = rsd_mat_sumsq(out->V);
    return RSD_OK;
}

void a_priori_layer_free(a_priori_layer *l)
{
    rsd_mat_free(&l->V);
    free(l->leak);
    l->leak = NULL;
}

/* W's own curve in the weighting; V is work memory. */
static int find_leak(a_priori_layer *l)
{
    rsd_spectrum s = { 0 };
    int err = RSD_OK;
    if (l->leak)
        return RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(least(l->W), 1, sizeof *l->leak, &l->leak));
    RSD_TRY_DONE(moment_apply(l->roots, RSD_WEIGHTING_GH, l->W, l->V));
    RSD_TRY_DONE(rsd_spectrum_compute(l->V, &l->opts, &s));
    rsd_cumulative_energy(s.s, s.count, s.sumsq, l->leak);
    for (size_t k = s.count; k < least(l->W); k++)
        l->leak[k] = 1; /* beyond the ranks that are asked for */
done:
    rsd_spectrum_free(&s);
    return err;
}

/* A leak below this share of the energy changes no curve that one can see. */
static const double least_leak = 1e-3;

int a_priori_layer_curve(a_priori_layer *l, const rsd_error_model *model, a_priori_curve *out)
{
    const double leaked = model->leak * model->leak * l->energy;
    RSD_TRY(rsd_array_alloc(least(l->W), 1, sizeof *out->share, &out->share));
    out->n = l->n;
    RSD_TRY(rsd_expect_error(model, l->W, l->square, l->V));
    RSD_TRY(rsd_variance_profile_curves(l->V, l->roots->g, l->roots->h, NULL, NULL, out->share,
                                        &out->energy));
    out->leaked = leaked;
    if (leaked <= least_leak * out->energy) {
        out->energy += leaked;
        return RSD_OK;
    }
    RSD_TRY(find_leak(l));
    rsd_a_priori_leak(out->share, least(l->W), leaked, l->leak, &out->energy);
    return RSD_OK;
}
