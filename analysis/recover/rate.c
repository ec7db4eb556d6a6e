/* The rate of a run: what a step does to each layer of its start, side by side, and the choice. */
#include "recover/rate.h"

#include "adapters/displacement.h"
#include "alloc.h"
#include "cli/console.h"
#include "mat.h"
#include "recover/each_layer.h"
#include "train/rates.h"

#include <math.h>
#include <stdlib.h>

/* One layer with an adapter. */
typedef struct {
    const rsd_tensor *tensor; /* first: each_layer.h */
    const student *of;
    size_t layer;
    rsd_slot slot;
    double move;
} rate_job;

static int read_calibration(const rate_job *j, layer_calibration *k)
{
    int err;
#pragma omp critical(recover_calibration)
    err = calibration_read(&j->of->sweep->calibration, j->tensor, k);
    return err;
}

static int measure(void *job)
{
    rate_job *j = job;
    const student *s = j->of;
    const recover_numbers *n = &s->sweep->params->numbers;
    const rsd_displacement_options o = { .damping = n->damping, .b_ratio = n->b_ratio };
    layer_calibration k = { 0 };
    rsd_mat Wq = { 0 }, R = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(read_calibration(j, &k));
    if (!k.H || !k.G)
        goto done;
    RSD_TRY_DONE(rsd_mat_alloc(j->tensor->rows, j->tensor->cols, &Wq));
    RSD_TRY_DONE(rsd_mat_alloc(j->tensor->rows, j->tensor->cols, &R));
    RSD_TRY_DONE(rsd_model_read(s->sweep->model, j->tensor, R));
    RSD_TRY_DONE(student_base(s, j->layer, j->slot, Wq));
    rsd_mat_sub(R, Wq, R);
    err = rsd_displacement(&s->adapters.layer[j->layer][j->slot], Wq, R, k.G, k.H, &o, &j->move);
done:
    rsd_mat_free(&Wq);
    rsd_mat_free(&R);
    layer_calibration_free(&k);
    return err;
}

/* Two float32 matrices, both moments, and three products in double. */
static size_t job_bytes(const void *job)
{
    const rsd_tensor *t = ((const rate_job *)job)->tensor;
    const size_t m = t->rows, n = t->cols;
    return 32 * m * n + 8 * (m * m + n * n);
}

/* The layers that have adapters, and those of them that a step could spoil. */
static void list_layers(student *s, rate_job *job, size_t *jobs, rsd_rate_layer *layer,
                        size_t *layers)
{
    const size_t most = s->weights->shape.layers * RSD_LINEARS;
    const calibration *known = &s->sweep->calibration;
    for (size_t i = 0; i < most; i++) {
        const size_t block = i / RSD_LINEARS;
        const rsd_slot slot = (rsd_slot)(i % RSD_LINEARS);
        const rsd_adapter *a = &s->adapters.layer[block][slot];
        const rsd_tensor *t = s->weights->block[block].tensor[slot];
        s->move[block][slot] = NAN;
        if (!a->rank)
            continue;
        layer[(*layers)++] = (rsd_rate_layer){
            .rank = a->rank, .inputs = a->n, .scale = (double)a->scale, .displacement = NAN
        };
        if (known->store && s->base.layer[block][slot].spec.quantizer)
            job[(*jobs)++] =
                (rate_job){ .of = s, .tensor = t, .layer = block, .slot = slot, .move = NAN };
    }
}

/* What was measured, to where the choice and the rows find it. */
static void keep_moves(student *s, const rate_job *job, size_t jobs, rsd_rate_layer *layer)
{
    for (size_t i = 0; i < jobs; i++)
        s->move[job[i].layer][job[i].slot] = job[i].move;
    for (size_t i = 0, k = 0; i < s->weights->shape.layers * RSD_LINEARS; i++)
        if (s->adapters.layer[i / RSD_LINEARS][i % RSD_LINEARS].rank)
            layer[k++].displacement = s->move[i / RSD_LINEARS][i % RSD_LINEARS];
}

static int choose(student *s, const rsd_rate_layer *layer, size_t layers)
{
    const double given = s->sweep->params->numbers.lr;
    const bool corrects = !s->run->control && !s->run->init->init->trains_only;
    rsd_rate r;
    if (given == RECOVER_LR_AUTO)
        RSD_TRY(rsd_rate_choose(layer, layers, corrects, &r));
    else
        RSD_TRY(rsd_rate_given(layer, layers, given, &r));
    s->rate = r.rate;
    s->displacement = r.displacement;
    if (r.known)
        console_detail("%s: at a learning rate of %g a step moves corrections by %.3f of what is "
                       "left (median of %zu of %zu layers)",
                       s->run->name, r.rate, r.displacement, r.known, layers);
    else
        console_detail("%s: a learning rate of %g", s->run->name, r.rate);
    return RSD_OK;
}

int student_choose_rate(student *s)
{
    const size_t blocks = s->weights->shape.layers, most = blocks * RSD_LINEARS;
    rate_job *job = NULL;
    rsd_rate_layer *layer = NULL;
    size_t jobs = 0, layers = 0;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_zeroed(blocks, sizeof *s->move, &s->move));
    RSD_TRY_DONE(rsd_array_alloc(most, 1, sizeof *job, &job));
    RSD_TRY_DONE(rsd_array_alloc(most, 1, sizeof *layer, &layer));
    list_layers(s, job, &jobs, layer, &layers);
    const layers_work work = {
        .job = job, .count = jobs, .size = sizeof *job, .run = measure, .bytes = job_bytes
    };
    RSD_TRY_DONE(layers_each(&work));
    keep_moves(s, job, jobs, layer);
    err = choose(s, layer, layers);
done:
    free(layer);
    free(job);
    return err;
}
