/* Training a run's adapters, with evaluations on the way, the choice of the step to end with, and a
 * state to go on from. */
#include "alloc.h"
#include "boot.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "io/file.h"
#include "mat.h"
#include "recover/losses.h"
#include "recover/train_state.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- evaluations ---- */

static size_t windows_bytes(const training *t)
{
    return t->s->sweep->eval.windows * sizeof *t->last;
}

static int losses_now(training *t)
{
    t->last_step = SIZE_MAX;
    if (t->c->steps)
        RSD_TRY(student_losses(t->s, t->last));
    else
        memcpy(t->last, t->init, windows_bytes(t));
    t->last_step = t->c->steps;
    return RSD_OK;
}

/* The loss on windows that no step sees says whether this step is the best so far. */
static int judge(training *t, double held)
{
    curves *c = t->c;
    size_t best;
    double loss;
    c->held_step[c->looks] = (double)c->steps;
    c->held_loss[c->looks++] = held;
    console_detail("%s: step %zu, loss %.5f on the windows held out", t->s->run->name, c->steps,
                   held);
    if (c->steps < t->settled)
        return RSD_OK;
    RSD_TRY(rsd_recover_judge(t->s->trainer, held));
    if (rsd_recover_best(t->s->trainer, &best, &loss) && best == c->steps) {
        memcpy(t->kept, t->last, windows_bytes(t));
        t->kept_step = best;
    }
    return RSD_OK;
}

/* Nothing is noted before all is known: an evaluation that is stopped has not been. */
static int evaluate(training *t)
{
    curves *c = t->c;
    const bool looks =
        t->n->keep == RECOVER_KEEP_BEST && rsd_held_out_looks(&t->s->sweep->held, c->evals);
    double held = NAN;
    RSD_TRY(losses_now(t));
    if (looks)
        RSD_TRY(student_held_out(t->s, &held));
    const double loss = rsd_mean(t->last, t->s->sweep->eval.windows);
    c->eval_step[c->evals] = (double)c->steps;
    c->eval_loss[c->evals++] = loss;
    if (loss < c->best) {
        c->best = loss;
        c->best_step = c->steps;
    }
    if (c->steps)
        console_detail("%s: step %zu, loss %.5f", t->s->run->name, c->steps, loss);
    return looks ? judge(t, held) : RSD_OK;
}

static bool due(size_t step, size_t every, size_t last)
{
    return step == 0 || step == last || (every && step % every == 0);
}

/* The state of the last whole step, and the message of what was stopped. */
static int stopped(const training *t)
{
    char message[256];
    snprintf(message, sizeof message, "%s", rsd_errmsg());
    if (t->c->steps)
        RSD_TRY(training_write_state(t));
    return RSD_FAIL(RSD_ESTOPPED, "%s", message);
}

/* One that was stopped is done when the run goes on. */
static int evaluate_or_stop(training *t)
{
    const int err = evaluate(t);
    return err == RSD_ESTOPPED ? stopped(t) : err;
}

/* ---- steps ---- */

static void trace_windows(void *context, size_t done)
{
    const student *s = context;
    if (s->trainer) /* not while rates are tried */
        console_trace("%s: step %zu, %zu of %zu windows", s->run->name,
                      rsd_recover_steps(s->trainer) + 1, done, s->sweep->params->numbers.batch);
}

static int take_step(training *t)
{
    const recover_params *p = t->s->sweep->params;
    curves *c = t->c;
    rsd_step step;
    const double tokens = (double)t->n->batch * (double)t->s->sweep->train.context;
    const double started = console_seconds();
    const int err = rsd_recover_step(t->s->trainer, &step);
    if (err == RSD_ESTOPPED) /* the adapters are those of the last whole step */
        return stopped(t);
    RSD_TRY(err);
    c->seconds += console_seconds() - started;
    c->train_loss[c->steps] = step.loss;
    c->rate[c->steps++] = step.rate;
    char text[160];
    snprintf(text, sizeof text, "loss %.4f, %.1fk tokens/s", step.loss,
             1e-3 * (double)c->steps * tokens / c->seconds);
    console_progress_step(text, 1);
    const bool evaluation = due(c->steps, t->n->eval_every, t->n->steps);
    if (evaluation)
        RSD_TRY(evaluate_or_stop(t));
    if (evaluation || due(c->steps, p->checkpoint_every, t->n->steps) || stop_requested())
        return training_write_state(t);
    return RSD_OK;
}

/* The adapters of the best step become the run's, and its losses: where this process has not seen
 * them they are measured, with the same bits. */
static int finish(training *t)
{
    curves *c = t->c;
    (void)rsd_recover_best(t->s->trainer, &c->kept_step, &c->kept_loss);
    if (c->kept_step == c->steps)
        return t->last_step == c->steps ? RSD_OK : losses_now(t);
    RSD_TRY(rsd_recover_take_best(t->s->trainer));
    if (c->kept_step == 0)
        memcpy(t->last, t->init, windows_bytes(t));
    else if (t->kept_step == c->kept_step)
        memcpy(t->last, t->kept, windows_bytes(t));
    else
        return student_losses(t->s, t->last);
    return RSD_OK;
}

static int run_steps(training *t)
{
    curves *c = t->c;
    const bool evaluated = c->evals && c->eval_step[c->evals - 1] == (double)c->steps;
    if (!evaluated && due(c->steps, t->n->eval_every, t->n->steps))
        RSD_TRY(evaluate_or_stop(t)); /* the first, or stopped in it */
    while (c->steps < t->n->steps) {
        if (stop_requested())
            return RSD_FAIL(RSD_ESTOPPED, "stopped after step %zu", c->steps);
        RSD_TRY(take_step(t));
    }
    return finish(t);
}

/* ---- the trainer ---- */

rsd_recover_options training_options(student *s, size_t steps, double rate)
{
    const sweep *sw = s->sweep;
    const recover_numbers *n = &sw->params->numbers;
    const bool whole = steps == n->steps; /* not of a probe, which is too short for numbers given */
    rsd_recover_options o = {
        .objective = (rsd_objective)n->objective,
        .context = sw->train.context,
        .batch = n->batch,
        .pass = sw->pass,
        .held_out = sw->held.windows,
        .schedule = { .steps = steps,
                      .warmup = n->warmup < steps / 2 ? n->warmup : steps / 2,
                      .peak = rate },
        .adamw = rsd_adamw_defaults,
        .decay = n->decay,
        .clip = n->clip,
        .b_ratio = n->b_ratio,
        .seed = s->run->seed,
        .stop = stop_callback,
        .progress = trace_windows,
        .callback_context = s,
        .state_path = sw->params->optimizer_state,
        .adalora = rsd_adalora_defaults,
    };
    o.adalora.target = n->target_rank ? n->target_rank : (2 * s->run->rank + 2) / 3;
    o.adalora.steps = steps;
    o.adalora.begin = whole && n->budget_begin ? n->budget_begin : steps / 10;
    o.adalora.end = whole && n->budget_end ? n->budget_end : steps / 2;
    o.adalora.interval = n->budget_interval;
    o.adalora.penalty = n->orthogonality;
    return o;
}

/* The rate is part of it: where another is chosen, a training is not continued with it. */
static int identify(training *t)
{
    const sweep *s = t->s->sweep;
    const recover_run *run = t->s->run;
    char *text;
    RSD_TRY(rsd_format(&text, "%.*s %s %s %s rate=%.17g", (int)run->training, run->name,
                       s->entry.sha256, s->options, s->inputs, t->s->rate));
    rsd_sha256(text, strlen(text), t->identity);
    free(text);
    return RSD_OK;
}

/* The rate of the training: what a process before found, or what is found now. */
static int settle_rate(training *t, bool found)
{
    student *s = t->s;
    if (!found) {
        t->c->peak = s->rate;
        if (t->n->lr_probe)
            RSD_TRY(training_probe(t));
    }
    if (t->c->peak != s->rate) {
        s->displacement *= t->c->peak / s->rate;
        s->rate = t->c->peak;
    }
    return RSD_OK;
}

static int open_training(training *t, const char *state)
{
    student *s = t->s;
    RSD_TRY(rsd_array_alloc(s->sweep->eval.windows, 1, sizeof *t->kept, &t->kept));
    RSD_TRY(identify(t));
    if (state) {
        RSD_TRY(rsd_format(&t->state, "%s.state", state));
        RSD_TRY(rsd_format(&t->curve, "%s.curves", state));
    }
    const bool found = training_find_curves(t);
    RSD_TRY(settle_rate(t, found));
    const rsd_recover_options o = training_options(s, t->n->steps, t->c->peak);
    if (s->run->variant == RSD_ADALORA)
        t->settled = o.adalora.steps - o.adalora.end;
    RSD_TRY(rsd_recover_alloc(s->pass, s->hook, &s->adapters, &s->grad, s->sweep->teacher,
                              s->sweep->train.tokens, &o, &s->trainer));
    if (found)
        training_resume(t);
    return RSD_OK;
}

int recover_train(student *s, const char *state, const double *init, curves *c, double *trained)
{
    training t = { .s = s,
                   .n = &s->sweep->params->numbers,
                   .c = c,
                   .init = init,
                   .last = trained,
                   .last_step = SIZE_MAX,
                   .kept_step = SIZE_MAX };
    int err = open_training(&t, state);
    if (!err)
        err = run_steps(&t);
    free(t.state);
    free(t.curve);
    free(t.kept);
    return err;
}
