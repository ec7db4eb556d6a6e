/* residuum analyze: the loop over models and matrices.  What is said of one is measure.c. */
#include "alloc.h"
#include "analyze/analysis.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "mat.h"
#include "result/summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALGORITHM = 3 }; /* raised when the same options give other numbers */

static const analyze_params defaults = {
    .numbers = { .method = RSD_METHOD_AUTO,
                 .null_draws = 3,
                 .overlap = 8,
                 .excess_rank = 16,
                 .tolerance = 1e-6,
                 .damping = 1e-3,
                 .nulls = "variance_profile,marchenko_pastur" },
    .control = 4,
};

/* The options that shape numbers: what a result file must agree with to be resumed.  Given once,
 * at two offsets: inside the command's parameters, and alone for the canonical text. */
/* clang-format off */
#define NUMBER_ROWS(base)                                                                          \
    { "method", 0, RSD_OPT_CHOICE, (base) + offsetof(numbers, method), 0, 0, RSD_METHOD_WORDS,     \
      "how singular values are computed" },                                                        \
    { "top", 0, RSD_OPT_SIZE, (base) + offsetof(numbers, top), 0, 1e9, "K",                        \
      "only the K largest singular values; 0: all" },                                              \
    { "tolerance", 0, RSD_OPT_REAL, (base) + offsetof(numbers, tolerance), 1e-14, 1, "X",          \
      "certified error of truncated singular values, relative to the largest" },                   \
    { "vectors", 0, RSD_OPT_SIZE, (base) + offsetof(numbers, vectors), 0, 1e9, "K",                \
      "store the K leading singular vectors, left and right" },                                    \
    { "null-draws", 0, RSD_OPT_SIZE, (base) + offsetof(numbers, null_draws), 1, 1000, "N",         \
      "draws of each random null" },                                                               \
    { "overlap", 0, RSD_OPT_SIZE, (base) + offsetof(numbers, overlap), 0, 1e6, "K",                \
      "compare the top-K singular subspaces of R and W; 0: do not" },                              \
    { "excess-rank", 0, RSD_OPT_SIZE, (base) + offsetof(numbers, excess_rank), 1, 1e9, "R",        \
      "rank at which the excess over the nulls is tabulated" },                                    \
    { "damping", 0, RSD_OPT_REAL, (base) + offsetof(numbers, damping), 0, 1, "X",                  \
      "added to the eigenvalues of H and G, as a share of their mean" }
/* clang-format on */

static const rsd_opt number_options[] = { NUMBER_ROWS(0), { 0 } };

#define AT(field) offsetof(analyze_params, field)
/* clang-format off */
static const rsd_opt options[] = {
    { "quantizer", 'q', RSD_OPT_LIST, AT(specs), 0, 0, "SPEC",
      "quantize with NAME[:KEY=VALUE,...], as `residuum list quantizers` names them; all: every "
      "one that needs no calibration" },
    { "map", 0, RSD_OPT_LIST, AT(map), 0, 0, "GLOB=SPEC",
      "this quantizer alone for the matrices whose name matches; the first rule counts" },
    { "quantized", 0, RSD_OPT_LIST, AT(quantized), 0, 0, "[NAME=]MODEL",
      "take W_q from this checkpoint of the model: .gguf, GPTQ, AWQ, bitsandbytes, or any other" },
    SELECT_OPTIONS(AT(select)),
    NUMBER_ROWS(AT(numbers)),
    { "nulls", 0, RSD_OPT_STRING, AT(numbers.nulls), 0, 0, "LIST",
      "null models of R: variance_profile, which is sign_flip in closed form, and sign_flip, each in "
      "every metric that R is seen in; permuted and marchenko_pastur, of R alone; or none" },
    { "calibration", 0, RSD_OPT_STRING, AT(calibration), 0, 0, "FILE.h5",
      "add R in the metrics of this file's H and G: RdH, RH, GR, GRH (from calibrate)" },
    { "predict", 0, RSD_OPT_FLAG, AT(predict), 0, 0, NULL,
      "quantize nothing: predict loss and recovery from the weights' sizes, H and G" },
    { "control", 0, RSD_OPT_SIZE, AT(control), 0, 64, "RANK",
      "add a true low-rank matrix of this rank as model `control`; 0: do not" },
    { "memory", 0, RSD_OPT_SIZE, AT(memory), 0, 1e9, "MB",
      "working memory for matrices in flight; 0: 8 times the largest matrix" },
    { 0 },
};
/* clang-format on */

static int parse_nulls(const char *text, bool null[RSD_NULLS])
{
    if (strcmp(text, "none") == 0)
        return RSD_OK;
    for (const char *p = text; *p;) {
        const size_t len = strcspn(p, ",");
        int n = 0;
        while (n < RSD_NULLS && (strlen(rsd_null_name((rsd_null)n)) != len ||
                                 strncmp(rsd_null_name((rsd_null)n), p, len) != 0))
            n++;
        if (n == RSD_NULLS)
            return RSD_FAIL(
                RSD_EUSAGE,
                "--nulls: no null '%.*s'; variance_profile, sign_flip, permuted, marchenko_pastur "
                "or none",
                (int)len, p);
        null[n] = true;
        p += len + (p[len] == ',');
    }
    return RSD_OK;
}

static int read_options(analysis *r)
{
    const numbers *n = &r->params->numbers;
    r->measure = (measure_options){ .method = n->method,
                                    .top = n->top,
                                    .tolerance = n->tolerance,
                                    .vectors = n->vectors,
                                    .null_draws = n->null_draws,
                                    .overlap = n->overlap,
                                    .excess_rank = n->excess_rank,
                                    .damping = n->damping,
                                    .seed = r->params->common.seed };
    if (n->method == RSD_METHOD_KRYLOV && n->top == 0)
        return RSD_FAIL(RSD_EUSAGE, "--method krylov computes leading values: give --top K");
    if (!r->params->common.output)
        return RSD_FAIL(RSD_EUSAGE, "give the result file: -o FILE.h5");
    RSD_TRY(parse_nulls(n->nulls, r->measure.null));
    return select_specs_parse(&r->params->specs, &r->params->map, &r->specs);
}

/* Canonical text of what shapes the numbers; '+' inside because ',' parts the items. */
static void canonical(const analysis *r, char *out, size_t size)
{
    size_t used = rsd_opt_format(number_options, &r->params->numbers, out, size);
    used += (size_t)snprintf(out + used, size - used, ",seed=%zu,nulls=", r->params->common.seed);
    const char *plus = "";
    for (int n = 0; n < RSD_NULLS; n++)
        if (r->measure.null[n]) {
            used +=
                (size_t)snprintf(out + used, size - used, "%s%s", plus, rsd_null_name((rsd_null)n));
            plus = "+";
        }
    if (!*plus)
        snprintf(out + used, size - used, "none");
}

/* ---- the file ---- */

/* What makes --force start over: spectra of all models; what other commands wrote stays. */
static const char *const written[] = { "/models/*/matrices/*/W", "/models/*/matrices/*/quantized",
                                       "/a_priori", "/spectra", NULL };
static const parts_kind kind = {
    .command = "analyze", .prefix = "", .writes = written, .replaces_model = true
};

static int open_file(analysis *r)
{
    char text[512], inputs[32];
    canonical(r, text, sizeof text);
    snprintf(inputs, sizeof inputs, "algorithm=%d", ALGORITHM);
    RSD_TRY(rsd_copy_text(text, &r->options));
    RSD_TRY(rsd_copy_text(inputs, &r->inputs_text));
    RSD_TRY(rsd_array_alloc(r->inputs + r->checkpoints, 1, sizeof *r->named, &r->named));
    for (size_t i = 0; i < r->inputs; i++)
        r->named[r->terms.models++] = &r->input[i].entry;
    for (size_t i = 0; i < r->checkpoints; i++)
        r->named[r->terms.models++] = &r->checkpoint[i].entry;
    r->terms.options = r->options;
    r->terms.inputs = r->inputs_text;
    r->terms.model = r->named;
    r->measure.terms = &r->terms;
    RSD_TRY(parts_open(&kind, r->params->common.output, NULL, r->params->common.force, &r->parts));
    return finished_read(r->parts, &r->terms, &r->finished);
}

/* Is F.h5 what it would become? */
static int has_changed(const analysis *r, const rsd_store *old, bool complete, bool *changes)
{
    int64_t was = 0;
    *changes = true;
    if (!old || parts_count(r->parts) || parts_replace(r->parts) ||
        !rsd_store_has(old, "/", "analyze_options"))
        return RSD_OK;
    RSD_TRY(rsd_store_get_int(old, "/", "complete", &was));
    *changes = was != complete;
    return RSD_OK;
}

static int write_last(const rsd_store *old, rsd_store *part, bool *changes, void *context)
{
    const analysis *r = context;
    const bool complete = !stop_requested() && r->failures == 0;
    const spectra_rows none = { 0 };
    RSD_TRY(has_changed(r, old, complete, changes));
    RSD_TRY(provenance_write(part, "/", r->command_line, r->params->common.seed));
    RSD_TRY(finished_write_terms(part, &r->terms));
    RSD_TRY(rsd_store_set_int(part, "/", "complete", complete));
    for (size_t i = 0; i < r->inputs; i++)
        RSD_TRY(result_model_write(part, &r->input[i].entry));
    for (size_t i = 0; i < r->checkpoints; i++)
        RSD_TRY(result_model_write(part, &r->checkpoint[i].entry));
    return spectra_write(&none, part); /* there is a table, though all failed */
}

static int finish(analysis *r)
{
    const char **order;
    RSD_TRY(rsd_array_alloc(r->tasks, 1, sizeof *order, &order));
    for (size_t i = 0; i < r->tasks; i++)
        order[i] = r->task[i].path;
    const parts_publication publication = {
        .order = order, .count = r->tasks, .last = write_last, .context = r
    };
    const int err = parts_publish(r->parts, &publication);
    free(order);
    return err;
}

static void close_analysis(analysis *r)
{
    parts_close(r->parts);
    for (size_t i = 0; i < r->tasks; i++) {
        free(r->task[i].origin);
        free(r->task[i].path);
    }
    analyze_close_inputs(r);
    a_priori_models_free(&r->a_priori);
    select_specs_free(&r->specs);
    finished_free(&r->finished);
    free(r->named);
    free(r->options);
    free(r->inputs_text);
    free(r->pending);
    free(r->task);
}

/* What is asked of W_q or of draws cannot be had without them. */
static int check_predict(const analyze_params *p)
{
    const numbers *n = &p->numbers, *d = &defaults.numbers;
    if (!p->calibration || !(p->specs.count + p->map.count))
        return RSD_FAIL(RSD_EUSAGE, "--predict needs quantizers, -q SPEC or -q all, and "
                                    "--calibration FILE.h5");
    if (p->quantized.count || n->vectors != d->vectors || n->null_draws != d->null_draws ||
        n->overlap != d->overlap || n->excess_rank != d->excess_rank ||
        strcmp(n->nulls, d->nulls) != 0 || p->control != defaults.control)
        return RSD_FAIL(RSD_EUSAGE, "--predict has no W_q and no draws: it goes with none of "
                                    "--quantized, --vectors, --nulls, --null-draws, --overlap, "
                                    "--excess-rank and --control");
    return RSD_OK;
}

static int predict(analysis *r)
{
    const double start = console_seconds();
    RSD_TRY(analyze_predict(r));
    console_note("%s: %zu matrices in %.1f s%s", r->params->common.output, r->tasks,
                 console_seconds() - start, stop_requested() ? ", stopped early" : "");
    if (stop_requested())
        return RSD_ESTOPPED;
    return r->failures ? RSD_FAIL(RSD_EPARTIAL, "%zu of %zu matrices failed", r->failures, r->tasks)
                       : RSD_OK;
}

static int analyze(analysis *r, const rsd_arguments *arguments)
{
    if (r->params->predict)
        RSD_TRY(check_predict(r->params));
    RSD_TRY(read_options(r));
    RSD_TRY(analyze_open_inputs(r, &arguments->words));
    RSD_TRY(analyze_open_checkpoints(r));
    RSD_TRY(analyze_open_calibration(r));
    if (r->params->predict)
        return predict(r);
    RSD_TRY(open_file(r));
    RSD_TRY(analyze_add_control(r));
    if (r->params->calibration) {
        RSD_TRY(a_priori_models_make(&r->specs, true, &r->a_priori));
        r->measure.a_priori = &r->a_priori;
    }
    RSD_TRY(analyze_plan(r));
    const double start = console_seconds();
    RSD_TRY(analyze_compute(r));
    RSD_TRY(finish(r));
    console_note("%s: %zu matrices in %.1f s%s", r->params->common.output, r->tasks,
                 console_seconds() - start, stop_requested() ? ", stopped early" : "");
    console_detail("peak memory %zu MB (largest matrix %zu MB)", console_peak_memory() / 1000000,
                   analyze_largest(r) / 1000000);
    if (!r->params->common.quiet)
        RSD_TRY(summary_print(r->params->common.output));
    if (stop_requested())
        return RSD_ESTOPPED;
    if (r->failures) {
        console_error("%zu of %zu matrices failed; the others are in %s", r->failures, r->tasks,
                      r->params->common.output);
        return RSD_EPARTIAL;
    }
    return RSD_OK;
}

static int run_analyze(const void *params, const rsd_arguments *arguments)
{
    analysis r = { .params = params, .command_line = arguments->text };
    const int err = analyze(&r, arguments);
    close_analysis(&r);
    return err;
}

extern const rsd_command rsd_command_analyze;
const rsd_command rsd_command_analyze = {
    .name = "analyze",
    .usage = "MODEL... [-q SPEC]... [--quantized MODEL]... [--predict] -o FILE.h5",
    .summary = "singular spectra of W, W_q and R = W - W_q for every layer",
    .details =
        "MODEL is a Hugging Face folder, a .safetensors, .gguf or .npy file, or\n"
        "synthetic:KEY=VALUE,...; NAME=MODEL calls it NAME in the result.  --quantized gives a\n"
        "checkpoint of the same model as somebody quantized it: its matrices, paired by their "
        "names,\n"
        "are the W_q of `checkpoint:NAME`.  The same command again resumes where it was stopped, "
        "or\n"
        "adds quantizers, checkpoints and models to the file.  --predict quantizes nothing: what "
        "a\n"
        "quantizer makes of normal numbers, the sizes of the weights that share a scale, H and G\n"
        "predict the loss that it will cost, and how much of it a correction of each rank wins\n"
        "back (`kfac`); where rounding depends on more (gptq, awq), it says so.\n",
    .options = options,
    .common = RSD_TAKES_OUTPUT | RSD_TAKES_FORCE | RSD_TAKES_THREADS | RSD_TAKES_SEED,
    .min_words = 1,
    .max_words = 10000,
    .defaults = &defaults,
    .params_size = sizeof(analyze_params),
    .run = run_analyze,
};
