/* How many directions hold W, R, the inputs H, R seen through them, and what training learned:
 * cumulative energy, mean over layers, on one axis.  One page per model and quantizer, a panel per
 * role. */
#include "alloc.h"
#include "compare/comparison.h"
#include "figures/axis.h"
#include "figures/figure.h"
#include "mat.h"
#include "result/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CURVE_W, CURVE_R, CURVE_H, CURVE_RH, CURVE_TRAINED, CURVES };
static const char *const columns[] = { "rank", "W", "R", "H", "RH", "trained" };
/* Sums over the layers of a role, by rank. */
typedef struct {
    size_t ranks;
    double *sum[CURVES]; /* [ranks] each */
    size_t *count[CURVES];
} means;

static int means_alloc(size_t ranks, means *m)
{
    *m = (means){ .ranks = ranks };
    for (int k = 0; k < CURVES; k++) {
        RSD_TRY(rsd_zeroed(ranks, sizeof *m->sum[k], &m->sum[k]));
        RSD_TRY(rsd_zeroed(ranks, sizeof *m->count[k], &m->count[k]));
    }
    return RSD_OK;
}

static void means_free(means *m)
{
    for (int k = 0; k < CURVES; k++) {
        free(m->sum[k]);
        free(m->count[k]);
    }
}

/* Behind its end a whole curve stays at 1. */
static void add_curve(means *m, int which, const double *share, size_t n, bool whole)
{
    for (size_t r = 0; r < m->ranks; r++) {
        if (r >= n && !whole)
            return;
        m->sum[which][r] += r < n ? share[r] : 1;
        m->count[which][r]++;
    }
}

/* An array of the store as cumulative shares: energies already, or singular values. */
static int add_array(means *m, int which, const rsd_store *store, const char *group,
                     const char *name, bool values)
{
    char *path = NULL;
    double *x = NULL;
    size_t ndim, shape[2];
    RSD_TRY(rsd_format(&path, "%s/%s", group, name));
    int err = RSD_OK;
    if (rsd_store_exists(store, path))
        err = rsd_store_read_array(store, path, &x, &ndim, shape);
    if (x && values) {
        double total = 0, held = 0;
        for (size_t i = 0; i < shape[0]; i++)
            total += x[i] * x[i];
        for (size_t i = 0; i < shape[0]; i++) {
            held += x[i] * x[i];
            x[i] = total > 0 ? held / total : NAN;
        }
    }
    if (x && shape[0] && isfinite(x[0]))
        add_curve(m, which, x, shape[0], true);
    free(x);
    free(path);
    return err;
}

static int add_trained(means *m, const evidence *e, const evidence_case *c, const char *tensor,
                       const rsd_store *store)
{
    for (size_t i = 0; i < e->runs; i++) {
        const recovery_row *r = &e->run[i];
        char *run, *name, *group = NULL;
        int err = RSD_OK;
        if (r->control || strcmp(r->model, c->model) != 0 || strcmp(r->spec, c->spec) != 0)
            continue;
        run = recovery_path(r->run);
        name = rsd_store_escape(tensor);
        err = run && name ? rsd_format(&group, "%s/layers/%s", run, name)
                          : RSD_FAIL(RSD_ENOMEM, "path of a run");
        if (!err)
            err = add_array(m, CURVE_TRAINED, store, group, "singular_values", true);
        free(group);
        free(name);
        free(run);
        RSD_TRY(err);
    }
    return RSD_OK;
}

static int add_layer(means *m, const evidence *e, const evidence_case *c, const evidence_layer *l,
                     const rsd_store *store)
{
    char *matrix = result_matrix_path(c->model, l->tensor), *moment = NULL, *w = NULL;
    int err = matrix ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", l->tensor);
    if (!err)
        err = rsd_format(&moment, "%s/H", matrix);
    if (!err)
        err = rsd_format(&w, "%s/W", matrix);
    if (!err)
        err = add_array(m, CURVE_W, store, w, "cumulative_energy", false);
    if (!err)
        err = add_array(m, CURVE_H, store, moment, "cumulative_energy", false);
    const evidence_curve *R = &l->curve[RSD_WEIGHTING_NONE], *RH = &l->curve[RSD_WEIGHTING_H];
    if (!isnan(R->energy))
        add_curve(m, CURVE_R, R->share, R->n, R->complete);
    if (!isnan(RH->energy))
        add_curve(m, CURVE_RH, RH->share, RH->n, RH->complete);
    if (!err)
        err = add_trained(m, e, c, l->tensor, store);
    free(w);
    free(moment);
    free(matrix);
    return err;
}

static int put_panel(page *p, const evidence *e, const evidence_case *c, const char *role,
                     const rsd_store *store, size_t top)
{
    means m;
    int err = means_alloc(top, &m);
    for (size_t i = 0; i < c->layers && !err; i++)
        if (strcmp(c->layer[i].role, role) == 0)
            err = add_layer(&m, e, c, &c->layer[i], store);
    if (!err)
        page_panel(p, role, columns, CURVES + 1);
    for (size_t r = 0; r < m.ranks && !err; r++) {
        double row[CURVES + 1] = { (double)(r + 1) };
        for (int k = 0; k < CURVES; k++)
            row[k + 1] = m.count[k][r] ? m.sum[k][r] / (double)m.count[k][r] : NAN;
        page_row(p, row);
    }
    means_free(&m);
    return err;
}

static bool is_first_of_role(const evidence_case *c, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(c->layer[k].role, c->layer[i].role) == 0)
            return false;
    return true;
}

static size_t most_rank(const evidence_case *c)
{
    size_t most = 1;
    for (size_t i = 0; i < c->layers; i++) {
        const size_t d = c->layer[i].rows < c->layer[i].cols ? c->layer[i].rows : c->layer[i].cols;
        most = d > most ? d : most;
    }
    return most;
}

static int draw_case(const view *v, const evidence *e, const evidence_case *c,
                     const figure_options *options, const page_sink *sink)
{
    const char *label = c->spec;
    for (size_t q = 0; q < v->specs; q++)
        if (strcmp(v->spec[q].text, c->spec) == 0)
            label = v->spec[q].label;
    const char *const parts[3] = { c->model, label, "" };
    const char *const names[CURVES] = { "W", "R = W − W_q", "H, the inputs", "R H½",
                                        "trained adapters, all starts" };
    const size_t most = most_rank(c),
                 top = options->top && options->top < most ? options->top : most;
    page p;
    int err = RSD_OK;
    RSD_TRY_DONE(page_open(&p, "data_rank", parts));
    page_heading(&p, "Is it the model or the data?",
                 "%s · %s · energy in the first r directions, "
                 "mean over layers",
                 c->model, label);
    for (size_t k = 0; k < CURVES; k++)
        page_series(&p, k + 1, names[k]);
    page_range(&p, 'x', 1, (double)top);
    for (size_t i = 0; i < c->layers; i++)
        if (is_first_of_role(c, i))
            RSD_TRY_DONE(put_panel(&p, e, c, c->layer[i].role, v->store, top));
    RSD_TRY_DONE(page_finish(&p, (page_shape){ .width = 2.3, .height = 1.9 }));
    if (p.panels)
        err = sink->draw(sink->context, &p);
done:
    page_free(&p);
    return err;
}

static bool has_data(const evidence_case *c)
{
    for (size_t i = 0; i < c->layers; i++)
        if (!isnan(c->layer[i].curve[RSD_WEIGHTING_H].energy))
            return true;
    return false;
}

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    evidence e = { 0 };
    int err = evidence_add(&e, v->store);
    for (size_t i = 0; !err && i < e.cases; i++)
        if (has_data(&e.item[i]))
            err = draw_case(v, &e, &e.item[i], options, sink);
    evidence_free(&e);
    return err;
}

extern const figure figure_data_rank;
const figure figure_data_rank = {
    .name = "data_rank",
    .summary = "cumulative energy of W, R, H, R in the inputs' metric and trained adapters",
    .needs = "residuals in the data's metric (analyze -q --calibration)",
    .pages = pages,
};
