/* Straight-through weights: every layer's W + s B A on its quantizer's grid.  Quantizers work with
 * one thread, so layers go side by side. */
#include "adapters/adapted_hook.h"

#include "adapters/factors.h"
#include "alloc.h"
#include "mat.h"
#include "par.h"

#include <stdio.h>
#include <stdlib.h>

enum { BUDGET = 1 << 30 }; /* bytes in flight; a larger layer goes alone */

typedef struct {
    rsd_adapted *a;
    struct {
        int err;
        char message[256];
    } * result; /* of each layer and slot */
} work;

static size_t layer_bytes(void *context, size_t i)
{
    const work *w = context;
    const rsd_adapter *p = rsd_adapted_adapter(w->a, i / RSD_LINEARS, i % RSD_LINEARS);
    return p ? 4 * p->m * p->n * sizeof(float) : 0; /* W, W + s B A, its rounding, and packed */
}

/* W (dense, ld = n) in float: from the base, or the model's. */
static int read_weight(const rsd_adapted *a, size_t layer, rsd_slot slot, rsd_mat W)
{
    const rsd_base_layer *b = rsd_adapted_base(a, layer, slot);
    if (b)
        return rsd_unpack(&b->spec, &b->packed, W);
    const rsd_factor *f = &a->o.weights->block[layer].linear[slot].W;
    for (size_t i = 0; i < W.m; i++)
        for (size_t j = 0; j < W.n; j++)
            W.x[i * W.n + j] = (float)f->x[i * f->ld + j];
    return RSD_OK;
}

static int requantize(const rsd_adapted *a, size_t layer, rsd_slot slot)
{
    const rsd_adapter *p = rsd_adapted_adapter(a, layer, slot);
    const rsd_adapted_factor *to = &a->layer[layer][slot].W;
    rsd_mat W = { 0 }, Wq = { 0 };
    rsd_packed packed = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_mat_alloc(p->m, p->n, &W));
    RSD_TRY_DONE(rsd_mat_alloc(p->m, p->n, &Wq));
    RSD_TRY_DONE(read_weight(a, layer, slot, W));
    RSD_TRY_DONE(rsd_adapter_merge(p, W));
    const rsd_spec *spec = &a->o.base->layer[layer][slot].spec;
    RSD_TRY_DONE(rsd_pack(spec, W, NULL, &packed));
    RSD_TRY_DONE(rsd_unpack(spec, &packed, Wq));
    if (to->half) { /* only where rsd_real is float */
        const void *x = Wq.x;
        rsd_half_round(x, p->n, p->m, p->n, to->half);
    } else {
        for (size_t i = 0; i < p->m * p->n; i++)
            to->x[i] = (rsd_real)Wq.x[i];
    }
done:
    rsd_packed_free(&packed);
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
    return err;
}

static void run(void *context, size_t i)
{
    const work *w = context;
    const size_t layer = i / RSD_LINEARS;
    const rsd_slot slot = i % RSD_LINEARS;
    if (!rsd_adapted_adapter(w->a, layer, slot))
        return;
    w->result[i].err = requantize(w->a, layer, slot);
    if (w->result[i].err)
        snprintf(w->result[i].message, sizeof w->result[i].message, "%s", rsd_errmsg());
}

int rsd_adapted_requantize(rsd_adapted *a)
{
    const size_t count = a->o.weights->shape.layers * RSD_LINEARS;
    const rsd_par_work each = { .count = count,
                                .bytes = layer_bytes,
                                .run = run,
                                .context = &(work){ .a = a },
                                .budget = BUDGET };
    work *w = each.context;
    RSD_TRY(rsd_zeroed(count, sizeof *w->result, &w->result));
    int err = rsd_par_each(&each);
    for (size_t i = 0; i < count && !err; i++)
        if (w->result[i].err)
            err = RSD_FAIL(w->result[i].err, "layer %zu, %s: %s", i / RSD_LINEARS,
                           rsd_slot_role(i % RSD_LINEARS), w->result[i].message);
    free(w->result);
    return err;
}
