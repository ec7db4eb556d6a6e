/* Predictions beside measurements, point by point. */
#include "compare/points.h"

#include "alloc.h"
#include "compare/predicted.h"
#include "mat.h"
#include "rng.h"
#include "spectra/forecast.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool same(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* The part of these names, a new one at the end where there is none. */
static int find_part(points *p, const points_part *like, size_t *at)
{
    for (*at = 0; *at < p->parts; ++*at) {
        const points_part *q = &p->part[*at];
        if (same(q->model, like->model) && same(q->spec, like->spec) && same(q->init, like->init) &&
            q->rank == like->rank)
            return RSD_OK;
    }
    RSD_TRY(rsd_room(&p->part, p->parts, 1, sizeof *p->part));
    p->part[p->parts++] = *like;
    return RSD_OK;
}

/* ---- runs ---- */

static size_t cluster_of_run(const recovery_row *r)
{
    char text[4096];
    snprintf(text, sizeof text, "%s\n%s\n%s", r->model, r->spec, r->init);
    return (size_t)rsd_seed(0, text);
}

/* A closed form counts where the start corrects anything: training begins elsewhere than at q. */
static bool corrects(const recovery_row *r)
{
    return isfinite(r->recovered_init) && r->loss_init != r->loss_q;
}

static int add_run(const evidence *e, size_t run, bool closed, points *p)
{
    const recovery_row *r = &e->run[run];
    const points_part like = { .init = r->init };
    forecast f;
    const forecast_fit fit = forecast_run(e, run, &f);
    p->no_spectra += fit == FORECAST_NO_SPECTRA;
    p->other_layers += fit == FORECAST_OTHER_LAYERS;
    if (fit != FORECAST_FITS)
        return RSD_OK;
    point *at = &p->point[p->count++];
    *at = (point){ .run = r,
                   .cluster = cluster_of_run(r),
                   .measured = closed ? r->recovered_init : r->recovered_fraction,
                   .se = closed ? r->recovered_init_se : r->recovered_fraction_se };
    for (int k = 0; k < PREDICTORS; k++)
        at->predicted[k] = 1 - f.remaining[k];
    return find_part(p, &like, &at->part);
}

static int add_runs(const evidence *e, bool closed, points *p)
{
    RSD_TRY(rsd_zeroed(e->runs, sizeof *p->point, &p->point));
    for (size_t i = 0; i < e->runs; i++) {
        const recovery_row *r = &e->run[i];
        if (evidence_counts(r) && (closed ? corrects(r) : r->steps > 0))
            RSD_TRY(add_run(e, i, closed, p));
    }
    return RSD_OK;
}

/* ---- layers ---- */

/* Energy that a correction leaves; in the loss's weighting the loss itself. */
static double cost_of(const evidence_layer *l, int k, size_t rank)
{
    const evidence_curve *curve = evidence_curve_of(l, k);
    const double left = curve->energy * evidence_remaining(l, curve, rank);
    return k == RSD_WEIGHTING_GH || k == PREDICTOR_A_PRIORI ? rsd_loss_of_energy(left) : left;
}

static int add_layers(const evidence *e, points *p)
{
    RSD_TRY(rsd_zeroed(e->sensitivities, sizeof *p->point, &p->point));
    for (size_t i = 0; i < e->sensitivities; i++) {
        const sensitivity_row *s = &e->sensitivity[i];
        const evidence_case *c = evidence_find(e, s->model, s->spec);
        const evidence_case *a_priori = evidence_find_a_priori(e, s->model, s->spec);
        const evidence_layer *l = c ? evidence_find_layer(c, s->tensor) : NULL;
        const evidence_layer *ahead = a_priori ? evidence_find_layer(a_priori, s->tensor) : NULL;
        const points_part like = {
            .model = s->model, .spec = s->spec, .init = s->init, .rank = (size_t)s->rank
        };
        p->no_spectra += !l && !ahead;
        if (!l && !ahead)
            continue;
        point *at = &p->point[p->count++];
        *at = (point){ .sensitivity = s,
                       .cluster = evidence_unit(e, s->model, s->tensor, s->layer),
                       .measured = s->increase,
                       .se = s->increase_se };
        for (int k = 0; k < PREDICTORS; k++) {
            const evidence_layer *of = k == PREDICTOR_A_PRIORI ? ahead : l;
            at->predicted[k] = of ? cost_of(of, k, (size_t)s->rank) : NAN;
        }
        RSD_TRY(find_part(p, &like, &at->part));
    }
    return RSD_OK;
}

/* ---- what they say ---- */

/* The points of one part (NULL: all) as arrays. */
typedef struct {
    size_t n;
    double *predicted[PREDICTORS], *measured;
    size_t *cluster, *group;
} columns;

static int columns_take(const points *p, const points_part *part, columns *c)
{
    *c = (columns){ 0 };
    for (int k = 0; k < PREDICTORS; k++)
        RSD_TRY(rsd_array_alloc(p->count + 1, 1, sizeof(double), &c->predicted[k]));
    RSD_TRY(rsd_array_alloc(p->count + 1, 1, sizeof(double), &c->measured));
    RSD_TRY(rsd_array_alloc(p->count + 1, 1, sizeof(size_t), &c->cluster));
    RSD_TRY(rsd_array_alloc(p->count + 1, 1, sizeof(size_t), &c->group));
    for (size_t i = 0; i < p->count; i++) {
        const point *q = &p->point[i];
        if (part && part != &p->part[q->part])
            continue;
        for (int k = 0; k < PREDICTORS; k++)
            c->predicted[k][c->n] = q->predicted[k];
        c->measured[c->n] = q->measured;
        c->cluster[c->n] = q->cluster;
        c->group[c->n++] = q->part;
    }
    return RSD_OK;
}

static void columns_free(columns *c)
{
    for (int k = 0; k < PREDICTORS; k++)
        free(c->predicted[k]);
    free(c->measured);
    free(c->cluster);
    free(c->group);
}

static int associate(const points *p, const points_part *part, bool layers, uint64_t seed,
                     points_part *out)
{
    columns c;
    int err = RSD_OK;
    RSD_TRY_DONE(columns_take(p, part, &c));
    out->count = c.n;
    for (int k = 0; k < PREDICTORS; k++) {
        const rsd_association_job job = { .predicted = c.predicted[k],
                                          .measured = c.measured,
                                          .cluster = c.cluster,
                                          .group = part ? NULL : c.group,
                                          .n = c.n,
                                          .logarithms = layers,
                                          .seed = seed };
        RSD_TRY_DONE(rsd_associate(&job, &out->of[k]));
    }
    const rsd_contest_job contest = { .predictions = PREDICTORS,
                                      .guess = (const double *const *)c.predicted,
                                      .measured = c.measured,
                                      .cluster = c.cluster,
                                      .n = layers ? 0 : c.n,
                                      .seed = seed };
    err = rsd_contest_hold(&contest, &out->contest);
done:
    columns_free(&c);
    return err;
}

int points_make(const evidence *e, points_kind kind, uint64_t seed, points *out)
{
    const bool layers = kind == POINTS_LAYERS;
    *out = (points){ 0 };
    RSD_TRY(layers ? add_layers(e, out) : add_runs(e, kind == POINTS_CLOSED, out));
    for (size_t i = 0; i < out->parts; i++)
        RSD_TRY(associate(out, &out->part[i], layers, seed, &out->part[i]));
    return associate(out, NULL, layers, seed, &out->all);
}

void points_free(points *p)
{
    free(p->point);
    free(p->part);
    *p = (points){ 0 };
}
