/* Starts one by one. */
#include "compare/starts.h"

#include "alloc.h"
#include "boot.h"
#include "mat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool trained(const recovery_row *r) { return evidence_counts(r) && r->steps > 0; }

/* ---- layers of one start ---- */

typedef struct {
    const char *what;
    size_t left, right; /* offsets of doubles in recovery_layer */
} overlap_field;

#define OVERLAP(text, name)                                                                        \
    {                                                                                              \
        text, offsetof(recovery_layer, overlap_##name##_left),                                     \
            offsetof(recovery_layer, overlap_##name##_right)                                       \
    }
static const size_t no_field = SIZE_MAX;
static const overlap_field overlap_fields[] = {
    OVERLAP("its start", start),
    OVERLAP("R", R),
    OVERLAP("W", W),
    OVERLAP("R H^1/2", RH),
    OVERLAP("G^1/2 R H^1/2", GRH),
    { "H (inputs)", SIZE_MAX, offsetof(recovery_layer, overlap_H_right) },
    { "G (gradients)", offsetof(recovery_layer, overlap_G_left), SIZE_MAX },
};

/* The layers of a start's trained runs, and which of them are not independent. */
typedef struct {
    size_t n;
    const recovery_layer **layer;
    size_t *cluster;
    double *x; /* [n] room for one field */
} layers;

static int layers_take(const evidence *e, const char *init, layers *out)
{
    *out = (layers){ 0 };
    RSD_TRY(rsd_array_alloc(e->run_layers + 1, 1, sizeof *out->layer, &out->layer));
    RSD_TRY(rsd_array_alloc(e->run_layers + 1, 1, sizeof *out->cluster, &out->cluster));
    RSD_TRY(rsd_array_alloc(e->run_layers + 1, 1, sizeof *out->x, &out->x));
    for (size_t i = 0; i < e->run_layers; i++) {
        const recovery_row *r = &e->run[e->layer_run[i]];
        const recovery_layer *l = &e->run_layer[i];
        if (!trained(r) || strcmp(r->init, init) != 0)
            continue;
        out->layer[out->n] = l;
        out->cluster[out->n++] = evidence_unit(e, l->model, l->tensor, l->layer);
    }
    return RSD_OK;
}

static void layers_free(layers *l)
{
    free(l->layer);
    free(l->cluster);
    free(l->x);
}

static const double *column(const layers *l, size_t offset)
{
    for (size_t i = 0; i < l->n; i++) {
        l->x[i] = NAN;
        if (offset != no_field)
            memcpy(&l->x[i], (const char *)l->layer[i] + offset, sizeof l->x[i]);
    }
    return l->x;
}

static int add_overlap(const layers *l, const overlap_field *f, uint64_t seed, start *s)
{
    start_overlap *o = &s->overlap[s->overlaps];
    rsd_interval left, right;
    *o = (start_overlap){ .what = f->what };
    RSD_TRY(rsd_mean_interval(column(l, offsetof(recovery_layer, random_left)), NULL, l->n, seed,
                              &left, NULL));
    RSD_TRY(rsd_mean_interval(column(l, offsetof(recovery_layer, random_right)), NULL, l->n, seed,
                              &right, NULL));
    o->random_left = left.value;
    o->random_right = right.value;
    RSD_TRY(rsd_mean_interval(column(l, f->left), l->cluster, l->n, seed, &o->left, NULL));
    RSD_TRY(rsd_mean_interval(column(l, f->right), l->cluster, l->n, seed, &o->right, NULL));
    s->overlaps += !isnan(o->left.value) || !isnan(o->right.value);
    return RSD_OK;
}

/* Effective rank of what was trained: 1 to the layer's rank. */
static void put_ranks(const layers *l, start *s)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (isfinite(l->layer[i]->effective_rank))
            l->x[n++] = l->layer[i]->effective_rank;
    s->rank = rsd_quantile(l->x, n, 0.5);
    n = 0;
    for (size_t i = 0; i < l->n; i++)
        if (isfinite(l->layer[i]->effective_rank) && l->layer[i]->rank > 0)
            l->x[n++] = l->layer[i]->effective_rank / (double)l->layer[i]->rank;
    s->share = rsd_quantile(l->x, n, 0.5);
}

static int describe(const evidence *e, uint64_t seed, start *s)
{
    layers l;
    rsd_clusters c = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(layers_take(e, s->init, &l));
    RSD_TRY_DONE(rsd_clusters_make(l.cluster, NULL, l.n, &c));
    s->layers = l.n;
    s->clusters = c.count;
    put_ranks(&l, s);
    for (size_t f = 0; f < sizeof overlap_fields / sizeof *overlap_fields; f++)
        RSD_TRY_DONE(add_overlap(&l, &overlap_fields[f], seed, s));
done:
    rsd_clusters_free(&c);
    layers_free(&l);
    return err;
}

static int find_starts(const evidence *e, starts *out)
{
    for (size_t i = 0; i < e->runs; i++) {
        size_t k = 0;
        if (!trained(&e->run[i]))
            continue;
        while (k < out->starts && strcmp(out->start[k].init, e->run[i].init) != 0)
            k++;
        if (k == out->starts) {
            RSD_TRY(rsd_room(&out->start, out->starts, 1, sizeof *out->start));
            out->start[out->starts++] = (start){ .init = e->run[i].init };
        }
        out->start[k].runs++;
    }
    return RSD_OK;
}

int starts_make(const evidence *e, uint64_t seed, starts *out)
{
    *out = (starts){ 0 };
    RSD_TRY(find_starts(e, out));
    for (size_t i = 0; i < out->starts; i++)
        RSD_TRY(describe(e, seed, &out->start[i]));
    RSD_TRY(duels_make(e, true, &out->trained));
    return duels_make(e, false, &out->closed);
}

void starts_free(starts *s)
{
    free(s->start);
    duels_free(&s->trained);
    duels_free(&s->closed);
    *s = (starts){ 0 };
}
