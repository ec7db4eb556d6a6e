#include "spectra/dependent.h"

#include "boot.h"
#include "mat.h"
#include "rng.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

enum { DRAWS = 2000 };

/* ---- gathering ---- */

typedef struct {
    size_t cluster, i;
} place;

static int by_cluster(const void *a, const void *b)
{
    const place *p = a, *q = b;
    if (p->cluster != q->cluster)
        return p->cluster < q->cluster ? -1 : 1;
    return p->i < q->i ? -1 : 1;
}

static int fill(const place *at, rsd_clusters *c)
{
    RSD_TRY(rsd_array_alloc(c->n + 1, 1, sizeof *c->item, &c->item));
    RSD_TRY(rsd_array_alloc(c->n + 1, 1, sizeof *c->first, &c->first));
    for (size_t i = 0; i < c->n; i++) {
        if (i == 0 || at[i].cluster != at[i - 1].cluster)
            c->first[c->count++] = i;
        c->item[i] = at[i].i;
    }
    c->first[c->count] = c->n;
    return rsd_array_alloc(rsd_clusters_capacity(c) + 1, 1, sizeof *c->draw, &c->draw);
}

int rsd_clusters_make(const size_t *cluster, const bool *counts, size_t n, rsd_clusters *out)
{
    place *at;
    *out = (rsd_clusters){ 0 };
    RSD_TRY(rsd_array_alloc(n + 1, 1, sizeof *at, &at));
    for (size_t i = 0; i < n; i++)
        if (!counts || counts[i])
            at[out->n++] = (place){ cluster ? cluster[i] : i, i };
    qsort(at, out->n, sizeof *at, by_cluster);
    const int err = fill(at, out);
    free(at);
    return err;
}

void rsd_clusters_free(rsd_clusters *c)
{
    free(c->item);
    free(c->first);
    free(c->draw);
    *c = (rsd_clusters){ 0 };
}

size_t rsd_clusters_capacity(const rsd_clusters *c)
{
    size_t largest = 0;
    for (size_t k = 0; k < c->count; k++)
        if (c->first[k + 1] - c->first[k] > largest)
            largest = c->first[k + 1] - c->first[k];
    return c->count * largest;
}

/* ---- drawing ---- */

static size_t draw(rsd_clusters *c, rsd_rng *rng)
{
    size_t n = 0;
    for (size_t k = 0; k < c->count; k++) {
        const size_t which = (size_t)(rsd_rng_uniform(rng) * (double)c->count);
        for (size_t i = c->first[which]; i < c->first[which + 1]; i++)
            c->draw[n++] = c->item[i];
    }
    return n;
}

/* The middle of the draws that are defined. */
static void middle(double *x, size_t clusters, size_t together, rsd_interval *out)
{
    const double G = (double)clusters, tail = 0.025 / (double)(together ? together : 1);
    size_t finite = 0;
    for (size_t i = 0; i < DRAWS; i++)
        if (isfinite(x[i]))
            x[finite++] = x[i];
    if (finite < DRAWS - DRAWS / 10)
        return;
    const double out_by = sqrt(G / (G - 1)) * gsl_cdf_tdist_Qinv(tail, G - 1);
    const double share = gsl_cdf_ugaussian_P(-out_by);
    out->low = rsd_quantile(x, finite, share);
    out->high = rsd_quantile(x, finite, 1 - share);
}

int rsd_clusters_intervals(rsd_clusters *c, rsd_statistic statistic, const void *context,
                           size_t numbers, size_t together, uint64_t seed, rsd_interval *out)
{
    double *drawn = NULL, *at = NULL;
    rsd_rng *rng = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(numbers + 1, 1, sizeof *at, &at));
    statistic(context, c->item, c->n, at);
    for (size_t k = 0; k < numbers; k++)
        out[k] = (rsd_interval){ at[k], NAN, NAN };
    if (c->count < RSD_FEWEST_CLUSTERS)
        goto done;
    RSD_TRY_DONE(rsd_array_alloc(numbers, DRAWS, sizeof *drawn, &drawn));
    RSD_TRY_DONE(rsd_rng_alloc(seed, "clusters", &rng));
    for (size_t d = 0; d < DRAWS; d++) {
        const size_t n = draw(c, rng);
        statistic(context, c->draw, n, at);
        for (size_t k = 0; k < numbers; k++)
            drawn[k * DRAWS + d] = at[k];
    }
    for (size_t k = 0; k < numbers; k++)
        if (!isnan(out[k].value))
            middle(drawn + k * DRAWS, c->count, together, &out[k]);
done:
    rsd_rng_free(rng);
    free(drawn);
    free(at);
    return err;
}

/* ---- means ---- */

static void mean_of(const void *context, const size_t *item, size_t n, double *out)
{
    const double *x = context;
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[item[i]];
    *out = n ? sum / (double)n : NAN;
}

int rsd_mean_interval(const double *x, const size_t *cluster, size_t n, uint64_t seed,
                      rsd_interval *out, size_t *clusters)
{
    rsd_clusters c = { 0 };
    bool *known = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(n + 1, 1, sizeof *known, &known));
    for (size_t i = 0; i < n; i++)
        known[i] = isfinite(x[i]);
    RSD_TRY_DONE(rsd_clusters_make(cluster, known, n, &c));
    err = rsd_clusters_intervals(&c, mean_of, x, 1, 1, seed, out);
    if (clusters)
        *clusters = c.count;
done:
    rsd_clusters_free(&c);
    free(known);
    return err;
}
