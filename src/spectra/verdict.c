#include "spectra/verdict.h"

#include "mat.h"

#include <math.h>
#include <stdlib.h>

const char *rsd_source_name(rsd_source s)
{
    static const char *const names[] = { "nothing", "model", "data", "loss" };
    return names[s];
}

/* ---- the answer ---- */

static rsd_source largest(const rsd_verdict *v, const rsd_split *split)
{
    rsd_source best = RSD_VERDICT_MODEL;
    double most = v->model.value;
    if (split->data.value > most) {
        best = RSD_VERDICT_DATA;
        most = split->data.value;
    }
    return split->loss.value > most ? RSD_VERDICT_LOSS : best;
}

/* Where both inputs and gradients are known, which of them comes first must not matter. */
static bool orders_agree(const rsd_verdict *v)
{
    if (isnan(v->loss.value) || v->source == RSD_VERDICT_MODEL)
        return true;
    return v->symmetric && largest(v, &v->inputs_first) == v->source &&
           largest(v, &v->gradients_first) == v->source;
}

/* The part that is largest, and whether all draws of the others stay below its own. */
static void decide(rsd_verdict *v, double least)
{
    const rsd_interval *const part[] = { NULL, &v->model, &v->data, &v->loss };
    const rsd_split split = { v->data, v->loss };
    v->source = largest(v, &split);
    const rsd_interval *best = part[v->source];
    if (!(best->value > least)) {
        v->sure = v->clusters >= RSD_FEWEST_CLUSTERS;
        for (rsd_source s = RSD_VERDICT_MODEL; s <= RSD_VERDICT_LOSS; s++)
            v->sure = v->sure && !(part[s]->high > least);
        v->source = RSD_VERDICT_NONE;
        return;
    }
    v->sure = best->low > least && orders_agree(v);
    for (rsd_source s = RSD_VERDICT_MODEL; s <= RSD_VERDICT_LOSS; s++)
        if (s != v->source && isfinite(part[s]->value))
            v->sure = v->sure && best->low > part[s]->high;
}

/* ---- its parts, layer by layer ---- */

enum { NOISE, MODEL, DATA, LOSS, DATA_FIRST, LOSS_LAST, LOSS_FIRST, DATA_LAST, PARTS };

static bool is_known(const rsd_capture_shares *c)
{
    return isfinite(c->null) && isfinite(c->R) && isfinite(c->RH);
}

static bool is_symmetric(const rsd_capture_shares *layer, size_t count)
{
    size_t both = 0;
    for (size_t i = 0; i < count; i++) {
        if (!is_known(&layer[i]) || !isfinite(layer[i].GRH))
            continue;
        if (!isfinite(layer[i].GR))
            return false;
        both++;
    }
    return both > 0;
}

static void split_layer(const rsd_capture_shares *c, bool symmetric, double x[PARTS])
{
    for (size_t k = 0; k < PARTS; k++)
        x[k] = NAN;
    if (!is_known(c))
        return;
    x[NOISE] = c->null;
    x[MODEL] = c->R - c->null;
    x[DATA] = x[DATA_FIRST] = c->RH - c->R;
    x[LOSS] = x[LOSS_LAST] = c->GRH - c->RH;
    if (!symmetric || !isfinite(c->GRH))
        return;
    x[LOSS_FIRST] = c->GR - c->R;
    x[DATA_LAST] = c->GRH - c->GR;
    x[DATA] = (x[DATA_FIRST] + x[DATA_LAST]) / 2;
    x[LOSS] = (x[LOSS_FIRST] + x[LOSS_LAST]) / 2;
}

int rsd_verdict_reach(const rsd_capture_shares *layer, const size_t *cluster, size_t count,
                      double least, uint64_t seed, rsd_verdict *out)
{
    double *x, part[PARTS];
    int err = RSD_OK;
    *out = (rsd_verdict){ .symmetric = is_symmetric(layer, count) };
    RSD_TRY(rsd_array_alloc(count + 1, PARTS, sizeof *x, &x));
    for (size_t i = 0; i < count; i++) {
        split_layer(&layer[i], out->symmetric, part);
        for (size_t k = 0; k < PARTS; k++)
            x[k * count + i] = part[k];
        out->layers += is_known(&layer[i]);
    }
    rsd_interval *const to[PARTS] = {
        [NOISE] = &out->noise,
        [MODEL] = &out->model,
        [DATA] = &out->data,
        [LOSS] = &out->loss,
        [DATA_FIRST] = &out->inputs_first.data,
        [LOSS_LAST] = &out->inputs_first.loss,
        [LOSS_FIRST] = &out->gradients_first.loss,
        [DATA_LAST] = &out->gradients_first.data,
    };
    for (size_t k = 0; k < PARTS; k++)
        RSD_TRY_DONE(rsd_mean_interval(x + k * count, cluster, count, seed, to[k],
                                       k == NOISE ? &out->clusters : NULL));
    if (out->layers)
        decide(out, least);
done:
    free(x);
    return err;
}
