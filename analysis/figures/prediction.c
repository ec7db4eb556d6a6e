/* What spectra predicted against what was measured: a panel per metric, a point per run, the
 * diagonal drawn.  Points are closed-form corrections and trained adapters. */
#include "compare/comparison.h"
#include "figures/axis.h"
#include "figures/figure.h"

#include <math.h>
#include <stdio.h>

enum { PREDICTED, CLOSED, CLOSED_SE, TRAINED, TRAINED_SE, COLUMNS };
static const char *const columns[COLUMNS] = { "predicted", "closed form", "its error", "trained",
                                              "its error" };

static const char *const title_of[PREDICTORS] = {
    [RSD_WEIGHTING_NONE] = "R: weights",
    [RSD_WEIGHTING_DIAG_H] = "RdH: sizes of the inputs",
    [RSD_WEIGHTING_H] = "RH: inputs",
    [RSD_WEIGHTING_G] = "GR: gradients",
    [RSD_WEIGHTING_GH] = "GRH: the loss",
    [PREDICTOR_NULL] = "null: noise alone",
    [PREDICTOR_A_PRIORI] = "a priori: before quantizing",
};

static bool has_points(const comparison *c, int k)
{
    return c->kind[POINTS_CLOSED].all.of[k].n + c->kind[POINTS_TRAINED].all.of[k].n > 0;
}

static void put_points(page *p, const points *from, int k, int column, axis_range *range)
{
    for (size_t i = 0; i < from->count; i++) {
        const point *q = &from->point[i];
        double row[COLUMNS] = { NAN, NAN, NAN, NAN, NAN };
        row[PREDICTED] = q->predicted[k];
        row[column] = q->measured;
        row[column + 1] = isfinite(q->se) ? q->se : 0;
        if (!isfinite(row[PREDICTED]) || !isfinite(q->measured))
            continue;
        axis_take(range, row[PREDICTED]);
        axis_take(range, q->measured);
        page_row(p, row);
    }
}

/* How good it is, below the panel's name. */
static void put_panel(page *p, const comparison *c, int k, axis_range *range)
{
    const points *trained = &c->kind[POINTS_TRAINED], *closed = &c->kind[POINTS_CLOSED];
    const rsd_association *a = &(trained->all.of[k].n >= 3 ? trained : closed)->all.of[k];
    char title[128];
    if (isfinite(a->spearman.value) && rsd_association_counts(a))
        snprintf(title, sizeof title, "%s · rank corr. %.2f, off by %.2f", title_of[k],
                 a->spearman.value, a->error.value);
    else
        snprintf(title, sizeof title, "%s · off by %.2f", title_of[k], a->error.value);
    page_panel(p, title, columns, COLUMNS);
    put_points(p, closed, k, CLOSED, range);
    put_points(p, trained, k, TRAINED, range);
}

static int draw_page(const comparison *c, const page_sink *sink)
{
    static const char *const parts[3] = { "", "", "" };
    axis_range range = { 0 };
    page p;
    int err = RSD_OK;
    RSD_TRY_DONE(page_open(&p, "prediction", parts));
    page_heading(&p, "Recovered share of the loss: predicted and measured",
                 "%zu closed-form corrections, %zu trained adapters, all starts pooled; bars are "
                 "standard errors",
                 c->kind[POINTS_CLOSED].all.of[RSD_WEIGHTING_NONE].n,
                 c->kind[POINTS_TRAINED].all.of[RSD_WEIGHTING_NONE].n);
    page_series(&p, 1, "closed form");
    page_series(&p, 2, "trained");
    for (int k = 0; k < PREDICTORS; k++)
        if (has_points(c, k))
            put_panel(&p, c, k, &range);
    axis_take(&range, 0);
    axis_take(&range, 1);
    range = axis_linear(range);
    page_range(&p, 'x', range.low, range.high);
    page_number(&p, "x_step", axis_step(range.low, range.high, 5));
    RSD_TRY_DONE(
        page_finish(&p, (page_shape){ .width = 2.7, .height = 2.5, .cols = p.panels > 6 ? 4 : 3 }));
    if (p.panels)
        err = sink->draw(sink->context, &p);
done:
    page_free(&p);
    return err;
}

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    evidence e = { 0 };
    comparison c = { 0 };
    int err = RSD_OK;
    (void)options;
    RSD_TRY_DONE(evidence_add(&e, v->store));
    RSD_TRY_DONE(comparison_make(&e, 0, 0, &c));
    if (c.kind[POINTS_CLOSED].count + c.kind[POINTS_TRAINED].count)
        err = draw_page(&c, sink);
done:
    comparison_free(&c);
    evidence_free(&e);
    return err;
}

extern const figure figure_prediction;
const figure figure_prediction = {
    .name = "prediction",
    .summary = "recovered share of the loss, predicted by each metric and measured",
    .needs = "residuals (analyze -q, --calibration) and runs (recover)",
    .pages = pages,
};
