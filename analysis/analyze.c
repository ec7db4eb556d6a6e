/* residuum analyze: the loop over models and matrices.  What is said of one is measure.c. */
#include "command.h"
#include "console.h"
#include "journal.h"
#include "mat.h"
#include "measure.h"
#include "par.h"
#include "select.h"
#include "stop.h"
#include "summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    int method;
    size_t top, vectors, null_draws, overlap, excess_rank;
    double tolerance, damping;
    const char *nulls;
} numbers;

typedef struct {
    rsd_common common;
    rsd_list specs, map;
    select_options select;
    numbers numbers;
    size_t control, memory;
    const char *calibration;
} analyze_params;

static const analyze_params defaults = {
    .numbers = { .method = RSD_METHOD_AUTO, .null_draws = 3, .overlap = 8, .excess_rank = 16,
                 .tolerance = 1e-6, .damping = 1e-3, .nulls = "sign_flip,marchenko_pastur" },
    .control = 4,
};

/* The options that shape numbers: what a result file must agree with to be resumed.  Given once,
 * at two offsets: inside the command's parameters, and alone for the canonical text. */
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

static const rsd_opt number_options[] = { NUMBER_ROWS(0), { 0 } };

#define AT(field) offsetof(analyze_params, field)
static const rsd_opt options[] = {
    { "quantizer", 'q', RSD_OPT_LIST, AT(specs), 0, 0, "SPEC",
      "quantize with NAME[:KEY=VALUE,...], as `residuum list quantizers` names them" },
    { "map", 0, RSD_OPT_LIST, AT(map), 0, 0, "GLOB=SPEC",
      "this quantizer alone for the matrices whose name matches; the first rule counts" },
    SELECT_OPTIONS(AT(select)),
    NUMBER_ROWS(AT(numbers)),
    { "nulls", 0, RSD_OPT_STRING, AT(numbers.nulls), 0, 0, "LIST",
      "null models of R: sign_flip, permuted, marchenko_pastur, or none" },
    { "calibration", 0, RSD_OPT_STRING, AT(calibration), 0, 0, "FILE.h5",
      "add R in the metrics of this file's H and G: RdH, RH, GRH (from calibrate)" },
    { "control", 0, RSD_OPT_SIZE, AT(control), 0, 64, "RANK",
      "add a true low-rank matrix of this rank as model `control`; 0: do not" },
    { "memory", 0, RSD_OPT_SIZE, AT(memory), 0, 1e9, "MB",
      "working memory for matrices in flight; 0: 8 times the largest matrix" },
    { 0 }
};

/* A model of the run and where its matrices stand. */
typedef struct {
    rsd_model *model;
    char *name;
    bool control; /* ours, not the user's: no selection applies */
    journal_model entry;
} input;

typedef struct {
    measure_item item;
    char *path;       /* of the matrix' group */
    rsd_spec *spec;   /* the specs that are still to be done */
} task;

typedef struct {
    const analyze_params *params;
    measure_options measure;
    moment_source moments;
    select_specs specs;
    size_t inputs, tasks, todo;
    input *input;
    task *task;
    size_t *pending; /* [todo] indices of the tasks to run */
    journal *journal;
    size_t failures; /* updated under omp atomic */
} run;

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
            return RSD_FAIL(RSD_EUSAGE,
                            "--nulls: no null '%.*s'; sign_flip, permuted, marchenko_pastur or none",
                            (int)len, p);
        null[n] = true;
        p += len + (p[len] == ',');
    }
    return RSD_OK;
}

static int read_options(run *r)
{
    const numbers *n = &r->params->numbers;
    r->measure = (measure_options){ .method = n->method, .top = n->top, .tolerance = n->tolerance,
                                    .vectors = n->vectors, .null_draws = n->null_draws,
                                    .overlap = n->overlap, .excess_rank = n->excess_rank,
                                    .seed = r->params->common.seed };
    if (n->method == RSD_METHOD_KRYLOV && n->top == 0)
        return RSD_FAIL(RSD_EUSAGE, "--method krylov computes leading values: give --top K");
    if (!r->params->common.output)
        return RSD_FAIL(RSD_EUSAGE, "give the result file: -o FILE.h5");
    RSD_TRY(parse_nulls(n->nulls, r->measure.null));
    return select_specs_parse(&r->params->specs, &r->params->map, &r->specs);
}

/* Canonical text of what shapes the numbers; '+' inside because ',' parts the items. */
static void canonical(const run *r, char *out, size_t size)
{
    size_t used = rsd_opt_format(number_options, &r->params->numbers, out, size);
    used += (size_t)snprintf(out + used, size - used, ",seed=%zu,nulls=", r->params->common.seed);
    const char *plus = "";
    for (int n = 0; n < RSD_NULLS; n++)
        if (r->measure.null[n]) {
            used += (size_t)snprintf(out + used, size - used, "%s%s", plus,
                                     rsd_null_name((rsd_null)n));
            plus = "+";
        }
    if (!*plus)
        snprintf(out + used, size - used, "none");
}

static int open_input(run *r, const char *name, size_t len, const char *source)
{
    input *in = &r->input[r->inputs];
    RSD_TRY(rsd_model_open(source, &in->model));
    r->inputs++;
    in->name = name ? strndup(name, len) : strdup(rsd_model_name(in->model));
    if (!in->name)
        return RSD_FAIL(RSD_ENOMEM, "name of %s", source);
    in->entry = (journal_model){ .name = in->name, .source = rsd_model_source(in->model),
                                 .architecture = rsd_model_architecture(in->model),
                                 .config = rsd_model_config(in->model),
                                 .parameters = rsd_model_parameters(in->model) };
    return rsd_model_sha256(in->model, in->entry.sha256);
}

/* The rank-4 control: what a curve of a truly low-rank matrix looks like.  As large as the first
 * matrix of the run but at most 768 wide, so that it costs next to nothing; a file that has one
 * keeps it. */
static int open_control(run *r)
{
    if (r->params->control == 0)
        return RSD_OK;
    r->input[r->inputs].control = true;
    const char *held = journal_source(r->journal, "control");
    if (held && strncmp(held, "synthetic:", 10) == 0)
        return open_input(r, "control", 7, held);
    const rsd_tensor *t = r->task[0].item.tensor;
    const size_t rows = t->rows < 768 ? t->rows : 768, cols = t->cols < 768 ? t->cols : 768;
    const size_t least = rows < cols ? rows : cols;
    char source[160];
    snprintf(source, sizeof source, "synthetic:rows=%zu,cols=%zu,rank=%zu,seed=%zu", rows, cols,
             r->params->control < least ? r->params->control : least, r->params->common.seed);
    return open_input(r, "control", 7, source);
}

static int add_tasks(run *r, size_t which)
{
    const input *in = &r->input[which];
    const size_t count = rsd_model_count(in->model);
    task *grown = realloc(r->task, (r->tasks + count + 1) * sizeof *grown);
    if (!grown)
        return RSD_FAIL(RSD_ENOMEM, "%zu matrices", count);
    r->task = grown;
    const size_t before = r->tasks;
    const select_options all = { 0 };
    for (size_t i = 0; i < count; i++) {
        const rsd_tensor *t = rsd_model_tensor(in->model, i);
        if (!select_takes(in->control ? &all : &r->params->select, in->model, t))
            continue;
        task *k = &r->task[r->tasks];
        *k = (task){ .item = { &r->measure, in->model, t, &in->entry, NULL, 0, NULL } };
        k->path = result_matrix_path(in->name, t->name);
        if (!k->path)
            return RSD_FAIL(RSD_ENOMEM, "path of %s", t->name);
        r->tasks++;
    }
    console_detail("%s: %s, %s, %zu of %zu tensors", in->name, in->entry.source,
                   in->entry.architecture, r->tasks - before, count);
    if (r->tasks == before)
        return RSD_FAIL(RSD_EUSAGE, "%s: no matrix is selected (%zu tensors); see --include",
                        in->entry.source, count);
    return RSD_OK;
}

static int open_inputs(run *r, const rsd_list *words)
{
    RSD_TRY(rsd_array_alloc(words->count + 1, 1, sizeof *r->input, &r->input));
    memset(r->input, 0, (words->count + 1) * sizeof *r->input);
    for (size_t i = 0; i < words->count; i++) {
        const char *name;
        size_t len;
        const char *source = select_source(words->item[i], &name, &len);
        RSD_TRY(open_input(r, name, len, source));
        RSD_TRY(add_tasks(r, r->inputs - 1));
    }
    return RSD_OK;
}

static int add_control(run *r)
{
    const size_t before = r->inputs;
    RSD_TRY(open_control(r));
    return r->inputs > before ? add_tasks(r, before) : RSD_OK;
}

/* The file's H and G must be those of the models of this run. */
static int open_calibration(run *r)
{
    const char *path = r->params->calibration;
    if (!path)
        return RSD_OK;
    r->moments.damping = r->params->numbers.damping;
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &r->moments.store));
    for (size_t i = 0; i < r->inputs; i++) {
        const input *in = &r->input[i];
        char *model = result_model_path(in->name), *sha = NULL;
        const bool there = model && rsd_store_exists(r->moments.store, model);
        int err = model ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", in->name);
        if (there)
            err = rsd_store_get_text(r->moments.store, model, "sha256", &sha);
        if (!err && sha && strcmp(sha, in->entry.sha256) != 0)
            err = RSD_FAIL(RSD_EUSAGE, "--calibration %s: its %s is another model (sha256 %.12s..., "
                           "%s has %.12s...)", path, in->name, sha, in->entry.source,
                           in->entry.sha256);
        if (!err && !there && !in->control)
            console_note("%s holds no calibration of %s", path, in->name);
        free(sha);
        free(model);
        RSD_TRY(err);
    }
    return RSD_OK;
}

/* Has the file all that this run says of a matrix and a spec? */
static bool is_done(const run *r, const task *k, const rsd_spec *spec)
{
    char *name = rsd_store_escape(spec->text), *calibrated = NULL;
    bool done = name && journal_has(r->journal, k->path, name);
    if (done && k->item.moments)
        done = asprintf(&calibrated, "%s/GRH", name) >= 0 &&
               journal_has(r->journal, k->path, calibrated);
    free(calibrated);
    free(name);
    return done;
}

/* What is left to do, by what the journal holds. */
static int plan(run *r)
{
    RSD_TRY(rsd_array_alloc(r->tasks, 1, sizeof *r->pending, &r->pending));
    for (size_t i = 0; i < r->tasks; i++) {
        task *k = &r->task[i];
        size_t count;
        const rsd_spec *spec = select_specs_for(&r->specs, k->item.tensor->name, &count);
        RSD_TRY(rsd_array_alloc(count, 1, sizeof *k->spec, &k->spec));
        k->item.moments = moments_there(&r->moments, k->path) ? &r->moments : NULL;
        for (size_t s = 0; s < count; s++)
            if (!is_done(r, k, &spec[s]))
                k->spec[k->item.specs++] = spec[s];
        k->item.spec = k->spec;
        if (k->item.specs || !journal_has(r->journal, k->path, ""))
            r->pending[r->todo++] = i;
    }
    return RSD_OK;
}

static size_t task_bytes(void *context, size_t i)
{
    const run *r = context;
    return measure_bytes(&r->task[r->pending[i]].item);
}

/* Of the order of the time a matrix takes: for the progress line only. */
static double task_cost(const task *k)
{
    const double m = (double)k->item.tensor->rows, n = (double)k->item.tensor->cols;
    return m * n * (m < n ? m : n) * (1 + (double)k->item.specs);
}

static void run_task(void *context, size_t i)
{
    run *r = context;
    task *k = &r->task[r->pending[i]];
    const int err = measure_matrix(&k->item, r->journal);
    if (err) {
        console_error("%s %s: %s", k->item.entry->name, k->item.tensor->name, rsd_errmsg());
#pragma omp atomic
        r->failures++;
    }
    console_progress_step(k->item.tensor->name, task_cost(k));
}

static bool should_stop(void *context)
{
    (void)context;
    return stop_requested();
}

static size_t largest_matrix(const run *r)
{
    size_t largest = 0;
    for (size_t i = 0; i < r->tasks; i++) {
        const rsd_tensor *t = r->task[i].item.tensor;
        const size_t bytes = t->rows * t->cols * sizeof(float);
        largest = bytes > largest ? bytes : largest;
    }
    return largest;
}

/* Bytes for matrices in flight.  The largest one may need up to about 5 times itself; the rest is
 * for its neighbours. */
static size_t budget(const run *r)
{
    if (r->params->memory)
        return r->params->memory * 1000000;
    return 15 * largest_matrix(r) / 2 + 20000000 * rsd_par_threads();
}

static int compute(run *r)
{
    double total = 0;
    for (size_t i = 0; i < r->todo; i++)
        total += task_cost(&r->task[r->pending[i]]);
    if (r->todo < r->tasks)
        console_note("%zu of %zu matrices are done already", r->tasks - r->todo, r->tasks);
    const rsd_par_work work = { .count = r->todo, .bytes = task_bytes, .run = run_task,
                                .stop = should_stop, .context = r, .budget = budget(r) };
    console_progress_begin("matrix", r->todo, total);
    const int err = rsd_par_each(&work);
    console_progress_end();
    return err;
}

static int finish(run *r)
{
    const char **order;
    RSD_TRY(rsd_array_alloc(r->tasks, 1, sizeof *order, &order));
    for (size_t i = 0; i < r->tasks; i++)
        order[i] = r->task[i].path;
    const int err = journal_finish(r->journal, !stop_requested() && r->failures == 0, order,
                                   r->tasks);
    free(order);
    return err;
}

static void close_run(run *r)
{
    journal_close(r->journal);
    const int closed = rsd_store_close(r->moments.store);
    (void)closed; /* only read */
    for (size_t i = 0; i < r->tasks; i++) {
        free(r->task[i].spec);
        free(r->task[i].path);
    }
    for (size_t i = 0; i < r->inputs; i++) {
        rsd_model_close(r->input[i].model);
        free(r->input[i].name);
    }
    select_specs_free(&r->specs);
    free(r->pending);
    free(r->task);
    free(r->input);
}

static int analyze(run *r, const rsd_arguments *arguments)
{
    char text[512];
    RSD_TRY(read_options(r));
    RSD_TRY(open_inputs(r, &arguments->words));
    canonical(r, text, sizeof text);
    const journal_run about = { text, arguments->text, r->params->common.seed };
    RSD_TRY(journal_open(r->params->common.output, &about, r->params->common.force, &r->journal));
    RSD_TRY(add_control(r));
    for (size_t i = 0; i < r->inputs; i++)
        RSD_TRY(journal_add_model(r->journal, &r->input[i].entry));
    RSD_TRY(open_calibration(r));
    RSD_TRY(plan(r));
    const double start = console_seconds();
    RSD_TRY(compute(r));
    RSD_TRY(finish(r));
    console_note("%s: %zu matrices in %.1f s%s", r->params->common.output, r->tasks,
                 console_seconds() - start, stop_requested() ? ", stopped early" : "");
    console_detail("peak memory %zu MB (largest matrix %zu MB)", console_peak_memory() / 1000000,
                   largest_matrix(r) / 1000000);
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
    run r = { .params = params };
    const int err = analyze(&r, arguments);
    close_run(&r);
    return err;
}

extern const rsd_command rsd_command_analyze;
const rsd_command rsd_command_analyze = {
    .name = "analyze",
    .usage = "MODEL... [-q SPEC]... -o FILE.h5",
    .summary = "singular spectra of W, W_q and R = W - W_q for every layer",
    .details =
        "MODEL is a Hugging Face folder, a .safetensors or .npy file, or synthetic:KEY=VALUE,...;\n"
        "NAME=MODEL calls it NAME in the result.  The same command again resumes where it was\n"
        "stopped, or adds quantizers and models to the file.\n",
    .options = options,
    .common = RSD_TAKES_OUTPUT | RSD_TAKES_FORCE | RSD_TAKES_THREADS | RSD_TAKES_SEED,
    .min_words = 1,
    .max_words = 10000,
    .defaults = &defaults,
    .params_size = sizeof(analyze_params),
    .run = run_analyze,
};
