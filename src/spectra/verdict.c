#include "spectra/verdict.h"

#include "mat.h"
#include "spectra/claims.h"

#include <math.h>
#include <stdlib.h>

static const rsd_weighting_kind NONE = RSD_WEIGHTING_NONE, H = RSD_WEIGHTING_H, G = RSD_WEIGHTING_G,
                                GH = RSD_WEIGHTING_GH;

static const char *const names[RSD_PARTS] = { "noise", "scales", "data", "loss", "own" };

const char *rsd_part_name(rsd_part part) { return names[part]; }

const char *rsd_cause_name(rsd_part cause)
{
    return cause == RSD_PART_NOISE ? "nothing" : names[cause];
}

/* ---- parts, layer by layer ---- */

/* The parts, then: */
enum { HELD = RSD_PARTS, ENERGY, DATA_FIRST, LOSS_LAST, LOSS_FIRST, DATA_LAST, NUMBERS };

static bool knows(const rsd_capture_shares *c, rsd_weighting_kind in)
{
    const bool weights = isfinite(c->noise) && isfinite(c->null[NONE]);
    const bool seen = isfinite(c->null[in]) && isfinite(c->share[in]);
    return weights && seen && (in != GH || (isfinite(c->null[H]) && isfinite(c->null[G])));
}

/* The weighting that knows most, of those that any layer knows. */
static rsd_weighting_kind find_weighting(const rsd_capture_shares *layer, size_t count)
{
    rsd_weighting_kind most = NONE;
    for (size_t i = 0; i < count; i++) {
        if (knows(&layer[i], GH))
            return GH;
        if (knows(&layer[i], H))
            most = H;
    }
    return most;
}

static void split_layer(const rsd_capture_shares *c, rsd_weighting_kind in, double x[NUMBERS])
{
    const double *null = c->null;
    for (size_t k = 0; k < NUMBERS; k++)
        x[k] = NAN;
    x[HELD] = c->share[in];
    x[RSD_PART_NOISE] = c->noise;
    x[RSD_PART_SCALES] = null[NONE] - c->noise;
    x[RSD_PART_OWN] = c->share[in] - null[in];
    if (in == NONE)
        return;
    x[ENERGY] = log(c->energy[in]);
    x[RSD_PART_DATA] = null[H] - null[NONE];
    if (in == H)
        return;
    x[DATA_FIRST] = x[RSD_PART_DATA];
    x[LOSS_LAST] = null[GH] - null[H];
    x[LOSS_FIRST] = null[G] - null[NONE];
    x[DATA_LAST] = null[GH] - null[G];
    x[RSD_PART_DATA] = (x[DATA_FIRST] + x[DATA_LAST]) / 2;
    x[RSD_PART_LOSS] = (x[LOSS_FIRST] + x[LOSS_LAST]) / 2;
}

static void means(const void *context, const size_t *item, size_t n, double *out)
{
    const double(*x)[NUMBERS] = context;
    for (size_t k = 0; k < NUMBERS; k++) {
        double sum = 0;
        for (size_t i = 0; i < n; i++)
            sum += x[item[i]][k];
        out[k] = n ? sum / (double)n : NAN;
    }
}

static void put_numbers(const rsd_interval x[NUMBERS], rsd_verdict *v)
{
    for (rsd_part k = 0; k < RSD_PARTS; k++) {
        v->part[k] = x[k];
        v->p[k] = NAN;
    }
    v->held = x[HELD];
    v->inputs_first = (rsd_split){ x[DATA_FIRST], x[LOSS_LAST] };
    v->gradients_first = (rsd_split){ x[DATA_LAST], x[LOSS_FIRST] };
    v->energy = (rsd_interval){ exp(x[ENERGY].value), exp(x[ENERGY].low), exp(x[ENERGY].high) };
}

int rsd_verdict_measure(const rsd_capture_shares *layer, const size_t *cluster, size_t count,
                        uint64_t seed, rsd_verdict *out)
{
    double(*x)[NUMBERS] = NULL;
    bool *known = NULL;
    rsd_clusters c = { 0 };
    rsd_interval number[NUMBERS];
    int err = RSD_OK;
    *out = (rsd_verdict){ .in = find_weighting(layer, count) };
    RSD_TRY_DONE(rsd_array_alloc(count + 1, 1, sizeof *x, &x));
    RSD_TRY_DONE(rsd_array_alloc(count + 1, 1, sizeof *known, &known));
    for (size_t i = 0; i < count; i++) {
        known[i] = knows(&layer[i], out->in);
        out->layers += known[i];
        out->lesser += !known[i] && (knows(&layer[i], NONE) || knows(&layer[i], H));
        split_layer(&layer[i], out->in, x[i]);
    }
    RSD_TRY_DONE(rsd_clusters_make(cluster, known, count, &c));
    out->clusters = c.count;
    RSD_TRY_DONE(rsd_clusters_intervals(&c, means, x, NUMBERS, 1, seed, number));
    put_numbers(number, out);
done:
    rsd_clusters_free(&c);
    free(known);
    free(x);
    return err;
}

/* ---- what may be said ---- */

static const rsd_part FIRST = RSD_PART_SCALES; /* chance is no claim */
enum { TOLD = RSD_PARTS - RSD_PART_SCALES };

static const double level = 0.05;

bool rsd_verdict_names(const rsd_verdict *v, rsd_part part) { return v->p[part] <= level; }

/* The largest of the parts where data and loss are those of one order. */
static rsd_part largest(const rsd_verdict *v, const rsd_split *split)
{
    const double value[RSD_PARTS] = { [RSD_PART_SCALES] = v->part[RSD_PART_SCALES].value,
                                      [RSD_PART_DATA] = split->data.value,
                                      [RSD_PART_LOSS] = split->loss.value,
                                      [RSD_PART_OWN] = v->part[RSD_PART_OWN].value };
    rsd_part best = FIRST;
    for (rsd_part k = FIRST; k < RSD_PARTS; k++)
        if (value[k] > value[best])
            best = k;
    return best;
}

static bool is_sure(const rsd_verdict *v, double least)
{
    const bool nothing = v->cause == RSD_PART_NOISE;
    for (rsd_part k = FIRST; k < RSD_PARTS; k++) {
        const rsd_interval *x = &v->part[k];
        if (k == v->cause || isnan(x->value))
            continue;
        if (nothing ? !(x->low >= -least && x->high <= least) : !(x->high < v->part[v->cause].low))
            return false;
    }
    return nothing || v->in != GH ||
           (largest(v, &v->inputs_first) == v->cause &&
            largest(v, &v->gradients_first) == v->cause);
}

static void find_cause(rsd_verdict *v, double least)
{
    v->cause = RSD_PART_NOISE;
    for (rsd_part k = FIRST; k < RSD_PARTS; k++) {
        const double most = v->cause == RSD_PART_NOISE ? 0 : v->part[v->cause].value;
        if (rsd_verdict_names(v, k) && v->part[k].value > most)
            v->cause = k;
    }
    v->sure = v->layers && is_sure(v, least);
}

int rsd_verdict_decide(rsd_verdict *v, size_t count, double least)
{
    double *p, *adjusted;
    RSD_TRY(rsd_array_alloc(count + 1, 2 * (size_t)TOLD, sizeof *p, &p));
    adjusted = p + count * TOLD;
    for (size_t i = 0; i < count; i++)
        for (rsd_part k = FIRST; k < RSD_PARTS; k++)
            p[i * TOLD + k - FIRST] = rsd_p_beyond(v[i].part[k], v[i].clusters, least);
    rsd_holm(p, count * TOLD, adjusted);
    for (size_t i = 0; i < count; i++) {
        for (rsd_part k = FIRST; k < RSD_PARTS; k++)
            v[i].p[k] = adjusted[i * TOLD + k - FIRST];
        find_cause(&v[i], least);
    }
    free(p);
    return RSD_OK;
}

int rsd_verdict_reach(const rsd_capture_shares *layer, const size_t *cluster, size_t count,
                      double least, uint64_t seed, rsd_verdict *out)
{
    RSD_TRY(rsd_verdict_measure(layer, cluster, count, seed, out));
    return rsd_verdict_decide(out, 1, least);
}
