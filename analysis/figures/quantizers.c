/* Error and size of every quantizer, per layer: one page per model, a column per role, the relative
 * error above and the bits per weight below. */
#include "alloc.h"
#include "figures/axis.h"
#include "figures/figure.h"
#include "mat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROLES_MAX = 12 };

typedef struct {
    const view *v;
    const view_group *g; /* the model's */
    size_t groups;
    char **names; /* [1 + 2 specs] of columns: "position", "error nf4", ..., "bits nf4", ... */
    double *row;  /* likewise */
    page page;
    axis_range x, error, bits;
} sheet;

static int make_names(sheet *s)
{
    const size_t specs = s->v->specs, columns = 1 + 2 * specs;
    RSD_TRY(rsd_array_alloc(columns, 1, sizeof *s->row, &s->row));
    RSD_TRY(rsd_zeroed(columns, sizeof *s->names, &s->names));
    RSD_TRY(rsd_copy_text("position", &s->names[0]));
    for (size_t q = 0; q < specs; q++) {
        RSD_TRY(rsd_format(&s->names[1 + q], "error %s", s->v->spec[q].label));
        RSD_TRY(rsd_format(&s->names[1 + specs + q], "bits %s", s->v->spec[q].label));
    }
    return RSD_OK;
}

static void put_panel(sheet *s, const view_group *g)
{
    const size_t specs = s->v->specs;
    page_panel(&s->page, g->role, (const char *const *)s->names, 1 + 2 * specs);
    for (size_t i = 0; i < g->count; i++) {
        const view_matrix *m = &g->matrix[i];
        s->row[0] = view_matrix_position(g, m);
        axis_take(&s->x, s->row[0]);
        for (size_t q = 0; q < specs; q++) {
            const double error = spectra_number(m->r[q], "relative_error");
            const double bits = spectra_number(m->r[q], "bits_per_weight");
            s->row[1 + q] = error > 0 ? error : NAN; /* no place on a logarithmic axis for none */
            s->row[1 + specs + q] = bits;
            axis_take(&s->error, s->row[1 + q]);
            axis_take(&s->bits, bits);
        }
        page_row(&s->page, s->row);
    }
}

/* The legend holds the means over all matrices of the model: bits by weights, errors by energy. */
static void put_legend(sheet *s, size_t q)
{
    double weights = 0, bits = 0, error = 0, energy = 0;
    char text[256];
    for (size_t g = 0; g < s->groups; g++)
        for (size_t i = 0; i < s->g[g].count; i++) {
            const view_matrix *m = &s->g[g].matrix[i];
            const double size = (double)m->rows * (double)m->cols;
            const double r = spectra_number(m->r[q], "frobenius");
            const double w = spectra_number(m->w, "frobenius");
            const double b = spectra_number(m->r[q], "bits_per_weight");
            if (!isfinite(r) || !isfinite(w) || !isfinite(b))
                continue;
            weights += size;
            bits += size * b;
            error += r * r;
            energy += w * w;
        }
    const char *label = s->v->spec[q].label;
    if (weights > 0 && energy > 0)
        snprintf(text, sizeof text, "%s: error %.2g, %.2f bit", label, sqrt(error / energy),
                 bits / weights);
    else
        snprintf(text, sizeof text, "%s", label);
    page_series(&s->page, q + 1, text);
}

static int draw_sheet(sheet *s, const page_sink *sink)
{
    const size_t shown = s->groups < ROLES_MAX ? s->groups : ROLES_MAX;
    const char *const parts[3] = { s->g->model, "", "" };
    char left_out[64] = "";
    bool by_layer = true;
    int err = RSD_OK;
    RSD_TRY_DONE(page_open(&s->page, "quantizers", parts));
    if (shown < s->groups)
        snprintf(left_out, sizeof left_out, " · %zu of %zu roles", shown, s->groups);
    page_heading(&s->page, "Error and size of the quantizers", "%s · every quantized matrix%s",
                 s->g->model, left_out);
    for (size_t q = 0; q < s->v->specs; q++)
        put_legend(s, q);
    s->x = s->error = s->bits = (axis_range){ 0 };
    for (size_t g = 0; g < shown; g++) {
        put_panel(s, &s->g[g]);
        by_layer &= s->g[g].by_layer;
    }
    const axis_range error = axis_log(s->error, 6);
    page_number(&s->page, "series", (double)s->v->specs);
    page_text(&s->page, "x_label", by_layer ? "layer" : "matrix of its role, in file order");
    page_range(&s->page, 'x', s->x.low - 0.5, s->x.high + 0.5);
    page_number(&s->page, "x_step", fmax(1, axis_step(s->x.low, s->x.high, 4)));
    page_range(&s->page, 'y', error.low, error.high);
    page_number(&s->page, "bits_max", 1.1 * s->bits.high);
    page_number(&s->page, "bits_step", axis_step(0, s->bits.high, 5));
    RSD_TRY_DONE(
        page_finish(&s->page, (page_shape){ .width = 1.45, .height = 3.0, .cols = shown }));
    if (s->bits.any)
        err = sink->draw(sink->context, &s->page);
done:
    page_free(&s->page);
    return err;
}

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    sheet s = { .v = v };
    int err = RSD_OK;
    (void)options;
    RSD_TRY_DONE(make_names(&s));
    for (size_t i = 0; i < v->groups && v->specs; i += s.groups) {
        s.g = &v->group[i];
        s.groups = view_model_groups(v, i);
        RSD_TRY_DONE(draw_sheet(&s, sink));
    }
done:
    for (size_t c = 0; s.names && c < 1 + 2 * v->specs; c++)
        free(s.names[c]);
    free(s.names);
    free(s.row);
    return err;
}

extern const figure figure_quantizers;
const figure figure_quantizers = {
    .name = "quantizers",
    .summary = "relative error and bits per weight of every quantizer, per layer and role",
    .needs = "quantized matrices (analyze -q)",
    .pages = pages,
};
