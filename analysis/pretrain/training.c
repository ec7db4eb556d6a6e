/* The loop of a training: steps, evaluations, checkpoints; and its report. */
#include "pretrain/training.h"

#include "boot.h"
#include "cli/console.h"
#include "cli/json_out.h"
#include "cli/stop.h"
#include "transformer/evaluate.h"

#include <math.h>
#include <stdio.h>

/* The model as it is now on the evaluation tokens; the best is kept. */
static int evaluate(training *t)
{
    const rsd_pretrain *p = &t->pretrain;
    const size_t T = p->options.context;
    rsd_evaluation result;
    const rsd_evaluate_job job = { .model = p->model,
                                   .tokens = t->eval_tokens,
                                   .context = T,
                                   .windows = rsd_windows(rsd_tokens_count(t->eval_tokens), T),
                                   .batch = p->options.pass,
                                   .stop = stop_callback };
    RSD_TRY(rsd_evaluate(&job, &result));
    if (result.windows < job.windows) { /* done again when the training goes on */
        rsd_evaluation_free(&result);
        return RSD_FAIL(RSD_ESTOPPED, "stopped in the evaluation after step %zu", p->adamw.step);
    }
    t->eval_loss = rsd_mean(result.loss, result.windows);
    t->eval_step = p->adamw.step;
    rsd_evaluation_free(&result);
    console_detail("step %zu: loss %.5f, on evaluation tokens %.5f", t->eval_step, t->last.loss,
                   t->eval_loss);
    if (!(t->eval_loss < t->progress.best))
        return RSD_OK;
    t->progress.best = t->eval_loss;
    t->progress.best_step = t->eval_step;
    return pretrain_folder_best(&t->folder, p);
}

static bool due(size_t step, size_t every, size_t last)
{
    return step == last || (every && step % every == 0);
}

/* One step, and the evaluation that is due after it. */
static int take_step(training *t, double started)
{
    rsd_pretrain *p = &t->pretrain;
    const pretrain_params *params = t->params;
    const double tokens = (double)params->batch * (double)p->options.context;
    char text[64];
    RSD_TRY(rsd_pretrain_step(p, &t->last));
    const size_t step = p->adamw.step;
    t->seconds = console_seconds() - started;
    snprintf(text, sizeof text, "loss %.4f, %.1fk tokens/s", t->last.loss,
             1e-3 * (double)(step - t->first_step) * tokens / t->seconds);
    console_progress_step(text, 1);
    if (t->eval_tokens && due(step, params->eval_every, params->steps))
        RSD_TRY(evaluate(t));
    return RSD_OK;
}

/* A signal ends it with the state of the last whole step. */
static int run_steps(training *t)
{
    rsd_pretrain *p = &t->pretrain;
    const pretrain_params *params = t->params;
    const double started = console_seconds();
    size_t kept = p->adamw.step;
    while (p->adamw.step < params->steps && !stop_requested()) {
        const int err = take_step(t, started);
        const size_t step = p->adamw.step;
        if (err && err != RSD_ESTOPPED)
            return err;
        if (step > kept && (due(step, params->checkpoint_every, params->steps) || err)) {
            RSD_TRY(pretrain_folder_checkpoint(&t->folder, p, &t->progress));
            kept = step;
        }
        if (err)
            return RSD_OK;
    }
    return p->adamw.step > kept ? pretrain_folder_checkpoint(&t->folder, p, &t->progress) : RSD_OK;
}

/* What a process that was ended between the two last writes has left undone. */
static int catch_up(training *t)
{
    const rsd_pretrain *p = &t->pretrain;
    if (t->eval_tokens && due(p->adamw.step, t->params->eval_every, t->params->steps)) {
        const int err = evaluate(t);
        if (err)
            return err == RSD_ESTOPPED ? RSD_OK : err;
    }
    return p->adamw.step == t->params->steps
               ? pretrain_folder_checkpoint(&t->folder, p, &t->progress)
               : RSD_OK;
}

int training_run(training *t)
{
    const rsd_pretrain *p = &t->pretrain;
    const size_t left = t->params->steps - p->adamw.step;
    if (t->first_step)
        console_note("%s: going on after step %zu of %zu", t->folder.path, t->first_step,
                     t->params->steps);
    console_detail("%zu parameters, %zu windows of %zu tokens, %.2f epochs, %zu MB of activations",
                   rsd_model_parameters(t->initial), p->windows, p->options.context,
                   (double)t->params->steps * (double)t->params->batch / (double)p->windows,
                   rsd_transformer_bytes(p->model) / 1000000);
    if (t->first_step)
        RSD_TRY(catch_up(t));
    console_progress_begin("step", left, (double)left);
    const int err = run_steps(t);
    console_progress_end();
    return err;
}

int training_report(const training *t)
{
    const rsd_pretrain *p = &t->pretrain;
    if (stop_requested() && p->adamw.step == t->first_step) { /* nothing was done */
        console_note("%s: stopped after %zu of %zu steps", t->folder.path, p->adamw.step,
                     t->params->steps);
        return RSD_OK;
    }
    const double window = (double)p->options.context * (double)p->options.batch;
    const double rate = (double)(p->adamw.step - t->first_step) * window / t->seconds;
    if (!t->params->common.json) {
        if (p->adamw.step == t->first_step)
            console_note("%s: %zu of %zu steps were done before", t->folder.path, p->adamw.step,
                         t->params->steps);
        else
            console_note("%s: %zu of %zu steps, loss %.5f, %.0f tokens/s", t->folder.path,
                         p->adamw.step, t->params->steps, t->last.loss, rate);
        if (t->eval_tokens)
            console_note("evaluation loss %.5f nats per token, best %.5f after step %zu",
                         t->eval_loss, t->progress.best, t->progress.best_step);
        return RSD_OK;
    }
    json_out j = json_begin_object();
    json_put_size(&j, "steps", p->adamw.step);
    json_put_size(&j, "parameters", rsd_model_parameters(t->initial));
    json_put_real(&j, "tokens", (double)p->adamw.step * window);
    json_put_real(&j, "epochs",
                  (double)p->adamw.step * (double)p->options.batch / (double)p->windows);
    json_put_real(&j, "loss", t->last.loss);
    json_put_real(&j, "eval_loss", t->eval_loss);
    json_put_real(&j, "best_eval_loss", t->progress.best);
    json_put_size(&j, "best_step", t->progress.best_step);
    json_put_real(&j, "seconds", t->seconds);
    json_put_real(&j, "tokens_per_s", rate);
    return json_print(&j, stdout, JSON_INDENTED);
}
