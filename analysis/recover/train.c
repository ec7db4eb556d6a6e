/* Training a run's adapters, with evaluations on the way and a state to go on from. */
#include "alloc.h"
#include "boot.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "io/file.h"
#include "mat.h"
#include "recover/losses.h"
#include "recover/train_state.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int evaluate(const training *t)
{
    curves *c = t->c;
    RSD_TRY(student_losses(t->s, t->last));
    const double loss = rsd_mean(t->last, t->s->sweep->eval.windows);
    c->eval_step[c->evals] = (double)c->steps;
    c->eval_loss[c->evals++] = loss;
    console_detail("%s: step %zu, loss %.5f", t->s->run->name, c->steps, loss);
    if (!(loss < c->best))
        return RSD_OK;
    c->best = loss;
    c->best_step = c->steps;
    return t->best && c->steps ? rsd_recover_write(t->s->trainer, t->identity, t->best) : RSD_OK;
}

static bool due(size_t step, size_t every, size_t last)
{
    return step == last || (every && step % every == 0);
}

/* The state of the last whole step, and the message of what was stopped. */
static int stopped(const training *t)
{
    char message[256];
    snprintf(message, sizeof message, "%s", rsd_errmsg());
    RSD_TRY(training_write_state(t));
    return RSD_FAIL(RSD_ESTOPPED, "%s", message);
}

/* One that was stopped is done when the run goes on. */
static int evaluate_or_stop(const training *t)
{
    const int err = evaluate(t);
    return err == RSD_ESTOPPED ? stopped(t) : err;
}

static void trace_windows(void *context, size_t done)
{
    const student *s = context;
    console_trace("%s: step %zu, %zu of %zu windows", s->run->name,
                  rsd_recover_steps(s->trainer) + 1, done, s->sweep->params->numbers.batch);
}

static int take_step(const training *t)
{
    const recover_params *p = t->s->sweep->params;
    curves *c = t->c;
    rsd_step step;
    const double tokens = (double)t->n->batch * (double)t->s->sweep->train.context;
    const double started = console_seconds();
    const int err = rsd_recover_step(t->s->trainer, &step);
    if (err == RSD_ESTOPPED) /* the adapters are those of the last whole step */
        return c->steps ? stopped(t) : err;
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

static rsd_recover_options options_of(student *s)
{
    const sweep *sw = s->sweep;
    const recover_numbers *n = &sw->params->numbers;
    rsd_recover_options o = {
        .objective = (rsd_objective)n->objective,
        .context = sw->train.context,
        .batch = n->batch,
        .pass = sw->pass,
        .schedule = { .steps = n->steps,
                      .warmup = n->warmup < n->steps / 2 ? n->warmup : n->steps / 2,
                      .peak = n->lr },
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
    o.adalora.steps = n->steps;
    o.adalora.begin = n->budget_begin ? n->budget_begin : n->steps / 10;
    o.adalora.end = n->budget_end ? n->budget_end : n->steps / 2;
    o.adalora.interval = n->budget_interval;
    o.adalora.penalty = n->orthogonality;
    return o;
}

int training_identity(const sweep *s, const recover_run *run, char identity[65])
{
    char *text;
    RSD_TRY(rsd_format(&text, "%.*s %s %s %s", (int)run->training, run->name, s->entry.sha256,
                       s->options, s->inputs));
    rsd_sha256(text, strlen(text), identity);
    free(text);
    return RSD_OK;
}

static int open_training(training *t, const char *state)
{
    student *s = t->s;
    const rsd_recover_options o = options_of(s);
    RSD_TRY(training_identity(s->sweep, s->run, t->identity));
    if (state) {
        RSD_TRY(rsd_format(&t->state, "%s.state", state));
        RSD_TRY(rsd_format(&t->curve, "%s.curves", state));
    }
    if (state && s->sweep->params->save_adapters)
        RSD_TRY(rsd_format(&t->best, "%s.best", state));
    return rsd_recover_alloc(s->pass, s->hook, &s->adapters, &s->grad, s->sweep->teacher,
                             s->sweep->train.tokens, &o, &s->trainer);
}

static int run_steps(training *t, double first)
{
    curves *c = t->c;
    if (c->evals == 0) { /* step 0 was evaluated by the caller */
        c->eval_step[0] = 0;
        c->eval_loss[0] = c->best = first;
        c->best_step = 0;
        c->evals = 1;
    }
    const bool evaluated = c->eval_step[c->evals - 1] == (double)c->steps;
    if (!evaluated && due(c->steps, t->n->eval_every, t->n->steps))
        RSD_TRY(evaluate_or_stop(t)); /* stopped in it */
    else if (c->steps == t->n->steps) /* stopped between the last step and the end */
        return student_losses(t->s, t->last);
    while (c->steps < t->n->steps) {
        if (stop_requested())
            return RSD_FAIL(RSD_ESTOPPED, "stopped after step %zu", c->steps);
        RSD_TRY(take_step(t));
    }
    return RSD_OK;
}

int recover_train(student *s, const char *state, double first, curves *c, double *last)
{
    training t = { .s = s, .n = &s->sweep->params->numbers, .c = c, .last = last };
    int err = open_training(&t, state);
    if (!err) {
        training_resume(&t);
        err = run_steps(&t, first);
    }
    free(t.state);
    free(t.curve);
    free(t.best);
    return err;
}
