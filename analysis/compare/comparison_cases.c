/* A comparison printed: ranks, what was predicted without quantizing, and the parts of the verdict
 * of each case. */
#include "compare/comparison_text.h"

#include "quantizers/label.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void print_rank(const char *what, comparison_rank r, const char *most)
{
    if (isfinite(r.rank))
        printf("  %-34s %8.1f   %5.1f %% of %s\n", what, r.rank, 100 * r.share, most);
}

static void print_ranks(const comparison *c)
{
    if (isnan(c->W.rank) && isnan(c->R.rank) && !c->starts.starts)
        return;
    printf("\neffective rank, median over layers\n");
    print_rank("W", c->W, "the most possible");
    print_rank("R", c->R, "the most possible");
    print_rank("H^1/2 (inputs)", c->H, "the most possible");
    print_rank("G^1/2 (gradients)", c->G, "the most possible");
    print_rank("H, participation ratio", c->H_ratio, "the most possible");
    print_rank("G, participation ratio", c->G_ratio, "the most possible");
    for (size_t i = 0; i < c->starts.starts; i++) {
        const start *s = &c->starts.start[i];
        char text[96];
        snprintf(text, sizeof text, "trained from %s", s->init);
        print_rank(text, (comparison_rank){ s->rank, s->share }, "the adapter's rank");
    }
}

/* Points of 100, marked where the part is named. */
static void put_points(const rsd_verdict *v, rsd_part part)
{
    const rsd_interval x = v->part[part];
    char text[64];
    if (isnan(x.value))
        snprintf(text, sizeof text, "-");
    else if (isnan(x.low))
        snprintf(text, sizeof text, "%+.1f", 100 * x.value);
    else
        snprintf(text, sizeof text, "%+.1f [%+.1f,%+.1f]%s", 100 * x.value, 100 * x.low,
                 100 * x.high, rsd_verdict_names(v, part) ? "*" : "");
    printf("  %-19s", text);
}

static void print_case(const evidence_case *c, const rsd_verdict *v)
{
    char *label = rsd_spec_label(c->spec);
    printf("  %-14s %-16s %-4s %6.1f", c->model, label ? label : c->spec, rsd_weighting_name(v->in),
           100 * v->part[RSD_PART_NOISE].value);
    for (rsd_part k = RSD_PART_SCALES; k < RSD_PARTS; k++)
        put_points(v, k);
    printf("  %5.1f", 100 * v->held.value);
    if (isnan(v->energy.value))
        printf("  %6s", "-");
    else
        printf("  %6.2f", v->energy.value);
    printf("   %s%s\n", rsd_cause_name(v->cause), v->sure ? "" : " (not sure)");
    free(label);
}

static void print_cases(const evidence *e, const comparison *c)
{
    bool any = false;
    for (size_t i = 0; i < e->cases; i++)
        any = any || c->by_case[i].layers;
    if (!any)
        return;
    printf(
        "\nwhat holds the energy in rank %zu, points of 100, mean over layers [95 %%]; * beyond a "
        "point (Holm, over this table)\n",
        c->rank);
    printf("  %-14s %-16s %-4s %6s  %-19s  %-19s  %-19s  %-19s  %5s  %6s   %s\n", "model",
           "quantizer", "of", "noise", "+scales", "+data", "+loss", "+own", "=held", "energy",
           "cause");
    for (size_t i = 0; i < e->cases; i++)
        if (c->by_case[i].layers)
            print_case(&e->item[i], &c->by_case[i]);
}

static void print_pair(double predicted, double found, const char *format)
{
    putchar(' ');
    printf(format, predicted);
    if (isnan(found))
        printf(" %9s", "-");
    else {
        putchar(' ');
        printf(format, found);
    }
}

static void print_ahead(const comparison *c)
{
    if (c->ahead.count)
        printf("\npredicted from weights' sizes, H and G without quantizing, and of the residuals: "
               "loss "
               "increase to second order, nat/token;\nshare of it that rank %zu holds, and how far "
               "off "
               "that is of single layers (rms)\n"
               "  %-14s %-16s %9s %9s %9s %9s %9s\n",
               c->rank, "model", "quantizer", "predicted", "residual", "predicted", "residual",
               "off");
    for (size_t i = 0; i < c->ahead.count; i++) {
        const ahead_line *l = &c->ahead.line[i];
        char *label = rsd_spec_label(l->spec);
        printf("  %-14s %-16s", l->model, label ? label : l->spec);
        print_pair(l->loss, l->loss_of_R, "%9.4f");
        print_pair(l->held, l->held_of_R, "%9.3f");
        if (isnan(l->off))
            printf(" %9s\n", "-");
        else
            printf(" %9.3f\n", l->off);
        free(label);
    }
}

void comparison_print_cases(const evidence *e, const comparison *c)
{
    print_ranks(c);
    print_ahead(c);
    print_cases(e, c);
}
