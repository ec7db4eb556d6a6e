/* A metric along depth: one page per model, the panels W and R of each quantizer, a line per
 * role. */
#include "figures/axis.h"
#include "figures/figure.h"
#include "mat.h"

#include <ctype.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const view *v;
    const view_group *g; /* the model's */
    size_t groups;
    const char *metric;
    const char **names; /* [1 + groups] of columns */
    double *row;        /* likewise */
    size_t first, end;  /* positions first..end-1 */
    page page;
} sheet;

/* A panel: spec SIZE_MAX is W. */
static double value_at(const sheet *s, size_t group, size_t spec, size_t position)
{
    const view_group *g = &s->g[group];
    for (size_t i = 0; i < g->count; i++)
        if (view_matrix_position(g, &g->matrix[i]) == (double)position) {
            const view_matrix *m = &g->matrix[i];
            return spectra_number(spec == SIZE_MAX ? m->w : m->r[spec], s->metric);
        }
    return NAN;
}

static void put_panel(sheet *s, size_t spec)
{
    char title[256];
    if (spec == SIZE_MAX)
        snprintf(title, sizeof title, "W");
    else
        snprintf(title, sizeof title, "R, %s", s->v->spec[spec].label);
    page_panel(&s->page, title, s->names, 1 + s->groups);
    for (size_t x = s->first; x < s->end; x++) {
        s->row[0] = (double)x;
        for (size_t g = 0; g < s->groups; g++)
            s->row[1 + g] = value_at(s, g, spec, x);
        page_row(&s->page, s->row);
    }
}

static axis_range range_of(const sheet *s, size_t spec)
{
    axis_range y = { 0 };
    for (size_t x = s->first; x < s->end; x++)
        for (size_t g = 0; g < s->groups; g++)
            axis_take(&y, value_at(s, g, spec, x));
    return y;
}

/* W has an axis of its own; the residuals share one, to be compared. */
static void put_panels(sheet *s)
{
    const axis_range w = range_of(s, SIZE_MAX);
    axis_range r = { 0 };
    for (size_t q = 0; q < s->v->specs; q++) {
        const axis_range one = range_of(s, q);
        axis_take(&r, one.any ? one.low : NAN);
        axis_take(&r, one.any ? one.high : NAN);
    }
    if (w.any)
        put_panel(s, SIZE_MAX);
    for (size_t q = 0; q < s->v->specs; q++)
        if (range_of(s, q).any)
            put_panel(s, q);
    for (size_t i = 1; i <= s->page.panels; i++) {
        char name[32];
        const axis_range y = axis_linear(i == 1 && w.any ? w : r);
        snprintf(name, sizeof name, "y_min_%zu", i);
        page_number(&s->page, name, y.low);
        snprintf(name, sizeof name, "y_max_%zu", i);
        page_number(&s->page, name, y.high);
    }
}

/* "effective rank (rank)" on the axis, what that is in the heading. */
static void put_heading(sheet *s)
{
    char name[128], label[192], title[192];
    const rows_field *f = rows_find(&spectra_schema, s->metric);
    const char *units = f ? f->column.units : "";
    snprintf(name, sizeof name, "%s", s->metric);
    for (char *p = name; *p; p++)
        *p = *p == '_' ? ' ' : *p;
    snprintf(label, sizeof label, *units ? "%s (%s)" : "%s", name, units);
    snprintf(title, sizeof title, "%s along depth", name);
    title[0] = (char)toupper((unsigned char)title[0]);
    page_heading(&s->page, title, "%s · %s", s->g->model, f ? f->column.description : s->metric);
    page_text(&s->page, "y_label", label);
}

static int draw_sheet(sheet *s, const page_sink *sink)
{
    const char *const parts[3] = { s->g->model, s->metric, "" };
    bool by_layer = true;
    int err = RSD_OK;
    RSD_TRY_DONE(page_open(&s->page, "layers", parts));
    put_heading(s);
    s->first = SIZE_MAX;
    s->end = 0;
    s->names[0] = "position";
    for (size_t g = 0; g < s->groups; g++) {
        const view_group *group = &s->g[g];
        const view_matrix *last = &group->matrix[group->count - 1];
        const size_t first = (size_t)view_matrix_position(group, group->matrix);
        const size_t end = (size_t)view_matrix_position(group, last) + 1;
        s->first = first < s->first ? first : s->first;
        s->end = end > s->end ? end : s->end;
        by_layer &= group->by_layer;
        s->names[1 + g] = group->role;
        page_series(&s->page, g + 1, group->role);
    }
    page_number(&s->page, "series", (double)s->groups);
    page_text(&s->page, "x_label", by_layer ? "layer" : "matrix of its role, in file order");
    const double low = (double)s->first - 0.5, high = (double)s->end - 0.5;
    page_range(&s->page, 'x', low, high);
    page_number(&s->page, "x_step", fmax(1, axis_step(low, high, 6)));
    put_panels(s);
    RSD_TRY_DONE(page_finish(&s->page, (page_shape){ .width = 2.3, .height = 1.8 }));
    if (s->page.panels)
        err = sink->draw(sink->context, &s->page);
done:
    page_free(&s->page);
    return err;
}

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    sheet s = { .v = v, .metric = options->metric };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(v->groups + 1, 1, sizeof *s.names, &s.names));
    RSD_TRY_DONE(rsd_array_alloc(v->groups + 1, 1, sizeof *s.row, &s.row));
    for (size_t i = 0; i < v->groups; i += s.groups) {
        s.g = &v->group[i];
        s.groups = view_model_groups(v, i);
        RSD_TRY_DONE(draw_sheet(&s, sink));
    }
done:
    free(s.row);
    free(s.names);
    return err;
}

extern const figure figure_layers;
const figure figure_layers = {
    .name = "layers",
    .summary = "a metric along depth by role, of W and of every quantizer's R (--metric)",
    .needs = "a number for that metric",
    .pages = pages,
};
