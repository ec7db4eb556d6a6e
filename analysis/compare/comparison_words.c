/* The verdict in plain words. */
#include "compare/comparison_text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what is low rank ---- */

/* Inputs, or gradients, reach few directions where their participation ratio is below this share
 * of what it could be; it is said only beside the number. */
static const double few = 0.25;

static void say_reach(FILE *f, const char *whose, comparison_rank ratio, comparison_rank rank)
{
    if (!isfinite(ratio.rank))
        return;
    fprintf(f,
            " (%s%s: participation ratio %.1f, %.0f %% of the most possible, effective rank %.1f, "
            "%.0f %%)",
            whose, ratio.share < few ? " reach few directions" : "", ratio.rank, 100 * ratio.share,
            rank.rank, 100 * rank.share);
}

static void say_doubt(FILE *f, const rsd_verdict *v)
{
    if (v->sure)
        return;
    if (v->clusters < RSD_FEWEST_CLUSTERS)
        fprintf(f, " (not sure: %zu independent layers are too few)", v->clusters);
    else if (isfinite(v->loss.value) && v->source >= RSD_VERDICT_DATA && !v->symmetric)
        fprintf(f, " (not sure: without G^1/2 R in the file it is not known what gradients alone "
                   "would say)");
    else
        fprintf(f, " (not sure: intervals overlap, or the order decides)");
}

static void say_parts(FILE *f, const comparison *c)
{
    const rsd_verdict *v = &c->verdict;
    fprintf(f,
            ".  Of the residual's energy, rank %zu holds %.0f %% by chance alone; the residual "
            "itself adds %+.0f points, its inputs %+.0f",
            c->rank, 100 * v->noise.value, 100 * v->model.value, 100 * v->data.value);
    if (isfinite(v->loss.value))
        fprintf(f, ", the loss %+.0f", 100 * v->loss.value);
    if (v->symmetric)
        fprintf(f,
                " (mean of two orders: inputs first %+.0f and %+.0f, gradients first %+.0f and "
                "%+.0f)",
                100 * v->inputs_first.data.value, 100 * v->inputs_first.loss.value,
                100 * v->gradients_first.data.value, 100 * v->gradients_first.loss.value);
    else if (isfinite(v->loss.value))
        fprintf(f, " (inputs first: what both know is counted as theirs)");
    fprintf(f, "; %zu layers, %zu independent.", v->layers, v->clusters);
}

static void say_source(FILE *f, const comparison *c)
{
    static const char *const what[] = {
        "Nothing here is low rank beyond noise",
        "It is the model: quantization left low rank in the residual itself",
        "It is the data: the inputs gather the residual's energy in fewer directions",
        "It is the loss: its gradients gather the residual's energy in fewer directions",
    };
    const rsd_verdict *v = &c->verdict;
    const rsd_interval *const part[] = { NULL, &v->model, &v->data, &v->loss };
    fprintf(f, "%s", what[v->source]);
    if (v->source != RSD_VERDICT_NONE) {
        const rsd_interval *p = part[v->source];
        fprintf(f, ", %+.0f points", 100 * p->value);
        if (isfinite(p->low))
            fprintf(f, " [%+.0f,%+.0f]", 100 * p->low, 100 * p->high);
    }
    if (v->source == RSD_VERDICT_DATA)
        say_reach(f, "inputs", c->H_ratio, c->H);
    if (v->source == RSD_VERDICT_LOSS)
        say_reach(f, "gradients", c->G_ratio, c->G);
    say_doubt(f, v);
    say_parts(f, c);
}

/* ---- what predicted it ---- */

static const char *contestant(size_t k)
{
    return k == PREDICTORS ? "a constant" : predictor_name((int)k);
}

/* "GRH, off by 10 points [8,12], not told apart from RH and a constant". */
static void say_contest(FILE *f, const rsd_contest *c)
{
    const rsd_interval *best = &c->error[c->best];
    size_t ties = 0;
    fprintf(f, "%s, off by %.0f points", contestant(c->best), 100 * best->value);
    if (isfinite(best->low))
        fprintf(f, " [%.0f,%.0f]", 100 * best->low, 100 * best->high);
    if (c->clusters < RSD_FEWEST_CLUSTERS) {
        fprintf(f, " (%zu independent: too few to tell predictions apart)", c->clusters);
        return;
    }
    for (size_t k = 0; k <= PREDICTORS; k++)
        if (k != c->best && isfinite(c->error[k].value) && !rsd_contest_loses(c, k))
            fprintf(f, "%s%s", ties++ ? ", " : " (not told apart from ", contestant(k));
    fprintf(f, "%s", ties ? ")" : "");
}

static void say_predictions(FILE *f, const char *what, const points *p)
{
    bool any = false;
    for (size_t i = 0; i < p->parts; i++) {
        const points_part *q = &p->part[i];
        if (q->contest.best == SIZE_MAX)
            continue;
        fprintf(f, "%s from %s by ", any ? ";" : what, q->init);
        say_contest(f, &q->contest);
        any = true;
    }
    if (any && p->parts > 1 && p->all.contest.best != SIZE_MAX) {
        fprintf(f, "; all starts pooled by ");
        say_contest(f, &p->all.contest);
    }
    if (any)
        fputc('.', f);
}

static void say_within(FILE *f, const char *by, const rsd_interval *r)
{
    fprintf(f, " %.2f", r->value);
    if (isfinite(r->low))
        fprintf(f, " [%.2f,%.2f]", r->low, r->high);
    fprintf(f, " by %s", by);
}

static void say_layers(FILE *f, const points *p)
{
    const rsd_association *const of = p->all.of;
    if (!of[RSD_WEIGHTING_GH].groups || !of[RSD_WEIGHTING_NONE].groups)
        return;
    fprintf(f, "  Which layer hurts: rank correlation within a quantizer, mean over %zu,",
            of[RSD_WEIGHTING_GH].groups);
    say_within(f, "GRH,", &of[RSD_WEIGHTING_GH].within);
    say_within(f, "the residual's size,", &of[RSD_WEIGHTING_NONE].within);
    say_within(f, "RH", &of[RSD_WEIGHTING_H].within);
    if (p->parts > 1)
        fprintf(f, " (pooled over quantizers, which differ more than layers do: %.2f, %.2f, %.2f)",
                of[RSD_WEIGHTING_GH].spearman.value, of[RSD_WEIGHTING_NONE].spearman.value,
                of[RSD_WEIGHTING_H].spearman.value);
    fputc('.', f);
}

char *comparison_verdict(const comparison *c)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    if (c->verdict.layers)
        say_source(f, c);
    else
        fprintf(f, "No verdict: no layer has its residual's null (analyze --nulls sign_flip) and "
                   "R H^1/2 (analyze --calibration).");
    say_predictions(f, "  What closed forms won back was predicted best", &c->kind[POINTS_CLOSED]);
    say_predictions(f, "  What training won back was predicted best", &c->kind[POINTS_TRAINED]);
    say_layers(f, &c->kind[POINTS_LAYERS]);
    if (fclose(f)) {
        free(text);
        return NULL;
    }
    return text;
}
