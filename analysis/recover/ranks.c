/* --rank-budget: which layer gets how much of the adapters' numbers. */
#include "recover/ranks.h"
#include "cli/console.h"
#include "linalg/roots.h"
#include "linalg/spectrum.h"
#include "mat.h"
#include "recover/each_layer.h"
#include "spectra/allocate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One layer, and what each rank costs and leaves. */
typedef struct {
    const rsd_tensor *tensor; /* first: each_layer.h */
    const sweep *sweep;
    rsd_variant variant;
    const rank_layer *layer;
    rsd_options of; /* ranks 1, 2, ... */
    rsd_option *option;
} ranks_job;

/* The adapter's numbers: its factors, and what the variant has beside them. */
static double numbers(rsd_variant variant, const rank_layer *l, size_t rank)
{
    const size_t m = l->tensor->rows, n = l->tensor->cols / l->pool;
    return (double)(rank * (m + n + (variant == RSD_ADALORA)) + (variant == RSD_DORA ? m : 0));
}

/* R = W - Wq becomes G^(1/2) R H^(1/2), damped as the starts are. */
static int residual(const ranks_job *j, rsd_mat R)
{
    const rank_layer *l = j->layer;
    const double damping = j->sweep->params->numbers.damping;
    layer_calibration k = { 0 };
    rsd_mat Wq = { 0 };
    rsd_quant_stats stats;
    size_t clamped;
    int err = RSD_OK;
#pragma omp critical(recover_calibration)
    err = calibration_read(&j->sweep->calibration, l->tensor, &k);
    if (err)
        goto done;
    if (!k.H || !k.G) {
        err = RSD_FAIL(RSD_EUSAGE, "--rank-budget needs its H and G: residuum calibrate");
        goto done;
    }
    RSD_TRY_DONE(rsd_mat_alloc(R.m, R.n, &Wq));
    RSD_TRY_DONE(rsd_model_read(j->sweep->model, l->tensor, R));
    RSD_TRY_DONE(rsd_quantize(l->spec, R, &k.c, Wq, &stats, NULL));
    rsd_mat_sub(R, Wq, R);
    RSD_TRY_DONE(rsd_root(k.H, R.n, damping, &clamped));
    RSD_TRY_DONE(rsd_root(k.G, R.m, damping, &clamped));
    err = rsd_between(k.G, R, k.H, R);
done:
    rsd_mat_free(&Wq);
    layer_calibration_free(&k);
    return err;
}

/* Half the sum of the squares that each rank leaves, smallest first. */
static int predict(const ranks_job *j)
{
    const rank_layer *l = j->layer;
    const rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    rsd_spectrum s = { 0 };
    rsd_mat R;
    int err = RSD_OK;
    RSD_TRY(rsd_mat_alloc(l->tensor->rows, l->tensor->cols, &R));
    RSD_TRY_DONE(residual(j, R));
    RSD_TRY_DONE(rsd_spectrum_compute(R, &opts, &s));
    double tail = 0;
    for (size_t r = s.count; r >= 1; r--) {
        if (r <= j->of.count)
            j->option[r - 1].loss = tail;
        tail += s.s[r - 1] * s.s[r - 1] / 2;
    }
done:
    rsd_spectrum_free(&s);
    rsd_mat_free(&R);
    return err;
}

static int run_job(void *job)
{
    const ranks_job *j = job;
    return j->layer->spec ? predict(j) : RSD_OK;
}

/* Two float32 matrices, both moments and the work of their roots, two products in double. */
static size_t job_bytes(const void *job)
{
    const rsd_tensor *t = ((const ranks_job *)job)->tensor;
    const size_t m = t->rows, n = t->cols;
    return 24 * m * n + 16 * (m * m + n * n);
}

static int job_open(ranks_job *j)
{
    const rank_layer *l = j->layer;
    const size_t columns = l->tensor->cols / l->pool;
    const size_t most = l->tensor->rows < columns ? l->tensor->rows : columns;
    RSD_TRY(rsd_array_alloc(most, 1, sizeof *j->option, &j->option));
    for (size_t r = 1; r <= most; r++)
        j->option[r - 1] = (rsd_option){ numbers(j->variant, l, r), 0 };
    j->of = (rsd_options){ most, j->option };
    return RSD_OK;
}

static int predict_all(ranks_job *job, size_t count)
{
    for (size_t i = 0; i < count; i++)
        RSD_TRY(job_open(&job[i]));
    return layers_each(&(layers_work){
        .job = job, .count = count, .size = sizeof *job, .run = run_job, .bytes = job_bytes });
}

static int choose(const ranks_job *job, rank_layer *layer, size_t count)
{
    double budget = 0, uniform = 0;
    size_t *chosen = NULL;
    rsd_options *options = NULL;
    rsd_allocation a;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(count, 1, sizeof *chosen, &chosen));
    RSD_TRY_DONE(rsd_array_alloc(count, 1, sizeof *options, &options));
    for (size_t i = 0; i < count; i++) {
        options[i] = job[i].of;
        budget += job[i].option[layer[i].rank - 1].cost;
        uniform += job[i].option[layer[i].rank - 1].loss;
    }
    RSD_TRY_DONE(rsd_allocate(options, count, budget, chosen, &a));
    for (size_t i = 0; i < count; i++) {
        layer[i].rank = chosen[i] + 1;
        console_detail("%s: rank %zu", layer[i].tensor->name, layer[i].rank);
    }
    console_detail("%.0f of %.0f numbers; predicted loss +%.4g, spread evenly +%.4g", a.cost,
                   budget, a.loss, uniform);
done:
    free(options);
    free(chosen);
    return err;
}

int ranks_spread(const sweep *s, rsd_variant variant, rank_layer *layer, size_t count)
{
    ranks_job *job;
    RSD_TRY(rsd_array_alloc(count, 1, sizeof *job, &job));
    for (size_t i = 0; i < count; i++)
        job[i] = (ranks_job){
            .tensor = layer[i].tensor, .sweep = s, .variant = variant, .layer = &layer[i]
        };
    int err = predict_all(job, count);
    if (!err)
        err = choose(job, layer, count);
    for (size_t i = 0; i < count; i++)
        free(job[i].option);
    free(job);
    return err;
}
