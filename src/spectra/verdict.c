#include "spectra/verdict.h"

#include "mat.h"

#include <math.h>
#include <stdlib.h>

const char *rsd_source_name(rsd_source s)
{
    static const char *const names[] = { "nothing", "model", "data", "loss" };
    return names[s];
}

/* The part that is largest, and whether all draws of the others stay below its own. */
static void decide(rsd_verdict *v, double least)
{
    const rsd_interval *const part[] = { NULL, &v->model, &v->data, &v->loss };
    v->source = RSD_VERDICT_MODEL;
    for (rsd_source s = RSD_VERDICT_DATA; s <= RSD_VERDICT_LOSS; s++)
        if (part[s]->value > part[v->source]->value)
            v->source = s;
    const rsd_interval *best = part[v->source];
    if (!(best->value > least)) {
        v->sure = true;
        for (rsd_source s = RSD_VERDICT_MODEL; s <= RSD_VERDICT_LOSS; s++)
            v->sure &= !(part[s]->high > least);
        v->source = RSD_VERDICT_NONE;
        return;
    }
    v->sure = best->low > least;
    for (rsd_source s = RSD_VERDICT_MODEL; s <= RSD_VERDICT_LOSS; s++)
        if (s != v->source && isfinite(part[s]->value))
            v->sure &= best->low > part[s]->high;
}

int rsd_verdict_reach(const rsd_capture_shares *layer, size_t count, double least, uint64_t seed,
                      rsd_verdict *out)
{
    double *x;
    size_t n = 0, loss = 0;
    int err = RSD_OK;
    *out = (rsd_verdict){ 0 };
    RSD_TRY(rsd_array_alloc(count + 1, 4, sizeof *x, &x));
    double *noise = x, *model = x + count, *data = x + 2 * count, *more = x + 3 * count;
    for (size_t i = 0; i < count; i++) {
        const rsd_capture_shares *c = &layer[i];
        if (!isfinite(c->null) || !isfinite(c->R) || !isfinite(c->RH))
            continue;
        noise[n] = c->null;
        model[n] = c->R - c->null;
        data[n++] = c->RH - c->R;
        if (isfinite(c->GRH))
            more[loss++] = c->GRH - c->RH;
    }
    out->layers = n;
    RSD_TRY_DONE(rsd_mean_interval(noise, n, seed, &out->noise));
    RSD_TRY_DONE(rsd_mean_interval(model, n, seed, &out->model));
    RSD_TRY_DONE(rsd_mean_interval(data, n, seed, &out->data));
    RSD_TRY_DONE(rsd_mean_interval(more, loss, seed, &out->loss));
    if (n)
        decide(out, least);
done:
    free(x);
    return err;
}
