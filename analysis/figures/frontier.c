/* Loss against all bits per weight: a bigger adapter beside more bits for the base.  One page per
 * model; quantizers alone are one line, bases of the same bytes as an adapted model another, every
 * quantizer's adapters of growing rank another. */
#include "figures/runs.h"

#include "mat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const runs *r;
    page page;
    double *row; /* bits, quantized, of the same bytes, then one per quantizer and start */
    size_t columns;
    axis_range x, y;
} sheet;

enum { QUANTIZED = 1, SAME_BYTES, FIRST_LINE };

static void blank(sheet *s)
{
    for (size_t c = 0; c < s->columns; c++)
        s->row[c] = NAN;
}

static void put_point(sheet *s, double bits, size_t column, double loss)
{
    blank(s);
    s->row[0] = bits;
    s->row[column] = loss;
    axis_take(&s->x, bits);
    axis_take(&s->y, loss);
    page_row(&s->page, s->row);
}

/* Quantizers without adapters by their bits, and where each stands for its label. */
static int put_quantized(sheet *s)
{
    const runs *r = s->r;
    double last = -INFINITY;
    for (size_t k = 0; k < r->specs; k++) {
        const recovery_row *next = NULL;
        size_t which = 0;
        for (size_t i = 0; i < r->specs; i++) {
            size_t at = SIZE_MAX;
            const recovery_row *row = runs_next(r, &r->spec[i], NULL, 0, &at);
            if (row && row->bits_per_weight > last &&
                (!next || row->bits_per_weight < next->bits_per_weight)) {
                next = row;
                which = i;
            }
        }
        if (!next)
            break;
        char name[32];
        page_element(&s->page, "point", k + 1, r->spec[which].label);
        snprintf(name, sizeof name, "point_x_%zu", k + 1);
        page_number(&s->page, name, next->bits_per_weight);
        snprintf(name, sizeof name, "point_y_%zu", k + 1);
        page_number(&s->page, name, next->loss_q);
        page_number(&s->page, "points", (double)k + 1);
        put_point(s, next->bits_per_weight, QUANTIZED, next->loss_q);
        last = next->bits_per_weight;
    }
    return RSD_OK;
}

static void put_same_bytes(sheet *s)
{
    const recovery_row *row = NULL;
    while ((row = runs_same_bytes(s->r, row)) != NULL)
        put_point(s, row->bits_per_weight, SAME_BYTES, row->loss_trained);
}

/* Mean over seeds of trained losses, by rank. */
static void put_trained(sheet *s, size_t spec, size_t line)
{
    const runs *r = s->r;
    for (size_t k = 0; k < r->ranks; k++) {
        const recovery_row *row;
        double loss = 0, bits = 0;
        size_t at = SIZE_MAX, n = 0;
        while ((row = runs_next(r, &r->spec[spec], &r->line[line], r->rank[k], &at)) != NULL) {
            loss += row->loss_trained;
            bits += row->bits_per_weight_total;
            n++;
        }
        if (n)
            put_point(s, bits / (double)n, FIRST_LINE + spec * r->series + line, loss / (double)n);
    }
}

static int put_panel(sheet *s)
{
    const runs *r = s->r;
    const char **names;
    RSD_TRY(rsd_array_alloc(s->columns, 1, sizeof *names, &names));
    names[0] = "bits";
    names[QUANTIZED] = "quantized";
    names[SAME_BYTES] = "same_bytes";
    for (size_t c = FIRST_LINE; c < s->columns; c++)
        names[c] = r->line[(c - FIRST_LINE) % r->series].label;
    page_panel(&s->page, r->model, names, s->columns);
    free(names);
    RSD_TRY(put_quantized(s));
    put_same_bytes(s);
    for (size_t i = 0; i < r->specs; i++)
        for (size_t j = 0; j < r->series; j++)
            put_trained(s, i, j);
    return RSD_OK;
}

static int draw(const runs *r, const page_sink *sink)
{
    sheet s = { .r = r, .columns = FIRST_LINE + r->specs * r->series };
    const bool bases = runs_same_bytes(r, NULL) != NULL;
    const char *const parts[3] = { r->model, "", "" };
    const double fp = runs_original(r);
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(s.columns, 1, sizeof *s.row, &s.row));
    RSD_TRY_DONE(page_open(&s.page, "frontier", parts));
    page_heading(&s.page, "Loss against bits per weight",
                 "%s · adapters count as they are stored; "
                 "along a line their rank grows",
                 r->model);
    runs_put_series(r, &s.page);
    page_number(&s.page, "specs", (double)r->specs);
    page_legend(&s.page, "quantized, without adapter");
    page_legend(&s.page, "original");
    page_number(&s.page, "bases", bases);
    if (bases)
        page_legend(&s.page, "the same bytes, without adapter");
    RSD_TRY_DONE(put_panel(&s));
    axis_take(&s.y, fp);
    page_number(&s.page, "loss_fp", fp);
    const axis_range x = axis_linear(s.x), y = axis_linear(s.y);
    page_range(&s.page, 'x', x.low, x.high);
    page_range(&s.page, 'y', y.low, y.high);
    RSD_TRY_DONE(page_finish(&s.page, (page_shape){ .width = 3.6, .height = 2.4 }));
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

extern const figure figure_frontier;
const figure figure_frontier = {
    .name = "frontier",
    .summary = "loss against bits per weight, adapters counted: rank beside bits for the base",
    .needs = "runs (recover)",
    .pages = pages,
};
