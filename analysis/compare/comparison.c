/* Predictions held against measurements, and the verdict. */
#include "compare/comparison.h"

#include "boot.h"
#include "mat.h"
#include "spectra/curves.h"
#include "spectra/marchenko_pastur.h"

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

static size_t widest_of(const evidence_case *c, size_t count)
{
    size_t most = 1;
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < c[i].layers; k++)
            if (evidence_full_rank(&c[i].layer[k]) > most)
                most = evidence_full_rank(&c[i].layer[k]);
    return most;
}

static size_t widest(const evidence *e)
{
    const size_t residuals = widest_of(e->item, e->cases);
    const size_t predicted = widest_of(e->a_priori, e->a_priori_cases);
    return residuals > predicted ? residuals : predicted;
}

/* What iid noise of the layer's shape holds.  mp: the law's curve for the shape of its last call.
 */
typedef struct {
    size_t rows, cols;
    double *share;
} mp_curve;

static int noise_share(mp_curve *mp, const evidence_layer *l, size_t rank, double *out)
{
    const size_t full = evidence_full_rank(l);
    *out = 1;
    if (rank >= full)
        return RSD_OK;
    if (mp->rows != l->rows || mp->cols != l->cols) {
        free(mp->share);
        RSD_TRY(rsd_array_alloc(full, 1, sizeof *mp->share, &mp->share));
        RSD_TRY(rsd_mp_curves(l->rows, l->cols, NULL, mp->share));
        mp->rows = l->rows;
        mp->cols = l->cols;
    }
    *out = 1 - rsd_remaining(mp->share, full, full, rank);
    return RSD_OK;
}

static int shares_of(mp_curve *mp, const evidence_layer *l, size_t rank, rsd_capture_shares *out)
{
    for (rsd_weighting_kind k = 0; k < RSD_WEIGHTINGS; k++) {
        const evidence_curve *null = evidence_null(l, k);
        out->share[k] = 1 - evidence_remaining(l, &l->curve[k], rank);
        out->null[k] = 1 - evidence_remaining(l, null, rank);
        out->energy[k] = l->curve[k].energy / null->energy;
    }
    return noise_share(mp, l, rank, &out->noise);
}

/* The layers of all cases, and which of them are not independent. */
typedef struct {
    size_t n;
    rsd_capture_shares *share;
    size_t *cluster;
} layers;

static int add_shares(const evidence *e, const evidence_case *c, mp_curve *mp, layers *to,
                      comparison *out)
{
    for (size_t i = 0; i < c->layers && !c->control; i++) {
        const evidence_layer *l = &c->layer[i];
        RSD_TRY(shares_of(mp, l, out->rank, &to->share[to->n]));
        to->cluster[to->n++] = evidence_unit(e, c->model, l->tensor, l->layer);
        for (rsd_weighting_kind k = 0; k < RSD_WEIGHTINGS; k++)
            out->no_null[k] += !isnan(l->curve[k].energy) && isnan(evidence_null(l, k)->energy);
        if (!isnan(evidence_null(l, RSD_WEIGHTING_NONE)->energy))
            out->judged_by[evidence_null_kind(l)]++;
    }
    return RSD_OK;
}

static const double least_share = 0.01; /* of the energy: closed forms are that far off */

static int add_verdict(const evidence *e, uint64_t seed, comparison *c)
{
    const size_t count = count_layers(e);
    layers all = { 0 };
    mp_curve mp = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(count + 1, 1, sizeof *all.share, &all.share));
    RSD_TRY_DONE(rsd_array_alloc(count + 1, 1, sizeof *all.cluster, &all.cluster));
    RSD_TRY_DONE(rsd_array_alloc(e->cases + 1, 1, sizeof *c->by_case, &c->by_case));
    for (size_t i = 0; i < e->cases; i++) {
        const size_t first = all.n;
        RSD_TRY_DONE(add_shares(e, &e->item[i], &mp, &all, c));
        RSD_TRY_DONE(rsd_verdict_measure(all.share + first, all.cluster + first, all.n - first,
                                         seed, &c->by_case[i]));
    }
    RSD_TRY_DONE(rsd_verdict_decide(c->by_case, e->cases, least_share));
    err = rsd_verdict_reach(all.share, all.cluster, all.n, least_share, seed, &c->verdict);
done:
    free(mp.share);
    free(all.cluster);
    free(all.share);
    return err;
}

int comparison_make(const evidence *e, size_t rank, uint64_t seed, comparison *out)
{
    *out = (comparison){ .rank = least(rank ? rank : median_rank(e), widest(e)) };
    for (points_kind k = 0; k < POINTS_KINDS; k++)
        RSD_TRY(points_make(e, k, seed, &out->kind[k]));
    RSD_TRY(starts_make(e, seed, &out->starts));
    RSD_TRY(add_ranks(e, out));
    RSD_TRY(ahead_make(e, out->rank, &out->ahead));
    return add_verdict(e, seed, out);
}

void comparison_free(comparison *c)
{
    for (int k = 0; k < POINTS_KINDS; k++)
        points_free(&c->kind[k]);
    starts_free(&c->starts);
    ahead_free(&c->ahead);
    free(c->by_case);
    same_bytes_free(&c->bytes);
    *c = (comparison){ 0 };
}
