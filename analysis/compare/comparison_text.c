/* A comparison printed: tables, words, JSON. */
#include "compare/comparison_text.h"

#include "compare/comparison_bytes.h"
#include "quantizers/label.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- numbers ---- */

static void put_interval(rsd_interval v)
{
    if (isnan(v.value))
        printf("  %-22s", "-");
    else if (isnan(v.low))
        printf("  %6.3f %-15s", v.value, "");
    else
        printf("  %6.3f [%6.3f,%6.3f]", v.value, v.low, v.high);
}

static void put_count(size_t clusters)
{
    printf(", %zu independent%s\n", clusters,
           clusters < RSD_FEWEST_CLUSTERS ? ": too few for intervals" : "");
}

static size_t clusters_of(const points_part *p)
{
    size_t most = 0;
    for (int k = 0; k < PREDICTORS; k++)
        most = p->of[k].clusters > most ? p->of[k].clusters : most;
    return most;
}

static void put_head(const char *error)
{
    printf("    %-8s %3s  %-22s  %-22s  %-22s  %-22s  %-22s\n", "", "n", "Spearman [95 %]",
           "Pearson", "fitted: constant", "fitted: slope", error);
}

/* A correlation, or a line, of few is none. */
static rsd_interval claimed(const rsd_association *a, rsd_interval x)
{
    static const rsd_interval unknown = { NAN, NAN, NAN };
    return rsd_association_counts(a) ? x : unknown;
}

static void put_line(const rsd_association *a)
{
    put_interval(claimed(a, a->pearson));
    put_interval(claimed(a, a->intercept));
    put_interval(claimed(a, a->slope));
    put_interval(a->error);
    putchar('\n');
}

/* ---- runs ---- */

static void print_part(const points_part *p)
{
    put_head("rms error, not fitted");
    for (int k = 0; k < PREDICTORS; k++) {
        const rsd_association *a = &p->of[k];
        if (!a->n)
            continue;
        printf("    %-8s %3zu", predictor_name(k), a->n);
        put_interval(claimed(a, a->spearman));
        put_line(a);
    }
    printf("    %-8s %3zu%96s", "constant", p->contest.n, "");
    put_interval(p->contest.error[PREDICTORS]);
    putchar('\n');
}

static void print_runs(const char *title, const points *p)
{
    if (!p->count)
        return;
    printf("\n%s: %zu runs\n", title, p->count);
    for (size_t i = 0; i < p->parts; i++) {
        printf("  from %s: %zu runs", p->part[i].init, p->part[i].count);
        put_count(clusters_of(&p->part[i]));
        print_part(&p->part[i]);
    }
    if (p->parts < 2)
        return;
    printf("  all starts pooled: %zu runs", p->all.count);
    put_count(clusters_of(&p->all));
    print_part(&p->all);
}

/* ---- single layers: the null has R's own energy, and says nothing of which layer ---- */

static bool is_told(const points *p, int k) { return k != PREDICTOR_NULL && p->all.of[k].n; }

static void print_pooled(const points *p)
{
    printf("  pooled over quantizers (lines of logarithms)\n");
    put_head("rms log ratio");
    for (int k = 0; k < PREDICTORS; k++) {
        const rsd_association *a = &p->all.of[k];
        if (!is_told(p, k))
            continue;
        printf("    %-8s %3zu", predictor_name(k), a->n);
        put_interval(claimed(a, a->spearman));
        put_line(a);
        if (a->line < a->n && k == RSD_WEIGHTING_NONE)
            printf("             (lines leave out %zu whose loss fell; ranks do not)\n",
                   a->n - a->line);
    }
}

static void put_correlation(const rsd_association *a)
{
    if (rsd_association_counts(a))
        printf("  %8.3f", a->spearman.value);
    else
        printf("  %8s", "-");
}

static void print_part_name(const points_part *p)
{
    char *label = rsd_spec_label(p->spec);
    char text[128];
    const char *name = label ? label : p->spec;
    if (p->rank)
        snprintf(text, sizeof text, "%s %s, %s r%zu", p->model, name, p->init, p->rank);
    else
        snprintf(text, sizeof text, "%s %s", p->model, name);
    printf("    %-40s %4zu", text, p->count);
    free(label);
}

static void print_layers(const points *p)
{
    if (!p->count)
        return;
    printf("\nloss of one layer at a time: %zu measurements", p->count);
    put_count(clusters_of(&p->all));
    printf("  rank correlation within a quantizer\n    %-40s %4s", "", "n");
    for (int k = 0; k < PREDICTORS; k++)
        if (is_told(p, k))
            printf("  %8s", predictor_name(k));
    putchar('\n');
    for (size_t i = 0; i < p->parts; i++) {
        print_part_name(&p->part[i]);
        for (int k = 0; k < PREDICTORS; k++)
            if (is_told(p, k))
                put_correlation(&p->part[i].of[k]);
        putchar('\n');
    }
    printf("  mean of these [95 %%]\n");
    for (int k = 0; k < PREDICTORS; k++) {
        if (!is_told(p, k) || !p->all.of[k].groups)
            continue;
        printf("    %-8s", predictor_name(k));
        put_interval(claimed(&p->all.of[k], p->all.of[k].within));
        putchar('\n');
    }
    if (p->parts > 1)
        print_pooled(p);
}

/* ---- starts ---- */

static void print_side(const char *side, rsd_interval v, double random)
{
    if (isnan(v.value))
        printf("   %-7s %-38s", side, "-");
    else if (isnan(v.low))
        printf("   %-7s %.3f, random %.3f %15s ", side, v.value, random, "");
    else
        printf("   %-7s %.3f [%.3f,%.3f], random %.3f  ", side, v.value, v.low, v.high, random);
}

static void print_overlaps(const starts *s)
{
    bool any = false;
    for (size_t i = 0; i < s->starts; i++)
        any = any || s->start[i].overlaps;
    if (!any)
        return;
    printf("\nsubspaces of the trained adapters: share that lies in the same-sized top of\n");
    for (size_t i = 0; i < s->starts; i++) {
        printf("  from %s: %zu layers", s->start[i].init, s->start[i].layers);
        put_count(s->start[i].clusters);
        for (size_t k = 0; k < s->start[i].overlaps; k++) {
            const start_overlap *o = &s->start[i].overlap[k];
            printf("    %-14s", o->what);
            print_side("outputs", o->left, o->random_left);
            print_side("inputs", o->right, o->random_right);
            putchar('\n');
        }
    }
}

static void print_duels(const char *title, const duels *d)
{
    if (!d->count)
        return;
    printf("\n%s: difference of the losses in nats per token, mean over runs alike but for the\n"
           "start, ± standard error over windows (in blocks of so many; how seeds differ is not in "
           "it)\n",
           title);
    for (size_t i = 0; i < d->count; i++) {
        const duel *x = &d->item[i];
        printf("  %-14s %s below %s: %.5f ± %.5f (%zu)   better in %zu of %zu runs, worse in %zu\n",
               x->model, x->better, x->worse, x->difference.mean, x->difference.se,
               x->difference.block, x->wins, x->runs, x->losses);
    }
}

/* What was there and does not count. */
static void print_left_out(const evidence *e, const comparison *c)
{
    const points *runs = &c->kind[POINTS_TRAINED], *closed = &c->kind[POINTS_CLOSED],
                 *layers = &c->kind[POINTS_LAYERS];
    const size_t no_spectra =
        runs->no_spectra > closed->no_spectra ? runs->no_spectra : closed->no_spectra;
    const size_t other =
        runs->other_layers > closed->other_layers ? runs->other_layers : closed->other_layers;
    if (e->repeated_runs || e->repeated_layers)
        printf("\n%zu runs and %zu single layers are in the files more than once: counted once\n",
               e->repeated_runs, e->repeated_layers);
    if (e->other_spectra)
        printf("\n%zu spectra are in two files with different norms: the first file's count\n",
               e->other_spectra);
    if (no_spectra)
        printf("\n%zu runs are left out: no spectra of their quantizer's residual "
               "(analyze MODEL -q SPEC)\n",
               no_spectra);
    if (other)
        printf("\n%zu runs are left out: they quantized other layers than the spectra are of "
               "(--include, --exclude of recover and analyze)\n",
               other);
    if (layers->no_spectra)
        printf("\n%zu single layers are left out: no spectra of their residual\n",
               layers->no_spectra);
}

void comparison_print(const evidence *e, const comparison *c)
{
    print_runs("recovered by closed-form corrections (the start, before training)",
               &c->kind[POINTS_CLOSED]);
    print_runs("recovered by trained adapters", &c->kind[POINTS_TRAINED]);
    print_duels("starts against each other, before training", &c->starts.closed);
    print_duels("starts against each other, trained", &c->starts.trained);
    print_layers(&c->kind[POINTS_LAYERS]);
    print_overlaps(&c->starts);
    comparison_print_cases(e, c);
    comparison_print_bytes(&c->bytes);
    print_left_out(e, c);
    char *text = comparison_verdict(e, c);
    printf("\nVerdict: %s\n", text ? text : "");
    free(text);
}
