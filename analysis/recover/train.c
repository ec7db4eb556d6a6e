/* Training a run's adapters, with evaluations on the way and a state to go on from. */
#include "recover/train.h"
#include "alloc.h"
#include "boot.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "io/file.h"
#include "mat.h"
#include "recover/losses.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int curves_alloc(const recover_numbers *n, curves *c)
{
    *c = (curves){ .best = INFINITY };
    c->most_evals = 2 + (n->eval_every ? n->steps / n->eval_every : 0);
    RSD_TRY(rsd_array_alloc(n->steps, 1, sizeof *c->train_loss, &c->train_loss));
    RSD_TRY(rsd_array_alloc(n->steps, 1, sizeof *c->rate, &c->rate));
    RSD_TRY(rsd_array_alloc(c->most_evals, 1, sizeof *c->eval_step, &c->eval_step));
    return rsd_array_alloc(c->most_evals, 1, sizeof *c->eval_loss, &c->eval_loss);
}

void curves_free(curves *c)
{
    free(c->train_loss);
    free(c->rate);
    free(c->eval_step);
    free(c->eval_loss);
    *c = (curves){ 0 };
}

/* Everything that says how the run goes. */
typedef struct {
    student *s;
    const recover_numbers *n;
    curves *c;
    char identity[65];
    char *state, *curve, *best; /* files; NULL: nothing is kept */
    double *last;               /* losses of the last evaluation, by window */
} training;

/* ---- the state: adapters and moments in one file, the curves so far in another ---- */

/* The curves are written before the adapters, and are cut to the adapters' step when both are read:
 * whatever instant the process is killed at, they agree. */
static int write_curves(const training *t)
{
    const curves *c = t->c;
    const double head[] = { (double)c->steps, (double)c->evals, c->seconds };
    rsd_writer w;
    int err = rsd_writer_open(t->curve, &w);
    if (!err)
        err = rsd_writer_put(&w, t->identity, 64);
    if (!err)
        err = rsd_writer_put(&w, head, sizeof head);
    const struct {
        const double *x;
        size_t n;
    } part[] = { { c->train_loss, c->steps },
                 { c->rate, c->steps },
                 { c->eval_step, c->evals },
                 { c->eval_loss, c->evals } };
    for (size_t i = 0; !err && i < sizeof part / sizeof *part; i++)
        err = rsd_writer_put(&w, part[i].x, part[i].n * sizeof(double));
    if (err) {
        rsd_writer_abandon(&w);
        return err;
    }
    return rsd_writer_commit(&w);
}

static int write_state(const training *t)
{
    if (!t->state)
        return RSD_OK;
    RSD_TRY(write_curves(t));
    return rsd_recover_write(t->s->trainer, t->identity, t->state);
}

static void note_best(curves *c)
{
    c->best = INFINITY;
    for (size_t i = 0; i < c->evals; i++)
        if (c->eval_loss[i] < c->best) {
            c->best = c->eval_loss[i];
            c->best_step = (size_t)c->eval_step[i];
        }
}

/* Take the bytes of the file apart, unless they are another training's or not whole. */
static bool take_curves(const training *t, const rsd_map *map)
{
    curves *c = t->c;
    double head[3];
    if (map->size < 64 + sizeof head || memcmp(map->data, t->identity, 64) != 0)
        return false;
    memcpy(head, map->data + 64, sizeof head);
    if (!(head[0] >= 0 && head[0] <= (double)t->n->steps && head[1] >= 0 &&
          head[1] <= (double)c->most_evals))
        return false;
    const size_t steps = (size_t)head[0], evals = (size_t)head[1];
    if (map->size != 64 + sizeof head + 2 * (steps + evals) * sizeof(double))
        return false;
    const uint8_t *at = map->data + 64 + sizeof head;
    double *const part[] = { c->train_loss, c->rate, c->eval_step, c->eval_loss };
    for (size_t i = 0; i < 4; i++) {
        const size_t bytes = (i < 2 ? steps : evals) * sizeof(double);
        memcpy(part[i], at, bytes);
        at += bytes;
    }
    c->steps = steps;
    c->evals = evals;
    c->seconds = head[2];
    return true;
}

static bool read_curves(const training *t)
{
    rsd_map map;
    if (access(t->curve, F_OK) != 0 || rsd_map_open(t->curve, &map))
        return false;
    const bool taken = take_curves(t, &map);
    rsd_map_close(&map);
    return taken;
}

/* Go on where a process before was stopped; from the beginning where there is nothing to go on
 * from, or it cannot be read. */
static void resume(const training *t)
{
    curves *c = t->c;
    if (!t->state || !read_curves(t))
        return;
    const int err = rsd_recover_read(t->s->trainer, t->identity, t->state);
    const size_t steps = err ? 0 : rsd_recover_steps(t->s->trainer);
    if (err || steps > c->steps) {
        console_detail("%s: begun anew (%s)", t->s->run->name,
                       err ? rsd_errmsg() : "its curves are older than its state");
        c->steps = c->evals = 0;
        c->seconds = 0;
        return;
    }
    c->seconds *= c->steps ? (double)steps / (double)c->steps : 1;
    c->steps = steps;
    while (c->evals && c->eval_step[c->evals - 1] > (double)steps)
        c->evals--;
    note_best(c);
    console_note("%s: going on after step %zu of %zu", t->s->run->name, steps, t->n->steps);
}

void recover_forget_state(const char *state)
{
    static const char *const suffix[] = { "state", "curves", "best" };
    char path[4096];
    for (size_t i = 0; state && i < sizeof suffix / sizeof *suffix; i++) {
        snprintf(path, sizeof path, "%s.%s", state, suffix[i]);
        unlink(path);
    }
}

/* ---- training ---- */

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
    RSD_TRY(write_state(t));
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
        return write_state(t);
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
    RSD_TRY(rsd_format(&text, "%s %s %s %s", run->name, s->entry.sha256, s->options, s->inputs));
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
        resume(&t);
        err = run_steps(&t, first);
    }
    free(t.state);
    free(t.curve);
    free(t.best);
    return err;
}
