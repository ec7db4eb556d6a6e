#include "compare/comparison.h"

#include <math.h>
#include <string.h>

typedef struct {
    double total[EVIDENCE_METRICS], left[EVIDENCE_METRICS];
} sums;

static void add_layer(sums *s, const evidence_layer *l, size_t rank)
{
    for (evidence_metric k = 0; k < EVIDENCE_METRICS; k++) {
        s->total[k] += l->curve[k].energy;
        s->left[k] += l->curve[k].energy * evidence_remaining(l, k, rank);
    }
}

static void finish(const sums *s, forecast *out)
{
    for (int k = 0; k < EVIDENCE_METRICS; k++)
        out->remaining[k] = s->total[k] > 0 ? s->left[k] / s->total[k] : NAN;
    out->loss = s->left[EVIDENCE_GRH] / 2;
}

void forecast_at(const evidence_case *c, size_t rank, forecast *out)
{
    sums s = { 0 };
    for (size_t i = 0; i < c->layers; i++)
        add_layer(&s, &c->layer[i], rank);
    finish(&s, out);
}

void forecast_run(const evidence *e, const evidence_case *c, const recovery_row *run, forecast *out)
{
    sums s = { 0 };
    for (size_t i = 0; i < c->layers; i++) {
        size_t rank = 0;
        for (size_t k = 0; k < e->run_layers; k++) {
            const recovery_layer *l = &e->run_layer[k];
            if (strcmp(l->run, run->run) == 0 && strcmp(l->model, run->model) == 0 &&
                strcmp(l->tensor, c->layer[i].tensor) == 0)
                rank = (size_t)l->rank;
        }
        add_layer(&s, &c->layer[i], rank);
    }
    finish(&s, out);
}
