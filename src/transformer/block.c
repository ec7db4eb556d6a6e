#include "transformer/block.h"

#include <string.h>

/* ---- shapes and views ---- */

static size_t rows(const rsd_block *b) { return b->B * b->T; }
static size_t q_width(const rsd_shape *s) { return s->heads * s->head_size; }
static size_t kv_width(const rsd_shape *s) { return s->kv_heads * s->head_size; }

size_t rsd_block_state_size(const rsd_shape *s, size_t M)
{
    const size_t attention = 2 * q_width(s) + 2 * kv_width(s);
    const size_t mlp = s->hidden * (s->gated ? 2 : 1);
    /* 12 arrays, each rounded up to a multiple of 16 */
    return M * ((s->parallel ? 1 : 2) * s->width + attention + mlp + s->heads + 4) + 12 * 16;
}

static rsd_real *carve(rsd_real **at, size_t n)
{
    rsd_real *x = *at;
    *at += (n + 15) / 16 * 16;
    return x;
}

void rsd_block_state_carve(const rsd_shape *s, size_t M, rsd_real *memory, rsd_block_state *st)
{
    rsd_real *at = memory;
    const size_t q = q_width(s), kv = kv_width(s);
    st->x = carve(&at, M * s->width);
    st->mean1 = carve(&at, M);
    st->rstd1 = carve(&at, M);
    st->mean2 = carve(&at, M);
    st->rstd2 = carve(&at, M);
    st->lse = carve(&at, M * s->heads);
    st->o = carve(&at, M * q);
    if (s->qkv == RSD_QKV_SEPARATE) {
        st->q = carve(&at, M * q);
        st->k = carve(&at, M * kv);
        st->v = carve(&at, M * kv);
    } else
        st->q = st->k = st->v = carve(&at, M * (q + 2 * kv));
    st->x2 = s->parallel ? st->x : carve(&at, M * s->width);
    st->up = carve(&at, M * s->hidden);
    st->gate = s->gated ? carve(&at, M * s->hidden) : NULL;
}

typedef struct {
    rsd_heads q, k, v;
} qkv;

/* The heads of q, k and v in arrays laid out as the architecture lays them out. */
static qkv heads_of(const rsd_shape *s, rsd_real *q, rsd_real *k, rsd_real *v)
{
    const size_t d = s->head_size, width = q_width(s), kv = kv_width(s), fused = width + 2 * kv;
    if (s->qkv == RSD_QKV_SEPARATE)
        return (qkv){ { q, width, d }, { k, kv, d }, { v, kv, d } };
    if (s->qkv == RSD_QKV_BLOCKS)
        return (qkv){ { q, fused, d }, { q + width, fused, d }, { q + width + kv, fused, d } };
    return (qkv){ { q, fused, 3 * d }, { q + d, fused, 3 * d }, { q + 2 * d, fused, 3 * d } };
}

static rsd_attention attention_of(const rsd_block *b, size_t layer)
{
    const rsd_shape *s = &b->weights->shape;
    return (rsd_attention){ .B = b->B,
                            .T = b->T,
                            .H = s->heads,
                            .KV = s->kv_heads,
                            .D = s->head_size,
                            .scale = s->attention_scale,
                            .window = s->local[layer] ? s->window : 0 };
}

/* Activations as a factor, rounded to bfloat16 once where several layers read them. */
static rsd_factor view(const rsd_block *b, const rsd_real *x, size_t cols)
{
    rsd_factor f = rsd_dense(x, rows(b), cols);
    if (rsd_matmul_precision(b->mm) == RSD_PRECISION_BF16) {
        rsd_half_round(x, cols, f.rows, cols, b->scratch.half);
        f.half = b->scratch.half;
    }
    return f;
}

/* ---- forward ---- */

static void norm_forward(const rsd_block *b, const rsd_norm *norm, const rsd_real *x, rsd_real *y,
                         rsd_real *mean, rsd_real *rstd)
{
    if (b->weights->shape.norm == RSD_NORM_RMS)
        rsd_rmsnorm_forward(norm, x, rows(b), y, rstd);
    else
        rsd_layernorm_forward(norm, x, rows(b), y, mean, rstd);
}

static int linear(const rsd_block *b, size_t layer, rsd_slot slot, rsd_factor x, rsd_real *y,
                  bool accumulate)
{
    if (b->capture && b->capture->input)
        RSD_TRY(b->capture->input(b->capture->context, layer, slot, x.x, x.rows, x.cols));
    if (b->hook)
        return b->hook->forward(b->hook->context, b->mm, layer, slot, x, y, accumulate);
    return rsd_linear_forward(b->mm, &b->weights->block[layer].linear[slot], x, y, accumulate);
}

static int attention_forward(const rsd_block *b, size_t layer, rsd_block_state *st, rsd_real *y)
{
    const rsd_shape *s = &b->weights->shape;
    const rsd_attention a = attention_of(b, layer);
    norm_forward(b, &b->weights->block[layer].norm1, st->x, b->scratch.n, st->mean1, st->rstd1);
    const rsd_factor n = view(b, b->scratch.n, s->width);
    if (s->qkv == RSD_QKV_SEPARATE) {
        RSD_TRY(linear(b, layer, RSD_Q, n, st->q, false));
        RSD_TRY(linear(b, layer, RSD_K, n, st->k, false));
        RSD_TRY(linear(b, layer, RSD_V, n, st->v, false));
    } else
        RSD_TRY(linear(b, layer, RSD_QKV, n, st->q, false));
    const qkv h = heads_of(s, st->q, st->k, st->v);
    if (b->rotary) {
        rsd_rotary_forward(b->rotary, h.q, b->B, b->T, s->heads, 0);
        rsd_rotary_forward(b->rotary, h.k, b->B, b->T, s->kv_heads, 0);
    }
    const rsd_heads o = { st->o, q_width(s), s->head_size };
    RSD_TRY(rsd_attention_forward(&a, h.q, h.k, h.v, o, st->lse, b->scratch.attention));
    return linear(b, layer, RSD_O, view(b, st->o, q_width(s)), y, true);
}

static void activate(const rsd_block *b, const rsd_block_state *st, rsd_real *y)
{
    const rsd_shape *s = &b->weights->shape;
    if (s->gated)
        rsd_gated_forward(s->activation, st->gate, st->up, y, rows(b) * s->hidden);
    else
        rsd_activation_forward(s->activation, st->up, y, rows(b) * s->hidden);
}

static int mlp_forward(const rsd_block *b, size_t layer, rsd_block_state *st, rsd_real *y)
{
    const rsd_shape *s = &b->weights->shape;
    norm_forward(b, &b->weights->block[layer].norm2, st->x2, b->scratch.n, st->mean2, st->rstd2);
    const rsd_factor n = view(b, b->scratch.n, s->width);
    RSD_TRY(linear(b, layer, RSD_UP, n, st->up, false));
    if (s->gated)
        RSD_TRY(linear(b, layer, RSD_GATE, n, st->gate, false));
    activate(b, st, b->scratch.wide);
    return linear(b, layer, RSD_DOWN, view(b, b->scratch.wide, s->hidden), y, true);
}

int rsd_block_forward(const rsd_block *b, size_t layer, rsd_block_state *st, rsd_real *y)
{
    const rsd_shape *s = &b->weights->shape;
    const size_t n = rows(b) * s->width;
    memcpy(y, st->x, n * sizeof *y);
    RSD_TRY(attention_forward(b, layer, st, y));
    if (!s->parallel)
        memcpy(st->x2, y, n * sizeof *y);
    return mlp_forward(b, layer, st, y);
}

/* ---- backward ---- */

static void norm_backward(const rsd_block *b, const rsd_norm *norm, const rsd_norm_gradient *grad,
                          const rsd_real *dy, const rsd_real *x, const rsd_real *mean,
                          const rsd_real *rstd, rsd_real *dx)
{
    rsd_real *dw = grad ? grad->w : NULL, *db = grad ? grad->b : NULL;
    if (b->weights->shape.norm == RSD_NORM_RMS)
        rsd_rmsnorm_backward(norm, dy, x, rstd, rows(b), dx, dw);
    else
        rsd_layernorm_backward(norm, dy, x, mean, rstd, rows(b), dx, dw, db);
}

/* Do gradients need the linear layers' inputs again? */
static bool wants_inputs(const rsd_block *b, const rsd_block_gradient *grad)
{
    return grad || (b->hook && b->hook->trains);
}

/* The input of one or more layers on the way back: rounded beside their gradients' copy. */
static rsd_factor input_view(const rsd_block *b, const rsd_real *x, size_t cols)
{
    rsd_factor f = rsd_dense(x, rows(b), cols);
    if (b->scratch.input && b->hook && b->hook->trains) {
        rsd_half_round(x, cols, f.rows, cols, b->scratch.input);
        f.half = b->scratch.input;
    }
    return f;
}

/* dx (+)= dy W, and the weight's own gradient from x where it trains. */
static int linear_backward(const rsd_block *b, size_t layer, rsd_slot slot, const rsd_real *dy,
                           size_t out, rsd_factor x, rsd_real *dx, bool accumulate,
                           const rsd_block_gradient *grad)
{
    const rsd_linear *l = &b->weights->block[layer].linear[slot];
    if (b->capture && b->capture->gradient)
        RSD_TRY(b->capture->gradient(b->capture->context, layer, slot, dy, rows(b), out));
    const rsd_factor d = view(b, dy, out);
    if (b->hook)
        RSD_TRY(b->hook->backward(b->hook->context, b->mm, layer, slot, d, x, dx, accumulate));
    else
        RSD_TRY(rsd_linear_backward(b->mm, l, d, dx, accumulate));
    if (!grad)
        return RSD_OK;
    const rsd_linear_gradient *g = &grad->linear[slot];
    return rsd_linear_backward_weight(b->mm, rsd_dense(dy, rows(b), out),
                                      rsd_dense(x.x, rows(b), l->W.cols), g->W, g->bias);
}

/* scratch.n becomes the gradient of norm2's output; dx is that of the block's output. */
static int mlp_backward(const rsd_block *b, size_t layer, const rsd_block_state *st,
                        const rsd_real *dx, const rsd_block_gradient *grad)
{
    const rsd_shape *s = &b->weights->shape;
    const rsd_block_scratch *t = &b->scratch;
    const size_t n = rows(b) * s->hidden;
    const bool again = wants_inputs(b, grad);
    if (again)
        activate(b, st, t->wide2);
    rsd_factor input = again ? input_view(b, t->wide2, s->hidden) : (rsd_factor){ 0 };
    RSD_TRY(linear_backward(b, layer, RSD_DOWN, dx, s->width, input, t->wide, false, grad));
    if (s->gated)
        rsd_gated_backward(s->activation, t->wide, st->gate, st->up, t->wide2, t->wide, n);
    else
        rsd_activation_backward(s->activation, t->wide, st->up, t->wide, n);
    /* norm2's output again, for the weights' gradients; its place is then taken by its gradient */
    if (again) {
        norm_forward(b, &b->weights->block[layer].norm2, st->x2, t->dq, st->mean2, st->rstd2);
        input = input_view(b, t->dq, s->width);
    }
    RSD_TRY(linear_backward(b, layer, RSD_UP, t->wide, s->hidden, input, t->n, false, grad));
    if (s->gated)
        RSD_TRY(linear_backward(b, layer, RSD_GATE, t->wide2, s->hidden, input, t->n, true, grad));
    return RSD_OK;
}

/* scratch.n becomes the gradient of norm1's output, from scratch.d_o. */
static int attention_backward(const rsd_block *b, size_t layer, const rsd_block_state *st,
                              const rsd_block_gradient *grad)
{
    const rsd_shape *s = &b->weights->shape;
    const rsd_block_scratch *t = &b->scratch;
    const size_t q = q_width(s), kv = kv_width(s), M = rows(b);
    const rsd_attention a = attention_of(b, layer);
    const qkv h = heads_of(s, st->q, st->k, st->v);
    rsd_real *dq = t->dq, *dk = dq + M * q, *dv = dk + M * kv;
    const qkv d = heads_of(s, dq, dk, dv);
    const rsd_attention_gradient g = {
        .q = h.q,
        .k = h.k,
        .v = h.v,
        .o = { st->o, q, s->head_size },
        .d_o = { t->d_o, q, s->head_size },
        .lse = st->lse,
        .dq = d.q,
        .dk = d.k,
        .dv = d.v,
    };
    RSD_TRY(rsd_attention_backward(&a, &g, t->attention));
    if (b->rotary) {
        rsd_rotary_backward(b->rotary, d.q, b->B, b->T, s->heads, 0);
        rsd_rotary_backward(b->rotary, d.k, b->B, b->T, s->kv_heads, 0);
    }
    rsd_factor input = { 0 };
    if (wants_inputs(b, grad)) {
        norm_forward(b, &b->weights->block[layer].norm1, st->x, t->wide, st->mean1, st->rstd1);
        input = input_view(b, t->wide, s->width);
    }
    if (s->qkv != RSD_QKV_SEPARATE)
        return linear_backward(b, layer, RSD_QKV, dq, q + 2 * kv, input, t->n, false, grad);
    RSD_TRY(linear_backward(b, layer, RSD_Q, dq, q, input, t->n, false, grad));
    RSD_TRY(linear_backward(b, layer, RSD_K, dk, kv, input, t->n, true, grad));
    return linear_backward(b, layer, RSD_V, dv, kv, input, t->n, true, grad);
}

int rsd_block_backward(const rsd_block *b, size_t layer, const rsd_block_state *st, rsd_real *dx,
                       const rsd_block_gradient *grad)
{
    const rsd_shape *s = &b->weights->shape;
    const rsd_block_weights *w = &b->weights->block[layer];
    const rsd_block_scratch *t = &b->scratch;
    RSD_TRY(mlp_backward(b, layer, st, dx, grad));
    if (!s->parallel)
        norm_backward(b, &w->norm2, grad ? &grad->norm2 : NULL, t->n, st->x2, st->mean2, st->rstd2,
                      dx);
    const rsd_factor o =
        wants_inputs(b, grad) ? input_view(b, st->o, q_width(s)) : (rsd_factor){ 0 };
    RSD_TRY(linear_backward(b, layer, RSD_O, dx, s->width, o, t->d_o, false, grad));
    if (s->parallel) /* only now: both branches read the gradient of the output */
        norm_backward(b, &w->norm2, grad ? &grad->norm2 : NULL, t->n, st->x, st->mean2, st->rstd2,
                      dx);
    RSD_TRY(attention_backward(b, layer, st, grad));
    norm_backward(b, &w->norm1, grad ? &grad->norm1 : NULL, t->n, st->x, st->mean1, st->rstd1, dx);
    return RSD_OK;
}
