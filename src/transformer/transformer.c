#include "transformer/transformer.h"

#include "alloc.h"
#include "mat.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct rsd_transformer {
    rsd_block block; /* weights, products, scratch; B and T of the last pass */
    rsd_rotary *rotary;
    rsd_keep keep;
    size_t rows, bytes;
    rsd_block_state *state;                /* one per layer, or one for all */
    rsd_real *memory;                      /* states, then what follows */
    rsd_real *inputs;                      /* KEEP_INPUTS: each block's input, layers x rows x C */
    rsd_real *last, *mean, *rstd, *hidden; /* the last block's output, its norm */
    int32_t *tokens;                       /* of the last pass */
};

static const rsd_shape *shape(const rsd_transformer *t) { return &t->block.weights->shape; }

static size_t states(const rsd_transformer *t)
{
    return t->keep == RSD_KEEP_ALL ? shape(t)->layers : 1;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

/* Everything but the states, in numbers. */
static size_t shared_size(const rsd_transformer *t)
{
    const rsd_shape *s = shape(t);
    const size_t M = t->rows, heads = s->heads * s->head_size;
    const bool back = t->keep != RSD_KEEP_NOTHING;
    size_t n = 3 * M * s->width + 2 * M; /* last, hidden, norm; n */
    n += M * larger(s->hidden, s->width) * (s->gated || back ? 2 : 1);
    if (back)
        n += M * larger(heads + 2 * s->kv_heads * s->head_size, s->width) + M * heads;
    if (t->keep == RSD_KEEP_INPUTS)
        n += s->layers * M * s->width;
    return n + 16 * 16;
}

static rsd_real *take(rsd_real **at, size_t n)
{
    rsd_real *x = *at;
    *at += (n + 15) / 16 * 16;
    return x;
}

static void carve(rsd_transformer *t)
{
    const rsd_shape *s = shape(t);
    const size_t M = t->rows, heads = s->heads * s->head_size;
    const bool back = t->keep != RSD_KEEP_NOTHING;
    rsd_block_scratch *scratch = &t->block.scratch;
    rsd_real *at = t->memory;
    for (size_t i = 0; i < states(t); i++)
        rsd_block_state_carve(s, M, take(&at, rsd_block_state_size(s, M)), &t->state[i]);
    t->last = take(&at, M * s->width);
    t->hidden = take(&at, M * s->width);
    t->mean = take(&at, M);
    t->rstd = take(&at, M);
    scratch->n = take(&at, M * s->width);
    scratch->wide = take(&at, M * larger(s->hidden, s->width));
    if (s->gated || back)
        scratch->wide2 = take(&at, M * larger(s->hidden, s->width));
    if (back) {
        scratch->dq = take(&at, M * larger(heads + 2 * s->kv_heads * s->head_size, s->width));
        scratch->d_o = take(&at, M * heads);
    }
    if (t->keep == RSD_KEEP_INPUTS)
        t->inputs = take(&at, s->layers * M * s->width);
}

/* Columns of the widest input or output of a block's layers. */
static size_t widest(const rsd_transformer *t)
{
    const rsd_shape *s = shape(t);
    return larger(larger(s->hidden, s->width), (s->heads + 2 * s->kv_heads) * s->head_size);
}

static int alloc_memory(rsd_transformer *t)
{
    const rsd_shape *s = shape(t);
    const rsd_attention a = { .B = 1,
                              .T = t->rows,
                              .H = s->heads,
                              .KV = s->kv_heads,
                              .D = s->head_size,
                              .scale = s->attention_scale };
    RSD_TRY(rsd_attention_check(&a));
    const size_t state = (rsd_block_state_size(s, t->rows) + 15) / 16 * 16;
    const size_t count = states(t) * state + shared_size(t);
    t->bytes = count * sizeof(rsd_real) + rsd_attention_work(&a);
    RSD_TRY(rsd_array_alloc(states(t), 1, sizeof *t->state, &t->state));
    RSD_TRY(rsd_array_alloc(count, 1, sizeof(rsd_real), &t->memory));
    RSD_TRY(rsd_array_alloc(rsd_attention_work(&a), 1, 1, &t->block.scratch.attention));
    RSD_TRY(rsd_array_alloc(t->rows, 1, sizeof *t->tokens, &t->tokens));
    if (rsd_matmul_precision(t->block.mm) == RSD_PRECISION_BF16) {
        t->bytes += t->rows * widest(t) * sizeof(rsd_half);
        RSD_TRY(rsd_array_alloc(t->rows, widest(t), sizeof(rsd_half), &t->block.scratch.half));
    }
    carve(t);
    return RSD_OK;
}

/* No position of a pass is beyond its rows: a model may promise far more than are used. */
static int alloc_rotary(rsd_transformer *t)
{
    rsd_rotary_spec spec = t->block.weights->shape.rotary;
    if (!spec.dims)
        return RSD_OK;
    spec.context = spec.context < t->rows ? spec.context : t->rows;
    t->bytes += spec.context * spec.dims * sizeof(rsd_real);
    RSD_TRY(rsd_rotary_alloc(&spec, &t->rotary));
    t->block.rotary = t->rotary;
    return RSD_OK;
}

int rsd_transformer_alloc(rsd_weights *weights, rsd_precision precision, rsd_keep keep, size_t rows,
                          rsd_transformer **out)
{
    rsd_transformer *t;
    RSD_TRY(rsd_zeroed(1, sizeof *t, out));
    t = *out;
    t->block.weights = weights;
    t->keep = keep;
    t->rows = rows;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_matmul_alloc(precision, &t->block.mm));
    RSD_TRY_DONE(rsd_weights_prepare(weights, t->block.mm));
    RSD_TRY_DONE(alloc_memory(t));
    err = alloc_rotary(t);
done:
    if (err) {
        rsd_transformer_free(t);
        *out = NULL;
    }
    return err;
}

void rsd_transformer_free(rsd_transformer *t)
{
    if (!t)
        return;
    rsd_matmul_free(t->block.mm);
    rsd_rotary_free(t->rotary);
    free(t->block.scratch.attention);
    free(t->block.scratch.half);
    free(t->block.scratch.input);
    free(t->tokens);
    free(t->memory);
    free(t->state);
    free(t);
}

size_t rsd_transformer_bytes(const rsd_transformer *t)
{
    return t->bytes + rsd_matmul_bytes(t->block.mm);
}

rsd_matmul *rsd_transformer_mm(const rsd_transformer *t) { return t->block.mm; }

void rsd_transformer_capture(rsd_transformer *t, const rsd_capture *capture)
{
    t->block.capture = capture;
}

int rsd_transformer_hook(rsd_transformer *t, const rsd_linear_hook *hook)
{
    rsd_block_scratch *scratch = &t->block.scratch;
    t->block.hook = hook;
    if (!hook || !hook->trains || !scratch->half || scratch->input)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(t->rows, widest(t), sizeof(rsd_half), &scratch->input));
    t->bytes += t->rows * widest(t) * sizeof(rsd_half);
    return RSD_OK;
}

rsd_head rsd_transformer_head(const rsd_transformer *t, const rsd_real *hidden)
{
    return (rsd_head){ .h = hidden, .W = t->block.weights->head.W };
}

int rsd_transformer_forward(rsd_transformer *t, const int32_t *token, size_t B, size_t T,
                            const rsd_real **hidden)
{
    const rsd_shape *s = shape(t);
    if (T > s->context)
        return RSD_FAIL(RSD_EARG, "windows of %zu tokens, but the model's context is %zu", T,
                        s->context);
    if (B * T > t->rows)
        return RSD_FAIL(RSD_EARG, "%zu windows of %zu tokens, but memory for %zu tokens", B, T,
                        t->rows);
    const size_t n = B * T * s->width;
    t->block.B = B;
    t->block.T = T;
    memcpy(t->tokens, token, B * T * sizeof *token);
    RSD_TRY(rsd_embedding_forward(&t->block.weights->embedding, token, B, T, 0, t->state[0].x));
    for (size_t i = 0; i < s->layers; i++) {
        rsd_block_state *st = &t->state[t->keep == RSD_KEEP_ALL ? i : 0];
        if (t->keep == RSD_KEEP_INPUTS)
            memcpy(t->inputs + i * t->rows * s->width, st->x, n * sizeof *st->x);
        RSD_TRY(rsd_block_forward(&t->block, i, st, t->last));
        if (i + 1 < s->layers) /* the output is the next block's input */
            memcpy(t->state[t->keep == RSD_KEEP_ALL ? i + 1 : 0].x, t->last, n * sizeof *t->last);
    }
    const rsd_norm *norm = &t->block.weights->final_norm;
    if (s->norm == RSD_NORM_RMS)
        rsd_rmsnorm_forward(norm, t->last, B * T, t->hidden, t->rstd);
    else
        rsd_layernorm_forward(norm, t->last, B * T, t->hidden, t->mean, t->rstd);
    *hidden = t->hidden;
    return RSD_OK;
}

/* The gradient of the last block's output, into dx. */
static void final_norm_backward(rsd_transformer *t, const rsd_real *dhidden, rsd_real *dx,
                                const rsd_norm_gradient *grad)
{
    const rsd_shape *s = shape(t);
    const rsd_norm *norm = &t->block.weights->final_norm;
    const size_t M = t->block.B * t->block.T;
    rsd_real *dw = grad ? grad->w : NULL, *db = grad ? grad->b : NULL;
    memset(dx, 0, M * s->width * sizeof *dx);
    if (s->norm == RSD_NORM_RMS)
        rsd_rmsnorm_backward(norm, dhidden, t->last, t->rstd, M, dx, dw);
    else
        rsd_layernorm_backward(norm, dhidden, t->last, t->mean, t->rstd, M, dx, dw, db);
}

int rsd_transformer_backward(rsd_transformer *t, rsd_real *dhidden, const rsd_gradients *grad)
{
    assert(t->keep != RSD_KEEP_NOTHING);
    const rsd_shape *s = shape(t);
    const size_t n = t->block.B * t->block.T * s->width;
    rsd_real *dx = t->hidden; /* the hidden states themselves are not needed any more */
    final_norm_backward(t, dhidden, dx, grad ? &grad->final_norm : NULL);
    for (size_t i = s->layers; i-- > 0;) {
        rsd_block_state *st = &t->state[t->keep == RSD_KEEP_ALL ? i : 0];
        if (t->keep == RSD_KEEP_INPUTS) { /* the block once more; its output is not needed */
            const rsd_capture *capture = t->block.capture;
            t->block.capture = NULL; /* its inputs were seen */
            memcpy(st->x, t->inputs + i * t->rows * s->width, n * sizeof *st->x);
            const int err = rsd_block_forward(&t->block, i, st, t->last);
            t->block.capture = capture;
            RSD_TRY(err);
        }
        RSD_TRY(rsd_block_backward(&t->block, i, st, dx, grad ? &grad->block[i] : NULL));
    }
    if (grad)
        rsd_embedding_backward(&t->block.weights->embedding, t->tokens, t->block.B, t->block.T, 0,
                               dx, grad->embedding.E, grad->embedding.P);
    return RSD_OK;
}
