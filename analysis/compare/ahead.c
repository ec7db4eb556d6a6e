/* Predictions without quantizing, beside residuals. */
#include "compare/ahead.h"

#include "alloc.h"
#include "spectra/forecast.h"

#include <math.h>
#include <stdlib.h>

static double remaining(const evidence_layer *l, size_t rank)
{
    return evidence_remaining(l, &l->curve[RSD_WEIGHTING_GH], rank);
}

static void compare_layer(const evidence_layer *l, const evidence_layer *R, size_t rank,
                          double *squares, size_t *both)
{
    const double d = R ? remaining(l, rank) - remaining(R, rank) : NAN;
    if (isnan(d))
        return;
    *squares += d * d;
    ++*both;
}

static void make_line(const evidence *e, const evidence_case *c, size_t rank, ahead_line *out)
{
    const evidence_case *residuals = evidence_find(e, c->model, c->spec);
    rsd_forecast predicted = { 0 }, found = { 0 };
    double squares = 0;
    *out = (ahead_line){ .model = c->model, .spec = c->spec, .layers = c->layers };
    for (size_t i = 0; i < c->layers; i++) {
        const evidence_layer *l = &c->layer[i];
        const evidence_layer *R = residuals ? evidence_find_layer(residuals, l->tensor) : NULL;
        rsd_forecast_add(&predicted, l->curve[RSD_WEIGHTING_GH].energy, remaining(l, rank));
        rsd_forecast_add(&found, R ? R->curve[RSD_WEIGHTING_GH].energy : NAN,
                         R ? remaining(R, rank) : NAN);
        compare_layer(l, R, rank, &squares, &out->both);
    }
    out->loss = rsd_loss_of_energy(predicted.total);
    out->loss_of_R = isnan(found.total) ? NAN : rsd_loss_of_energy(found.total);
    out->held = 1 - rsd_forecast_remaining(&predicted);
    out->held_of_R = 1 - rsd_forecast_remaining(&found);
    out->off = out->both ? sqrt(squares / (double)out->both) : NAN;
}

int ahead_make(const evidence *e, size_t rank, ahead *out)
{
    *out = (ahead){ 0 };
    RSD_TRY(rsd_zeroed(e->a_priori_cases, sizeof *out->line, &out->line));
    for (size_t i = 0; i < e->a_priori_cases; i++)
        if (!e->a_priori[i].control)
            make_line(e, &e->a_priori[i], rank, &out->line[out->count++]);
    return RSD_OK;
}

void ahead_free(ahead *a)
{
    free(a->line);
    *a = (ahead){ 0 };
}
