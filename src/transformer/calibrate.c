#include "transformer/calibrate.h"

#include "mat.h"
#include "rng.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool rsd_same_input(rsd_slot a, rsd_slot b)
{
    /* what the slot reads: norm1, attention, norm2, activation */
    static const int reads[RSD_LINEARS] = {
        [RSD_O] = 1,
        [RSD_GATE] = 2,
        [RSD_UP] = 2,
        [RSD_DOWN] = 3,
    };
    return reads[a] == reads[b];
}

/* Memory of the passes. */
typedef struct {
    const rsd_calibrate_job *job;
    int32_t *token, *input, *target;
    rsd_real *dh;
    double *panel;
    void *work;
    size_t work_bytes;
    bool backward; /* some G is wanted */
} run;

static int take_input(void *context, size_t layer, rsd_slot slot, const rsd_real *x, size_t rows,
                      size_t cols)
{
    const run *r = context;
    rsd_moment *m = r->job->block[layer].H[slot];
    if (m) {
        assert(m->n == cols);
        rsd_moment_add(m, x, rows, r->panel);
    }
    return RSD_OK;
}

static int take_gradient(void *context, size_t layer, rsd_slot slot, const rsd_real *dy,
                         size_t rows, size_t cols)
{
    const run *r = context;
    rsd_moment *m = r->job->block[layer].G[slot];
    if (m) {
        assert(m->n == cols);
        rsd_moment_add(m, dy, rows, r->panel);
    }
    return RSD_OK;
}

/* Widest moment; notes on the way whether gradients are wanted. */
static size_t widest(run *r)
{
    size_t n = 1;
    for (size_t i = 0; i < r->job->layers; i++)
        for (int slot = 0; slot < RSD_LINEARS; slot++) {
            const rsd_moment *H = r->job->block[i].H[slot], *G = r->job->block[i].G[slot];
            n = H && H->n > n ? H->n : n;
            n = G && G->n > n ? G->n : n;
            r->backward |= G != NULL;
        }
    return n;
}

static int run_alloc(run *r)
{
    const rsd_calibrate_job *job = r->job;
    const size_t rows = job->batch * job->context;
    const size_t width = rsd_transformer_head(job->model, NULL).W.cols;
    RSD_TRY(rsd_array_alloc(job->context + 1, 1, sizeof *r->token, &r->token));
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *r->input, &r->input));
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *r->target, &r->target));
    RSD_TRY(rsd_array_alloc(rows, width, sizeof *r->dh, &r->dh));
    return rsd_array_alloc(RSD_MOMENT_PANEL, widest(r), sizeof *r->panel, &r->panel);
}

static void run_free(run *r)
{
    free(r->token);
    free(r->input);
    free(r->target);
    free(r->dh);
    free(r->panel);
    free(r->work);
}

static int read_windows(run *r, size_t first, size_t count)
{
    const size_t T = r->job->context;
    for (size_t w = 0; w < count; w++) {
        RSD_TRY(rsd_tokens_read(r->job->tokens, (first + w) * T, T + 1, r->token));
        memcpy(r->input + w * T, r->token, T * sizeof *r->token);
        memcpy(r->target + w * T, r->token + 1, T * sizeof *r->token);
    }
    return RSD_OK;
}

/* Gradient of the sum of one window's losses by its hidden states. */
static int window_loss(run *r, size_t window, size_t at, const rsd_real *hidden)
{
    const size_t T = r->job->context;
    const size_t width = rsd_transformer_head(r->job->model, NULL).W.cols, offset = at * T * width;
    char key[64];
    rsd_rng *rng = NULL;
    snprintf(key, sizeof key, "calibrate/window/%zu", window);
    if (!r->job->empirical)
        RSD_TRY(rsd_rng_alloc(r->job->seed, key, &rng));
    const rsd_loss loss = { .M = T,
                            .model = rsd_transformer_head(r->job->model, hidden + offset),
                            .target = r->target + at * T,
                            .rng = rng,
                            .ce_weight = 1,
                            .dh = r->dh + offset };
    int err = RSD_OK;
    const size_t bytes = rsd_loss_work(&loss);
    if (bytes > r->work_bytes) {
        free(r->work);
        r->work_bytes = 0;
        RSD_TRY_DONE(rsd_array_alloc(bytes, 1, 1, &r->work));
        r->work_bytes = bytes;
    }
    err = rsd_loss_run(rsd_transformer_mm(r->job->model), &loss, r->work);
done:
    rsd_rng_free(rng);
    return err ? rsd_fail_prefix(err, "window %zu", window) : RSD_OK;
}

static int run_batch(run *r, size_t first, size_t count)
{
    const rsd_real *hidden;
    RSD_TRY(read_windows(r, first, count));
    RSD_TRY(rsd_transformer_forward(r->job->model, r->input, count, r->job->context, &hidden));
    if (!r->backward)
        return RSD_OK;
    for (size_t w = 0; w < count; w++)
        RSD_TRY(window_loss(r, first + w, w, hidden));
    return rsd_transformer_backward(r->job->model, r->dh, NULL);
}

int rsd_calibrate(const rsd_calibrate_job *job, size_t *done)
{
    run r = { .job = job };
    const rsd_capture capture = { take_input, take_gradient, &r };
    int err = RSD_OK;
    *done = job->first;
    RSD_TRY_DONE(run_alloc(&r));
    rsd_transformer_capture(job->model, &capture);
    while (*done < job->windows && !(job->stop && job->stop(job->callback_context))) {
        const size_t left = job->windows - *done, count = left < job->batch ? left : job->batch;
        RSD_TRY_DONE(run_batch(&r, *done, count));
        *done += count;
        if (job->progress)
            job->progress(job->callback_context, *done);
    }
done:
    rsd_transformer_capture(job->model, NULL);
    run_free(&r);
    return err;
}
