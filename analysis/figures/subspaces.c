/* Where trained adapters lie: their overlap with the top subspaces of R, of W, of their own start,
 * of the best corrections in the data's and the loss's metric, of inputs and gradients, against
 * rank, by initialisation, beside that of random subspaces.  One page per model and quantizer;
 * panels: what they are held against, outputs and inputs. */
#include "alloc.h"
#include "compare/evidence.h"
#include "figures/axis.h"
#include "figures/figure.h"
#include "quantizers/label.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE(text, name, side)                                                                     \
    {                                                                                              \
        text, offsetof(recovery_layer, overlap_##name##_##side),                                   \
            offsetof(recovery_layer, random_##side)                                                \
    }
static const struct {
    const char *title;
    size_t overlap, random;
} sides[] = {
    SIDE("R, outputs", R, left),         SIDE("R, inputs", R, right),
    SIDE("W, outputs", W, left),         SIDE("W, inputs", W, right),
    SIDE("start, outputs", start, left), SIDE("start, inputs", start, right),
    SIDE("R H½, outputs", RH, left),     SIDE("R H½, inputs", RH, right),
    SIDE("G½ R H½, outputs", GRH, left), SIDE("G½ R H½, inputs", GRH, right),
    SIDE("G, outputs", G, left),         SIDE("H, inputs", H, right),
};

typedef struct {
    const evidence *e;
    const char *model, *spec;
    size_t starts, ranks;
    const char **start;   /* [starts] */
    int64_t *rank;        /* [ranks], rising */
    const char **columns; /* [2 + starts] of a panel: rank, random, one per start */
    double *row;          /* likewise */
} sheet;

static void sheet_free(sheet *s)
{
    free(s->start);
    free(s->rank);
    free(s->columns);
    free(s->row);
}

static bool belongs(const sheet *s, const recovery_row *r)
{
    return !r->control && strcmp(r->status, "ok") == 0 && strcmp(r->model, s->model) == 0 &&
           strcmp(r->spec, s->spec) == 0;
}

static int add_start(sheet *s, const char *start)
{
    for (size_t k = 0; k < s->starts; k++)
        if (strcmp(s->start[k], start) == 0)
            return RSD_OK;
    RSD_TRY(rsd_room(&s->start, s->starts, 1, sizeof *s->start));
    s->start[s->starts++] = start;
    return RSD_OK;
}

static int add_rank(sheet *s, int64_t rank)
{
    size_t at = 0;
    while (at < s->ranks && s->rank[at] < rank)
        at++;
    if (at < s->ranks && s->rank[at] == rank)
        return RSD_OK;
    RSD_TRY(rsd_room(&s->rank, s->ranks, 1, sizeof *s->rank));
    memmove(s->rank + at + 1, s->rank + at, (s->ranks++ - at) * sizeof *s->rank);
    s->rank[at] = rank;
    return RSD_OK;
}

static int find_axes(sheet *s)
{
    for (size_t i = 0; i < s->e->runs; i++) {
        const recovery_row *r = &s->e->run[i];
        if (!belongs(s, r))
            continue;
        RSD_TRY(add_start(s, r->init));
        RSD_TRY(add_rank(s, r->rank));
    }
    RSD_TRY(rsd_zeroed(2 + s->starts, sizeof *s->columns, &s->columns));
    RSD_TRY(rsd_zeroed(2 + s->starts, sizeof *s->row, &s->row));
    s->columns[0] = "rank";
    s->columns[1] = "random";
    for (size_t k = 0; k < s->starts; k++)
        s->columns[2 + k] = s->start[k];
    return RSD_OK;
}

static double field(const recovery_layer *l, size_t offset)
{
    double x;
    memcpy(&x, (const char *)l + offset, sizeof x);
    return x;
}

/* Mean over the layers of the runs of one start (NULL: all) and rank. */
static double mean_of(const sheet *s, const char *start, int64_t rank, size_t offset)
{
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < s->e->runs; i++) {
        const recovery_row *r = &s->e->run[i];
        if (!belongs(s, r) || r->rank != rank || (start && strcmp(r->init, start) != 0))
            continue;
        for (size_t k = 0; k < s->e->run_layers; k++) {
            const recovery_layer *l = &s->e->run_layer[k];
            const double x = field(l, offset);
            if (strcmp(l->run, r->run) != 0 || strcmp(l->model, r->model) != 0 || !isfinite(x))
                continue;
            sum += x;
            n++;
        }
    }
    return n ? sum / (double)n : NAN;
}

static void put_panel(sheet *s, page *p, size_t side, axis_range *y)
{
    bool any = false;
    for (size_t i = 0; i < s->ranks && !any; i++)
        any = isfinite(mean_of(s, NULL, s->rank[i], sides[side].overlap));
    if (!any)
        return; /* no calibration when the runs were made */
    page_panel(p, sides[side].title, s->columns, 2 + s->starts);
    for (size_t i = 0; i < s->ranks; i++) {
        double *row = s->row;
        row[0] = (double)s->rank[i];
        row[1] = mean_of(s, NULL, s->rank[i], sides[side].random);
        axis_take(y, row[1]);
        for (size_t k = 0; k < s->starts; k++) {
            row[2 + k] = mean_of(s, s->start[k], s->rank[i], sides[side].overlap);
            axis_take(y, row[2 + k]);
        }
        page_row(p, row);
    }
}

static int draw_sheet(sheet *s, const page_sink *sink)
{
    char *label = rsd_spec_label(s->spec);
    const char *const parts[3] = { s->model, label ? label : "", "" };
    axis_range y = { 0 };
    page p;
    int err = RSD_OK;
    RSD_TRY_DONE(page_open(&p, "subspaces", parts));
    page_heading(&p, "Where trained adapters lie",
                 "%s · %s · share of their subspace in others of "
                 "the same size, mean over layers",
                 s->model, label ? label : s->spec);
    RSD_TRY_DONE(find_axes(s));
    page_series(&p, 1, "random subspaces");
    for (size_t k = 0; k < s->starts; k++)
        page_series(&p, 2 + k, s->start[k]);
    page_number(&p, "series", (double)(1 + s->starts));
    for (size_t i = 0; i < sizeof sides / sizeof *sides && s->ranks; i++)
        put_panel(s, &p, i, &y);
    y = axis_linear(y);
    page_range(&p, 'x', s->ranks ? (double)s->rank[0] / 1.3 : 0,
               s->ranks ? (double)s->rank[s->ranks - 1] * 1.3 : 1);
    page_range(&p, 'y', 0, y.high);
    RSD_TRY_DONE(page_finish(&p, (page_shape){ .width = 2.0, .height = 1.7, .cols = 4 }));
    if (p.panels)
        err = sink->draw(sink->context, &p);
done:
    page_free(&p);
    sheet_free(s);
    free(label);
    return err;
}

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    evidence e = { 0 };
    (void)options;
    int err = evidence_add(&e, v->store);
    for (size_t i = 0; !err && i < e.runs; i++) {
        const recovery_row *r = &e.run[i];
        bool first = !r->control && strcmp(r->status, "ok") == 0;
        for (size_t k = 0; k < i && first; k++)
            first = e.run[k].control || strcmp(e.run[k].model, r->model) != 0 ||
                    strcmp(e.run[k].spec, r->spec) != 0;
        if (first)
            err = draw_sheet(&(sheet){ .e = &e, .model = r->model, .spec = r->spec }, sink);
    }
    evidence_free(&e);
    return err;
}

extern const figure figure_subspaces;
const figure figure_subspaces = {
    .name = "subspaces",
    .summary = "overlap of trained adapters with the top of R, of W and of their start",
    .needs = "runs (recover)",
    .pages = pages,
};
