/* A real model with H and G of its linear layers, for tests that want real layers. */
#ifndef RSD_TEST_CALIBRATED_MODEL_H
#define RSD_TEST_CALIBRATED_MODEL_H

#include "boot.h"
#include "quantizers/calibration.h"
#include "transformer/calibrate.h"
#include "transformer/evaluate.h"

#include "test.h"

typedef struct {
    rsd_model *model;
    rsd_weights *w;
    rsd_block_moments *block;
    rsd_moment *memory; /* [layers][RSD_LINEARS][2]: H, G */
} calibrated;

/* Path of a file of the model beside the checkout, in static storage; NULL where it is missing, and
 * under sanitizers. */
static inline const char *model_file(const char *model, const char *name)
{
    char relative[256];
    snprintf(relative, sizeof relative, "models/%s/%s", model, name);
    return sanitized() ? NULL : shared_file(relative);
}

static inline void calibrated_open(const char *model, calibrated *c)
{
    char folder[4096];
    const char *file = model_file(model, "config.json");
    assert_non_null(file);
    snprintf(folder, sizeof folder, "%.*s", (int)(strlen(file) - strlen("/config.json")), file);
    CHECK_OK(rsd_model_open(folder, &c->model));
    CHECK_OK(rsd_weights_load(c->model, &c->w));
    const size_t layers = c->w->shape.layers;
    c->block = calloc(layers, sizeof *c->block);
    c->memory = calloc(layers * RSD_LINEARS * 2, sizeof *c->memory);
    assert_true(c->block && c->memory);
}

static inline void calibrated_forget(calibrated *c)
{
    for (size_t i = 0; i < c->w->shape.layers * RSD_LINEARS * 2; i++) {
        rsd_moment_free(&c->memory[i]);
        c->memory[i] = (rsd_moment){ 0 };
    }
}

/* H and G of every layer, as the weights w are now, over the first windows of the model's tokens;
 * labels drawn by seed, or the data's. */
static inline void calibrated_run(calibrated *c, const char *tokens, size_t context, size_t windows,
                                  uint64_t seed)
{
    const size_t layers = c->w->shape.layers;
    const rsd_tokens_options o = { .vocab = c->w->shape.vocab, .limit = windows * context + 1 };
    rsd_calibrate_job job = { .block = c->block,
                              .layers = layers,
                              .context = context,
                              .windows = windows,
                              .batch = 8,
                              .seed = seed };
    rsd_tokens *stream;
    size_t done;
    calibrated_forget(c);
    for (size_t i = 0; i < layers * RSD_LINEARS; i++) {
        const size_t l = i / RSD_LINEARS, k = i % RSD_LINEARS;
        const rsd_factor *W = &c->w->block[l].linear[k].W;
        if (!W->x)
            continue;
        CHECK_OK(rsd_moment_alloc(W->cols, &c->memory[2 * i]));
        CHECK_OK(rsd_moment_alloc(W->rows, &c->memory[2 * i + 1]));
        c->block[l].H[k] = &c->memory[2 * i];
        c->block[l].G[k] = &c->memory[2 * i + 1];
    }
    CHECK_OK(rsd_tokens_open(tokens, &o, &stream));
    job.tokens = stream;
    CHECK_OK(rsd_transformer_alloc(c->w, RSD_PRECISION_F32, RSD_KEEP_ALL, 8 * context, &job.model));
    CHECK_OK(rsd_calibrate(&job, &done));
    assert_int_equal(done, windows);
    rsd_transformer_free(job.model);
    rsd_tokens_close(stream);
    for (size_t i = 0; i < layers * RSD_LINEARS * 2; i++)
        if (c->memory[i].n)
            CHECK_OK(rsd_moment_finish(&c->memory[i]));
}

/* The weight of a slot, x NULL where the architecture has none. */
static inline rsd_mat calibrated_weight(const calibrated *c, size_t layer, size_t slot)
{
    const rsd_factor *W = &c->w->block[layer].linear[slot].W;
    float *x = W->x ? c->w->memory + (W->x - c->w->memory) : NULL;
    return (rsd_mat){ x, W->rows, W->cols, W->cols };
}

static inline rsd_calibration calibrated_view(const calibrated *c, size_t layer, size_t slot)
{
    const rsd_moment *H = c->block[layer].H[slot], *G = c->block[layer].G[slot];
    return (rsd_calibration){ .m = G->n,
                              .n = H->n,
                              .H = H->second,
                              .G = G->second,
                              .mean_abs = H->mean_abs,
                              .max_abs = H->max_abs,
                              .tokens = H->rows };
}

/* Mean loss of w over the first windows of 256 tokens. */
static inline double mean_loss(rsd_weights *w, const rsd_tokens *tokens, size_t windows)
{
    rsd_evaluate_job job = { .tokens = tokens, .context = 256, .windows = windows, .batch = 8 };
    rsd_evaluation e;
    double sum = 0;
    CHECK_OK(rsd_transformer_alloc(w, RSD_PRECISION_F32, RSD_KEEP_NOTHING, 8 * 256, &job.model));
    CHECK_OK(rsd_evaluate(&job, &e));
    rsd_transformer_free(job.model);
    for (size_t i = 0; i < e.windows; i++)
        sum += e.loss[i] / (double)e.windows;
    rsd_evaluation_free(&e);
    return sum;
}

static inline void calibrated_close(calibrated *c)
{
    calibrated_forget(c);
    free(c->memory);
    free(c->block);
    rsd_weights_free(c->w);
    rsd_model_close(c->model);
}

#endif
