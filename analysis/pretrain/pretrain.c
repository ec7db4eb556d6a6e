/* residuum pretrain: a model from a configuration and tokens. */
#include "cli/console.h"
#include "cli/stop.h"
#include "io/file.h"
#include "mat.h"
#include "pretrain/training.h"
#include "transformer/evaluate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        err = training_run(&t);
    if (!err)
        err = training_report(&t);
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
