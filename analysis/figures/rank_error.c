/* What is left of the error when the best rank-r matrix is added to W_q: one page per model and
 * role, a panel per layer, a line per quantizer.  W itself, approximated without any quantizer, is
 * the line to compare with. */
#include "figures/axis.h"
#include "figures/figure.h"
#include "mat.h"
#include "spectra/curves.h"

#include <math.h>
#include <stdlib.h>

enum { PANELS_MAX = 36, FIXED = 2 /* columns before the quantizers': rank, W */ };

/* The rank axis is logarithmic: rank 0, the error without correction, stands at this place. */
static const double place_of_zero = 0.5;

typedef struct {
    const view *v;
    const view_group *g;
    size_t top;         /* SIZE_MAX: all ranks */
    const char **names; /* [FIXED + specs] of columns */
    double *row;        /* likewise */
    view_array *energy; /* likewise; energy shares of W and of each R, [0] unused */
    double *scale;      /* likewise; error at rank 0 */
    page page;
    size_t longest;
    axis_range y;
    double smallest; /* error at rank 0 */
    bool drawable;
} sheet;

static int read_energies(sheet *s, const view_matrix *m)
{
    const double norm = spectra_number(m->w, "frobenius");
    if (m->w)
        RSD_TRY(view_read(s->v, m, 0, SPECTRUM_W, "cumulative_energy", &s->energy[1]));
    s->scale[1] = 1;
    for (size_t q = 0; q < s->v->specs; q++) {
        if (!m->r[q])
            continue;
        RSD_TRY(view_read(s->v, m, q, SPECTRUM_R, "cumulative_energy", &s->energy[FIXED + q]));
        s->scale[FIXED + q] = spectra_number(m->r[q], "frobenius") / norm;
    }
    return RSD_OK;
}

/* Row of rank r: sqrt of the energy that is left, times the error that was there. */
static void put_row(sheet *s, size_t r)
{
    const size_t columns = FIXED + s->v->specs;
    s->row[0] = r ? (double)r : place_of_zero;
    for (size_t c = 1; c < columns; c++) {
        const view_array *e = &s->energy[c];
        const double left = r == 0 ? 1 : r <= e->n ? rsd_rank_error(e->x[r - 1]) : NAN;
        const double error = e->n ? left * s->scale[c] : NAN;
        s->row[c] = error > 0 ? error : NAN;
        axis_take(&s->y, s->row[c]);
        s->smallest = r == 0 ? fmin(s->smallest, s->row[c]) : s->smallest;
        s->drawable |= c >= FIXED && isfinite(s->row[c]);
    }
    page_row(&s->page, s->row);
}

static int put_panel(sheet *s, const view_matrix *m)
{
    char title[128];
    const size_t columns = FIXED + s->v->specs;
    for (size_t c = 0; c < columns; c++)
        s->energy[c] = (view_array){ 0 };
    const int err = read_energies(s, m);
    size_t n = 0;
    for (size_t c = 1; c < columns; c++)
        n = s->energy[c].n > n ? s->energy[c].n : n;
    n = n < s->top ? n : s->top;
    s->longest = n > s->longest ? n : s->longest;
    if (!err) {
        view_matrix_label(s->g, m, title, sizeof title);
        page_panel(&s->page, title, s->names, columns);
        for (size_t r = 0; r <= n; r++)
            put_row(s, r);
    }
    for (size_t c = 0; c < columns; c++)
        free(s->energy[c].x);
    return err;
}

static int draw_sheet(sheet *s, const page_sink *sink)
{
    const size_t shown = s->g->count < PANELS_MAX ? s->g->count : PANELS_MAX;
    char role[256], left_out[64] = "";
    int err = RSD_OK;
    const char *const parts[3] = { s->g->model, s->g->role, "" };
    view_group_label(s->g, role, sizeof role);
    if (shown < s->g->count)
        snprintf(left_out, sizeof left_out, " · %zu of %zu matrices", shown, s->g->count);
    RSD_TRY_DONE(page_open(&s->page, "rank_error", parts));
    page_heading(&s->page, "Error left after the best correction of rank r", "%s · %s · %s%s",
                 s->g->model, role, s->v->specs == 1 ? s->v->spec[0].title : "every quantizer",
                 left_out);
    for (size_t q = 0; q < s->v->specs; q++)
        page_series(&s->page, q + 1, s->v->spec[q].label);
    page_legend(&s->page, "W itself, without quantizer");
    for (size_t i = 0; i < shown; i++)
        RSD_TRY_DONE(put_panel(s, &s->g->matrix[page_pick(i, s->g->count, shown)]));
    /* Towards full rank the error falls to 0: show what ranks of interest leave of it. */
    s->y.low = fmax(s->y.low, s->smallest / 5);
    s->y = axis_log(s->y, 6);
    page_number(&s->page, "series", (double)s->v->specs);
    page_range(&s->page, 'x', place_of_zero, (double)s->longest);
    page_range(&s->page, 'y', s->y.low, s->y.high);
    RSD_TRY_DONE(page_finish(&s->page, (page_shape){ .width = 1.75, .height = 1.45 }));
    if (s->drawable)
        err = sink->draw(sink->context, &s->page);
done:
    page_free(&s->page);
    return err;
}

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    const size_t columns = FIXED + v->specs;
    sheet s = { .v = v };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(columns, 1, sizeof *s.names, &s.names));
    RSD_TRY_DONE(rsd_array_alloc(columns, 1, sizeof *s.row, &s.row));
    RSD_TRY_DONE(rsd_array_alloc(columns, 1, sizeof *s.scale, &s.scale));
    RSD_TRY_DONE(rsd_array_alloc(columns, 1, sizeof *s.energy, &s.energy));
    s.names[0] = "rank";
    s.names[1] = "W";
    for (size_t q = 0; q < v->specs; q++)
        s.names[FIXED + q] = v->spec[q].label;
    for (size_t i = 0; i < v->groups; i++) {
        s.g = &v->group[i];
        s.top = options->top ? options->top : SIZE_MAX;
        s.longest = 0;
        s.y = (axis_range){ 0 };
        s.smallest = INFINITY;
        s.drawable = false;
        RSD_TRY_DONE(draw_sheet(&s, sink));
    }
done:
    free(s.energy);
    free(s.scale);
    free(s.row);
    free(s.names);
    return err;
}

extern const figure figure_rank_error;
const figure figure_rank_error = {
    .name = "rank_error",
    .summary =
        "relative Frobenius error ||W - Wq - SVD_r(R)|| / ||W|| against rank, every quantizer",
    .needs = "residuals of a quantizer (analyze -q)",
    .pages = pages,
};
