#include "compare/comparison.h"

#include "boot.h"
#include "mat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- points ---- */

static bool is_ok(const recovery_row *r) { return strcmp(r->status, "ok") == 0 && !r->control; }

/* Runs that differ in seed alone, and a start whose closed form was measured once a seed, share
 * their prediction: one cluster. */
static size_t cluster_of_run(const evidence *e, size_t run)
{
    const recovery_row *r = &e->run[run];
    for (size_t i = 0; i < run; i++) {
        const recovery_row *q = &e->run[i];
        if (q->rank == r->rank && strcmp(q->model, r->model) == 0 &&
            strcmp(q->spec, r->spec) == 0 && strcmp(q->init, r->init) == 0)
            return i;
    }
    return run;
}

/* A closed form counts where the start corrects anything: training begins elsewhere than at q. */
static bool corrects(const recovery_row *r)
{
    return isfinite(r->recovered_init) && r->loss_init != r->loss_q;
}

static int add_runs(const evidence *e, points_kind kind, points *p)
{
    RSD_TRY(rsd_array_alloc(e->runs + 1, 1, sizeof *p->point, &p->point));
    for (size_t i = 0; i < e->runs; i++) {
        const recovery_row *r = &e->run[i];
        const evidence_case *c = evidence_find(e, r->model, r->spec);
        const bool closed = kind == POINTS_CLOSED;
        if (!is_ok(r) || !c || (closed && !corrects(r)))
            continue;
        point *at = &p->point[p->count++];
        forecast f;
        forecast_run(e, c, r, &f);
        *at = (point){ .run = r,
                       .cluster = cluster_of_run(e, i),
                       .measured = closed ? r->recovered_init : r->recovered_fraction,
                       .se = closed ? r->recovered_init_se : r->recovered_fraction_se };
        for (int k = 0; k < EVIDENCE_METRICS; k++)
            at->predicted[k] = 1 - f.remaining[k];
    }
    return RSD_OK;
}

static size_t cluster_of_layer(const evidence *e, size_t row)
{
    for (size_t i = 0; i < row; i++)
        if (strcmp(e->sensitivity[i].tensor, e->sensitivity[row].tensor) == 0 &&
            strcmp(e->sensitivity[i].model, e->sensitivity[row].model) == 0)
            return i;
    return row;
}

static int add_layers(const evidence *e, points *p)
{
    RSD_TRY(rsd_array_alloc(e->sensitivities + 1, 1, sizeof *p->point, &p->point));
    for (size_t i = 0; i < e->sensitivities; i++) {
        const sensitivity_row *s = &e->sensitivity[i];
        const evidence_case *c = evidence_find(e, s->model, s->spec);
        const evidence_layer *l = c ? evidence_find_layer(c, s->tensor) : NULL;
        if (!l)
            continue;
        point *at = &p->point[p->count++];
        *at = (point){ .sensitivity = s,
                       .cluster = cluster_of_layer(e, i),
                       .measured = s->increase,
                       .se = s->increase_se };
        for (evidence_metric k = 0; k < EVIDENCE_METRICS; k++)
            at->predicted[k] = l->curve[k].energy * evidence_remaining(l, k, (size_t)s->rank) *
                               (k == EVIDENCE_GRH ? 0.5 : 1);
    }
    return RSD_OK;
}

/* Increases of the loss span decades: correlations and slopes are of their logarithms, and layers
 * whose loss fell have none. */
static int associate(points *p, bool logarithms, uint64_t seed)
{
    double *x = NULL, *y = NULL;
    size_t *cluster = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(p->count + 1, 1, sizeof *x, &x));
    RSD_TRY_DONE(rsd_array_alloc(p->count + 1, 1, sizeof *y, &y));
    RSD_TRY_DONE(rsd_array_alloc(p->count + 1, 1, sizeof *cluster, &cluster));
    for (int k = 0; k < EVIDENCE_METRICS; k++) {
        for (size_t i = 0; i < p->count; i++) {
            const point *q = &p->point[i];
            x[i] = logarithms ? log(q->predicted[k]) : q->predicted[k];
            y[i] = logarithms ? log(q->measured) : q->measured;
            cluster[i] = q->cluster;
        }
        RSD_TRY_DONE(rsd_associate(x, y, cluster, p->count, seed, &p->metric[k]));
    }
done:
    free(x);
    free(y);
    free(cluster);
    return err;
}

/* ---- subspaces ---- */

typedef struct {
    const char *what;
    size_t left, right; /* offsets of doubles in recovery_layer */
} overlap_field;

#define OVERLAP(text, name)                                                                        \
    {                                                                                              \
        text, offsetof(recovery_layer, overlap_##name##_left),                                     \
            offsetof(recovery_layer, overlap_##name##_right)                                       \
    }
enum { NO_FIELD = -1 };
static const overlap_field overlap_fields[] = {
    OVERLAP("its start", start),
    OVERLAP("R", R),
    OVERLAP("W", W),
    OVERLAP("R H^1/2", RH),
    OVERLAP("G^1/2 R H^1/2", GRH),
    { "H (inputs)", (size_t)NO_FIELD, offsetof(recovery_layer, overlap_H_right) },
    { "G (gradients)", offsetof(recovery_layer, overlap_G_left), (size_t)NO_FIELD },
};

static double field_of(const recovery_layer *l, size_t offset)
{
    double x;
    memcpy(&x, (const char *)l + offset, sizeof x);
    return x;
}

static const recovery_row *run_of(const evidence *e, const recovery_layer *l)
{
    for (size_t i = 0; i < e->runs; i++)
        if (strcmp(e->run[i].run, l->run) == 0 && strcmp(e->run[i].model, l->model) == 0)
            return &e->run[i];
    return NULL;
}

/* x = the finite values of one field over the layers of runs that count; returns how many. */
static size_t collect(const evidence *e, size_t offset, double *x)
{
    size_t n = 0;
    if (offset == (size_t)NO_FIELD)
        return 0;
    for (size_t i = 0; i < e->run_layers; i++) {
        const recovery_row *r = run_of(e, &e->run_layer[i]);
        const double v = field_of(&e->run_layer[i], offset);
        if (r && is_ok(r) && isfinite(v))
            x[n++] = v;
    }
    return n;
}

static int add_overlaps(const evidence *e, uint64_t seed, comparison *c)
{
    double *x;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(e->run_layers + 1, 1, sizeof *x, &x));
    for (size_t f = 0; f < sizeof overlap_fields / sizeof *overlap_fields; f++) {
        comparison_overlap *o = &c->overlap[c->overlaps];
        size_t n = collect(e, overlap_fields[f].left, x);
        RSD_TRY_DONE(rsd_mean_interval(x, n, seed, &o->left));
        n = collect(e, overlap_fields[f].right, x);
        RSD_TRY_DONE(rsd_mean_interval(x, n, seed, &o->right));
        if (isnan(o->left.value) && isnan(o->right.value))
            continue;
        o->what = overlap_fields[f].what;
        n = collect(e, offsetof(recovery_layer, random_left), x);
        o->random_left = rsd_mean(x, n);
        n = collect(e, offsetof(recovery_layer, random_right), x);
        o->random_right = rsd_mean(x, n);
        c->overlaps++;
    }
done:
    free(x);
    return err;
}

/* ---- effective ranks ---- */

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* Medians over matrices of x, and of x over the most that it could be. */
static int medians(const evidence *e, size_t offset, int most, double *rank, double *share)
{
    double *x, *s;
    size_t n = 0;
    RSD_TRY(rsd_array_alloc(e->matrices + 1, 2, sizeof *x, &x));
    s = x + e->matrices + 1;
    for (size_t i = 0; i < e->matrices; i++) {
        const evidence_matrix *m = &e->matrix[i];
        double v;
        memcpy(&v, (const char *)m + offset, sizeof v);
        const size_t top = most == 'H' ? m->cols : most == 'G' ? m->rows : least(m->rows, m->cols);
        if (!isfinite(v) || m->control)
            continue;
        x[n] = v;
        s[n++] = v / (double)top;
    }
    *rank = rsd_quantile(x, n, 0.5);
    *share = rsd_quantile(s, n, 0.5);
    free(x);
    return RSD_OK;
}

static double entropy_rank(const evidence_layer *l)
{
    const evidence_curve *c = &l->curve[EVIDENCE_R];
    double sum = 0, entropy = 0, before = 0;
    if (!c->complete || isnan(c->energy))
        return NAN;
    for (size_t i = 0; i < c->n; before = c->share[i++])
        sum += sqrt(fmax(c->share[i] - before, 0));
    before = 0;
    for (size_t i = 0; i < c->n; before = c->share[i++]) {
        const double p = sqrt(fmax(c->share[i] - before, 0)) / sum;
        entropy -= p > 0 ? p * log(p) : 0;
    }
    return exp(entropy);
}

static int residual_ranks(const evidence *e, comparison *out)
{
    size_t count = 0, n = 0;
    for (size_t i = 0; i < e->cases; i++)
        count += e->item[i].layers;
    double *x, *s;
    RSD_TRY(rsd_array_alloc(count + 1, 2, sizeof *x, &x));
    s = x + count + 1;
    for (size_t i = 0; i < e->cases; i++)
        for (size_t k = 0; k < e->item[i].layers; k++) {
            const evidence_layer *l = &e->item[i].layer[k];
            x[n] = entropy_rank(l);
            s[n] = x[n] / (double)least(l->rows, l->cols);
            n += isfinite(x[n]) && !e->item[i].control;
        }
    out->rank_R = rsd_quantile(x, n, 0.5);
    out->share_R = rsd_quantile(s, n, 0.5);
    free(x);
    return RSD_OK;
}

static int trained_ranks(const evidence *e, comparison *out)
{
    double *x, *s;
    size_t n = 0;
    RSD_TRY(rsd_array_alloc(e->run_layers + 1, 2, sizeof *x, &x));
    s = x + e->run_layers + 1;
    for (size_t i = 0; i < e->run_layers; i++) {
        const recovery_layer *l = &e->run_layer[i];
        const recovery_row *r = run_of(e, l);
        if (!r || !is_ok(r) || !isfinite(l->effective_rank))
            continue;
        x[n] = l->effective_rank;
        s[n++] = l->effective_rank / (double)least((size_t)l->rows, (size_t)l->cols);
    }
    out->rank_trained = rsd_quantile(x, n, 0.5);
    out->share_trained = rsd_quantile(s, n, 0.5);
    free(x);
    return RSD_OK;
}

static int add_ranks(const evidence *e, comparison *c)
{
    RSD_TRY(medians(e, offsetof(evidence_matrix, W), 'W', &c->rank_W, &c->share_W));
    RSD_TRY(medians(e, offsetof(evidence_matrix, H), 'H', &c->rank_H, &c->share_H));
    RSD_TRY(medians(e, offsetof(evidence_matrix, G), 'G', &c->rank_G, &c->share_G));
    RSD_TRY(residual_ranks(e, c));
    return trained_ranks(e, c);
}

/* ---- verdict ---- */

static size_t median_rank(const evidence *e)
{
    double *x;
    size_t n = 0;
    if (rsd_array_alloc(e->runs + 1, 1, sizeof *x, &x))
        return 8;
    for (size_t i = 0; i < e->runs; i++)
        if (is_ok(&e->run[i]))
            x[n++] = (double)e->run[i].rank;
    const double median = rsd_quantile(x, n, 0.5);
    free(x);
    return n ? (size_t)(median + 0.5) : 8;
}

static size_t add_shares(const evidence_case *c, size_t rank, rsd_capture_shares *out)
{
    if (c->control)
        return 0;
    for (size_t i = 0; i < c->layers; i++) {
        const evidence_layer *l = &c->layer[i];
        out[i] = (rsd_capture_shares){ .null = 1 - evidence_remaining(l, EVIDENCE_NULL, rank),
                                       .R = 1 - evidence_remaining(l, EVIDENCE_R, rank),
                                       .RH = 1 - evidence_remaining(l, EVIDENCE_RH, rank),
                                       .GRH = 1 - evidence_remaining(l, EVIDENCE_GRH, rank) };
    }
    return c->layers;
}

enum { LEAST_PERCENT = 3 }; /* of the energy: what is less is not called low rank */

static int add_verdict(const evidence *e, uint64_t seed, comparison *c)
{
    rsd_capture_shares *all;
    size_t count = 0, n = 0;
    int err = RSD_OK;
    for (size_t i = 0; i < e->cases; i++)
        count += e->item[i].layers;
    RSD_TRY(rsd_array_alloc(count + 1, 1, sizeof *all, &all));
    RSD_TRY_DONE(rsd_array_alloc(e->cases + 1, 1, sizeof *c->by_case, &c->by_case));
    for (size_t i = 0; i < e->cases; i++) {
        const size_t more = add_shares(&e->item[i], c->rank, all + n);
        RSD_TRY_DONE(rsd_verdict_reach(all + n, more, LEAST_PERCENT / 100.0, seed, &c->by_case[i]));
        n += more;
    }
    err = rsd_verdict_reach(all, n, LEAST_PERCENT / 100.0, seed, &c->verdict);
done:
    free(all);
    return err;
}

int comparison_make(const evidence *e, size_t rank, uint64_t seed, comparison *out)
{
    *out = (comparison){ .rank = rank ? rank : median_rank(e) };
    RSD_TRY(add_runs(e, POINTS_CLOSED, &out->kind[POINTS_CLOSED]));
    RSD_TRY(add_runs(e, POINTS_TRAINED, &out->kind[POINTS_TRAINED]));
    RSD_TRY(add_layers(e, &out->kind[POINTS_LAYERS]));
    for (points_kind k = 0; k < POINTS_KINDS; k++)
        RSD_TRY(associate(&out->kind[k], k == POINTS_LAYERS, seed));
    RSD_TRY(add_overlaps(e, seed, out));
    RSD_TRY(add_ranks(e, out));
    return add_verdict(e, seed, out);
}

void comparison_free(comparison *c)
{
    for (int k = 0; k < POINTS_KINDS; k++)
        free(c->kind[k].point);
    free(c->by_case);
    *c = (comparison){ 0 };
}
