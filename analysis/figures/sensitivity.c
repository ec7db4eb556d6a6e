/* What each layer costs when it alone is quantized: measured, and predicted by its spectrum in the
 * loss's metric.  One page per model, a panel per quantizer, matrices in file order. */
#include "compare/comparison.h"
#include "figures/axis.h"
#include "figures/figure.h"
#include "quantizers/label.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POSITION, MEASURED, SE, GRH, BOTH, COLUMNS };
static const char *const columns[COLUMNS] = { "matrix", "measured", "its error", "predicted",
                                              "with the first order" };

/* The rows of one case that are not corrected. */
static size_t put_rows(page *p, const evidence *e, const evidence_case *c, axis_range *x,
                       axis_range *y)
{
    size_t n = 0;
    for (size_t i = 0; i < e->sensitivities; i++) {
        const sensitivity_row *s = &e->sensitivity[i];
        if (s->rank || strcmp(s->model, c->model) != 0 || strcmp(s->spec, c->spec) != 0)
            continue;
        const evidence_layer *l = evidence_find_layer(c, s->tensor);
        const double grh = l ? l->curve[RSD_WEIGHTING_GH].energy / 2 : NAN;
        double row[COLUMNS] = { (double)++n, s->increase, s->increase_se, grh,
                                grh + s->first_order };
        for (int k = MEASURED; k < COLUMNS; k++)
            row[k] = row[k] > 0 ? row[k] : NAN; /* no place on a logarithmic axis */
        axis_take(x, row[POSITION]);
        axis_take(y, row[MEASURED]);
        axis_take(y, row[GRH]);
        page_row(p, row);
    }
    return n;
}

static bool has_rows(const evidence *e, const evidence_case *c)
{
    for (size_t i = 0; i < e->sensitivities; i++)
        if (!e->sensitivity[i].rank && strcmp(e->sensitivity[i].model, c->model) == 0 &&
            strcmp(e->sensitivity[i].spec, c->spec) == 0)
            return true;
    return false;
}

static void put_panel(page *p, const evidence *e, const evidence_case *c, axis_range *x,
                      axis_range *y)
{
    char *label = rsd_spec_label(c->spec);
    page_panel(p, label ? label : c->spec, columns, COLUMNS);
    free(label);
    put_rows(p, e, c, x, y);
}

static int draw_page(const evidence *e, const char *model, const page_sink *sink)
{
    const char *const parts[3] = { model, "", "" };
    axis_range x = { 0 }, y = { 0 };
    page p;
    int err = RSD_OK;
    RSD_TRY_DONE(page_open(&p, "sensitivity", parts));
    page_heading(&p, "Loss of one layer at a time",
                 "%s · each matrix quantized alone, in file order", model);
    page_series(&p, 1, "measured, ± standard error");
    page_series(&p, 2, "½ tr(G R H Rᵀ)");
    page_series(&p, 3, "with the first-order term");
    for (size_t i = 0; i < e->cases; i++)
        if (strcmp(e->item[i].model, model) == 0 && has_rows(e, &e->item[i]))
            put_panel(&p, e, &e->item[i], &x, &y);
    y = axis_log(y, 6);
    page_range(&p, 'x', 0, x.high + 1);
    page_range(&p, 'y', y.low, y.high);
    RSD_TRY_DONE(page_finish(&p, (page_shape){ .width = 3.6, .height = 1.9, .cols = 2 }));
    if (p.panels)
        err = sink->draw(sink->context, &p);
done:
    page_free(&p);
    return err;
}

static bool is_first_of_model(const evidence *e, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(e->item[k].model, e->item[i].model) == 0)
            return false;
    return true;
}

static int pages(const view *v, const figure_options *options, const page_sink *sink)
{
    evidence e = { 0 };
    (void)options;
    int err = evidence_add(&e, v->store);
    for (size_t i = 0; !err && i < e.cases && e.sensitivities; i++)
        if (is_first_of_model(&e, i))
            err = draw_page(&e, e.item[i].model, sink);
    evidence_free(&e);
    return err;
}

extern const figure figure_sensitivity;
const figure figure_sensitivity = {
    .name = "sensitivity",
    .summary = "loss of each layer quantized alone, measured and predicted",
    .needs = "single layers' losses (eval --one-at-a-time -o)",
    .pages = pages,
};
