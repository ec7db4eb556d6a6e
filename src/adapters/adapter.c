#include "adapters/adapter.h"

#include "alloc.h"
#include "mat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const variants[RSD_VARIANTS] = {
    [RSD_LORA] = "lora",
    [RSD_DORA] = "dora",
    [RSD_ADALORA] = "adalora",
    [RSD_QALORA] = "qalora",
};

const char *rsd_variant_name(rsd_variant v) { return variants[v]; }

/* ---- one layer's arrays, in their order ---- */

enum { ARRAYS = 4 };

typedef struct {
    rsd_real **x;
    size_t count; /* 0: not of this variant */
} array;

static void arrays_of(rsd_variant v, rsd_adapter *a, array out[ARRAYS])
{
    out[0] = (array){ &a->A, a->rank ? a->rank * (a->n / a->pool) : 0 };
    out[1] = (array){ &a->B, a->m * a->rank };
    out[2] = (array){ &a->lambda, v == RSD_ADALORA ? a->rank : 0 };
    out[3] = (array){ &a->magnitude, v == RSD_DORA && a->rank ? a->m : 0 };
}

static size_t padded(size_t count) { return (count + 15) / 16 * 16; }

/* The set's memory, once every layer has its shape. */
static int alloc_memory(rsd_adapters *s)
{
    array part[ARRAYS];
    size_t count = 0;
    for (size_t i = 0; i < s->layers; i++)
        for (rsd_slot k = 0; k < RSD_LINEARS; k++) {
            arrays_of(s->variant, &s->layer[i][k], part);
            for (int j = 0; j < ARRAYS; j++)
                count += padded(part[j].count); /* of W's order: cannot overflow */
        }
    RSD_TRY(rsd_array_alloc(count, 1, sizeof *s->memory, &s->memory));
    memset(s->memory, 0, count * sizeof *s->memory);
    s->count = count;
    rsd_real *at = s->memory;
    for (size_t i = 0; i < s->layers; i++)
        for (rsd_slot k = 0; k < RSD_LINEARS; k++) {
            arrays_of(s->variant, &s->layer[i][k], part);
            for (int j = 0; j < ARRAYS; j++) {
                *part[j].x = part[j].count ? at : NULL;
                at += padded(part[j].count);
            }
        }
    return RSD_OK;
}

static int check_plan(rsd_variant v, const rsd_adapter_plan *p, size_t m, size_t n)
{
    const size_t pool = p->pool;
    if (!m || !n)
        return RSD_FAIL(RSD_EARG, "the architecture has no such layer");
    if (!pool || n % pool)
        return RSD_FAIL(RSD_EARG, "pools of %zu do not divide %zu inputs", pool, n);
    if (pool != 1 && v != RSD_QALORA)
        return RSD_FAIL(RSD_EARG, "pools of %zu inputs, but %s has none", pool, variants[v]);
    if (p->rank > m || p->rank > n / pool)
        return RSD_FAIL(RSD_EARG, "rank %zu of %zu outputs and %zu inputs in pools of %zu", p->rank,
                        m, n, pool);
    if (!(p->scale > 0) || !isfinite(p->scale))
        return RSD_FAIL(RSD_EARG, "scale %g", (double)p->scale);
    return RSD_OK;
}

int rsd_adapters_alloc(const rsd_weights *w, rsd_variant variant,
                       const rsd_adapter_plan (*plan)[RSD_LINEARS], rsd_adapters *out)
{
    *out = (rsd_adapters){ .variant = variant, .layers = w->shape.layers };
    RSD_TRY(rsd_zeroed(out->layers, sizeof *out->layer, &out->layer));
    for (size_t i = 0; i < out->layers; i++)
        for (rsd_slot k = 0; k < RSD_LINEARS; k++) {
            const rsd_adapter_plan *p = &plan[i][k];
            const rsd_factor *W = &w->block[i].linear[k].W;
            if (!p->rank)
                continue;
            const int err = check_plan(variant, p, W->rows, W->cols);
            if (err)
                return rsd_fail_prefix(err, "adapter of layer %zu, %s", i, rsd_slot_role(k));
            out->layer[i][k] = (rsd_adapter){
                .m = W->rows, .n = W->cols, .rank = p->rank, .pool = p->pool, .scale = p->scale
            };
        }
    return alloc_memory(out);
}

int rsd_adapters_like(const rsd_adapters *a, rsd_adapters *out)
{
    *out = (rsd_adapters){ .variant = a->variant, .layers = a->layers };
    RSD_TRY(rsd_array_alloc(a->layers, 1, sizeof *out->layer, &out->layer));
    memcpy(out->layer, a->layer, a->layers * sizeof *out->layer);
    return alloc_memory(out);
}

void rsd_adapters_free(rsd_adapters *a)
{
    free(a->layer);
    free(a->memory);
    *a = (rsd_adapters){ 0 };
}

size_t rsd_adapters_parameters(const rsd_adapters *a)
{
    array part[ARRAYS];
    size_t count = 0;
    for (size_t i = 0; i < a->layers; i++)
        for (rsd_slot k = 0; k < RSD_LINEARS; k++) {
            arrays_of(a->variant, &a->layer[i][k], part);
            for (int j = 0; j < ARRAYS; j++)
                count += part[j].count;
        }
    return count;
}
