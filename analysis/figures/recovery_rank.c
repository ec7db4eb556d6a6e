/* What share of the quantized model's loss came back, against rank: one page per model, a panel per
 * quantizer, a line per start with its standard error. */
#include "figures/runs.h"

#include "mat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const runs *r;
    page page;
    double *row; /* rank, then a share and its error per start */
    axis_range y;
} sheet;

/* Mean over seeds; the error holds that of the windows and, with several seeds, theirs. */
static void put_share(sheet *s, const runs_spec *spec, const runs_series *line, int64_t rank,
                      double *share, double *error)
{
    const recovery_row *row;
    double sum = 0, squares = 0, windows = 0;
    size_t at = SIZE_MAX, n = 0;
    while ((row = runs_next(s->r, spec, line, rank, &at)) != NULL) {
        const double x = 100 * row->recovered_fraction, se = 100 * row->recovered_fraction_se;
        if (!isfinite(x))
            continue;
        sum += x;
        squares += x * x;
        windows += se * se;
        n++;
    }
    *share = *error = NAN;
    if (n == 0)
        return;
    const double k = (double)n, mean = sum / k;
    const double seeds = n > 1 ? fmax(0, squares / k - mean * mean) / (k - 1) : 0;
    *share = mean;
    *error = sqrt(windows / k + seeds);
    axis_take(&s->y, mean - *error);
    axis_take(&s->y, mean + *error);
}

static int put_panel(sheet *s, const runs_spec *spec)
{
    const runs *r = s->r;
    const char **names;
    RSD_TRY(rsd_array_alloc(1 + 2 * r->series, 1, sizeof *names, &names));
    names[0] = "rank";
    for (size_t i = 0; i < r->series; i++) {
        names[1 + 2 * i] = r->line[i].label;
        names[2 + 2 * i] = "error";
    }
    page_panel(&s->page, spec->label, names, 1 + 2 * r->series);
    for (size_t k = 0; k < r->ranks; k++) {
        s->row[0] = (double)r->rank[k];
        for (size_t i = 0; i < r->series; i++)
            put_share(s, spec, &r->line[i], r->rank[k], &s->row[1 + 2 * i], &s->row[2 + 2 * i]);
        page_row(&s->page, s->row);
    }
    free(names);
    return RSD_OK;
}

static int draw(const runs *r, const page_sink *sink)
{
    sheet s = { .r = r };
    const char *const parts[3] = { r->model, "", "" };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(1 + 2 * r->series, 1, sizeof *s.row, &s.row));
    RSD_TRY_DONE(page_open(&s.page, "recovery_rank", parts));
    page_heading(&s.page, "Share of the lost loss that came back", "%s · bars: one standard error",
                 r->model);
    runs_put_series(r, &s.page);
    for (size_t i = 0; i < r->specs; i++)
        RSD_TRY_DONE(put_panel(&s, &r->spec[i]));
    axis_take(&s.y, 0);
    axis_take(&s.y, s.y.high > 50 ? 100 : 0);
    const axis_range y = axis_linear(s.y);
    const double low = (double)r->rank[0], high = (double)r->rank[r->ranks - 1];
    page_range(&s.page, 'x', low / 1.3, high * 1.3);
    page_range(&s.page, 'y', y.low, y.high);
    page_number(&s.page, "y_step", axis_step(y.low, y.high, 6));
    RSD_TRY_DONE(page_finish(&s.page, (page_shape){ .width = 2.2, .height = 2.1 }));
    if (s.y.high > s.y.low)
        err = sink->draw(sink->context, &s.page);
done:
    page_free(&s.page);
    free(s.row);
    return err;
}

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    (void)options;
    return runs_each_model(v, draw, sink);
}

extern const figure figure_recovery_rank;
const figure figure_recovery_rank = {
    .name = "recovery_rank",
    .summary = "recovered share of the loss against rank, by start, with standard errors",
    .needs = "runs (recover) whose recovered share is defined",
    .pages = pages,
};
