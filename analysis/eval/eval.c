/* residuum eval: mean loss of a model over a token stream, and what quantizing does to it. */
#include "adapters/adapted.h"
#include "adapters/peft_folder.h"
#include "cli/choices.h"
#include "cli/command.h"
#include "cli/console.h"
#include "cli/json_out.h"
#include "cli/select.h"
#include "cli/stop.h"
#include "cli/stream.h"
#include "eval/loss_report.h"
#include "eval/one_at_a_time.h"
#include "mat.h"
#include "quantize/budget.h"
#include "result/calibration_file.h"
#include "transformer/evaluate.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    rsd_common common;
    stream_options stream;
    const char *calibration, *adapter;
    rsd_list specs, map, inits, ranks;
    double target_bpw, damping;
    bool one_at_a_time;
    select_options select;
} eval_params;

static const eval_params defaults = {
    .stream = { .precision = RSD_PRECISION_AUTO, .windows = STREAM_SPREAD }, .damping = 1e-3
};

#define AT(field) offsetof(eval_params, field)
/* clang-format off */
static const rsd_opt options[] = {
    STREAM_OPTIONS(AT(stream), STREAM_MOST_TOKENS),
    STREAM_WINDOWS_ROW(AT(stream.windows)),
    { "quantizer", 'q', RSD_OPT_LIST, AT(specs), 0, 0, "SPEC",
      "quantize the linear layers of the blocks first; several with --target-bpw and "
      "--one-at-a-time" },
    { "map", 0, RSD_OPT_LIST, AT(map), 0, 0, "GLOB=SPEC",
      "this quantizer for the matrices whose name matches; the first rule counts" },
    CALIBRATION_OPTIONS(AT(calibration)),
    { "adapter", 0, RSD_OPT_STRING, AT(adapter), 0, 0, "DIR",
      "add the adapters of this folder in PEFT's format, on the quantized model with -q" },
    { "target-bpw", 0, RSD_OPT_REAL, AT(target_bpw), 0, 64, "BITS",
      "give each matrix the -q with the least predicted loss within so many bits per weight" },
    { "one-at-a-time", 0, RSD_OPT_FLAG, AT(one_at_a_time), 0, 0, NULL,
      "quantize each matrix alone, and measure its own loss; with -o into a table /sensitivity" },
    { "init", 0, RSD_OPT_LIST, AT(inits), 0, 0, "INIT[,INIT...]",
      "one at a time: correct the matrix too, with the start that `residuum list inits` names" },
    { "rank", 0, RSD_OPT_LIST, AT(ranks), 0, 0, "R[,R...]", "of these corrections" },
    { "damping", 0, RSD_OPT_REAL, AT(damping), 0, 1, "X",
      "of these corrections: added to the eigenvalues of H and G, as a share of their mean" },
    SELECT_OPTIONS(AT(select)),
    { 0 },
};
/* clang-format on */

/* Everything that is open. */
typedef struct {
    const eval_params *params;
    rsd_model *model;
    rsd_weights *original, *quantized;
    rsd_transformer *pass, *teacher;
    rsd_adapters adapters;
    rsd_adapted *hook; /* NULL: no adapters */
    stream stream;
    calibration calibration;
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
    layer_calibration k;
    RSD_TRY(rsd_mat_alloc(t->rows, t->cols, &Wq));
    int err = calibration_read(&e->calibration, t, &k);
    if (!err)
        err = rsd_quantize(spec, W, k.any ? &k.c : NULL, Wq, &stats, NULL);
    layer_calibration_free(&k);
    if (!err) {
        rsd_mat_copy(Wq, W);
        e->weights += (double)t->elements;
        e->bytes += (double)stats.packed_bytes;
    }
    rsd_mat_free(&Wq);
    return err ? rsd_fail_prefix(err, "%s", t->name) : RSD_OK;
}

/* Several quantizers become a rule for each matrix. */
static int choose_within_budget(evaluation *e)
{
    const budget_job job = { .model = e->model,
                             .select = &e->params->select,
                             .calibration = &e->calibration,
                             .bits = e->params->target_bpw };
    return budget_choose(&job, &e->specs);
}

static int quantize_weights(evaluation *e)
{
    if (e->params->target_bpw > 0)
        RSD_TRY(choose_within_budget(e));
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
        if (stop_requested())
            return RSD_FAIL(RSD_ESTOPPED, "stopped before %s", t->name);
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
    console_progress_step("", (double)e->stream.batch);
    console_trace("%zu of %zu windows", done, e->stream.windows);
}

/* The adapters beside the linear layers of the pass, which are dense here. */
static int open_adapter(evaluation *e, rsd_weights *student, size_t rows)
{
    if (!e->params->adapter)
        return RSD_OK;
    RSD_TRY(rsd_peft_read(e->params->adapter, student, &e->adapters));
    const rsd_adapted_options o = { .weights = student, .adapters = &e->adapters, .rows = rows };
    RSD_TRY(rsd_adapted_alloc(&o, rsd_transformer_mm(e->pass), &e->hook));
    return rsd_transformer_hook(e->pass, rsd_adapted_hook(e->hook));
}

static int open_passes(evaluation *e)
{
    const rsd_precision precision = e->stream.precision;
    const size_t rows = e->stream.batch * e->stream.context;
    rsd_weights *student = e->quantized ? e->quantized : e->original;
    RSD_TRY(rsd_transformer_alloc(student, precision, RSD_KEEP_NOTHING, rows, &e->pass));
    RSD_TRY(open_adapter(e, student, rows));
    if (!e->quantized && !e->hook)
        return RSD_OK;
    return rsd_transformer_alloc(e->original, precision, RSD_KEEP_NOTHING, rows, &e->teacher);
}

static int run_windows(evaluation *e)
{
    RSD_TRY(open_passes(e));
    console_detail("%zu windows of %zu tokens, %zu a pass, %zu MB of activations",
                   e->stream.windows, e->stream.context, e->stream.batch,
                   rsd_transformer_bytes(e->pass) * (e->teacher ? 2 : 1) / 1000000);
    const rsd_evaluate_job job = { .model = e->pass,
                                   .original = e->teacher,
                                   .tokens = e->stream.tokens,
                                   .context = e->stream.context,
                                   .windows = e->stream.windows,
                                   .of = e->stream.of,
                                   .batch = e->stream.batch,
                                   .progress = progress,
                                   .stop = stop_callback,
                                   .callback_context = e };
    console_progress_begin("pass", (e->stream.windows + e->stream.batch - 1) / e->stream.batch,
                           (double)e->stream.windows);
    const int err = rsd_evaluate(&job, &e->result);
    console_progress_end();
    return err;
}

static int report(const evaluation *e)
{
    const loss_report o = { .result = &e->result,
                            .stream = &e->stream,
                            .weights = e->weights,
                            .bytes = e->bytes,
                            .adapted = e->hook != NULL,
                            .numbers = e->hook ? rsd_adapters_parameters(&e->adapters) : 0 };
    return loss_report_print(&o, e->params->common.json);
}

static int measure_singly(evaluation *e, const char *command_line)
{
    const eval_params *p = e->params;
    choices c;
    int err = RSD_OK;
    RSD_TRY_DONE(choices_parse(&p->ranks, &p->inits, &c));
    if (c.inits && !c.ranks)
        RSD_TRY_DONE(choices_add_rank(&c, "8"));
    const sensitivity_job job = { .model = e->model,
                                  .name = rsd_model_name(e->model),
                                  .original = e->original,
                                  .stream = &e->stream,
                                  .select = &p->select,
                                  .specs = &e->specs,
                                  .init = c.init,
                                  .inits = c.inits,
                                  .rank = c.rank,
                                  .ranks = c.ranks,
                                  .damping = p->damping,
                                  .calibration = &e->calibration,
                                  .seed = p->common.seed };
    const eval_single_options o = { .output = p->common.output,
                                    .force = p->common.force,
                                    .command_line = command_line,
                                    .json = p->common.json };
    err = eval_single(&job, &o);
done:
    choices_free(&c);
    return err;
}

/* What asks for something else is refused, not ignored. */
static int check(const eval_params *p)
{
    if (!p->one_at_a_time && (p->common.output || p->inits.count || p->ranks.count))
        return RSD_FAIL(RSD_EUSAGE, "%s goes with --one-at-a-time",
                        p->common.output ? "-o"
                        : p->inits.count ? "--init"
                                         : "--rank");
    if (p->one_at_a_time && (p->adapter || p->target_bpw > 0))
        return RSD_FAIL(RSD_EUSAGE, "--one-at-a-time takes neither --adapter nor --target-bpw");
    if (p->one_at_a_time && p->ranks.count && !p->inits.count)
        return RSD_FAIL(RSD_EUSAGE, "--rank needs --init: which correction");
    return RSD_OK;
}

static int evaluate(evaluation *e, const char *source, const char *command_line)
{
    RSD_TRY(check(e->params));

    RSD_TRY(select_specs_parse(&e->params->specs, &e->params->map, &e->specs));
    RSD_TRY(rsd_model_open(source, &e->model));
    RSD_TRY(select_check(&e->params->select, &e->specs, e->params->calibration,
                         (const rsd_model *const[]){ e->model }, 1));
    RSD_TRY(rsd_weights_load(e->model, &e->original));
    RSD_TRY(stream_open(&e->params->stream, e->model, &e->original->shape, &e->stream));
    RSD_TRY(calibration_open(e->params->calibration, e->model, &e->calibration));
    if (e->params->one_at_a_time)
        return measure_singly(e, command_line);
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
    const int err = evaluate(&e, arguments->words.item[0], arguments->text);
    rsd_evaluation_free(&e.result);
    rsd_transformer_free(e.pass);
    rsd_transformer_free(e.teacher);
    rsd_adapted_free(e.hook);
    rsd_adapters_free(&e.adapters);
    rsd_weights_free(e.quantized);
    rsd_weights_free(e.original);
    stream_close(&e.stream);
    calibration_close(&e.calibration);
    rsd_model_close(e.model);
    select_specs_free(&e.specs);
    return err;
}

extern const rsd_command rsd_command_eval;
const rsd_command rsd_command_eval = {
    .name = "eval",
    .usage =
        "MODEL --tokens PATH [-q SPEC]... [--adapter DIR] [--one-at-a-time -o FILE.h5] [--json]",
    .summary = "mean loss of a model, and what quantizing does to it",
    .details =
        "Loss is in nats per token over windows that do not overlap; --max-tokens takes windows\n"
        "spread over the stream, --windows first its first ones.  Standard errors are over "
        "windows\n"
        "in blocks that follow each other, as long as windows resemble their neighbours (*_block;\n"
        "circular block bootstrap, length after Politis & White).  With -q, --map or --adapter the "
        "changed model is set\n"
        "against the original on the same windows: KL divergence, agreement of the likeliest "
        "token.\n",
    .options = options,
    .common =
        RSD_TAKES_OUTPUT | RSD_TAKES_FORCE | RSD_TAKES_JSON | RSD_TAKES_THREADS | RSD_TAKES_SEED,
    .min_words = 1,
    .max_words = 1,
    .defaults = &defaults,
    .params_size = sizeof(eval_params),
    .run = run,
};
