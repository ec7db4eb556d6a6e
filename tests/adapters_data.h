/* Tiny real models with adapters full of numbers, for tests of src/adapters in float and double. */
#ifndef RSD_TEST_ADAPTERS_DATA_H
#define RSD_TEST_ADAPTERS_DATA_H

#include "adapters/adapted.h"
#include "boot.h"
#include "mat.h"
#include "transformer/transformer.h"

#include "test.h"

enum { B = 2, T = 9, M = B * T };

/* One of each way that block.c calls linear layers: fused and separate, parallel and sequential,
 * gated, grouped queries, biases. */
static const char *const cases[] = { "gpt_neox", "gpt_neox-sequential-tied", "gpt2",
                                     "llama",    "llama-tied-biases",        "qwen2",
                                     "gpt_neo" };
enum { CASES = sizeof cases / sizeof *cases };

typedef struct {
    rsd_model *model;
    rsd_weights *w;
    rsd_adapters adapters, grad;
    rsd_base base; /* layers 0: all is dense */
    bool straight;
    int32_t token[M], target[M];
} tiny;

/* Numbers that look random and need no state. */
static inline double wave(size_t i, double phase) { return sin(1.7 * (double)i + phase); }

static inline void open_tiny(const char *name, bool frame, tiny *m)
{
    char path[256];
    memset(m, 0, sizeof *m);
    snprintf(path, sizeof path, "transformers/%s", name);
    CHECK_OK(rsd_model_open(fixture(path), &m->model));
    CHECK_OK(frame ? rsd_weights_load_frame(m->model, &m->w) : rsd_weights_load(m->model, &m->w));
    for (size_t i = 0; i < M; i++) {
        m->token[i] = (int32_t)(i * 7 % m->w->shape.vocab);
        m->target[i] = (int32_t)((i * 5 + 3) % m->w->shape.vocab);
    }
}

static inline void close_tiny(tiny *m)
{
    rsd_base_free(&m->base);
    rsd_adapters_free(&m->grad);
    rsd_adapters_free(&m->adapters);
    rsd_weights_free(m->w);
    rsd_model_close(m->model);
}

/* C has no conversion of a matrix to one of const elements. */
static inline int alloc_adapters(const rsd_weights *w, rsd_variant v,
                                 rsd_adapter_plan (*plan)[RSD_LINEARS], rsd_adapters *out)
{
    return rsd_adapters_alloc(w, v, (const rsd_adapter_plan(*)[RSD_LINEARS])plan, out);
}

/* Adapters of ranks 1 to 3, one slot in five without; every number set. */
static inline void add_adapters(tiny *m, rsd_variant v, double size)
{
    rsd_adapter_plan plan[8][RSD_LINEARS] = { 0 };
    assert_true(m->w->shape.layers <= 8);
    for (size_t i = 0; i < m->w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++)
            if (m->w->block[i].linear[s].W.rows && (i + s) % 5 != 1)
                plan[i][s] = (rsd_adapter_plan){ .rank = 1 + (i + s) % 3,
                                                 .pool = v == RSD_QALORA ? 2 : 1,
                                                 .scale = (rsd_real)1.5 };
    CHECK_OK(alloc_adapters(m->w, v, plan, &m->adapters));
    CHECK_OK(rsd_adapters_like(&m->adapters, &m->grad));
    for (size_t i = 0; i < m->adapters.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            rsd_adapter *a = &m->adapters.layer[i][s];
            const double phase = (double)(8 * i + s);
            for (size_t k = 0; a->rank && k < a->rank * a->n / a->pool; k++)
                a->A[k] = (rsd_real)(size * wave(k, phase));
            for (size_t k = 0; k < a->m * a->rank; k++)
                a->B[k] = (rsd_real)(size * wave(k, phase + 0.5));
            for (size_t k = 0; a->lambda && k < a->rank; k++)
                a->lambda[k] = (rsd_real)(1 + 0.3 * wave(k, phase));
            for (size_t k = 0; a->magnitude && k < a->m; k++)
                a->magnitude[k] = (rsd_real)(0.6 + 0.2 * wave(k, phase));
        }
}

/* Every linear layer's W quantized: dense in w, packed in base. */
static inline void quantize_weights(const rsd_weights *w, const char *text, rsd_base *base)
{
    rsd_spec spec;
    CHECK_OK(rsd_spec_parse(text, &spec));
    CHECK_OK(rsd_base_alloc(w->shape.layers, base));
    for (size_t i = 0; i < w->shape.layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const rsd_factor *f = &w->block[i].linear[s].W;
            rsd_real *x = w->memory + (f->x - w->memory);
            rsd_mat W;
            rsd_packed packed;
            if (!f->rows)
                continue;
            CHECK_OK(rsd_mat_alloc(f->rows, f->cols, &W));
            for (size_t k = 0; k < f->rows * f->cols; k++)
                W.x[k] = (float)x[k];
            CHECK_OK(rsd_pack(&spec, W, NULL, &packed));
            CHECK_OK(rsd_unpack(&spec, &packed, W));
            for (size_t k = 0; k < f->rows * f->cols; k++)
                x[k] = (rsd_real)W.x[k];
            rsd_base_put(base, i, s, &spec, &packed);
            assert_int_equal(packed.m, 0);
            rsd_mat_free(&W);
        }
}

/* A pass with its memory, kept so that one parameter after another can be moved. */
typedef struct {
    tiny *m;
    rsd_transformer *t;
    rsd_adapted *adapted;
    rsd_real *dh;
    void *work;
} runner;

static inline void open_runner(tiny *m, rsd_precision precision, rsd_keep keep, bool trains,
                               runner *r)
{
    *r = (runner){ .m = m };
    CHECK_OK(rsd_transformer_alloc(m->w, precision, keep, M, &r->t));
    const rsd_adapted_options o = {
        .weights = m->w,
        .base = m->base.layers ? &m->base : NULL,
        .adapters = m->adapters.layers ? &m->adapters : NULL,
        .grad = trains ? &m->grad : NULL,
        .rows = M,
        .straight = m->straight,
    };
    CHECK_OK(rsd_adapted_alloc(&o, rsd_transformer_mm(r->t), &r->adapted));
    CHECK_OK(rsd_transformer_hook(r->t, rsd_adapted_hook(r->adapted)));
    const rsd_loss l = { .M = M, .model = rsd_transformer_head(r->t, NULL) };
    CHECK_OK(rsd_array_alloc(M, m->w->shape.width, sizeof *r->dh, &r->dh));
    CHECK_OK(rsd_array_alloc(rsd_loss_work(&l), 1, 1, &r->work));
}

static inline void close_runner(runner *r)
{
    free(r->work);
    free(r->dh);
    rsd_transformer_free(r->t);
    rsd_adapted_free(r->adapted);
}

/* Mean loss; `backward` adds to the adapters' gradients, and to grad's where it is not NULL. */
static inline double loss_of(runner *r, bool backward, const rsd_gradients *grad)
{
    const rsd_real *hidden;
    double loss[M];
    CHECK_OK(rsd_transformer_forward(r->t, r->m->token, B, T, &hidden));
    rsd_loss l = { .M = M,
                   .model = rsd_transformer_head(r->t, hidden),
                   .target = r->m->target,
                   .ce_weight = 1.0 / M,
                   .loss = loss };
    if (backward) {
        l.dh = r->dh;
        l.dW = grad ? grad->head.W : NULL;
    }
    CHECK_OK(rsd_loss_run(rsd_transformer_mm(r->t), &l, r->work));
    if (backward)
        CHECK_OK(rsd_transformer_backward(r->t, r->dh, grad));
    return rsd_mean(loss, M);
}

#endif
