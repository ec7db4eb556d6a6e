/* residuum recover: the sweep over quantizers, ranks, starts, variants and seeds. */
#include "recover_private.h"

#include "adapters/peft.h"
#include "boot.h"
#include "console.h"
#include "figures/label.h"
#include "io/file.h"
#include "mat.h"
#include "stop.h"
#include "train/recovered.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Losses that many runs are set against: by evaluation window. */
typedef struct {
    double *fp;
    double **q; /* [specs of -q, at least 1]; NULL until one run has needed it */
    size_t specs;
    bool memory_said;
} references;

enum { PASS_TOKENS = 4096, BOOTSTRAP_SEED = 0 };

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
    s->name = name ? strndup(name, len) : strdup(rsd_model_name(s->model));
    if (!s->name)
        return RSD_FAIL(RSD_ENOMEM, "name of %s", source);
    s->entry = (journal_model){ .name = s->name,
                                .source = rsd_model_source(s->model),
                                .architecture = rsd_model_architecture(s->model),
                                .config = rsd_model_config(s->model),
                                .parameters = rsd_model_parameters(s->model) };
    RSD_TRY(rsd_model_sha256(s->model, s->entry.sha256));
    return read_shape(s);
}

static int open_streams(sweep *s)
{
    const recover_params *p = s->params;
    RSD_TRY(stream_open(&p->stream, s->model, &s->shape, &s->train));
    const stream_options eval = { .tokens = p->eval_tokens, .context = s->train.context,
                                  .max_tokens = p->max_eval_tokens };
    RSD_TRY(stream_open(&eval, s->model, &s->shape, &s->eval));
    s->pass = s->train.context < PASS_TOKENS ? PASS_TOKENS / s->train.context : 1;
    s->pass = s->pass < p->numbers.batch ? s->pass : p->numbers.batch;
    return RSD_OK;
}

static const char *precision_name(const recover_params *p)
{
    const rsd_precision x = (rsd_precision)p->stream.precision;
    const bool bf16 = x == RSD_PRECISION_BF16 || (x == RSD_PRECISION_AUTO && rsd_bf16_native());
    return bf16 ? "bf16" : "f32";
}

static int make_canonical(sweep *s)
{
    char tokens[65], eval[65];
    RSD_TRY(stream_fingerprint(s->train.tokens, tokens));
    RSD_TRY(stream_fingerprint(s->eval.tokens, eval));
    s->options = recover_canonical(s->params, tokens, eval, s->train.context,
                                   precision_name(s->params));
    return s->options ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "text of the options");
}

static int open_sweep(sweep *s, const char *argument)
{
    RSD_TRY(open_model(s, argument));
    RSD_TRY(recover_plan_make(s->params, s->name, &s->plan));
    RSD_TRY(open_streams(s));
    RSD_TRY(known_open(s->params->calibration, s->model, &s->known));
    return make_canonical(s);
}

/* The original beside the student, where the objective asks for it. */
static int open_teacher(sweep *s)
{
    const recover_params *p = s->params;
    if (p->numbers.objective == RSD_OBJECTIVE_CE)
        return RSD_OK;
    RSD_TRY(rsd_weights_load(s->model, &s->original));
    return rsd_transformer_alloc(s->original, (rsd_precision)p->stream.precision,
                                 RSD_KEEP_NOTHING, s->pass * s->train.context, &s->teacher);
}

static void close_sweep(sweep *s)
{
    rsd_transformer_free(s->teacher);
    rsd_weights_free(s->original);
    known_close(&s->known);
    stream_close(&s->train);
    stream_close(&s->eval);
    recover_plan_free(&s->plan);
    rsd_model_close(s->model);
    free(s->options);
    free(s->name);
}

/* ---- what runs are set against ---- */

static int losses_alloc(const sweep *s, double **x)
{
    return rsd_array_alloc(s->eval.windows, 1, sizeof **x, x);
}

static int copy_losses(const sweep *s, const double *from, double **to)
{
    if (!from)
        return RSD_OK;
    RSD_TRY(losses_alloc(s, to));
    memcpy(*to, from, s->eval.windows * sizeof *from);
    return RSD_OK;
}

/* Losses of a model without adapters: the original, or the run's quantizer's. */
static int plain_losses(const sweep *s, const recover_run *run, double **out)
{
    student plain;
    double *x = NULL;
    int err = student_make(s, run, true, &plain);
    if (!err)
        err = losses_alloc(s, &x);
    if (!err)
        err = student_losses(&plain, x);
    student_free(&plain);
    if (err)
        free(x);
    else
        *out = x;
    return err;
}

static int need_references(const sweep *s, references *refs, const recover_run *run)
{
    if (!refs->fp) {
        const recover_run original = { .control = true, .init = &s->plan.zero };
        RSD_TRY(plain_losses(s, &original, &refs->fp));
        console_detail("original: loss %.5f", rsd_mean(refs->fp, s->eval.windows));
    }
    if (run->control)
        return RSD_OK;
    double **q = &refs->q[run->spec ? run->spec - s->plan.specs.spec : 0];
    if (*q)
        return RSD_OK;
    RSD_TRY(plain_losses(s, run, q));
    console_detail("%s: loss %.5f", run->spec ? run->spec->text : "--map",
                   rsd_mean(*q, s->eval.windows));
    return RSD_OK;
}

/* ---- one run ---- */

static int describe(const sweep *s, const recover_run *run, recovery_row *r)
{
    const recover_params *p = s->params;
    const recover_numbers *n = &p->numbers;
    static const char *const objectives[] = { "ce", "kl", "hidden" };
    *r = recovery_no_row;
    r->run = strdup(run->name);
    r->model = strdup(s->name);
    r->spec = strdup(run->spec && !run->control ? run->spec->text : "");
    r->init = strdup(run->init->text);
    r->variant = strdup(rsd_variant_name(run->variant));
    r->objective = strdup(objectives[n->objective]);
    r->base = strdup(p->base == RECOVER_PACKED ? "packed" : "dense");
    r->status = strdup("ok");
    r->message = strdup("");
    if (!r->run || !r->model || !r->spec || !r->init || !r->variant || !r->objective || !r->base ||
        !r->status || !r->message)
        return RSD_FAIL(RSD_ENOMEM, "row of a run");
    r->rank = (int64_t)run->rank;
    r->seed = (int64_t)run->seed;
    r->control = run->control;
    r->steps = (int64_t)n->steps;
    r->batch = (int64_t)n->batch;
    r->context = (int64_t)s->train.context;
    r->windows = (int64_t)s->eval.windows;
    r->learning_rate = n->lr;
    return RSD_OK;
}

static int mean_and_error(const double *x, size_t n, double *mean, double *se)
{
    if (!x)
        return RSD_OK;
    *mean = rsd_mean(x, n);
    return rsd_bootstrap_se(x, n, BOOTSTRAP_SEED, se);
}

static int put_losses(const sweep *s, outcome *o)
{
    recovery_row *r = &o->row;
    const size_t n = s->eval.windows;
    rsd_recovered f;
    RSD_TRY(mean_and_error(o->fp, n, &r->loss_fp, &r->loss_fp_se));
    RSD_TRY(mean_and_error(o->q, n, &r->loss_q, &r->loss_q_se));
    RSD_TRY(mean_and_error(o->init, n, &r->loss_init, &r->loss_init_se));
    RSD_TRY(mean_and_error(o->trained, n, &r->loss_trained, &r->loss_trained_se));
    RSD_TRY(mean_and_error(o->merged, n, &r->loss_merged, &r->loss_merged_se));
    r->loss_best = o->curves.best;
    r->best_step = (int64_t)o->curves.best_step;
    if (!o->q)
        return RSD_OK; /* a control recovers nothing */
    RSD_TRY(rsd_recovered_fraction(o->fp, o->q, o->init, n, BOOTSTRAP_SEED, &f));
    r->gap = f.gap;
    r->gap_se = f.gap_se;
    r->recovered_init = f.fraction;
    r->recovered_init_se = f.se;
    RSD_TRY(rsd_recovered_fraction(o->fp, o->q, o->trained, n, BOOTSTRAP_SEED, &f));
    r->recovered_fraction = f.fraction;
    r->recovered_fraction_se = f.se;
    return RSD_OK;
}

static size_t linear_weights(const student *m)
{
    size_t sum = 0;
    for (size_t b = 0; b < m->weights->shape.layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++)
            if (m->weights->block[b].tensor[slot])
                sum += m->weights->block[b].tensor[slot]->elements;
    return sum;
}

static size_t rank_sum(const student *m)
{
    size_t sum = 0;
    for (size_t b = 0; b < m->weights->shape.layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++)
            if (m->adapters.layer[b][slot].rank)
                sum += rsd_recover_rank(m->trainer, b, slot);
    return sum;
}

static double scale_of(const student *m)
{
    for (size_t b = 0; b < m->weights->shape.layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++)
            if (m->adapters.layer[b][slot].rank)
                return m->adapters.layer[b][slot].scale;
    return NAN;
}

/* Sizes: the adapters' numbers count 16 bits each, over the weights that are quantized. */
static void put_sizes(const student *m, outcome *o)
{
    recovery_row *r = &o->row;
    const bool control = m->run->control;
    const double weights = control ? (double)linear_weights(m) : m->quantized;
    r->adapter_numbers = (int64_t)rsd_adapters_parameters(&m->adapters);
    r->bits_per_weight = control ? 16 : 8 * m->packed_bytes / weights;
    r->bits_per_weight_total = r->bits_per_weight + 16 * (double)r->adapter_numbers / weights;
    r->rank_sum = (int64_t)rank_sum(m);
    r->scale = scale_of(m);
    r->alpha = m->sweep->params->numbers.alpha > 0 ? m->sweep->params->numbers.alpha
                                                   : (double)m->run->rank;
    r->weight_error = sqrt(m->error / m->norm);
    r->start_error = sqrt(m->start_error / m->norm);
    r->base_bytes = (int64_t)student_base_bytes(m);
    r->bf16_bytes = (int64_t)(2 * weights);
    r->tokens = r->steps * r->batch * r->context;
    r->seconds = o->curves.seconds;
    r->tokens_per_s = (double)r->tokens / r->seconds;
}

static void put_memory(const student *m, references *refs, recovery_row *r)
{
    r->computed_bytes = (int64_t)student_bytes(m);
    r->resident_bytes = (int64_t)memory_resident() - r->resident_bytes; /* what was there before */
    r->peak_bytes = (int64_t)memory_peak();
    if (refs->memory_said || m->run->control)
        return;
    refs->memory_said = true;
    console_note("%s base: %.2f MB of quantized layers (%.2f MB in bfloat16); the run counts %.1f "
                 "MB and takes %.1f MB, the process %.1f MB at most", r->base,
                 1e-6 * (double)r->base_bytes, 1e-6 * (double)r->bf16_bytes,
                 1e-6 * (double)r->computed_bytes, 1e-6 * (double)r->resident_bytes,
                 1e-6 * (double)r->peak_bytes);
}

/* The best evaluation's adapters are read back into the trainer: nothing may follow that needs the
 * last ones. */
static int save_best(const student *m, const outcome *o, const char *state, const char *folder,
                     const rsd_peft_options *options)
{
    char *path = NULL, *best = NULL, identity[65], *text = NULL;
    const size_t step = o->curves.best_step;
    int err = RSD_OK;
    if (!state || step == 0 || step == o->curves.steps)
        return RSD_OK;
    if (asprintf(&text, "%s %s %s", m->run->name, m->sweep->entry.sha256, m->sweep->options) < 0 ||
        asprintf(&best, "%s.best", state) < 0 || asprintf(&path, "%s/best", folder) < 0) {
        err = RSD_FAIL(RSD_ENOMEM, "path of the best adapters");
        goto done;
    }
    rsd_sha256(text, strlen(text), identity);
    RSD_TRY_DONE(rsd_recover_read(m->trainer, identity, best));
    err = rsd_peft_write(path, &m->adapters, m->weights, options);
done:
    free(text);
    free(best);
    free(path);
    return err;
}

static int save_adapters(const student *m, const outcome *o, const char *state)
{
    const recover_params *p = m->sweep->params;
    char *name, *folder = NULL;
    int err = RSD_OK;
    if (!p->save_adapters || m->run->control)
        return RSD_OK;
    name = strdup(m->run->name);
    if (name)
        label_file_name(name);
    if (!name || !(folder = rsd_path_join(p->save_adapters, name))) {
        err = RSD_FAIL(RSD_ENOMEM, "path of the adapters");
        goto done;
    }
    const rsd_peft_options options = { .base = m->sweep->entry.source,
                                       .rslora = p->numbers.rslora };
    RSD_TRY_DONE(rsd_make_folder(p->save_adapters));
    RSD_TRY_DONE(rsd_peft_write(folder, &m->adapters, m->weights, &options));
    err = save_best(m, o, state, folder, &options);
done:
    free(folder);
    free(name);
    return err;
}

static int train(const sweep *s, references *refs, student *m, const char *state, outcome *o)
{
    RSD_TRY(losses_alloc(s, &o->init));
    RSD_TRY(losses_alloc(s, &o->trained));
    RSD_TRY(curves_alloc(&s->params->numbers, &o->curves));
    RSD_TRY(student_losses(m, o->init));
    RSD_TRY(recover_train(m, state, rsd_mean(o->init, s->eval.windows), &o->curves, o->trained));
    put_sizes(m, o);
    put_memory(m, refs, &o->row);
    RSD_TRY(recover_measure(m, &o->layers));
    if (s->params->numbers.merge != RECOVER_MERGE_NONE) {
        RSD_TRY(losses_alloc(s, &o->merged));
        RSD_TRY(student_merged_losses(m, (recover_merge)s->params->numbers.merge, o->merged));
    }
    return put_losses(s, o);
}

static int run_one(const sweep *s, references *refs, const recover_parts *parts,
                   const recover_run *run, outcome *o)
{
    student m = { 0 };
    char *state = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(parts_state(s, parts, run, &state));
    RSD_TRY_DONE(need_references(s, refs, run));
    RSD_TRY_DONE(copy_losses(s, refs->fp, &o->fp));
    if (!run->control)
        RSD_TRY_DONE(
            copy_losses(s, refs->q[run->spec ? run->spec - s->plan.specs.spec : 0], &o->q));
    malloc_trim(0); /* so that what the system counts is this run's */
    memory_reset_peak();
    o->row.resident_bytes = (int64_t)memory_resident();
    RSD_TRY_DONE(student_make(s, run, false, &m));
    RSD_TRY_DONE(train(s, refs, &m, state, o));
    err = save_adapters(&m, o, state);
done:
    student_free(&m);
    free(state);
    return err;
}

/* Record what came of it; only what concerns the whole sweep is an error. */
static int finish_one(const sweep *s, recover_parts *parts, const recover_run *run, int err,
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
        o->row.status = strdup("failed");
        o->row.message = strdup(rsd_errmsg());
        if (!o->row.status || !o->row.message)
            return RSD_FAIL(RSD_ENOMEM, "row of a run");
    } else
        console_detail("%s: loss %.5f -> %.5f -> %.5f, %.1f s, %.0f tokens/s", run->name,
                       run->control ? o->row.loss_fp : o->row.loss_q, o->row.loss_init,
                       o->row.loss_trained, o->row.seconds, o->row.tokens_per_s);
    return parts_put(s, parts, run, o);
}

/* ---- the sweep ---- */

static size_t count_done(const sweep *s, const outcome *o)
{
    size_t n = 0;
    for (size_t i = 0; i < s->plan.runs; i++)
        n += o[i].done;
    return n;
}

static int run_all(sweep *s, references *refs, recover_parts *parts, outcome *o)
{
    const size_t steps = s->params->numbers.steps, left = s->plan.runs - count_done(s, o);
    int err = RSD_OK;
    if (left < s->plan.runs)
        console_note("%zu of %zu runs are done already", s->plan.runs - left, s->plan.runs);
    if (left == 0)
        return RSD_OK;
    RSD_TRY(open_teacher(s));
    console_progress_begin("step", left * steps, (double)(left * steps));
    for (size_t i = 0; !err && i < s->plan.runs; i++) {
        const recover_run *run = &s->plan.run[i];
        if (o[i].done)
            continue;
        if (stop_requested())
            break;
        err = describe(s, run, &o[i].row);
        if (!err)
            err = finish_one(s, parts, run, run_one(s, refs, parts, run, &o[i]), &o[i]);
    }
    console_progress_end();
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
        RSD_TRY(rsd_recovered_fraction(o[c].trained, o[i].q, o[i].trained, s->eval.windows,
                                       BOOTSTRAP_SEED, &f));
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
    for (size_t i = 0; i < s->plan.runs; i++)
        printf("%s%s\n", s->plan.run[i].name, o[i].done ? " (done)" : "");
    printf("%zu runs of %zu steps, %.3g tokens each (%.2f epochs), %zu windows of %zu to evaluate "
           "on\n", s->plan.runs, s->params->numbers.steps, tokens,
           (double)s->params->numbers.steps * (double)s->params->numbers.batch /
               (double)s->train.windows, s->eval.windows, s->eval.context);
}

static int recover(sweep *s, references *refs, recover_parts *parts, outcome **outcomes)
{
    refs->specs = s->plan.specs.specs ? s->plan.specs.specs : 1;
    RSD_TRY(rsd_array_alloc(refs->specs, 1, sizeof *refs->q, &refs->q));
    memset(refs->q, 0, refs->specs * sizeof *refs->q);
    RSD_TRY(rsd_array_alloc(s->plan.runs, 1, sizeof **outcomes, outcomes));
    memset(*outcomes, 0, s->plan.runs * sizeof **outcomes);
    RSD_TRY(parts_open(s, parts, *outcomes));
    if (s->params->dry_run) {
        say_plan(s, *outcomes);
        return RSD_OK;
    }
    RSD_TRY(run_all(s, refs, parts, *outcomes));
    RSD_TRY(set_against_controls(s, *outcomes));
    RSD_TRY(parts_finish(s, parts, *outcomes));
    RSD_TRY(report(s, *outcomes));
    if (stop_requested() && count_done(s, *outcomes) < s->plan.runs) {
        console_note("stopped with %zu of %zu runs done%s", count_done(s, *outcomes), s->plan.runs,
                     parts->open ? "; the same command goes on" : "");
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
    sweep s = { .params = params, .command_line = arguments->text };
    references refs = { 0 };
    recover_parts parts = { .file.lock = -1 };
    outcome *outcomes = NULL;
    int err = open_sweep(&s, arguments->words.item[0]);
    if (!err)
        err = recover(&s, &refs, &parts, &outcomes);
    parts_close(&parts);
    for (size_t i = 0; outcomes && i < s.plan.runs; i++)
        outcome_free(&outcomes[i]);
    free(outcomes);
    for (size_t i = 0; refs.q && i < refs.specs; i++)
        free(refs.q[i]);
    free(refs.q);
    free(refs.fp);
    close_sweep(&s);
    return err;
}

extern const rsd_command rsd_command_recover;
const rsd_command rsd_command_recover = {
    .name = "recover",
    .usage = "MODEL --tokens T --eval-tokens E -q SPEC... [--rank R...] [--init I...] [-o F.h5]",
    .summary = "train adapters on the quantized model and measure the loss that comes back",
    .details =
        "Every combination of quantizer, rank, start, variant and seed is one run.  Losses are in\n"
        "nats per token; recovered % is the share of the quantized model's loss above the original's\n"
        "that training took away, of control % the same with the original model plus adapters,\n"
        "trained alike, as the base line; errors are the bootstrap's over evaluation windows.  The\n"
        "same command again resumes where it was stopped, in the middle of a run too; more\n"
        "quantizers, ranks or starts are added to the file.  What is trained is what the last step\n"
        "left; the least loss on the way stands beside it as loss_best.\n",
    .options = recover_options,
    .common = RSD_TAKES_OUTPUT | RSD_TAKES_FORCE | RSD_TAKES_JSON | RSD_TAKES_THREADS |
              RSD_TAKES_SEED,
    .min_words = 1,
    .max_words = 1,
    .defaults = &recover_defaults,
    .params_size = sizeof(recover_params),
    .run = run,
};
