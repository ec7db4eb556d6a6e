/* Trying quantizers on matrices: each is read once, packed by every one, and weighed. */
#include "quantize/trial.h"

#include "cli/console.h"
#include "cli/stop.h"
#include "linalg/roots.h"
#include "mat.h"
#include "par.h"
#include "spectra/forecast.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const trial_job *job;
    trial *item;
} trials;

static int try_spec(const trials *all, const rsd_spec *spec, rsd_mat W, const layer_calibration *k,
                    rsd_mat Wq, rsd_option *out)
{
    rsd_quant_stats stats;
    double energy;
    RSD_TRY(rsd_quantize(spec, W, k->any ? &k->c : NULL, Wq, &stats, NULL));
    rsd_mat_sub(W, Wq, Wq);
    if (all->job->predict)
        RSD_TRY(rsd_quadratic(k->c.G, Wq, k->c.H, &energy));
    else
        energy = rsd_mat_sumsq(Wq);
    *out = (rsd_option){ (double)stats.packed_bytes, rsd_loss_of_energy(energy) };
    return RSD_OK;
}

static int know(const trials *all, const trial *t, layer_calibration *k)
{
    int err = RSD_OK;
    *k = (layer_calibration){ 0 };
    if (all->job->calibration) {
#pragma omp critical(trial_calibration)
        err = calibration_read(all->job->calibration, t->tensor, k);
    }
    if (!err && all->job->predict && (!k->c.H || !k->c.G))
        return RSD_FAIL(RSD_EUSAGE, "no H and G of this matrix: residuum calibrate");
    return err;
}

static int try_all(const trials *all, trial *t)
{
    const size_t rows = t->tensor->rows, cols = t->tensor->cols;
    layer_calibration k;
    rsd_mat W = { 0 }, Wq = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(know(all, t, &k));
    RSD_TRY_DONE(rsd_mat_alloc(rows, cols, &W));
    RSD_TRY_DONE(rsd_mat_alloc(rows, cols, &Wq));
    RSD_TRY_DONE(rsd_model_read(all->job->model, t->tensor, W));
    for (size_t s = 0; s < t->specs; s++)
        RSD_TRY_DONE(try_spec(all, &t->spec[s], W, &k, Wq, &t->option[s]));
done:
    rsd_mat_free(&W);
    rsd_mat_free(&Wq);
    layer_calibration_free(&k);
    return err;
}

static void run(void *context, size_t i)
{
    const trials *all = context;
    trial *t = &all->item[i];
    t->err = try_all(all, t);
    if (t->err)
        snprintf(t->message, sizeof t->message, "%s: %s", t->tensor->name, rsd_errmsg());
    console_progress_step(t->tensor->name, 1);
}

/* W, what is made of it, its bytes; the moments; and the products of both in double. */
static size_t bytes_of(void *context, size_t i)
{
    const trials *all = context;
    const size_t m = all->item[i].tensor->rows, n = all->item[i].tensor->cols;
    return 3 * m * n * sizeof(float) + (all->job->predict ? 3 * m * n + m * m + n * n : 0) * 8;
}

int trials_run(const trial_job *job, trial *item, size_t count)
{
    trials all = { job, item };
    size_t largest = 0;
    for (size_t i = 0; i < count; i++) {
        const size_t bytes = bytes_of(&all, i);
        largest = bytes > largest ? bytes : largest;
        item[i].err = RSD_ESTOPPED;
        snprintf(item[i].message, sizeof item[i].message, "stopped before %s",
                 item[i].tensor->name);
    }
    const rsd_par_work work = { .count = count,
                                .bytes = bytes_of,
                                .run = run,
                                .stop = stop_callback,
                                .context = &all,
                                .budget = 4 * largest + 100000000 * rsd_par_threads() };
    console_progress_begin("trying quantizers on", count, (double)count);
    int err = rsd_par_each(&work);
    console_progress_end();
    for (size_t i = 0; !err && i < count; i++)
        if (item[i].err)
            err = RSD_FAIL(item[i].err, "%s", item[i].message);
    return err;
}
