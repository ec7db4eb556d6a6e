/* Training adapters: what is made once, the objectives, and a step. */
#include "train/recover_trainer.h"

#include "alloc.h"
#include "mat.h"
#include "par.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- making one ---- */

static double targets(const rsd_recover_options *o)
{
    return (double)o->batch * (double)o->context;
}

/* The loss of a pass by logits; its gradients are those of the mean over the whole step. */
static rsd_loss loss_of(const rsd_recover *r, size_t windows, const rsd_real *hidden,
                        const rsd_real *taught)
{
    const rsd_recover_options *o = &r->options;
    rsd_loss l = { .M = windows * o->context,
                   .model = rsd_transformer_head(r->model, hidden),
                   .dh = r->dhidden };
    if (o->objective == RSD_OBJECTIVE_KL) {
        l.teacher = rsd_transformer_head(r->teacher, taught);
        l.kl_weight = 1 / targets(o);
        l.kl = r->loss;
    } else {
        l.target = r->target;
        l.ce_weight = 1 / targets(o);
        l.loss = r->loss;
    }
    return l;
}

static int check_teacher(const rsd_recover *r)
{
    if (r->options.objective == RSD_OBJECTIVE_CE)
        return RSD_OK;
    if (!r->teacher)
        return RSD_FAIL(RSD_EARG, "an objective against the original, but no original");
    const rsd_factor mine = rsd_transformer_head(r->model, NULL).W,
                     its = rsd_transformer_head(r->teacher, NULL).W;
    if (mine.rows != its.rows || mine.cols != its.cols)
        return RSD_FAIL(RSD_EARG, "the original's head is %zu x %zu, the model's %zu x %zu",
                        its.rows, its.cols, mine.rows, mine.cols);
    return RSD_OK;
}

static int check(const rsd_recover *r)
{
    const rsd_recover_options *o = &r->options;
    if (!o->batch || !o->pass)
        return RSD_FAIL(RSD_EARG, "%zu windows a step, %zu a pass: none may be 0", o->batch,
                        o->pass);
    if (!(o->b_ratio >= 0 && o->decay >= 0 && o->clip >= 0))
        return RSD_FAIL(RSD_EARG,
                        "ratio of learning rates %g, decay %g, clip %g: none may be "
                        "below 0",
                        o->b_ratio, o->decay, o->clip);
    if (r->grad->count != r->adapters->count || r->grad->variant != r->adapters->variant)
        return RSD_FAIL(RSD_EARG, "%zu numbers of %s, but gradients of %zu of %s",
                        r->adapters->count, rsd_variant_name(r->adapters->variant), r->grad->count,
                        rsd_variant_name(r->grad->variant));
    return check_teacher(r);
}

static int alloc_memory(rsd_recover *r)
{
    const rsd_recover_options *o = &r->options;
    const size_t rows = o->pass * o->context;
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *r->input, &r->input));
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *r->target, &r->target));
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *r->loss, &r->loss));
    RSD_TRY(rsd_array_alloc(rows, r->width, sizeof *r->dhidden, &r->dhidden));
    if (o->objective == RSD_OBJECTIVE_HIDDEN)
        return RSD_OK;
    const rsd_loss l = loss_of(r, o->pass, r->dhidden, r->dhidden);
    return rsd_array_alloc(rsd_loss_work(&l), 1, 1, &r->work);
}

static int set_up(rsd_recover *r, const rsd_tokens *tokens)
{
    rsd_recover_options *o = &r->options;
    RSD_TRY(check(r));
    o->pass = o->pass < o->batch ? o->pass : o->batch;
    o->adalora.steps = o->schedule.steps;
    r->width = rsd_transformer_head(r->model, NULL).W.cols;
    RSD_TRY(rsd_window_reader_alloc(tokens, o->context, o->held_out, o->seed, &r->reader));
    if (r->adapters->variant == RSD_ADALORA)
        RSD_TRY(rsd_adalora_alloc(r->adapters, r->grad, &o->adalora, &r->adalora));
    const size_t count = r->adapters->count;
    RSD_TRY(o->state_path ? rsd_adamw_alloc_mapped(count, &o->adamw, o->state_path, &r->adamw)
                          : rsd_adamw_alloc(count, &o->adamw, &r->adamw));
    RSD_TRY(alloc_memory(r));
    return rsd_adapted_refresh(r->adapted);
}

int rsd_recover_alloc(rsd_transformer *model, rsd_adapted *adapted, rsd_adapters *adapters,
                      rsd_adapters *grad, rsd_transformer *teacher, const rsd_tokens *tokens,
                      const rsd_recover_options *options, rsd_recover **out)
{
    rsd_recover *r;
    RSD_TRY(rsd_zeroed(1, sizeof *r, out));
    r = *out;
    r->options = *options;
    r->model = model;
    r->teacher = teacher;
    r->adapted = adapted;
    r->adapters = adapters;
    r->grad = grad;
    const int err = set_up(r, tokens);
    if (err) {
        rsd_recover_free(r);
        *out = NULL;
    }
    return err;
}

void rsd_recover_free(rsd_recover *r)
{
    if (!r)
        return;
    free(r->best);
    rsd_window_reader_free(&r->reader);
    rsd_adamw_free(&r->adamw);
    rsd_adalora_free(r->adalora);
    free(r->input);
    free(r->target);
    free(r->loss);
    free(r->dhidden);
    free(r->work);
    free(r);
}

size_t rsd_recover_steps(const rsd_recover *r) { return r->adamw.step; }
size_t rsd_recover_windows(const rsd_recover *r) { return r->reader.count; }

size_t rsd_recover_bytes(const rsd_recover *r)
{
    return r->adapters->count * (r->adalora ? 4 : 2) * sizeof(rsd_real);
}

/* ---- the best step so far ---- */

int rsd_recover_judge(rsd_recover *r, double loss)
{
    const size_t bytes = r->adapters->count * sizeof *r->best;
    if (!isfinite(loss) || (r->best && !(loss < r->best_loss)))
        return RSD_OK;
    if (!r->best)
        RSD_TRY(rsd_array_alloc(r->adapters->count, 1, sizeof *r->best, &r->best));
    memcpy(r->best, r->adapters->memory, bytes);
    r->best_loss = loss;
    r->best_step = r->adamw.step;
    return RSD_OK;
}

bool rsd_recover_best(const rsd_recover *r, size_t *step, double *loss)
{
    *step = r->best ? r->best_step : r->adamw.step;
    *loss = r->best ? r->best_loss : NAN;
    return r->best;
}

int rsd_recover_take_best(rsd_recover *r)
{
    if (!r->best)
        return RSD_OK;
    memcpy(r->adapters->memory, r->best, r->adapters->count * sizeof *r->best);
    return rsd_adapted_refresh(r->adapted);
}

size_t rsd_recover_rank(const rsd_recover *r, size_t layer, rsd_slot slot)
{
    return r->adalora ? rsd_adalora_rank(r->adalora, layer, slot)
                      : r->adapters->layer[layer][slot].rank;
}

/* ---- a step ---- */

/* Mean squares of h - t by row, and the gradient of their mean over the step. */
static void hidden_loss(const rsd_recover *r, size_t rows, const rsd_real *h, const rsd_real *t)
{
    const size_t C = r->width;
    const rsd_real weight = (rsd_real)(2 / (targets(&r->options) * (double)C));
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t m = 0; m < rows; m++) {
        double sum = 0;
        for (size_t i = m * C; i < (m + 1) * C; i++) {
            const rsd_real d = h[i] - t[i];
            sum += (double)d * (double)d;
            r->dhidden[i] = weight * d;
        }
        r->loss[m] = sum / (double)C;
    }
}

/* Gradients of one pass are added; the sum of its losses too. */
static int run_pass(rsd_recover *r, size_t first, size_t count, double *sum)
{
    const size_t T = r->options.context;
    const rsd_real *hidden, *taught = NULL;
    RSD_TRY(rsd_window_reader_read(&r->reader, first, count, r->input, r->target));
    if (r->options.objective != RSD_OBJECTIVE_CE)
        RSD_TRY(rsd_transformer_forward(r->teacher, r->input, count, T, &taught));
    RSD_TRY(rsd_transformer_forward(r->model, r->input, count, T, &hidden));
    if (r->options.objective == RSD_OBJECTIVE_HIDDEN)
        hidden_loss(r, count * T, hidden, taught);
    else {
        const rsd_loss l = loss_of(r, count, hidden, taught);
        RSD_TRY(rsd_loss_run(rsd_transformer_mm(r->model), &l, r->work));
    }
    for (size_t i = 0; i < count * T; i++)
        *sum += r->loss[i];
    return rsd_transformer_backward(r->model, r->dhidden, NULL);
}

static void update_array(rsd_recover *r, double rate, double decay, double scale, rsd_real *x,
                         size_t n)
{
    rsd_adamw_update(&r->adamw, rate, decay, scale, (size_t)(x - r->adapters->memory), n,
                     r->grad->memory, r->adapters->memory);
}

static void update(rsd_recover *r, double rate, double scale)
{
    const rsd_recover_options *o = &r->options;
    rsd_adamw_begin(&r->adamw);
    for (size_t i = 0; i < r->adapters->layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const rsd_adapter *a = &r->adapters->layer[i][s];
            if (!a->rank)
                continue;
            update_array(r, rate, o->decay, scale, a->A, a->rank * (a->n / a->pool));
            update_array(r, rate * o->b_ratio, o->decay, scale, a->B, a->m * a->rank);
            if (a->lambda)
                update_array(r, rate, 0, scale, a->lambda, a->rank);
            if (a->magnitude)
                update_array(r, rate, 0, scale, a->magnitude, a->m);
        }
    if (r->adalora)
        rsd_adalora_step(r->adalora, r->adamw.step, scale);
}

static int gradients(rsd_recover *r, double *loss)
{
    const rsd_recover_options *o = &r->options;
    const size_t first = r->adamw.step * o->batch;
    double penalty;
    *loss = 0;
    memset(r->grad->memory, 0, r->grad->count * sizeof *r->grad->memory);
    for (size_t done = 0; done < o->batch; done += o->pass) {
        const size_t left = o->batch - done, count = left < o->pass ? left : o->pass;
        if (o->stop && o->stop(o->callback_context))
            return RSD_FAIL(RSD_ESTOPPED, "stopped in step %zu, after %zu of %zu windows",
                            r->adamw.step + 1, done, o->batch);
        RSD_TRY(run_pass(r, first + done, count, loss));
        if (o->progress)
            o->progress(o->callback_context, done + count);
    }
    *loss /= targets(o);
    return r->adalora ? rsd_adalora_penalty(r->adalora, &penalty) : RSD_OK;
}

int rsd_recover_step(rsd_recover *r, rsd_step *out)
{
    const size_t step = r->adamw.step;
    double loss;
    RSD_TRY(gradients(r, &loss));
    *out = (rsd_step){ .loss = loss,
                       .norm = rsd_norm2(r->grad->memory, r->grad->count),
                       .rate = rsd_schedule_rate(&r->options.schedule, step) };
    if (!isfinite(out->norm) || !isfinite(out->loss))
        return RSD_FAIL(RSD_EDOM, "step %zu: the loss is %g, the gradient's norm %g", step + 1,
                        out->loss, out->norm);
    update(r, out->rate, rsd_clip(out->norm, r->options.clip));
    return rsd_adapted_refresh(r->adapted);
}
