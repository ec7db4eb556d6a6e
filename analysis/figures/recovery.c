/* Loss along training: one page per model and quantizer, a panel per rank, a line per start,
 * between the levels of the original and of the quantized model. */
#include "figures/runs.h"

#include "mat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const runs *r;
    const runs_spec *spec;
    page page;
    const char **names; /* "step", starts */
    double *row;
    axis_range x, y;
} sheet;

/* One column at a time: evaluations of different runs need not be at the same steps. */
static void put_curve(sheet *s, size_t column, const double *step, const double *loss, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < 1 + s->r->series; c++)
            s->row[c] = NAN;
        s->row[0] = step[i];
        s->row[column] = loss[i];
        axis_take(&s->x, step[i]);
        axis_take(&s->y, loss[i]);
        page_row(&s->page, s->row);
    }
}

static void put_control(sheet *s, int64_t rank)
{
    const recovery_row *c = runs_control(s->r, rank, s->r->line[0].variant);
    const double level = c ? c->loss_trained : NAN;
    char name[32];
    snprintf(name, sizeof name, "control_%zu", s->page.panels);
    page_number(&s->page, name, level);
    axis_take(&s->y, level);
}

static int put_panel(sheet *s, int64_t rank)
{
    char title[64];
    int err = RSD_OK;
    snprintf(title, sizeof title, "rank %lld", (long long)rank);
    page_panel(&s->page, title, s->names, 1 + s->r->series);
    for (size_t i = 0; !err && i < s->r->series; i++) {
        double *step, *loss;
        size_t n;
        err = runs_curve(s->r, s->spec, &s->r->line[i], rank, &step, &loss, &n);
        if (!err)
            put_curve(s, 1 + i, step, loss, n);
        free(step);
        free(loss);
    }
    put_control(s, rank);
    return err;
}

static int draw_sheet(sheet *s, const page_sink *sink)
{
    const char *const parts[3] = { s->r->model, s->spec->label, "" };
    const double fp = runs_original(s->r), q = runs_quantized(s->r, s->spec);
    int err = RSD_OK;
    s->x = s->y = (axis_range){ 0 };
    RSD_TRY_DONE(page_open(&s->page, "recovery", parts));
    page_heading(&s->page, "Loss along the training of adapters", "%s · %s", s->r->model,
                 s->spec->label);
    runs_put_series(s->r, &s->page);
    page_legend(&s->page, "quantized, without adapter");
    page_legend(&s->page, "original");
    page_legend(&s->page, "original with adapter, trained alike");
    for (size_t k = 0; k < s->r->ranks; k++)
        RSD_TRY_DONE(put_panel(s, s->r->rank[k]));
    axis_take(&s->y, fp);
    axis_take(&s->y, q);
    page_number(&s->page, "loss_fp", fp);
    page_number(&s->page, "loss_q", q);
    const axis_range y = axis_linear(s->y);
    page_range(&s->page, 'x', 0, s->x.high > 0 ? s->x.high : 1);
    page_range(&s->page, 'y', y.low, y.high);
    page_number(&s->page, "x_step", axis_step(0, s->x.high, 4));
    RSD_TRY_DONE(page_finish(&s->page, (page_shape){ .width = 2.2, .height = 1.9 }));
    if (s->x.any)
        err = sink->draw(sink->context, &s->page);
done:
    page_free(&s->page);
    return err;
}

static int draw(const runs *r, const page_sink *sink)
{
    sheet s = { .r = r, .names = runs_columns(r, "step") };
    int err = s.names ? rsd_array_alloc(1 + r->series, 1, sizeof *s.row, &s.row)
                      : RSD_FAIL(RSD_ENOMEM, "names of columns");
    for (size_t i = 0; !err && i < r->specs; i++) {
        s.spec = &r->spec[i];
        err = draw_sheet(&s, sink);
    }
    free(s.row);
    free(s.names);
    return err;
}

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    (void)options;
    return runs_each_model(v, draw, sink);
}

extern const figure figure_recovery;
const figure figure_recovery = {
    .name = "recovery",
    .summary = "loss against training step of every run, a panel per rank",
    .needs = "runs (recover)",
    .pages = pages,
};
