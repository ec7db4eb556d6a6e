#include "train/pretrain.h"

#include "mat.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The loss of a pass; its gradients are those of the mean over the whole step. */
static rsd_loss loss_of(const rsd_pretrain *p, size_t windows, const rsd_real *hidden)
{
    const rsd_pretrain_options *o = &p->options;
    return (rsd_loss){
        .M = windows * o->context,
        .model = rsd_transformer_head(p->model, hidden),
        .target = p->target,
        .ce_weight = 1 / ((double)o->batch * (double)o->context),
        .loss = p->loss,
        .dh = p->dhidden,
        .dW = p->grad->head.W,
    };
}

/* Every number that is trained has a name in the checkpoint, and the other way round. */
static int check_parameters(const rsd_pretrain *p)
{
    size_t named = 0;
    for (size_t i = 0; i < p->parameters.count; i++) {
        const rsd_parameter *q = &p->parameters.item[i];
        if (!q->x)
            return RSD_FAIL(RSD_EARG, "the model has no tensor '%s'", q->name);
        named += (rsd_parameter_elements(q) + 15) / 16 * 16; /* as the weights' block is carved */
    }
    if (named != p->weights->count)
        return RSD_FAIL(RSD_EARG, "a %s by default has %zu numbers, this model %zu (padded)",
                        p->weights->arch->name, named, p->weights->count);
    return RSD_OK;
}

static int alloc_memory(rsd_pretrain *p)
{
    const size_t rows = p->options.pass * p->options.context;
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *p->input, &p->input));
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *p->target, &p->target));
    RSD_TRY(rsd_array_alloc(rows, 1, sizeof *p->loss, &p->loss));
    RSD_TRY(rsd_array_alloc(rows, p->weights->shape.width, sizeof *p->dhidden, &p->dhidden));
    const rsd_loss l = loss_of(p, p->options.pass, p->dhidden);
    return rsd_array_alloc(rsd_loss_work(&l), 1, 1, &p->work);
}

int rsd_pretrain_alloc(rsd_weights *weights, const rsd_tokens *tokens,
                       const rsd_pretrain_options *options, rsd_pretrain *out)
{
    rsd_pretrain *p = out;
    *p = (rsd_pretrain){ .options = *options, .weights = weights };
    if (!options->batch || !options->pass)
        return RSD_FAIL(RSD_EARG, "%zu windows a step, %zu a pass: none may be 0", options->batch,
                        options->pass);
    RSD_TRY(rsd_window_reader_alloc(tokens, options->context, 0, options->seed, &p->reader));
    p->windows = p->reader.count;
    p->options.pass = options->pass < options->batch ? options->pass : options->batch;
    RSD_TRY(rsd_parameters_list(weights->arch, &weights->shape, weights, &p->parameters));
    RSD_TRY(check_parameters(p));
    RSD_TRY(rsd_adamw_alloc(weights->count, &options->adamw, &p->adamw));
    RSD_TRY(rsd_gradients_alloc(weights, &p->grad));
    RSD_TRY(rsd_transformer_alloc(weights, options->precision,
                                  options->recompute ? RSD_KEEP_INPUTS : RSD_KEEP_ALL,
                                  p->options.pass * options->context, &p->model));
    return alloc_memory(p);
}

void rsd_pretrain_free(rsd_pretrain *p)
{
    rsd_parameters_free(&p->parameters);
    rsd_adamw_free(&p->adamw);
    rsd_transformer_free(p->model);
    rsd_gradients_free(p->grad);
    rsd_window_reader_free(&p->reader);
    free(p->input);
    free(p->target);
    free(p->loss);
    free(p->dhidden);
    free(p->work);
    *p = (rsd_pretrain){ 0 };
}

int rsd_pretrain_refresh(rsd_pretrain *p)
{
    return rsd_weights_prepare(p->weights, rsd_transformer_mm(p->model));
}

/* Gradients of one pass are added; the sum of its losses too. */
static int run_pass(rsd_pretrain *p, size_t first, size_t count, double *sum)
{
    const size_t T = p->options.context;
    const rsd_real *hidden;
    RSD_TRY(rsd_window_reader_read(&p->reader, first, count, p->input, p->target));
    RSD_TRY(rsd_transformer_forward(p->model, p->input, count, T, &hidden));
    const rsd_loss l = loss_of(p, count, hidden);
    RSD_TRY(rsd_loss_run(rsd_transformer_mm(p->model), &l, p->work));
    for (size_t i = 0; i < count * T; i++)
        *sum += p->loss[i];
    return rsd_transformer_backward(p->model, p->dhidden, p->grad);
}

static void update(rsd_pretrain *p, const rsd_step *s)
{
    const double scale = rsd_clip(s->norm, p->options.clip);
    rsd_adamw_begin(&p->adamw);
    for (size_t i = 0; i < p->parameters.count; i++) {
        const rsd_parameter *q = &p->parameters.item[i];
        const size_t first = (size_t)(q->x - p->weights->memory);
        rsd_adamw_update(&p->adamw, s->rate, q->cols ? p->options.decay : 0, scale, first,
                         rsd_parameter_elements(q), p->grad->memory, p->weights->memory);
    }
}

int rsd_pretrain_step(rsd_pretrain *p, rsd_step *out)
{
    const rsd_pretrain_options *o = &p->options;
    const size_t step = p->adamw.step;
    double sum = 0;
    rsd_gradients_clear(p->grad);
    for (size_t done = 0; done < o->batch; done += o->pass) {
        const size_t left = o->batch - done, count = left < o->pass ? left : o->pass;
        if (o->stop && o->stop(o->callback_context))
            return RSD_FAIL(RSD_ESTOPPED, "stopped in step %zu, after %zu of %zu windows", step + 1,
                            done, o->batch);
        RSD_TRY(run_pass(p, step * o->batch + done, count, &sum));
        if (o->progress)
            o->progress(o->callback_context, done + count);
    }
    *out = (rsd_step){ .loss = sum / ((double)o->batch * (double)o->context),
                       .norm = rsd_norm2(p->grad->memory, p->grad->count),
                       .rate = rsd_schedule_rate(&o->schedule, step) };
    if (!isfinite(out->norm))
        return RSD_FAIL(RSD_EDOM, "step %zu: the gradient's norm is %g", step + 1, out->norm);
    update(p, out);
    return rsd_pretrain_refresh(p);
}
