/* The verdict in plain words. */
#include "compare/comparison_text.h"

#include "quantizers/label.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- what is low rank ---- */

/* Inputs, or gradients, reach few directions where their participation ratio is below this share
 * of what it could be; it is said only beside the number. */
static const double few = 0.25;

static const char *const seen[RSD_WEIGHTINGS] = {
    [RSD_WEIGHTING_NONE] = "R",           [RSD_WEIGHTING_DIAG_H] = "R diag(H)^1/2",
    [RSD_WEIGHTING_H] = "R H^1/2",        [RSD_WEIGHTING_G] = "G^1/2 R",
    [RSD_WEIGHTING_GH] = "G^1/2 R H^1/2",
};

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

/* "+13 points [+12,+15]"; unit: " points", or "" where it was said. */
static void say_points(FILE *f, rsd_interval x, const char *unit)
{
    fprintf(f, "%+.0f%s", 100 * x.value, unit);
    if (isfinite(x.low))
        fprintf(f, " [%+.0f,%+.0f]", 100 * x.low, 100 * x.high);
}

static void say_doubt(FILE *f, const rsd_verdict *v)
{
    if (v->sure || v->cause == RSD_PART_NOISE)
        return;
    fprintf(f, " (the largest part, but not for sure: intervals overlap, or the order decides)");
}

static void say_cause(FILE *f, const comparison *c)
{
    static const char *const what[RSD_PARTS] = {
        [RSD_PART_SCALES] = "It is the scales: noise that is larger in some rows, columns and "
                            "blocks, as the residual is, gathers in few directions",
        [RSD_PART_DATA] = "It is the data: seen through the inputs, noise of the residual's scales "
                          "gathers in few directions",
        [RSD_PART_LOSS] = "It is the loss: seen through its gradients, noise of the residual's "
                          "scales gathers in few directions",
        [RSD_PART_OWN] = "It is the residual's own: it holds in few directions what noise of its "
                         "scales does not",
    };
    const rsd_verdict *v = &c->verdict;
    if (v->cause != RSD_PART_NOISE) {
        fprintf(f, "%s, ", what[v->cause]);
        say_points(f, v->part[v->cause], " points");
    } else if (v->clusters < RSD_FEWEST_CLUSTERS)
        fprintf(f, "No cause can be named: %zu independent layers are too few", v->clusters);
    else
        fprintf(f, "Nothing here is %s", v->sure ? "low rank beyond noise" : "told from noise");
    if (v->cause == RSD_PART_DATA)
        say_reach(f, "inputs", c->H_ratio, c->H);
    if (v->cause == RSD_PART_LOSS)
        say_reach(f, "gradients", c->G_ratio, c->G);
    say_doubt(f, v);
    fputc('.', f);
}

/* "; nulls sign_flip", and what is left out as it lacks some. */
static void say_nulls(FILE *f, const comparison *c)
{
    size_t said = 0;
    for (rsd_null n = 0; n < RSD_NULLS; n++)
        if (c->judged_by[n])
            fprintf(f, "%s %s", said++ ? "," : "; null", rsd_null_name(n));
    if (c->verdict.lesser)
        fprintf(f, "; %zu layers without the nulls that it takes are left out", c->verdict.lesser);
}

static void say_part(FILE *f, const rsd_verdict *v, rsd_part part, const char *name)
{
    if (isnan(v->part[part].value))
        return;
    fprintf(f, ", %s ", name);
    say_points(f, v->part[part], "");
    if (isfinite(v->p[part]) && !rsd_verdict_names(v, part))
        fprintf(f, " (not beyond a point)");
}

static void say_parts(FILE *f, const comparison *c)
{
    const rsd_verdict *v = &c->verdict;
    fprintf(f, "  Of the energy of %s rank %zu holds %.0f %%: iid noise %.0f points", seen[v->in],
            c->rank, 100 * v->held.value, 100 * v->part[RSD_PART_NOISE].value);
    say_part(f, v, RSD_PART_SCALES, "the residual's scales");
    say_part(f, v, RSD_PART_DATA, "inputs");
    say_part(f, v, RSD_PART_LOSS, "gradients");
    say_part(f, v, RSD_PART_OWN, "the residual beyond its null");
    if (v->in == RSD_WEIGHTING_GH)
        fprintf(
            f, "; inputs first they add %+.0f and gradients %+.0f, gradients first %+.0f and %+.0f",
            100 * v->inputs_first.data.value, 100 * v->inputs_first.loss.value,
            100 * v->gradients_first.data.value, 100 * v->gradients_first.loss.value);
    fprintf(f, "; %zu layers, %zu independent", v->layers, v->clusters);
    say_nulls(f, c);
    fputc('.', f);
}

/* Quantizers whose own part is named, below their null or beyond it. */
static void say_side(FILE *f, const evidence *e, const comparison *c, bool below)
{
    size_t said = 0;
    for (size_t i = 0; i < e->cases; i++) {
        const rsd_verdict *v = &c->by_case[i];
        const double own = v->part[RSD_PART_OWN].value;
        if (!v->layers || !rsd_verdict_names(v, RSD_PART_OWN) || (own < 0) != below)
            continue;
        char *label = rsd_spec_label(e->item[i].spec);
        fprintf(f, "%s%s of %s, ",
                said++  ? ", "
                : below ? "  Below its null lies "
                        : "  Beyond its null lies ",
                label ? label : e->item[i].spec, e->item[i].model);
        say_points(f, v->part[RSD_PART_OWN], " points");
        if (isfinite(v->energy.value))
            fprintf(f, " (energy %.2f of the null's)", v->energy.value);
        free(label);
    }
    if (said)
        fprintf(f, "%s.", below ? ": what a correction would take has been taken already" : "");
}

/* Weightings that are there without their nulls. */
static void say_missing(FILE *f, const comparison *c)
{
    static const rsd_weighting_kind needed[] = { RSD_WEIGHTING_NONE, RSD_WEIGHTING_H,
                                                 RSD_WEIGHTING_G, RSD_WEIGHTING_GH };
    size_t said = 0;
    for (size_t k = 0; k < sizeof needed / sizeof *needed; k++)
        if (c->no_null[needed[k]])
            fprintf(f, "%s %s (%zu layers)", said++ ? "," : "  No null is known of",
                    seen[needed[k]], c->no_null[needed[k]]);
    if (said)
        fprintf(
            f,
            ": what their data and loss add cannot be told (analyze again with this version, into "
            "a new file or with --force).");
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
    if (!of[RSD_WEIGHTING_GH].groups || !of[RSD_WEIGHTING_NONE].groups ||
        !rsd_association_counts(&of[RSD_WEIGHTING_GH]))
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

static void say_verdict(FILE *f, const evidence *e, const comparison *c)
{
    say_cause(f, c);
    say_parts(f, c);
    say_side(f, e, c, true);
    say_side(f, e, c, false);
}

char *comparison_verdict(const evidence *e, const comparison *c)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    if (c->verdict.layers)
        say_verdict(f, e, c);
    else
        fprintf(f,
                "No verdict: no layer has its residual's null (analyze --nulls variance_profile).");
    say_missing(f, c);
    say_predictions(f, "  What closed forms won back was predicted best", &c->kind[POINTS_CLOSED]);
    say_predictions(f, "  What training won back was predicted best", &c->kind[POINTS_TRAINED]);
    say_layers(f, &c->kind[POINTS_LAYERS]);
    if (fclose(f)) {
        free(text);
        return NULL;
    }
    return text;
}
