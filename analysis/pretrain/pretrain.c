/* residuum pretrain: a model from a configuration and tokens. */
#include "boot.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/json_out.h"
#include "cli/stop.h"
#include "cli/stream.h"
#include "io/file.h"
#include "mat.h"
#include "pretrain/training_folder.h"
#include "transformer/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    rsd_common common;
    stream_options stream;
    const char *eval_tokens;
    size_t steps, batch, warmup, eval_every, checkpoint_every;
    double lr, min_lr, decay, clip, beta1, beta2;
    int store;
    bool recompute;
} pretrain_params;

static const pretrain_params defaults = {
    .steps = 1000,
    .batch = 16,
    .warmup = 100,
    .checkpoint_every = 100,
    .lr = 1e-3,
    .decay = 0.1,
    .clip = 1,
    .beta1 = 0.9,
    .beta2 = 0.999,
    .stream.precision = RSD_PRECISION_AUTO,
};

#define AT(field) offsetof(pretrain_params, field)
/* clang-format off */
static const rsd_opt options[] = {
    STREAM_OPTIONS(AT(stream), STREAM_FIRST_TOKENS),
    { "eval-tokens", 0, RSD_OPT_STRING, AT(eval_tokens), 0, 0, "PATH",
      "token stream to evaluate on, whose best model is kept" },
    { "steps", 0, RSD_OPT_SIZE, AT(steps), 1, 1e9, "N", "steps of the optimizer" },
    { "batch", 0, RSD_OPT_SIZE, AT(batch), 1, 1 << 20, "N", "windows a step" },
    { "lr", 0, RSD_OPT_REAL, AT(lr), 0, 10, "X", "highest learning rate" },
    { "min-lr", 0, RSD_OPT_REAL, AT(min_lr), 0, 10, "X", "learning rate that the fall ends at, one step after the last" },
    { "warmup", 0, RSD_OPT_SIZE, AT(warmup), 0, 1e9, "N",
      "steps on which the learning rate rises from 0; then it falls as half a cosine" },
    { "weight-decay", 0, RSD_OPT_REAL, AT(decay), 0, 10, "X", "of matrices, beside the gradient" },
    { "clip", 0, RSD_OPT_REAL, AT(clip), 0, 1e9, "X", "most norm of a step's gradient; 0: any" },
    { "beta1", 0, RSD_OPT_REAL, AT(beta1), 0, 0.999999, "X", "AdamW's decay of the mean gradient" },
    { "beta2", 0, RSD_OPT_REAL, AT(beta2), 0, 0.999999, "X", "AdamW's decay of its mean square" },
    { "eval-every", 0, RSD_OPT_SIZE, AT(eval_every), 0, 1e9, "N",
      "steps between evaluations; 0: after the last step only" },
    { "checkpoint-every", 0, RSD_OPT_SIZE, AT(checkpoint_every), 1, 1e9, "N",
      "steps between checkpoints" },
    { "checkpoint-activations", 0, RSD_OPT_FLAG, AT(recompute), 0, 0, NULL,
      "keep each block's input only and run the block again on the way back: less memory" },
    { "store", 0, RSD_OPT_CHOICE, AT(store), 0, 0, "f32|f16|bf16",
      "number type of model.safetensors; the training itself keeps float32" },
    { 0 },
};
/* clang-format on */

/* Everything that is open. */
typedef struct {
    const pretrain_params *params;
    pretrain_folder folder;
    char *config; /* text of config.json */
    rsd_tokenizer *tokenizer;
    rsd_shape shape;
    rsd_model *initial;
    rsd_weights *weights;
    rsd_tokens *tokens, *eval_tokens;
    rsd_pretrain pretrain;
    rsd_progress progress;
    rsd_step last;
    double eval_loss;             /* NaN: none yet */
    size_t eval_step, first_step; /* of the last evaluation; where this process began */
    double seconds;
} training;

static int open_stream(training *t, const char *source, const char *path, size_t limit,
                       rsd_tokens **out)
{
    if (rsd_path_ends(path, ".txt") && !t->tokenizer) {
        char *file = pretrain_tokenizer(source);
        const int err =
            file ? rsd_tokenizer_load(file, &t->tokenizer)
                 : RSD_FAIL(RSD_EUSAGE, "%s: text, but no tokenizer.json beside %s", path, source);
        free(file);
        RSD_TRY(err);
    }
    const rsd_tokens_options o = { .tokenizer = t->tokenizer,
                                   .vocab = t->shape.vocab,
                                   .limit = limit };
    RSD_TRY(rsd_tokens_open(path, &o, out));
    stream_note_text(path, t->tokenizer);
    return RSD_OK;
}

/* The hash of all that decides what a step does. */
static int identify(training *t, const rsd_pretrain_options *o)
{
    char tokens[65], config[65], text[640];
    RSD_TRY(stream_fingerprint(t->tokens, tokens));
    rsd_sha256(t->folder.config, strlen(t->folder.config), config);
    snprintf(text, sizeof text,
             "config %s tokens %zu %s context %zu batch %zu schedule %zu+%zu lr %.17g %.17g "
             "decay %.17g clip %.17g beta %.17g %.17g seed %zu precision %d",
             config, rsd_tokens_count(t->tokens), tokens, o->context, o->batch, o->schedule.steps,
             o->schedule.warmup, o->schedule.peak, o->schedule.floor, o->decay, o->clip,
             o->adamw.beta1, o->adamw.beta2, t->params->common.seed, t->params->stream.precision);
    rsd_sha256(text, strlen(text), t->progress.identity);
    return RSD_OK;
}

static int check_options(const training *t)
{
    const pretrain_params *p = t->params;
    if (!p->stream.tokens)
        return RSD_FAIL(RSD_EUSAGE, "say which tokens: --tokens PATH");
    if (!p->common.output)
        return RSD_FAIL(RSD_EUSAGE, "say where the model goes: -o DIR");
    if (p->eval_every && !p->eval_tokens)
        return RSD_FAIL(RSD_EUSAGE, "--eval-every needs --eval-tokens");
    if (p->min_lr > p->lr)
        return RSD_FAIL(RSD_EUSAGE, "--min-lr %g is above --lr %g", p->min_lr, p->lr);
    return RSD_OK;
}

static void trace_windows(void *context, size_t done)
{
    const training *t = context;
    console_trace("step %zu, %zu of %zu windows", t->pretrain.adamw.step + 1, done,
                  t->params->batch);
}

static int check_batch(const training *t, const rsd_pretrain_options *o)
{
    const size_t windows = rsd_windows(rsd_tokens_count(t->tokens), o->context);
    if (o->batch > windows)
        return RSD_FAIL(RSD_EUSAGE,
                        "--batch %zu: %s has no more than %zu windows of %zu tokens; a step sees "
                        "each once",
                        o->batch, t->params->stream.tokens, windows, o->context);
    return RSD_OK;
}

static int prepare(training *t, rsd_pretrain_options *o)
{
    const pretrain_params *p = t->params;
    const size_t most = t->shape.context;
    *o = (rsd_pretrain_options){
        .context = p->stream.context ? p->stream.context
                   : most < 2048     ? most
                                     : 2048,
        .batch = p->batch,
        .schedule = { .steps = p->steps,
                      .warmup = p->warmup < p->steps ? p->warmup : p->steps,
                      .peak = p->lr,
                      .floor = p->min_lr },
        .adamw = { .beta1 = p->beta1, .beta2 = p->beta2, .eps = rsd_adamw_defaults.eps },
        .decay = p->decay,
        .clip = p->clip,
        .seed = p->common.seed,
        .stop = stop_callback,
        .progress = trace_windows,
        .callback_context = t,
        .recompute = p->recompute,
    };
    if (o->context > most)
        return RSD_FAIL(RSD_EUSAGE, "--context %zu is above the model's %zu", o->context, most);
    o->pass = o->context < 4096 ? 4096 / o->context : 1;
    if (!rsd_windows(rsd_tokens_count(t->tokens), o->context))
        return RSD_FAIL(RSD_EUSAGE, "%s: %zu tokens do not fill a window of %zu inputs and targets",
                        p->stream.tokens, rsd_tokens_count(t->tokens), o->context);
    if (t->eval_tokens && !rsd_windows(rsd_tokens_count(t->eval_tokens), o->context))
        return RSD_FAIL(RSD_EUSAGE, "%s: %zu tokens do not fill a window of %zu inputs and targets",
                        p->eval_tokens, rsd_tokens_count(t->eval_tokens), o->context);
    RSD_TRY(check_batch(t, o));
    return identify(t, o);
}

static int open_all(training *t, const char *source)
{
    rsd_pretrain_options o;
    const rsd_arch *arch;
    RSD_TRY(pretrain_config(source, &t->config));
    t->folder.config = t->config;
    RSD_TRY(rsd_create_shape(t->config, &arch, &t->shape));
    RSD_TRY(
        open_stream(t, source, t->params->stream.tokens, t->params->stream.max_tokens, &t->tokens));
    if (t->params->eval_tokens)
        RSD_TRY(open_stream(t, source, t->params->eval_tokens, 0, &t->eval_tokens));
    RSD_TRY(prepare(t, &o));
    /* nothing is written before all options are right */
    RSD_TRY(
        pretrain_folder_start(&t->folder, source, o.seed, t->params->common.force, &t->initial));
    o.precision = stream_precision(t->params->stream.precision, rsd_model_parameters(t->initial));
    RSD_TRY(rsd_weights_load(t->initial, &t->weights));
    RSD_TRY(rsd_pretrain_alloc(t->weights, t->tokens, &o, &t->pretrain));
    RSD_TRY(pretrain_folder_resume(&t->folder, &t->pretrain, &t->progress));
    t->first_step = t->pretrain.adamw.step;
    return RSD_OK;
}

/* ---- training ---- */

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

static int train(training *t)
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

static int report(const training *t)
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

static int run(const void *params, const rsd_arguments *arguments)
{
    static const rsd_dtype store[] = { RSD_F32, RSD_F16, RSD_BF16 };
    const pretrain_params *p = params;
    const char *source = arguments->words.item[0];
    training t = { .params = p,
                   .folder = { .path = p->common.output, .dtype = store[p->store] },
                   .progress.best = INFINITY,
                   .last.loss = NAN,
                   .eval_loss = NAN };
    int err = check_options(&t);
    if (!err)
        err = open_all(&t, source);
    if (!err)
        err = train(&t);
    if (!err)
        err = report(&t);
    rsd_pretrain_free(&t.pretrain);
    rsd_weights_free(t.weights);
    rsd_model_close(t.initial);
    rsd_tokens_close(t.tokens);
    rsd_tokens_close(t.eval_tokens);
    rsd_tokenizer_free(t.tokenizer);
    free(t.config);
    return !err && stop_requested() ? RSD_ESTOPPED : err;
}

extern const rsd_command rsd_command_pretrain;
const rsd_command rsd_command_pretrain = {
    .name = "pretrain",
    .usage = "CONFIG --tokens PATH -o DIR",
    .summary = "train a small model from scratch",
    .details =
        "CONFIG is a config.json of an architecture that has a forward pass here, or the folder "
        "it\n"
        "lies in.  DIR becomes a model folder.  All weights are trained with AdamW on consecutive\n"
        "windows, every epoch in another order.  Interrupted at any moment, the same command goes "
        "on\n"
        "after the last checkpoint, bit for bit on the same machine with the same --threads; "
        "other\n"
        "options or tokens are refused.\n",
    .options = options,
    .common =
        RSD_TAKES_OUTPUT | RSD_TAKES_FORCE | RSD_TAKES_JSON | RSD_TAKES_THREADS | RSD_TAKES_SEED,
    .min_words = 1,
    .max_words = 1,
    .defaults = &defaults,
    .params_size = sizeof(pretrain_params),
    .run = run,
};
