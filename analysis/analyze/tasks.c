/* What is left to do by what the journal holds, and doing it: side by side or one by one. */
#include "analyze/analysis.h"
#include "cli/console.h"
#include "cli/pair.h"
#include "cli/stop.h"
#include "mat.h"
#include "par.h"

#include <stdio.h>
#include <stdlib.h>

/* Has the file all that this run says of a matrix and a W_q? */
static bool is_done(const run *r, const task *k, const char *text)
{
    char *name = rsd_store_escape(text), *calibrated = NULL;
    bool done = name && journal_has(r->journal, k->path, name);
    if (done && k->item.moments)
        done = asprintf(&calibrated, "%s/GRH", name) >= 0 &&
               journal_has(r->journal, k->path, calibrated);
    free(calibrated);
    free(name);
    return done;
}

static void add_source(const run *r, task *k, measure_source source)
{
    if (!is_done(r, k, source.text))
        k->source[k->item.sources++] = source;
}

/* The quantizers of a matrix, then the checkpoints; the control has no counterpart in them. */
static int add_sources(const run *r, task *k)
{
    const rsd_tensor *t = k->item.tensor;
    size_t count;
    const rsd_spec *spec = select_specs_for(&r->specs, t->name, &count);
    RSD_TRY(rsd_array_alloc(count + r->checkpoints, 1, sizeof *k->source, &k->source));
    k->item.source = k->source;
    for (size_t s = 0; s < count; s++)
        add_source(r, k, (measure_source){ .text = spec[s].text, .spec = &spec[s] });
    for (size_t c = 0; c < r->checkpoints && k->item.model == r->input[0].model; c++) {
        const input *in = &r->checkpoint[c];
        add_source(r, k,
                   (measure_source){ .text = in->name,
                                     .model = in->model,
                                     .tensor = pair_find(in->model, t->name),
                                     .entry = &in->entry });
    }
    return RSD_OK;
}

int analyze_plan(run *r)
{
    RSD_TRY(rsd_array_alloc(r->tasks, 1, sizeof *r->pending, &r->pending));
    for (size_t i = 0; i < r->tasks; i++) {
        task *k = &r->task[i];
        k->item.moments = moments_there(&r->moments, k->path) ? &r->moments : NULL;
        RSD_TRY(add_sources(r, k));
        if (k->item.sources || !journal_has(r->journal, k->path, ""))
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
    return m * n * (m < n ? m : n) * (1 + (double)k->item.sources);
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

size_t analyze_largest(const run *r)
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
    return 15 * analyze_largest(r) / 2 + 20000000 * rsd_par_threads();
}

int analyze_compute(run *r)
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
