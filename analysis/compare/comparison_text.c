#include "compare/comparison_text.h"

#include "quantizers/label.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_title[POINTS_KINDS] = {
    "recovered by closed-form corrections (the start, before training)",
    "recovered by trained adapters",
    "loss of one layer at a time (logarithms)",
};
static const char *const kind_key[POINTS_KINDS] = { "closed_form", "trained", "layers" };

/* ---- numbers ---- */

static void put_interval(rsd_interval v)
{
    if (isnan(v.value))
        printf("  %-22s", "-");
    else if (isnan(v.low))
        printf("  %-22.3f", v.value);
    else
        printf("  %6.3f [%6.3f,%6.3f]", v.value, v.low, v.high);
}

static void print_points(points_kind kind, const points *p)
{
    if (!p->count)
        return;
    printf("\n%s: %zu %s\n", kind_title[kind], p->count,
           kind == POINTS_LAYERS ? "measurements" : "runs");
    printf("  %-6s %3s  %-22s  %-22s  %-22s  %-22s\n", "metric", "n", "Spearman [95 %]", "Pearson",
           "slope", kind == POINTS_LAYERS ? "rms log ratio" : "rms error");
    for (int k = 0; k < EVIDENCE_METRICS; k++) {
        const rsd_association *a = &p->metric[k];
        if (!a->n)
            continue;
        printf("  %-6s %3zu", evidence_metric_name[k], a->n);
        put_interval(a->spearman);
        put_interval(a->pearson);
        put_interval(a->slope);
        put_interval(a->error);
        putchar('\n');
    }
}

static bool is_first_start(const points *p, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(p->point[k].run->init, p->point[i].run->init) == 0)
            return false;
    return true;
}

/* A correction that is the best in one metric owes the others nothing: errors by start. */
static void print_starts(const points *p)
{
    for (size_t i = 0; i < p->count; i++) {
        double sum[EVIDENCE_METRICS] = { 0 };
        size_t n = 0;
        if (!is_first_start(p, i))
            continue;
        for (size_t k = 0; k < p->count; k++) {
            const point *q = &p->point[k];
            if (strcmp(q->run->init, p->point[i].run->init) != 0 || !isfinite(q->measured))
                continue;
            n++;
            for (int m = 0; m < EVIDENCE_METRICS; m++)
                sum[m] += (q->predicted[m] - q->measured) * (q->predicted[m] - q->measured);
        }
        printf("  %-28s %3zu", p->point[i].run->init, n);
        for (int m = 0; m < EVIDENCE_METRICS; m++)
            printf("  %6.3f", n ? sqrt(sum[m] / (double)n) : NAN);
        putchar('\n');
    }
}

static void print_errors_by_start(points_kind kind, const points *p)
{
    if (kind == POINTS_LAYERS || !p->count)
        return;
    printf("  rms error by start: %8s", "n");
    for (int m = 0; m < EVIDENCE_METRICS; m++)
        printf("  %6s", evidence_metric_name[m]);
    putchar('\n');
    print_starts(p);
}

static void print_rank(const char *what, double rank, double share)
{
    if (isfinite(rank))
        printf("  %-24s %8.1f   %5.1f %% of the most possible\n", what, rank, 100 * share);
}

static void print_ranks(const comparison *c)
{
    printf("\neffective rank, median over layers\n");
    print_rank("W", c->rank_W, c->share_W);
    print_rank("R", c->rank_R, c->share_R);
    print_rank("H^1/2 (inputs)", c->rank_H, c->share_H);
    print_rank("G^1/2 (gradients)", c->rank_G, c->share_G);
    print_rank("trained adapters", c->rank_trained, c->share_trained);
}

static void print_side(const char *side, rsd_interval v, double random)
{
    if (isnan(v.value))
        printf("   %-7s %-36s", side, "-");
    else
        printf("   %-7s %.3f [%.3f,%.3f], random %.3f  ", side, v.value, v.low, v.high, random);
}

static void print_overlaps(const comparison *c)
{
    if (!c->overlaps)
        return;
    printf("\nsubspaces of the trained adapters: share that lies in the same-sized top of\n");
    for (size_t i = 0; i < c->overlaps; i++) {
        const comparison_overlap *o = &c->overlap[i];
        printf("  %-14s", o->what);
        print_side("outputs", o->left, o->random_left);
        print_side("inputs", o->right, o->random_right);
        putchar('\n');
    }
}

static void print_cases(const evidence *e, const comparison *c)
{
    printf("\nshare of the residual's energy that rank %zu holds, mean over layers\n", c->rank);
    printf("  %-14s %-12s %8s %8s %8s %8s   %s\n", "model", "quantizer", "noise", "+model", "+data",
           "+loss", "verdict");
    for (size_t i = 0; i < e->cases; i++) {
        const rsd_verdict *v = &c->by_case[i];
        if (!v->layers)
            continue;
        char *label = rsd_spec_label(e->item[i].spec);
        printf("  %-14s %-12s %8.3f %+8.3f %+8.3f %+8.3f   %s%s\n", e->item[i].model,
               label ? label : e->item[i].spec, v->noise.value, v->model.value, v->data.value,
               v->loss.value, rsd_source_name(v->source), v->sure ? "" : " (not sure)");
        free(label);
    }
}

/* ---- words ---- */

/* The metric with the least error among those that know something of more than noise. */
static int best_metric(const points *p)
{
    int best = -1;
    for (int k = EVIDENCE_R; k < EVIDENCE_METRICS; k++)
        if (p->metric[k].n >= 3 && isfinite(p->metric[k].error.value) &&
            (best < 0 || p->metric[k].error.value < p->metric[best].error.value))
            best = k;
    return best;
}

static void say_source(FILE *f, const comparison *c)
{
    static const char *const what[] = {
        "Nothing here is low rank beyond noise",
        "It is the model: quantization left low rank in the residual itself",
        "It is the data: the residual is noise, but the inputs reach few of its directions",
        "It is the loss: only few combinations of the outputs matter to it",
    };
    const rsd_verdict *v = &c->verdict;
    const rsd_interval *const part[] = { NULL, &v->model, &v->data, &v->loss };
    fprintf(f, "%s", what[v->source]);
    if (v->source != RSD_VERDICT_NONE)
        fprintf(f, ", %+.0f points [%+.0f,%+.0f]", 100 * part[v->source]->value,
                100 * part[v->source]->low, 100 * part[v->source]->high);
    fprintf(f,
            "%s.  Of the residual's energy, rank %zu holds %.0f %% by chance alone; the residual "
            "itself adds %+.0f points, its inputs %+.0f",
            v->sure ? "" : " (the intervals overlap: not sure)", c->rank, 100 * v->noise.value,
            100 * v->model.value, 100 * v->data.value);
    if (isfinite(v->loss.value))
        fprintf(f, ", the loss %+.0f", 100 * v->loss.value);
    fprintf(f, " (%zu layers).", v->layers);
}

static void say_prediction(FILE *f, const char *what, const points *p)
{
    const int k = best_metric(p);
    if (k < 0)
        return;
    const rsd_association *a = &p->metric[k];
    fprintf(f, "  %s was best predicted by %s: off by %.0f points [%.0f,%.0f] over %zu runs", what,
            evidence_metric_name[k], 100 * a->error.value, 100 * a->error.low, 100 * a->error.high,
            a->n);
    if (isfinite(a->spearman.value))
        fprintf(f, ", rank correlation %.2f [%.2f,%.2f]", a->spearman.value, a->spearman.low,
                a->spearman.high);
    fprintf(f, ".");
}

char *comparison_verdict(const evidence *e, const comparison *c)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f)
        return NULL;
    (void)e;
    if (c->verdict.layers)
        say_source(f, c);
    else
        fprintf(f, "No verdict: no layer has its residual's null (analyze --nulls sign_flip) and "
                   "R H^1/2 (analyze --calibration).");
    say_prediction(f, "What closed-form corrections won back", &c->kind[POINTS_CLOSED]);
    say_prediction(f, "What training won back", &c->kind[POINTS_TRAINED]);
    const rsd_association *g = &c->kind[POINTS_LAYERS].metric[EVIDENCE_GRH];
    const rsd_association *r = &c->kind[POINTS_LAYERS].metric[EVIDENCE_R];
    if (g->n >= 3)
        fprintf(f,
                "  Which layer hurts: rank correlation %.2f by GRH, %.2f by the residual's size "
                "alone.",
                g->spearman.value, r->spearman.value);
    if (fclose(f)) {
        free(text);
        return NULL;
    }
    return text;
}

void comparison_print(const evidence *e, const comparison *c)
{
    for (points_kind k = 0; k < POINTS_KINDS; k++) {
        print_points(k, &c->kind[k]);
        print_errors_by_start(k, &c->kind[k]);
    }
    print_overlaps(c);
    print_ranks(c);
    print_cases(e, c);
    char *text = comparison_verdict(e, c);
    printf("\nVerdict: %s\n", text ? text : "");
    free(text);
}

/* ---- JSON ---- */

static json_t *number(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static void put(json_t *o, const char *name, rsd_interval v)
{
    char key[64];
    json_object_set_new(o, name, number(v.value));
    snprintf(key, sizeof key, "%s_interval", name);
    json_object_set_new(o, key, json_pack("[o,o]", number(v.low), number(v.high)));
}

static json_t *metric_json(const rsd_association *a)
{
    json_t *o = json_object();
    json_object_set_new(o, "n", json_integer((json_int_t)a->n));
    put(o, "spearman", a->spearman);
    put(o, "pearson", a->pearson);
    put(o, "slope", a->slope);
    put(o, "error", a->error);
    return o;
}

static json_t *kind_json(const points *p)
{
    json_t *o = json_object();
    for (int k = 0; k < EVIDENCE_METRICS; k++)
        json_object_set_new(o, evidence_metric_name[k], metric_json(&p->metric[k]));
    return o;
}

static json_t *shares_json(const rsd_verdict *v)
{
    json_t *o = json_object();
    put(o, "noise", v->noise);
    put(o, "model", v->model);
    put(o, "data", v->data);
    put(o, "loss", v->loss);
    json_object_set_new(o, "layers", json_integer((json_int_t)v->layers));
    json_object_set_new(o, "source", json_string(rsd_source_name(v->source)));
    json_object_set_new(o, "sure", json_boolean(v->sure));
    return o;
}

static json_t *ranks_json(const comparison *c)
{
    return json_pack("{s:o,s:o,s:o,s:o,s:o}", "W", number(c->rank_W), "R", number(c->rank_R), "H",
                     number(c->rank_H), "G", number(c->rank_G), "trained", number(c->rank_trained));
}

static json_t *overlaps_json(const comparison *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->overlaps; i++) {
        const comparison_overlap *p = &c->overlap[i];
        json_t *o = json_pack("{s:s,s:o,s:o}", "with", p->what, "random_left",
                              number(p->random_left), "random_right", number(p->random_right));
        put(o, "left", p->left);
        put(o, "right", p->right);
        json_array_append_new(list, o);
    }
    return list;
}

json_t *comparison_json(const evidence *e, const comparison *c)
{
    /* the four metrics at the top speak of training where there was any, else of closed forms */
    const points *main =
        c->kind[POINTS_TRAINED].count ? &c->kind[POINTS_TRAINED] : &c->kind[POINTS_CLOSED];
    json_t *o = json_object();
    for (int k = EVIDENCE_R; k < EVIDENCE_METRICS; k++)
        json_object_set_new(o, evidence_metric_name[k], metric_json(&main->metric[k]));
    for (points_kind k = 0; k < POINTS_KINDS; k++)
        json_object_set_new(o, kind_key[k], kind_json(&c->kind[k]));
    json_object_set_new(o, "effective_rank", ranks_json(c));
    json_object_set_new(o, "overlaps", overlaps_json(c));
    json_object_set_new(o, "rank", json_integer((json_int_t)c->rank));
    json_object_set_new(o, "shares", shares_json(&c->verdict));
    json_t *cases = json_array();
    for (size_t i = 0; i < e->cases; i++) {
        json_array_append_new(cases,
                              json_pack("{s:s,s:s,s:o}", "model", e->item[i].model, "spec",
                                        e->item[i].spec, "shares", shares_json(&c->by_case[i])));
    }
    json_object_set_new(o, "cases", cases);
    char *text = comparison_verdict(e, c);
    json_object_set_new(o, "verdict", json_string(text ? text : ""));
    free(text);
    return o;
}
