/* Predictions held against measurements, and the verdict. */
#include "compare/comparison.h"

#include "boot.h"
#include "mat.h"
#include "spectra/curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

/* ---- ranks of matrices ---- */

/* Medians over trained matrices of the double at `offset`, and of it over rows, columns or the
 * lesser of both. */
static int medians(const evidence *e, size_t offset, char side, comparison_rank *out)
{
    double *x, *share;
    size_t n = 0;
    RSD_TRY(rsd_array_alloc(e->matrices + 1, 2, sizeof *x, &x));
    share = x + e->matrices + 1;
    for (size_t i = 0; i < e->matrices; i++) {
        const evidence_matrix *m = &e->matrix[i];
        const size_t most = side == 'H' ? m->cols : side == 'G' ? m->rows : least(m->rows, m->cols);
        double v;
        memcpy(&v, (const char *)m + offset, sizeof v);
        if (!isfinite(v) || m->control)
            continue;
        x[n] = v;
        share[n++] = v / (double)most;
    }
    *out = (comparison_rank){ rsd_quantile(x, n, 0.5), rsd_quantile(share, n, 0.5) };
    free(x);
    return RSD_OK;
}

/* Effective rank of R, out of its curve of energies. */
static int residual_rank(const evidence_layer *l, double *out)
{
    const evidence_curve *c = &l->curve[RSD_WEIGHTING_NONE];
    double *s;
    *out = NAN;
    if (!c->complete || isnan(c->energy))
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(c->n + 1, 1, sizeof *s, &s));
    rsd_values_of_energy(c->share, c->n, s);
    *out = rsd_effective_rank(s, c->n);
    free(s);
    return RSD_OK;
}

static size_t count_layers(const evidence *e)
{
    size_t count = 0;
    for (size_t i = 0; i < e->cases; i++)
        count += e->item[i].layers;
    return count;
}

static int residual_ranks(const evidence *e, comparison_rank *out)
{
    const size_t count = count_layers(e);
    double *x, *share;
    size_t n = 0;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(count + 1, 2, sizeof *x, &x));
    share = x + count + 1;
    for (size_t i = 0; i < e->cases; i++)
        for (size_t k = 0; k < e->item[i].layers && !e->item[i].control; k++) {
            const evidence_layer *l = &e->item[i].layer[k];
            RSD_TRY_DONE(residual_rank(l, &x[n]));
            share[n] = x[n] / (double)evidence_full_rank(l);
            n += isfinite(x[n]);
        }
    *out = (comparison_rank){ rsd_quantile(x, n, 0.5), rsd_quantile(share, n, 0.5) };
done:
    free(x);
    return err;
}

static int add_ranks(const evidence *e, comparison *c)
{
    RSD_TRY(medians(e, offsetof(evidence_matrix, W), 'W', &c->W));
    RSD_TRY(medians(e, offsetof(evidence_matrix, H), 'H', &c->H));
    RSD_TRY(medians(e, offsetof(evidence_matrix, G), 'G', &c->G));
    RSD_TRY(medians(e, offsetof(evidence_matrix, H_ratio), 'H', &c->H_ratio));
    RSD_TRY(medians(e, offsetof(evidence_matrix, G_ratio), 'G', &c->G_ratio));
    return residual_ranks(e, &c->R);
}

/* ---- verdict ---- */

static size_t median_rank(const evidence *e)
{
    double *x;
    size_t n = 0;
    if (rsd_array_alloc(e->runs + 1, 1, sizeof *x, &x))
        return 8;
    for (size_t i = 0; i < e->runs; i++)
        if (evidence_counts(&e->run[i]))
            x[n++] = (double)e->run[i].rank;
    const double median = rsd_quantile(x, n, 0.5);
    free(x);
    return n ? (size_t)(median + 0.5) : 8;
}

static size_t widest(const evidence *e)
{
    size_t most = 1;
    for (size_t i = 0; i < e->cases; i++)
        for (size_t k = 0; k < e->item[i].layers; k++)
            if (evidence_full_rank(&e->item[i].layer[k]) > most)
                most = evidence_full_rank(&e->item[i].layer[k]);
    return most;
}

/* The shares of a case's layers, and which of them are not independent; returns how many. */
static size_t add_shares(const evidence *e, const evidence_case *c, size_t rank,
                         rsd_capture_shares *out, size_t *cluster)
{
    if (c->control)
        return 0;
    for (size_t i = 0; i < c->layers; i++) {
        const evidence_layer *l = &c->layer[i];
        out[i] = (rsd_capture_shares){ .null = 1 - evidence_remaining(l, PREDICTOR_NULL, rank),
                                       .R = 1 - evidence_remaining(l, RSD_WEIGHTING_NONE, rank),
                                       .RH = 1 - evidence_remaining(l, RSD_WEIGHTING_H, rank),
                                       .GR = 1 - evidence_remaining(l, RSD_WEIGHTING_G, rank),
                                       .GRH = 1 - evidence_remaining(l, RSD_WEIGHTING_GH, rank) };
        cluster[i] = evidence_unit(e, c->model, l->tensor, l->layer);
    }
    return c->layers;
}

static const double least_share = 0.03; /* of the energy: what is less is not called low rank */

static int add_verdict(const evidence *e, uint64_t seed, comparison *c)
{
    const size_t count = count_layers(e);
    rsd_capture_shares *all = NULL;
    size_t *cluster = NULL, n = 0;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(count + 1, 1, sizeof *all, &all));
    RSD_TRY_DONE(rsd_array_alloc(count + 1, 1, sizeof *cluster, &cluster));
    RSD_TRY_DONE(rsd_array_alloc(e->cases + 1, 1, sizeof *c->by_case, &c->by_case));
    for (size_t i = 0; i < e->cases; i++) {
        const size_t more = add_shares(e, &e->item[i], c->rank, all + n, cluster + n);
        RSD_TRY_DONE(
            rsd_verdict_reach(all + n, cluster + n, more, least_share, seed, &c->by_case[i]));
        n += more;
    }
    err = rsd_verdict_reach(all, cluster, n, least_share, seed, &c->verdict);
done:
    free(cluster);
    free(all);
    return err;
}

int comparison_make(const evidence *e, size_t rank, uint64_t seed, comparison *out)
{
    *out = (comparison){ .rank = least(rank ? rank : median_rank(e), widest(e)) };
    for (points_kind k = 0; k < POINTS_KINDS; k++)
        RSD_TRY(points_make(e, k, seed, &out->kind[k]));
    RSD_TRY(starts_make(e, seed, &out->starts));
    RSD_TRY(add_ranks(e, out));
    return add_verdict(e, seed, out);
}

void comparison_free(comparison *c)
{
    for (int k = 0; k < POINTS_KINDS; k++)
        points_free(&c->kind[k]);
    starts_free(&c->starts);
    free(c->by_case);
    same_bytes_free(&c->bytes);
    *c = (comparison){ 0 };
}
