/* What is left to do by what is finished, and doing it: side by side or one by one. */
#include "alloc.h"
#include "analyze/analysis.h"
#include "cli/console.h"
#include "cli/pair.h"
#include "cli/stop.h"
#include "mat.h"
#include "par.h"
#include "result/calibration_identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Has the file all that this run says of a matrix and a W_q? */
static bool is_done(const analysis *r, const task *k, const char *text)
{
    char *name = rsd_store_escape(text), *calibrated = NULL;
    bool done = name && finished_has(&r->finished, k->path, name);
    if (done && k->item.moments)
        done = !rsd_format(&calibrated, "%s/GRH", name) &&
               finished_has(&r->finished, k->path, calibrated);
    free(calibrated);
    free(name);
    return done;
}

static void add_origin(const analysis *r, task *k, wq_origin origin)
{
    if (!is_done(r, k, origin.text))
        k->origin[k->item.origins++] = origin;
}

/* A control has no data: what needs a calibration is left out. */
static bool cannot_have(const task *k, const rsd_spec *spec)
{
    const bool without =
        k->item.entry->control && spec->quantizer->calibration == RSD_CALIBRATION_NEEDS;
    if (without)
        console_note("%s: no %s, which needs a calibration", k->item.entry->name,
                     spec->quantizer->name);
    return without;
}

/* The quantizers of a matrix, then the checkpoints; the control has no counterpart in them. */
static int add_origins(const analysis *r, task *k)
{
    const rsd_tensor *t = k->item.tensor;
    size_t count;
    const rsd_spec *spec = select_specs_for(&r->specs, t->name, &count);
    RSD_TRY(rsd_array_alloc(count + r->checkpoints, 1, sizeof *k->origin, &k->origin));
    k->item.origin = k->origin;
    for (size_t s = 0; s < count; s++)
        if (!cannot_have(k, &spec[s]))
            add_origin(r, k, (wq_origin){ .text = spec[s].text, .spec = &spec[s] });
    for (size_t c = 0; c < r->checkpoints && k->item.model == r->input[0].model; c++) {
        const input *in = &r->checkpoint[c];
        add_origin(r, k,
                   (wq_origin){ .text = in->name,
                                .model = in->model,
                                .tensor = pair_find(in->model, t->name),
                                .entry = &in->entry });
    }
    return RSD_OK;
}

/* ---- the calibration that finished work was made with ---- */

static bool takes_data(const analysis *r, const rsd_tensor *t, const char *escaped)
{
    size_t count;
    const rsd_spec *spec = select_specs_for(&r->specs, t->name, &count);
    bool takes = false;
    for (size_t s = 0; s < count && !takes; s++) {
        char *name = rsd_store_escape(spec[s].text);
        takes = name && strcmp(name, escaped) == 0 &&
                spec[s].quantizer->calibration != RSD_CALIBRATION_NONE;
        free(name);
    }
    return takes;
}

/* One matrix of one model holds W_q or R of one calibration only, and so does a quantizer that
 * takes it. */
static int check_calibration(const analysis *r, const finished_calibration *held,
                             const rsd_tensor *t, const char *identity)
{
    const bool none = strcmp(held->calibration, "none") == 0 || strcmp(identity, "none") == 0;
    if (strcmp(held->calibration, identity) == 0 || (none && !takes_data(r, t, held->spec)))
        return RSD_OK;
    return RSD_FAIL(RSD_EUSAGE,
                    "%s: %s of %s was made with calibration %s, this command's is %s; --force "
                    "starts over, -o writes another file",
                    parts_path(r->parts), held->spec, t->name, held->calibration, identity);
}

static int check_tensor(const analysis *r, const input *in, const rsd_tensor *t)
{
    char *path = result_matrix_path(in->name, t->name), identity[17] = "";
    int err = path ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", t->name);
    for (size_t i = 0; !err && i < r->finished.count; i++) {
        const finished_calibration *held = &r->finished.seen[i];
        if (strcmp(held->matrix, path) != 0)
            continue;
        if (!*identity)
            err = calibration_layer_identity(&in->calibration, t, identity);
        if (!err)
            err = check_calibration(r, held, t, identity);
    }
    free(path);
    return err;
}

static int check_calibrations(const analysis *r)
{
    for (size_t i = 0; i < r->inputs && r->finished.count; i++)
        for (size_t k = 0; k < rsd_model_count(r->input[i].model); k++)
            RSD_TRY(check_tensor(r, &r->input[i], rsd_model_tensor(r->input[i].model, k)));
    return RSD_OK;
}

/* ---- the plan ---- */

int analyze_plan(analysis *r)
{
    RSD_TRY(check_calibrations(r));
    RSD_TRY(rsd_array_alloc(r->tasks, 1, sizeof *r->pending, &r->pending));
    for (size_t i = 0; i < r->tasks; i++) {
        task *k = &r->task[i];
        k->item.moments = calibration_has_both(k->item.calibration, k->item.tensor);
        RSD_TRY(calibration_layer_identity(k->item.calibration, k->item.tensor, k->item.identity));
        RSD_TRY(add_origins(r, k));
        if (k->item.origins || !finished_has(&r->finished, k->path, ""))
            r->pending[r->todo++] = i;
    }
    return RSD_OK;
}

static size_t task_bytes(void *context, size_t i)
{
    const analysis *r = context;
    return measure_bytes(&r->task[r->pending[i]].item);
}

/* Of the order of the time a matrix takes: for the progress line only. */
static double task_cost(const task *k)
{
    const double m = (double)k->item.tensor->rows, n = (double)k->item.tensor->cols;
    return m * n * (m < n ? m : n) * (1 + (double)k->item.origins);
}

static void run_task(void *context, size_t i)
{
    analysis *r = context;
    task *k = &r->task[r->pending[i]];
    const int err = measure_matrix(&k->item, r->parts);
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

size_t analyze_largest(const analysis *r)
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
static size_t budget(const analysis *r)
{
    if (r->params->memory)
        return r->params->memory * 1000000;
    return 15 * analyze_largest(r) / 2 + 20000000 * rsd_par_threads();
}

int analyze_compute(analysis *r)
{
    double total = 0;
    for (size_t i = 0; i < r->todo; i++)
        total += task_cost(&r->task[r->pending[i]]);
    if (r->todo < r->tasks)
        console_note("%zu of %zu matrices are done already", r->tasks - r->todo, r->tasks);
    const rsd_par_work work = { .count = r->todo,
                                .bytes = task_bytes,
                                .run = run_task,
                                .stop = should_stop,
                                .context = r,
                                .budget = budget(r) };
    console_progress_begin("matrix", r->todo, total);
    const int err = rsd_par_each(&work);
    console_progress_end();
    return err;
}
