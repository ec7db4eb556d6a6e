/* residuum recover: the sweep over quantizers, ranks, starts, variants and seeds. */
#include "alloc.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "mat.h"
#include "recover/base_run.h"
#include "recover/report.h"
#include "recover/run.h"
#include "recover/save.h"
#include "result/calibration_identity.h"
#include "train/recovered.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PASS_TOKENS = 4096 };
enum { ALGORITHM = 3 }; /* raised when the same options give other numbers */

/* ---- opening ---- */

static int read_shape(sweep *s)
{
    rsd_weights *frame;
    RSD_TRY(rsd_weights_load_frame(s->model, &frame));
    s->shape = frame->shape;
    rsd_weights_free(frame);
    return RSD_OK;
}

static int open_model(sweep *s, const char *argument)
{
    const char *name;
    size_t len;
    const char *source = select_source(argument, &name, &len);
    RSD_TRY(rsd_model_open(source, &s->model));
    RSD_TRY(name ? rsd_format(&s->name, "%.*s", (int)len, name)
                 : rsd_copy_text(rsd_model_name(s->model), &s->name));
    RSD_TRY(result_model_describe(s->model, s->name, &s->entry));
    return read_shape(s);
}

static int open_streams(sweep *s)
{
    const recover_params *p = s->params;
    RSD_TRY(stream_open(&p->stream, s->model, &s->shape, &s->train));
    const stream_options eval = { .tokens = p->eval_tokens,
                                  .context = s->train.context,
                                  .max_tokens = p->max_eval_tokens,
                                  .windows = p->eval_windows,
                                  .precision = p->stream.precision };
    RSD_TRY(stream_open(&eval, s->model, &s->shape, &s->eval));
    stream_options second = eval;
    second.tokens = p->second_tokens;
    if (p->second_tokens)
        RSD_TRY(stream_open(&second, s->model, &s->shape, &s->second));
    s->pass = s->train.context < PASS_TOKENS ? PASS_TOKENS / s->train.context : 1;
    s->pass = s->pass < p->numbers.batch ? s->pass : p->numbers.batch;
    if (p->numbers.batch > s->train.windows)
        return RSD_FAIL(RSD_EUSAGE,
                        "--batch %zu: %s has no more than %zu windows of %zu tokens; a step sees "
                        "each once",
                        p->numbers.batch, p->stream.tokens, s->train.windows, s->train.context);
    if (p->numbers.sequence && p->numbers.sequence < s->train.context)
        return RSD_FAIL(RSD_EUSAGE, "--sequence %zu fills no window of %zu tokens",
                        p->numbers.sequence, s->train.context);
    return RSD_OK;
}

/* A training of adapters is evaluated before its first step, every so many, and after the last. */
static size_t evaluations(const recover_numbers *n)
{
    return n->steps ? 2 + (n->eval_every ? (n->steps - 1) / n->eval_every : 0) : 1;
}

static void hold_out(sweep *s)
{
    const recover_numbers *n = &s->params->numbers;
    const rsd_held_out_task task = { .steps = n->steps,
                                     .batch = n->batch,
                                     .evaluations = evaluations(n),
                                     .scored = s->eval.windows,
                                     .windows = s->train.windows };
    if (n->keep == RECOVER_KEEP_LAST && !n->lr_probe)
        return;
    s->held = rsd_held_out_plan(&task);
}

/* What the options do not say: the files may be others of the same names. */
static int make_inputs(sweep *s)
{
    char tokens[17], eval[17], second[17] = "", data[17];
    RSD_TRY(stream_identity(&s->train, tokens));
    RSD_TRY(stream_identity(&s->eval, eval));
    if (s->second.windows)
        RSD_TRY(stream_identity(&s->second, second));
    RSD_TRY(calibration_identity(&s->calibration, s->model, data));
    return rsd_format(&s->inputs, "algorithm=%d,tokens=%s,eval-tokens=%s%s%s,calibration=%s",
                      ALGORITHM, tokens, eval, *second ? ",second-tokens=" : "", second, data);
}

static int make_canonical(sweep *s)
{
    char tokens[65], eval[65], second[65];
    const bool two = s->second.windows > 0;
    RSD_TRY(stream_fingerprint(s->train.tokens, tokens));
    RSD_TRY(stream_fingerprint(s->eval.tokens, eval));
    if (two)
        RSD_TRY(stream_fingerprint(s->second.tokens, second));
    s->options =
        recover_canonical(s->params, tokens, eval, two ? second : NULL, &s->train, &s->eval);
    return s->options ? make_inputs(s) : RSD_FAIL(RSD_ENOMEM, "text of the options");
}

static int open_sweep(sweep *s, const char *argument)
{
    RSD_TRY(open_model(s, argument));
    RSD_TRY(calibration_open(s->params->calibration, s->model, &s->calibration));
    RSD_TRY(recover_plan_make(s->params, s->model, s->name, &s->calibration, &s->plan));
    if (recover_wants_bases(s->params))
        RSD_TRY(
            menu_make(&s->params->same_bytes, &s->plan.specs, s->params->calibration, &s->menu));
    RSD_TRY(save_check(s->params, &s->plan));
    RSD_TRY(open_streams(s));
    hold_out(s);
    return make_canonical(s);
}

/* The original beside the student, where the objective asks for it. */
static int open_teacher(sweep *s)
{
    const recover_params *p = s->params;
    if (p->numbers.objective == RSD_OBJECTIVE_CE || p->numbers.steps == 0)
        return RSD_OK;
    RSD_TRY(rsd_weights_load(s->model, &s->original));
    return rsd_transformer_alloc(s->original, s->train.precision, RSD_KEEP_NOTHING,
                                 s->pass * s->train.context, &s->teacher);
}

static void close_sweep(sweep *s)
{
    rsd_transformer_free(s->teacher);
    rsd_weights_free(s->original);
    calibration_close(&s->calibration);
    stream_close(&s->train);
    stream_close(&s->eval);
    stream_close(&s->second);
    menu_free(&s->menu);
    recover_plan_free(&s->plan);
    rsd_model_close(s->model);
    free(s->options);
    free(s->inputs);
    free(s->name);
}

/* ---- the sweep ---- */

/* A run that failed leaves its row and the curves so far; losses and layers may be half done. */
static void drop_unfinished(outcome *o)
{
    double **const losses[] = { &o->init, &o->trained, &o->merged, &o->second };
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        free(*losses[i]);
        *losses[i] = NULL;
    }
    measured_layers_free(&o->layers);
}

/* Record what came of it; only what concerns the whole sweep is an error. */
static int finish_one(const sweep *s, parts *kept, const recover_run *run, int err, bool keep_state,
                      outcome *o)
{
    if (err == RSD_ESTOPPED) {
        outcome_free(o);
        return err;
    }
    o->done = !err;
    if (err) {
        console_error("%s: %s", run->name, rsd_errmsg());
        free(o->row.status);
        free(o->row.message);
        o->row.status = o->row.message = NULL;
        char message[512];
        snprintf(message, sizeof message, "%s", rsd_errmsg());
        RSD_TRY(rsd_copy_text("failed", &o->row.status));
        RSD_TRY(rsd_copy_text(message, &o->row.message));
        drop_unfinished(o);
    } else if (run->same_bytes)
        console_detail("%s: %s, loss %.5f", run->name, o->row.same_bytes, o->row.loss_trained);
    else if (s->params->numbers.steps == 0)
        console_detail("%s: loss %.5f -> %.5f", run->name, o->row.loss_q, o->row.loss_init);
    else
        console_detail("%s: loss %.5f -> %.5f -> %.5f, %.1f s, %.0f tokens/s", run->name,
                       run->control ? o->row.loss_fp : o->row.loss_q, o->row.loss_init,
                       o->row.loss_trained, o->row.seconds, o->row.tokens_per_s);
    return outcome_put(s, kept, run, keep_state, o);
}

static size_t count_done(const sweep *s, const outcome *o)
{
    size_t n = 0;
    for (size_t i = 0; i < s->plan.runs; i++)
        n += o[i].done;
    return n;
}

/* Steps of the runs that are left. */
static size_t steps_left(const sweep *s, const outcome *o)
{
    size_t n = 0;
    for (size_t i = 0; i < s->plan.runs; i++)
        n += !o[i].done && !s->plan.run[i].same_bytes;
    return n * s->params->numbers.steps;
}

/* Runs with adapters, or the bases of their size, which come after them. */
static int run_kind(sweep *s, references *refs, parts *kept, bool bases, outcome *o)
{
    int err = RSD_OK;
    for (size_t i = 0; !err && i < s->plan.runs; i++) {
        const recover_run *run = &s->plan.run[i];
        if (o[i].done || run->same_bytes != bases || (bases && !base_run_ready(s, run, o)))
            continue;
        if (stop_requested())
            break;
        err = run_describe(s, run, &o[i].row);
        if (!err)
            err = finish_one(s, kept, run,
                             bases ? base_run(s, refs, run, o, &o[i])
                                   : run_one(s, refs, kept, run, &o[i]),
                             outcome_shares_state(s, o, i), &o[i]);
    }
    return err;
}

static int run_all(sweep *s, references *refs, parts *kept, outcome *o)
{
    const size_t left = s->plan.runs - count_done(s, o), steps = steps_left(s, o);
    if (left < s->plan.runs)
        console_note("%zu of %zu runs are done already", s->plan.runs - left, s->plan.runs);
    if (left == 0)
        return RSD_OK;
    if (steps && !s->held.windows && s->params->numbers.keep == RECOVER_KEEP_BEST)
        console_note("%s: %zu windows of %zu tokens are too few to hold some out: the last step is "
                     "kept",
                     s->params->stream.tokens, s->train.windows, s->train.context);
    RSD_TRY(open_teacher(s));
    console_progress_begin("step", steps, (double)steps);
    int err = run_kind(s, refs, kept, false, o);
    console_progress_end();
    if (!err)
        err = run_kind(s, refs, kept, true, o);
    return err == RSD_ESTOPPED ? RSD_OK : err;
}

/* What is left of the gap to the control: known once both have run. */
static int set_against_controls(const sweep *s, outcome *o)
{
    for (size_t i = 0; i < s->plan.runs; i++) {
        const size_t c = s->plan.run[i].set_against;
        rsd_recovered f;
        if (c == SIZE_MAX || !o[i].done || !o[c].done || !o[i].q || !o[c].trained)
            continue;
        recovery_row *r = &o[i].row;
        r->loss_control = o[c].row.loss_trained;
        r->loss_control_se = o[c].row.loss_trained_se;
        RSD_TRY(rsd_recovered_fraction(o[c].trained, o[i].q, o[i].trained, s->eval.windows, &f));
        r->recovered_control = f.fraction;
        r->recovered_control_se = f.se;
    }
    return RSD_OK;
}

static size_t count_failed(const sweep *s, const outcome *o)
{
    size_t n = 0;
    for (size_t i = 0; i < s->plan.runs; i++)
        n += o[i].row.run && !o[i].done;
    return n;
}

static int report(const sweep *s, const outcome *o)
{
    if (s->params->common.json)
        return report_json(s, o);
    if (!s->params->common.quiet && (count_done(s, o) || count_failed(s, o)))
        report_table(s, o);
    return RSD_OK;
}

static void say_plan(const sweep *s, const outcome *o)
{
    const double tokens = (double)s->params->numbers.steps * (double)s->params->numbers.batch *
                          (double)s->train.context;
    size_t bases = 0;
    for (size_t i = 0; i < s->plan.runs; i++) {
        printf("%s%s\n", s->plan.run[i].name, o[i].done ? " (done)" : "");
        bases += s->plan.run[i].same_bytes;
    }
    if (bases)
        printf("%zu bases of the same bytes, each chosen among up to %zu quantizers\n", bases,
               s->menu.specs);
    printf("%zu runs of %zu steps, %.3g tokens each (%.2f epochs), %zu windows of %zu to evaluate "
           "on\n",
           s->plan.runs - bases, s->params->numbers.steps, tokens,
           (double)s->params->numbers.steps * (double)s->params->numbers.batch /
               (double)(s->train.windows - s->held.windows),
           s->eval.windows, s->eval.context);
}

static int recover(sweep *s, references *refs, parts **kept, outcome **outcomes)
{
    RSD_TRY(references_alloc(s, refs));
    RSD_TRY(rsd_array_alloc(s->plan.runs, 1, sizeof **outcomes, outcomes));
    memset(*outcomes, 0, s->plan.runs * sizeof **outcomes);
    RSD_TRY(outcomes_open(s, kept, *outcomes));
    RSD_TRY(save_note_missing(s, *outcomes));
    if (s->params->dry_run) {
        say_plan(s, *outcomes);
        return RSD_OK;
    }
    RSD_TRY(run_all(s, refs, *kept, *outcomes));
    RSD_TRY(set_against_controls(s, *outcomes));
    RSD_TRY(outcomes_publish(s, *kept, *outcomes));
    RSD_TRY(report(s, *outcomes));
    if (stop_requested() && count_done(s, *outcomes) < s->plan.runs) {
        console_note("stopped with %zu of %zu runs done%s", count_done(s, *outcomes), s->plan.runs,
                     *kept ? "; the same command goes on" : "");
        return RSD_ESTOPPED;
    }
    const size_t failed = count_failed(s, *outcomes);
    if (failed == 0)
        return RSD_OK;
    console_error("%zu of %zu runs failed", failed, s->plan.runs);
    return RSD_EPARTIAL;
}

static int run(const void *params, const rsd_arguments *arguments)
{
    recover_params settled = *(const recover_params *)params;
    sweep s = { .params = &settled, .command_line = arguments->text };
    references refs = { 0 };
    parts *kept = NULL;
    outcome *outcomes = NULL;
    recover_settle(&settled);
    int err = open_sweep(&s, arguments->words.item[0]);
    if (!err)
        err = recover(&s, &refs, &kept, &outcomes);
    parts_close(kept);
    for (size_t i = 0; outcomes && i < s.plan.runs; i++)
        outcome_free(&outcomes[i]);
    free(outcomes);
    references_free(&refs);
    close_sweep(&s);
    return err;
}

extern const rsd_command rsd_command_recover;
const rsd_command rsd_command_recover = {
    .name = "recover",
    .usage = "MODEL --tokens T --eval-tokens E -q SPEC... [--rank R...] [--init I...] [-o F.h5]",
    .summary = "train adapters on the quantized model and measure the loss that comes back",
    .details =
        "Every combination of quantizer, rank, start, variant and seed is one run.  Losses are\n"
        "in nats per token; recovered % is the share of the quantized model's loss above the\n"
        "original's that training took away, of control % the same with the original model plus\n"
        "adapters, trained alike, as the base line; errors are over evaluation windows, in blocks\n"
        "as long as windows resemble their neighbours.  A run ends with\n"
        "the adapters of the step, of those that are evaluated and 0, with the least loss on a "
        "few\n"
        "training windows that no step sees; the least loss on the evaluation windows, loss_best,\n"
        "chooses nothing.  The same command again resumes where it was stopped, in the middle of "
        "a\n"
        "run too; more quantizers, ranks or starts are added to the file.\n",
    .options = recover_options,
    .common =
        RSD_TAKES_OUTPUT | RSD_TAKES_FORCE | RSD_TAKES_JSON | RSD_TAKES_THREADS | RSD_TAKES_SEED,
    .min_words = 1,
    .max_words = 1,
    .defaults = &recover_defaults,
    .params_size = sizeof(recover_params),
    .run = run,
};
