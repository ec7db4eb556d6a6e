/* What predictions of single matrices say together: rows of the file, and a table. */
#include "analyze/predict.h"

#include "quantizers/label.h"
#include "spectra/curves.h"
#include "spectra/forecast.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_of(const a_priori_curve *c, const char *model, const char *spec)
{
    return c->share && strcmp(c->place.model, model) == 0 && strcmp(c->spec, spec) == 0;
}

static size_t full_rank(const a_priori_curve *c)
{
    return c->place.rows < c->place.cols ? c->place.rows : c->place.cols;
}

/* All layers of a model under one quantizer, each corrected at `rank`; returns how many. */
static size_t sum_layers(const prediction *p, const char *model, const char *spec, size_t rank,
                         rsd_forecast *out)
{
    size_t count = 0;
    *out = (rsd_forecast){ 0 };
    for (size_t i = 0; i < p->layers; i++)
        for (size_t k = 0; k < p->layer[i].specs; k++) {
            const a_priori_curve *c = &p->layer[i].curve[k];
            if (!is_of(c, model, spec))
                continue;
            rsd_forecast_add(out, c->energy, rsd_remaining(c->share, c->n, full_rank(c), rank));
            count++;
        }
    return count;
}

/* Is the curve the first of its model and spec? */
static bool is_first(const prediction *p, const a_priori_curve *curve)
{
    for (size_t i = 0; i < p->layers; i++)
        for (size_t k = 0; k < p->layer[i].specs; k++)
            if (is_of(&p->layer[i].curve[k], curve->place.model, curve->spec))
                return &p->layer[i].curve[k] == curve;
    return false;
}

static size_t most_rank(const prediction *p, const char *model)
{
    size_t most = 1;
    for (size_t i = 0; i < p->layers; i++) {
        const a_priori_curve *c = p->layer[i].curve;
        if (p->layer[i].specs && strcmp(c->place.model, model) == 0 && full_rank(c) > most)
            most = full_rank(c);
    }
    return most;
}

static int add_rows(prediction *p, const a_priori_curve *c)
{
    for (size_t rank = 1; rank <= full_rank(c); rank *= 2)
        RSD_TRY(prediction_add(&p->rows,
                               &(prediction_row){
                                   .model = c->place.model,
                                   .spec = c->spec,
                                   .tensor = c->place.tensor,
                                   .metric = prediction_a_priori,
                                   .rank = (int64_t)rank,
                                   .remaining = rsd_remaining(c->share, c->n, full_rank(c), rank),
                               },
                               c->energy));
    return RSD_OK;
}

static int add_sums(prediction *p, const a_priori_curve *c)
{
    rsd_forecast f;
    for (size_t rank = 1; rank <= most_rank(p, c->place.model); rank *= 2) {
        sum_layers(p, c->place.model, c->spec, rank, &f);
        RSD_TRY(prediction_add(&p->rows,
                               &(prediction_row){ .model = c->place.model,
                                                  .spec = c->spec,
                                                  .tensor = "",
                                                  .metric = prediction_a_priori,
                                                  .rank = (int64_t)rank,
                                                  .remaining = rsd_forecast_remaining(&f) },
                               f.total));
    }
    return RSD_OK;
}

int prediction_make_rows(prediction *p)
{
    for (size_t i = 0; i < p->layers; i++)
        for (size_t k = 0; k < p->layer[i].specs; k++) {
            const a_priori_curve *c = &p->layer[i].curve[k];
            if (!c->share)
                continue;
            if (is_first(p, c))
                RSD_TRY(add_sums(p, c));
            RSD_TRY(add_rows(p, c));
        }
    return RSD_OK;
}

/* ---- the table ---- */

static const size_t ranks[] = { 2, 4, 8, 16, 32 };
enum { RANKS = sizeof ranks / sizeof *ranks };

static void print_line(const prediction *p, const char *model, const rsd_spec *spec)
{
    const rsd_error_model *m = a_priori_model_of(&p->r->a_priori, spec);
    char *label = rsd_spec_label(spec->text);
    rsd_forecast f;
    printf("  %-14s %-18s", model, label ? label : spec->text);
    free(label);
    if (!m) {
        printf(" not predicted: its error depends on more than the weights' sizes\n");
        return;
    }
    sum_layers(p, model, spec->text, 0, &f);
    printf(" %7.3f %10.4f ", m->bits_per_weight, rsd_forecast_loss(&f));
    for (size_t i = 0; i < RANKS; i++) {
        sum_layers(p, model, spec->text, ranks[i], &f);
        printf(" %6.1f", 100 * (1 - rsd_forecast_remaining(&f)));
    }
    putchar('\n');
}

static void print_model(const prediction *p, const char *model)
{
    const select_specs *s = &p->r->specs;
    rsd_forecast f;
    for (size_t i = 0; i < s->specs; i++)
        if (!a_priori_model_of(&p->r->a_priori, &s->spec[i]) ||
            sum_layers(p, model, s->spec[i].text, 0, &f))
            print_line(p, model, &s->spec[i]);
    for (size_t i = 0; i < s->rules; i++)
        if (sum_layers(p, model, s->rule[i].spec.text, 0, &f))
            print_line(p, model, &s->rule[i].spec);
}

void prediction_print(const prediction *p)
{
    printf("predicted from weights' sizes, H and G; nothing was quantized\n"
           "  %-14s %-18s %7s %10s   %% won back by a correction of rank\n"
           "  %-14s %-18s %7s %10s ",
           "", "", "", "loss +", "model", "quantizer", "bits", "nat/token");
    for (size_t i = 0; i < RANKS; i++)
        printf(" %6zu", ranks[i]);
    putchar('\n');
    for (size_t i = 0; i < p->r->inputs; i++)
        print_model(p, p->r->input[i].name);
}
