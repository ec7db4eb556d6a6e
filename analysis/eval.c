/* residuum eval: mean loss of a model over a token stream, and what quantizing does to it. */
#include "boot.h"
#include "command.h"
#include "console.h"
#include "mat.h"
#include "par.h"
#include "select.h"
#include "stop.h"
#include "stream.h"
#include "transformer/evaluate.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    rsd_common common;
    const char *tokens;
    size_t context, max_tokens;
    int precision;
    rsd_list specs, map;
    select_options select;
} eval_params;

static const eval_params defaults = { .precision = RSD_PRECISION_AUTO };

#define AT(field) offsetof(eval_params, field)
static const rsd_opt options[] = {
    { "tokens", 0, RSD_OPT_STRING, AT(tokens), 0, 0, "PATH",
      "token stream: .u16, .u32, .npy, Megatron .bin/.idx, or .txt with the model's tokenizer.json" },
    { "context", 0, RSD_OPT_SIZE, AT(context), 0, 1 << 24, "N",
      "inputs of a window, in tokens; 0: the model's context, at most 2048" },
    { "max-tokens", 0, RSD_OPT_SIZE, AT(max_tokens), 0, 1e15, "N",
      "use the first N tokens; 0: all" },
    { "precision", 0, RSD_OPT_CHOICE, AT(precision), 0, 0, "f32|bf16|auto",
      "of matrix products; auto: bf16 where the processor multiplies it" },
    { "quantizer", 'q', RSD_OPT_LIST, AT(specs), 0, 0, "SPEC",
      "quantize the linear layers of the blocks first; one" },
    { "map", 0, RSD_OPT_LIST, AT(map), 0, 0, "GLOB=SPEC",
      "this quantizer for the matrices whose name matches; the first rule counts" },
    SELECT_OPTIONS(AT(select)),
    { 0 }
};

/* Everything that is open. */
typedef struct {
    const eval_params *params;
    rsd_model *model;
    rsd_weights *original, *quantized;
    rsd_transformer *pass, *teacher;
    stream stream;
    select_specs specs;
    double weights, bytes; /* that were quantized */
    rsd_evaluation result;
} evaluation;

/* Replace one matrix by what its quantizer makes of it. */
static int quantize_tensor(evaluation *e, const rsd_tensor *t, const rsd_spec *spec)
{
    rsd_real *x = rsd_weights_of(e->quantized, t);
    if (!x)
        return RSD_OK; /* a matrix that the forward pass does not use */
    rsd_mat W = { x, t->rows, t->cols, t->cols }, Wq;
    rsd_quant_stats stats;
    RSD_TRY(rsd_mat_alloc(t->rows, t->cols, &Wq));
    const int err = rsd_quantize(spec, W, NULL, Wq, &stats, NULL);
    if (!err) {
        rsd_mat_copy(Wq, W);
        e->weights += (double)t->elements;
        e->bytes += (double)stats.packed_bytes;
    }
    rsd_mat_free(&Wq);
    return err ? rsd_fail_prefix(err, "%s", t->name) : RSD_OK;
}

static int quantize_weights(evaluation *e)
{
    RSD_TRY(select_specs_parse(&e->params->specs, &e->params->map, &e->specs));
    if (e->specs.specs > 1)
        return RSD_FAIL(RSD_EUSAGE, "one -q, not %zu; --map GLOB=SPEC for some matrices",
                        e->specs.specs);
    if (e->specs.specs + e->specs.rules == 0)
        return RSD_OK;
    RSD_TRY(rsd_weights_copy(e->original, &e->quantized));
    for (size_t i = 0; i < rsd_model_count(e->model); i++) {
        const rsd_tensor *t = rsd_model_tensor(e->model, i);
        size_t count;
        if (!select_takes(&e->params->select, e->model, t))
            continue;
        const rsd_spec *spec = select_specs_for(&e->specs, t->name, &count);
        if (count)
            RSD_TRY(quantize_tensor(e, t, spec));
    }
    if (e->weights == 0)
        return RSD_FAIL(RSD_EUSAGE, "no matrix is selected; see --include and --map");
    return RSD_OK;
}

static void progress(void *context, size_t done)
{
    const evaluation *e = context;
    (void)done;
    console_progress_step("", (double)e->stream.batch);
}

static bool should_stop(void *context)
{
    (void)context;
    return stop_requested();
}

static int run_windows(evaluation *e)
{
    const rsd_precision precision = (rsd_precision)e->params->precision;
    const size_t rows = e->stream.batch * e->stream.context;
    rsd_weights *student = e->quantized ? e->quantized : e->original;
    RSD_TRY(rsd_transformer_alloc(student, precision, RSD_KEEP_NOTHING, rows, &e->pass));
    if (e->quantized)
        RSD_TRY(rsd_transformer_alloc(e->original, precision, RSD_KEEP_NOTHING, rows, &e->teacher));
    console_detail("%zu windows of %zu tokens, %zu a pass, %zu MB of activations", e->stream.windows,
                   e->stream.context, e->stream.batch,
                   rsd_transformer_bytes(e->pass) * (e->quantized ? 2 : 1) / 1000000);
    const rsd_evaluate_job job = { .model = e->pass, .original = e->teacher, .tokens = e->stream.tokens,
                                   .context = e->stream.context, .windows = e->stream.windows,
                                   .batch = e->stream.batch, .progress = progress,
                                   .stop = should_stop, .callback_context = e };
    console_progress_begin("pass", (e->stream.windows + e->stream.batch - 1) / e->stream.batch, (double)e->stream.windows);
    const int err = rsd_evaluate(&job, &e->result);
    console_progress_end();
    return err;
}

/* Loss in bits over the bytes of text that the targets stand for; NaN where that is unknown. */
static int bits_per_byte(const evaluation *e, double loss, double *bits)
{
    uint64_t bytes;
    *bits = NAN;
    if (!rsd_tokens_has_bytes(e->stream.tokens))
        return RSD_OK;
    const size_t targets = e->result.windows * e->stream.context;
    RSD_TRY(rsd_tokens_bytes(e->stream.tokens, 1, targets, &bytes));
    *bits = loss * (double)targets / M_LN2 / (double)bytes;
    return RSD_OK;
}

static void put(json_t *json, const char *key, double value)
{
    json_object_set_new(json, key, isfinite(value) ? json_real(value) : json_null());
}

/* What is compared with the original. */
static int compare(evaluation *e, json_t *json)
{
    rsd_evaluation *r = &e->result;
    const size_t tokens = r->windows * r->context;
    double se, *means;
    RSD_TRY(rsd_array_alloc(r->windows, 1, sizeof *means, &means));
    for (size_t w = 0; w < r->windows; w++)
        means[w] = rsd_mean(r->kl + w * r->context, r->context);
    int err = rsd_bootstrap_se(means, r->windows, e->params->common.seed, &se);
    put(json, "kl", rsd_mean(means, r->windows));
    put(json, "kl_se", se);
    put(json, "kl_median", rsd_quantile(r->kl, tokens, 0.5));
    put(json, "kl_p99", rsd_quantile(r->kl, tokens, 0.99));
    put(json, "top1_agreement", (double)r->agree / (double)tokens);
    put(json, "loss_original", rsd_mean(r->loss_original, r->windows));
    for (size_t w = 0; w < r->windows; w++)
        means[w] = r->loss[w] - r->loss_original[w];
    if (!err)
        err = rsd_bootstrap_se(means, r->windows, e->params->common.seed, &se);
    put(json, "loss_increase", rsd_mean(means, r->windows));
    put(json, "loss_increase_se", se);
    put(json, "bits_per_weight", 8 * e->bytes / e->weights);
    free(means);
    return err;
}

static void print_text(const json_t *json)
{
    static const char *const units[][2] = {
        { "loss", "nats per token" }, { "loss_se", "" }, { "perplexity", "" }, { "tokens", "" },
        { "bits_per_byte", "" }, { "loss_original", "nats per token" },
        { "loss_increase", "nats per token" }, { "loss_increase_se", "" },
        { "kl", "nats per token" }, { "kl_se", "" }, { "kl_median", "nats" }, { "kl_p99", "nats" },
        { "top1_agreement", "share of tokens" }, { "bits_per_weight", "of what is quantized" },
    };
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const json_t *v = json_object_get(json, units[i][0]);
        if (json_is_integer(v))
            printf("%-18s %" JSON_INTEGER_FORMAT " %s\n", units[i][0], json_integer_value(v),
                   units[i][1]);
        else if (json_is_real(v))
            printf("%-18s %.7g %s\n", units[i][0], json_real_value(v), units[i][1]);
    }
}

static int report(evaluation *e)
{
    const rsd_evaluation *r = &e->result;
    const double loss = rsd_mean(r->loss, r->windows);
    double se, bits;
    RSD_TRY(rsd_bootstrap_se(r->loss, r->windows, e->params->common.seed, &se));
    RSD_TRY(bits_per_byte(e, loss, &bits));
    json_t *json = json_object();
    put(json, "loss", loss);
    put(json, "loss_se", se);
    put(json, "perplexity", exp(loss));
    put(json, "bits_per_byte", bits);
    json_object_set_new(json, "tokens", json_integer((json_int_t)(r->windows * r->context)));
    json_object_set_new(json, "context", json_integer((json_int_t)r->context));
    json_object_set_new(json, "precision",
                        json_string(rsd_matmul_precision(rsd_transformer_mm(e->pass)) ==
                                            RSD_PRECISION_BF16 ? "bf16" : "f32"));
    int err = e->teacher ? compare(e, json) : RSD_OK;
    if (!err && e->params->common.json) {
        err = json_dumpf(json, stdout, JSON_INDENT(1))
                  ? RSD_FAIL(RSD_EIO, "could not print as JSON") : RSD_OK;
        putchar('\n');
    } else if (!err)
        print_text(json);
    json_decref(json);
    return err;
}

static int evaluate(evaluation *e, const char *source)
{
    RSD_TRY(rsd_model_open(source, &e->model));
    RSD_TRY(rsd_weights_load(e->model, &e->original));
    const eval_params *p = e->params;
    RSD_TRY(stream_open(p->tokens, e->model, &e->original->shape, p->context, p->max_tokens,
                        &e->stream));
    RSD_TRY(quantize_weights(e));
    RSD_TRY(run_windows(e));
    if (stop_requested())
        console_note("stopped after %zu of %zu windows", e->result.windows, e->stream.windows);
    if (e->result.windows)
        RSD_TRY(report(e));
    return stop_requested() ? RSD_ESTOPPED : RSD_OK;
}

static int run(const void *params, const rsd_arguments *arguments)
{
    evaluation e = { .params = params };
    const int err = evaluate(&e, arguments->words.item[0]);
    rsd_evaluation_free(&e.result);
    rsd_transformer_free(e.pass);
    rsd_transformer_free(e.teacher);
    rsd_weights_free(e.quantized);
    rsd_weights_free(e.original);
    stream_close(&e.stream);
    rsd_model_close(e.model);
    select_specs_free(&e.specs);
    return err;
}

extern const rsd_command rsd_command_eval;
const rsd_command rsd_command_eval = {
    .name = "eval",
    .usage = "MODEL --tokens PATH [-q SPEC] [--json]",
    .summary = "mean loss of a model, and what quantizing does to it",
    .details =
        "Loss is in nats per token over consecutive windows that do not overlap; its standard error\n"
        "is the bootstrap's over windows.  With -q or --map the quantized model is set against the\n"
        "original on the same windows: KL divergence, agreement of the likeliest token.\n",
    .options = options,
    .common = RSD_TAKES_JSON | RSD_TAKES_THREADS | RSD_TAKES_SEED,
    .min_words = 1,
    .max_words = 1,
    .defaults = &defaults,
    .params_size = sizeof(eval_params),
    .run = run,
};
