/* What the hook keeps: checked against the model once, laid out in one block, and brought up to
 * date after each step. */
#include "adapters/adapted_hook.h"

#include "adapters/factors.h"
#include "alloc.h"
#include "mat.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const bool in_float = sizeof(rsd_real) == sizeof(float);

/* ---- do the parts fit each other? ---- */

static int check_layer(const rsd_adapted_options *o, size_t layer, rsd_slot slot)
{
    const rsd_factor *W = &o->weights->block[layer].linear[slot].W;
    const rsd_base_layer *b = o->base ? &o->base->layer[layer][slot] : NULL;
    const rsd_adapter *a = o->adapters ? &o->adapters->layer[layer][slot] : NULL;
    const rsd_adapter *g = o->grad ? &o->grad->layer[layer][slot] : NULL;
    const bool packed = b && b->packed.m;
    if (packed && (b->packed.m != W->rows || b->packed.n != W->cols))
        return RSD_FAIL(RSD_EARG, "%zu x %zu packed, the model's is %zu x %zu", b->packed.m,
                        b->packed.n, W->rows, W->cols);
    if (W->rows && !packed && !W->x && !W->half)
        return RSD_FAIL(RSD_EARG, "no weight, dense or packed");
    if (g && (g->rank != a->rank || g->m != a->m || g->n != a->n || g->pool != a->pool))
        return RSD_FAIL(RSD_EARG, "gradients of another shape than the adapter's");
    if (!a || !a->rank)
        return RSD_OK;
    if (a->m != W->rows || a->n != W->cols)
        return RSD_FAIL(RSD_EARG, "an adapter for %zu x %zu, the model's is %zu x %zu", a->m, a->n,
                        W->rows, W->cols);
    if ((a->magnitude || o->straight) && !packed && !W->x)
        return RSD_FAIL(RSD_EARG, "the weight is there in bfloat16 alone");
    if (o->straight && (!b || !b->spec.quantizer))
        return RSD_FAIL(RSD_EARG, "no quantizer to train through");
    return RSD_OK;
}

static int check(const rsd_adapted_options *o)
{
    const size_t layers = o->weights->shape.layers;
    if (o->base && o->base->layers != layers)
        return RSD_FAIL(RSD_EARG, "a packed base of %zu layers for a model of %zu", o->base->layers,
                        layers);
    if (o->adapters && o->adapters->layers != layers)
        return RSD_FAIL(RSD_EARG, "adapters of %zu layers for a model of %zu", o->adapters->layers,
                        layers);
    if (o->grad &&
        (!o->adapters || o->grad->layers != layers || o->grad->variant != o->adapters->variant))
        return RSD_FAIL(RSD_EARG, "gradients of other adapters");
    if (o->straight && (!o->adapters || o->adapters->variant != RSD_LORA))
        return RSD_FAIL(RSD_EARG, "training through the quantizer is for lora, not %s",
                        o->adapters ? rsd_variant_name(o->adapters->variant) : "no adapters");
    for (size_t i = 0; i < layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const int err = check_layer(o, i, s);
            if (err)
                return rsd_fail_prefix(err, "layer %zu, %s", i, rsd_slot_role(s));
        }
    return RSD_OK;
}

/* ---- one block of memory ---- */

/* Laid out twice: with base NULL only `used` grows. */
typedef struct {
    char *base;
    size_t used;
    bool overflow;
} arena;

static void *take(arena *m, size_t rows, size_t cols, size_t size)
{
    size_t count, bytes, end;
    if (__builtin_mul_overflow(rows, cols, &count) || __builtin_mul_overflow(count, size, &bytes) ||
        __builtin_add_overflow(bytes, (size_t)63, &bytes) ||
        __builtin_add_overflow(m->used, bytes / 64 * 64, &end)) {
        m->overflow = true;
        return NULL;
    }
    void *at = m->base && count ? m->base + m->used : NULL;
    m->used = end;
    return at;
}

/* A factor of its own: float32 only where it is not bfloat16 that products take. */
static rsd_adapted_factor take_factor(arena *m, const rsd_adapted *a, const rsd_real *x,
                                      bool copied, size_t rows, size_t cols)
{
    rsd_adapted_factor f = { .view = rsd_dense(x, rows, cols) };
    if (copied)
        f.view.x = f.x = take(m, rows, cols, sizeof(rsd_real));
    if (a->half)
        f.view.half = f.half = take(m, rows, cols, sizeof(rsd_half));
    return f;
}

static void lay_out_layer(arena *m, rsd_adapted *a, const rsd_adapter *p, rsd_adapted_layer *l)
{
    l->A = take_factor(m, a, p->A, rsd_factor_repeats(p), p->rank, p->n);
    l->B = take_factor(m, a, p->B, rsd_factor_scales(p), p->m, p->rank);
    l->norm = take(m, p->magnitude ? p->m : 0, 1, sizeof *l->norm);
    if (a->o.straight)
        l->W = take_factor(m, a, NULL, !a->half, p->m, p->n);
    if (a->o.grad)
        l->u = take_factor(m, a, NULL, !a->half, a->o.rows, p->rank);
}

/* What the largest layers take. */
typedef struct {
    size_t packed, rank, wide, A, B;
} largest;

static void at_least(size_t *x, size_t n) { *x = n > *x ? n : *x; }

static largest largest_of(const rsd_adapted *a)
{
    largest most = { 0 };
    for (size_t i = 0; i < a->o.weights->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const rsd_base_layer *b = rsd_adapted_base(a, i, s);
            const rsd_adapter *p = rsd_adapted_adapter(a, i, s);
            at_least(&most.packed, b ? b->packed.m * b->packed.n : 0);
            if (!p)
                continue;
            at_least(&most.rank, p->rank);
            at_least(&most.wide, p->magnitude ? p->m : 0);
            at_least(&most.A, a->o.grad && rsd_factor_repeats(p) ? p->rank * p->n : 0);
            at_least(&most.B, a->o.grad && rsd_factor_scales(p) ? p->m * p->rank : 0);
        }
    return most;
}

static void lay_out(rsd_adapted *a, arena *m)
{
    const size_t layers = a->o.weights->shape.layers, rows = a->o.rows, half = a->half;
    const largest most = largest_of(a);
    a->layer = take(m, layers, sizeof *a->layer, 1);
    a->unpacked = take(m, most.packed, 1, sizeof *a->unpacked);
    a->W = in_float ? (void *)a->unpacked : take(m, most.packed, 1, sizeof *a->W);
    a->W_half = take(m, half * most.packed, 1, sizeof *a->W_half);
    a->t = take(m, rows, most.rank, sizeof *a->t);
    a->t_half = take(m, rows, half * most.rank, sizeof *a->t_half);
    a->c = take(m, most.wide, 1, sizeof *a->c);
    a->wide = take(m, rows, most.wide, sizeof *a->wide);
    a->wide_half = take(m, rows, half * most.wide, sizeof *a->wide_half);
    a->dA = take(m, most.A, 1, sizeof *a->dA);
    a->dB = take(m, most.B, 1, sizeof *a->dB);
    for (size_t i = 0; i < layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            rsd_adapted_layer unused = { 0 };
            const rsd_adapter *p = rsd_adapted_adapter(a, i, s);
            if (a->layer)
                a->layer[i][s] = unused;
            if (p)
                lay_out_layer(m, a, p, a->layer ? &a->layer[i][s] : &unused);
        }
}

int rsd_adapted_alloc(const rsd_adapted_options *options, rsd_matmul *mm, rsd_adapted **out)
{
    *out = NULL;
    RSD_TRY(check(options));
    rsd_adapted *a;
    RSD_TRY(rsd_zeroed(1, sizeof *a, &a));
    a->o = *options;
    a->half = rsd_matmul_precision(mm) == RSD_PRECISION_BF16;
    a->hook =
        (rsd_linear_hook){ rsd_adapted_forward, rsd_adapted_backward, options->grad != NULL, a };
    arena m = { 0 };
    int err = RSD_OK;
    lay_out(a, &m);
    if (m.overflow) {
        err = RSD_FAIL(RSD_ENOMEM, "adapters for passes of %zu rows", options->rows);
        goto done;
    }
    RSD_TRY_DONE(rsd_array_alloc(m.used, 1, 1, &a->memory));
    a->bytes = m.used;
    m = (arena){ .base = a->memory };
    lay_out(a, &m);
    err = rsd_adapted_refresh(a);
done:
    if (err)
        rsd_adapted_free(a);
    else
        *out = a;
    return err;
}

void rsd_adapted_free(rsd_adapted *a)
{
    if (!a)
        return;
    free(a->memory);
    free(a);
}

const rsd_linear_hook *rsd_adapted_hook(const rsd_adapted *a) { return &a->hook; }

size_t rsd_adapted_bytes(const rsd_adapted *a) { return a->bytes; }

/* ---- after a step ---- */

static void round_factor(const rsd_adapted_factor *f)
{
    if (f->half)
        rsd_half_round(f->view.x, f->view.cols, f->view.rows, f->view.cols, f->half);
}

static int refresh_layer(rsd_adapted *a, size_t layer, rsd_slot slot)
{
    const rsd_adapter *p = rsd_adapted_adapter(a, layer, slot);
    if (!p)
        return RSD_OK;
    const rsd_adapted_layer *l = &a->layer[layer][slot];
    if (rsd_factor_repeats(p))
        rsd_factor_repeat(p, l->A.x);
    if (rsd_factor_scales(p))
        rsd_factor_scale(p, l->B.x);
    round_factor(&l->A);
    round_factor(&l->B);
    if (!l->norm)
        return RSD_OK;
    rsd_factor W;
    RSD_TRY(rsd_adapted_weight(a, layer, slot, false, &W));
    return rsd_factor_norms(p, l->A.view.x, l->B.view.x, W.x, l->norm);
}

int rsd_adapted_refresh(rsd_adapted *a)
{
    for (size_t i = 0; i < a->o.weights->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            RSD_TRY(refresh_layer(a, i, s));
    return a->o.straight ? rsd_adapted_requantize(a) : RSD_OK;
}
