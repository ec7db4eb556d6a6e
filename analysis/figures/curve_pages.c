/* Pages of curves along rank, a panel per layer. */
#include "figures/curve_pages.h"

#include "figures/axis.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PANELS_MAX = 36 };

/* Columns of the table; null_low and null_high bound the band. */
enum { RANK, W, WQ, R, NULL_MEAN, NULL_LOW, NULL_HIGH, EDGE, COLUMNS };
static const char *const column_names[COLUMNS] = { "rank", "W",        "Wq",        "R",
                                                   "null", "null_low", "null_high", "mp_edge" };

/* A page in the making. */
typedef struct {
    const curve_figure *f;
    const view *v;
    const view_group *g;
    size_t spec;      /* SIZE_MAX: none, W alone */
    size_t top;       /* SIZE_MAX: all ranks */
    const char *null; /* which null the page shows, or NULL */
    page page;
    size_t longest;     /* ranks of the longest curve of the group's panels */
    axis_range y;       /* of the group's panels */
    axis_range control; /* of the control's, whose scale is its own */
    bool banded;        /* the null has a band */
    bool known;         /* a panel has a number of W, W_q or R in it: a null alone says nothing */
    bool drawable;      /* and one of the group's own has */
} sheet;

static int read_null(const sheet *s, const view_matrix *m, const char *suffix, view_array *out)
{
    char name[128];
    *out = (view_array){ 0 };
    if (!s->null)
        return RSD_OK;
    snprintf(name, sizeof name, "null/%s/%s%s", s->null, s->f->curve, suffix);
    return view_read(s->v, m, s->spec, SPECTRUM_R, name, out);
}

static int read_curves(const sheet *s, const view_matrix *m, view_array x[COLUMNS])
{
    if (m->w)
        RSD_TRY(view_read(s->v, m, s->spec, SPECTRUM_W, s->f->curve, &x[W]));
    if (s->spec == SIZE_MAX || !m->r[s->spec])
        return RSD_OK;
    if (m->wq[s->spec])
        RSD_TRY(view_read(s->v, m, s->spec, SPECTRUM_WQ, s->f->curve, &x[WQ]));
    RSD_TRY(view_read(s->v, m, s->spec, SPECTRUM_R, s->f->curve, &x[R]));
    RSD_TRY(read_null(s, m, "", &x[NULL_MEAN]));
    RSD_TRY(read_null(s, m, "_low", &x[NULL_LOW]));
    return read_null(s, m, "_high", &x[NULL_HIGH]);
}

static void put_rows(sheet *s, const view_array x[COLUMNS], double edge, axis_range *y)
{
    size_t n = 0;
    for (int c = W; c < COLUMNS; c++)
        n = x[c].n > n ? x[c].n : n;
    n = n < s->top ? n : s->top;
    s->longest = n > s->longest ? n : s->longest;
    for (size_t k = 0; k < n; k++) {
        double row[COLUMNS] = { [RANK] = (double)k + 1 };
        for (int c = W; c < EDGE; c++) {
            row[c] = k < x[c].n && (s->f->share || x[c].x[k] > 0) ? x[c].x[k] : NAN;
            axis_take(y, row[c]);
            s->known |= c <= R && isfinite(row[c]);
        }
        row[EDGE] = edge;
        page_row(&s->page, row);
    }
}

static int put_panel(sheet *s, const view_matrix *m, const char *title, axis_range *y)
{
    view_array x[COLUMNS] = { 0 };
    const double edge =
        s->f->share || s->spec == SIZE_MAX ? NAN : spectra_number(m->r[s->spec], "mp_edge");
    const int err = read_curves(s, m, x);
    if (!err) {
        s->banded |= x[NULL_LOW].n > 0;
        page_panel(&s->page, title, column_names, COLUMNS);
        put_rows(s, x, edge > 0 ? edge : NAN, y);
    }
    for (int c = 0; c < COLUMNS; c++)
        free(x[c].x);
    return err;
}

static int put_control(sheet *s)
{
    char title[64];
    const view_matrix *m = s->v->control;
    const double rank = spectra_number(m->w, "numerical_rank");
    if (isfinite(rank))
        snprintf(title, sizeof title, "control: rank %.0f", rank);
    else
        snprintf(title, sizeof title, "control");
    return put_panel(s, m, title, &s->control);
}

static int put_panels(sheet *s, size_t shown)
{
    for (size_t i = 0; i < shown; i++) {
        char title[256];
        const view_matrix *m = &s->g->matrix[page_pick(i, s->g->count, shown)];
        view_matrix_label(s->g, m, title, sizeof title);
        RSD_TRY(put_panel(s, m, title, &s->y));
    }
    s->drawable = s->known;
    s->top = s->longest; /* the control may be larger: the page ends where the model does */
    return s->v->control ? put_control(s) : RSD_OK;
}

/* The legend's entries, and what the script has to know to draw the same ones. */
static void put_legend(sheet *s)
{
    static const struct {
        const char *null, *text;
    } known[] = { { "sign_flip", "null: R with random signs" },
                  { "variance_profile", "null: R with random signs" },
                  { "permuted", "null: R permuted" },
                  { "marchenko_pastur", "null: Marchenko–Pastur noise" } };
    const char *text = "";
    for (size_t i = 0; s->null && i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].null, s->null) == 0)
            text = known[i].text;
    page_number(&s->page, "quantized", s->spec != SIZE_MAX);
    page_number(&s->page, "nulls", s->null != NULL);
    page_number(&s->page, "bands", s->banded);
    page_number(&s->page, "edges", s->spec != SIZE_MAX && !s->f->share);
    page_text(&s->page, "null_title", text);
    page_legend(&s->page, "W");
    if (s->spec == SIZE_MAX)
        return;
    page_legend(&s->page, "Wq");
    page_legend(&s->page, "R = W − Wq");
    if (s->null)
        page_legend(&s->page, text);
    if (!s->f->share)
        page_legend(&s->page, "Marchenko–Pastur edge of R");
}

static int open_sheet(sheet *s, size_t shown)
{
    char role[256], left_out[64] = "";
    const view_spec *spec = s->spec == SIZE_MAX ? NULL : &s->v->spec[s->spec];
    const char *const parts[3] = { s->g->model, s->g->role, spec ? spec->label : "" };
    RSD_TRY(page_open(&s->page, s->f->figure, parts));
    s->page.script = "curves";
    page_text(&s->page, "x_label", s->f->x_label);
    page_text(&s->page, "y_label", s->f->y_label);
    page_number(&s->page, "logarithmic", !s->f->share);
    view_group_label(s->g, role, sizeof role);
    if (shown < s->g->count)
        snprintf(left_out, sizeof left_out, " · %zu of %zu matrices", shown, s->g->count);
    page_heading(&s->page, s->f->title, "%s · %s%s%s%s", s->g->model, role, spec ? " · " : "",
                 spec ? spec->title : "", left_out);
    return RSD_OK;
}

static int find_null(sheet *s)
{
    for (size_t i = 0; s->spec != SIZE_MAX && i < s->g->count && !s->null; i++)
        if (s->g->matrix[i].r[s->spec])
            RSD_TRY(view_null(s->v, &s->g->matrix[i], s->spec, &s->null));
    return RSD_OK;
}

/* Does the control's panel, the last one, have its own numbers, at its right?  Its scale has
 * nothing to do with the model's. */
static bool own_axis(const sheet *s) { return !s->f->share && s->control.any; }

static void put_ranges(sheet *s)
{
    const double decades = 3.5;
    const axis_range y = s->f->share ? (axis_range){ true, 0, 1 } : axis_log(s->y, decades);
    page_range(&s->page, 'x', 0, (double)s->longest);
    page_range(&s->page, 'y', y.low, y.high);
    page_number(&s->page, "x_step", axis_step(0, (double)s->longest, 4));
    page_number(&s->page, "own_axis", own_axis(s));
    if (own_axis(s)) {
        const axis_range own = axis_log(s->control, decades);
        page_number(&s->page, "own_min", own.low);
        page_number(&s->page, "own_max", own.high);
    }
}

/* Draw the page of one group and quantizer; nothing when no curve has a number in it. */
static int draw_sheet(sheet *s, const page_sink *sink)
{
    const size_t most = PANELS_MAX - (s->v->control != NULL);
    const size_t shown = s->g->count < most ? s->g->count : most;
    int err = RSD_OK;
    RSD_TRY_DONE(find_null(s));
    RSD_TRY_DONE(open_sheet(s, shown));
    RSD_TRY_DONE(put_panels(s, shown));
    put_legend(s);
    put_ranges(s);
    RSD_TRY_DONE(page_finish(
        &s->page, (page_shape){ .width = 1.75, .height = 1.5, .right = own_axis(s) ? 0.35 : 0 }));
    if (s->drawable)
        err = sink->draw(sink->context, &s->page);
done:
    page_free(&s->page);
    return err;
}

int curve_pages(const curve_figure *f, const view *v, const figure_options *options,
                const page_sink *sink)
{
    const size_t top = options->top ? options->top : f->top ? f->top : SIZE_MAX;
    for (size_t i = 0; i < v->groups; i++) {
        sheet s = { .f = f, .v = v, .g = &v->group[i], .spec = SIZE_MAX, .top = top };
        if (v->specs == 0)
            RSD_TRY(draw_sheet(&s, sink));
        for (size_t spec = 0; spec < v->specs; spec++) {
            s = (sheet){ .f = f, .v = v, .g = &v->group[i], .spec = spec, .top = top };
            if (view_group_has(s.g, spec))
                RSD_TRY(draw_sheet(&s, sink));
        }
    }
    return RSD_OK;
}
