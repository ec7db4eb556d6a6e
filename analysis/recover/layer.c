/* One linear layer of a run's model: read, quantized, given its adapter, kept. */
#include "recover/layer.h"
#include "mat.h"
#include "rng.h"

#include <stdlib.h>
#include <string.h>

/* Arrays that live while a layer is made. */
typedef struct {
    rsd_mat W, Wq, B, A, pooled; /* W: what is to be approximated; pooled: A over sums of inputs */
    rsd_packed packed;
    layer_calibration file;
    rsd_calibration calibration;
    bool any; /* the file has something of it */
} layer_memory;

static void layer_memory_free(layer_memory *w)
{
    rsd_mat_free(&w->W);
    rsd_mat_free(&w->Wq);
    rsd_mat_free(&w->B);
    rsd_mat_free(&w->A);
    rsd_mat_free(&w->pooled);
    rsd_packed_free(&w->packed);
    layer_calibration_free(&w->file);
}

static rsd_adapter *adapter_of(const layer_job *j)
{
    rsd_adapter *a = j->to->adapted ? &j->to->adapters.layer[j->layer][j->slot] : NULL;
    return a && a->rank ? a : NULL;
}

static rsd_init_task task_of(const layer_job *j, const layer_memory *w)
{
    return (rsd_init_task){ .W = w->W,
                            .quantizer = j->spec,
                            .calibration = w->any ? &w->calibration : NULL,
                            .rank = w->B.n,
                            .damping = j->to->sweep->params->numbers.damping,
                            .seed = rsd_seed(j->to->run->seed, j->tensor->name) };
}

static int start_adapter(const layer_job *j, const rsd_adapter *a, layer_memory *w)
{
    const rsd_init_spec *init = j->to->run->init;
    RSD_TRY(rsd_mat_alloc(a->m, a->rank, &w->B));
    RSD_TRY(rsd_mat_alloc(a->rank, a->n, &w->A));
    const rsd_init_task task = task_of(j, w);
    rsd_init_result result = { .Wq = w->Wq, .B = w->B, .A = w->A };
    const int err = rsd_init_start(init, &task, &result);
    w->packed = result.packed;
    return err;
}

/* qalora's A is the projection of the start's: means over the pools.  A start that draws A at
 * random draws it for as many inputs as there are pools. */
static int pool_start(const layer_job *j, const rsd_adapter *a, layer_memory *w)
{
    const size_t columns = a->n / a->pool;
    RSD_TRY(rsd_mat_alloc(a->rank, columns, &w->pooled));
    if (j->to->run->init->init->trains_only) {
        rsd_mat W, Wq = { 0 };
        RSD_TRY(rsd_mat_alloc(a->m, columns, &W));
        memset(W.x, 0, a->m * columns * sizeof *W.x);
        int err = rsd_mat_alloc(a->m, columns, &Wq);
        layer_memory narrow = { .W = W, .B = w->B };
        rsd_init_task task = task_of(j, &narrow);
        task.quantizer = NULL;
        rsd_init_result result = { .Wq = Wq, .B = w->B, .A = w->pooled };
        if (!err)
            err = rsd_init_start(j->to->run->init, &task, &result);
        rsd_packed_free(&result.packed);
        rsd_mat_free(&W);
        rsd_mat_free(&Wq);
        return err;
    }
    for (size_t k = 0; k < a->rank; k++)
        for (size_t g = 0; g < columns; g++) {
            double sum = 0;
            for (size_t i = 0; i < a->pool; i++)
                sum += w->A.x[k * w->A.ld + g * a->pool + i];
            w->pooled.x[k * w->pooled.ld + g] = (float)(sum / (double)a->pool);
        }
    return RSD_OK;
}

static int set_adapter(const layer_job *j, rsd_adapter *a, layer_memory *w)
{
    RSD_TRY(start_adapter(j, a, w));
    if (a->pool > 1)
        RSD_TRY(pool_start(j, a, w));
    if (a->lambda && j->to->run->init->init->trains_only)
        return RSD_OK; /* its own start, for all layers at once */
    return rsd_adapter_set(a, w->B, a->pool > 1 ? w->pooled : w->A, w->Wq);
}

static int quantize_layer(const layer_job *j, layer_memory *w)
{
    rsd_quant_stats stats;
    if (!j->spec) {
        rsd_mat_copy(w->W, w->Wq);
        return RSD_OK;
    }
    return rsd_quantize(j->spec, w->W, w->any ? &w->calibration : NULL, w->Wq, &stats, &w->packed);
}

/* ||W - Wq||^2 and ||W - Wq - C||^2; W becomes the residual. */
static int measure_errors(layer_job *j, const rsd_adapter *a, layer_memory *w)
{
    j->norm = rsd_mat_sumsq(w->W);
    rsd_mat_sub(w->W, w->Wq, w->W);
    j->start_error = j->error = rsd_mat_sumsq(w->W);
    if (!a || j->to->run->init->init->trains_only)
        return RSD_OK;
    rsd_mat C;
    RSD_TRY(rsd_mat_alloc(a->m, a->n, &C));
    const int err = rsd_adapter_delta(a, C);
    if (!err) {
        rsd_mat_sub(w->W, C, C);
        j->start_error = rsd_mat_sumsq(C);
    }
    rsd_mat_free(&C);
    return err;
}

/* The layer's numbers to where passes find them. */
static int keep_layer(layer_job *j, layer_memory *w)
{
    student *s = j->to;
    const bool packed = s->sweep->params->base == RECOVER_PACKED;
    rsd_packed none = { 0 };
    j->bytes = j->spec ? (double)rsd_packed_bytes(&w->packed) : 0;
    if (!packed) {
        rsd_real *x = rsd_weights_of(s->weights, j->tensor);
        rsd_mat_copy(w->Wq, (rsd_mat){ x, w->Wq.m, w->Wq.n, w->Wq.n });
        if (j->spec)
            rsd_base_put(&s->base, j->layer, j->slot, j->spec, &none);
    } else if (j->spec)
        rsd_base_put(&s->base, j->layer, j->slot, j->spec, &w->packed);
    else {
        s->weights->block[j->layer].linear[j->slot].W.x = w->Wq.x;
#pragma omp critical(recover_extra)
        s->extra[s->extras++] = w->Wq.x;
        w->Wq.x = NULL;
    }
    return RSD_OK;
}

/* What the file knows; in a sequence the inputs are those that really come, and G is the file's. */
static int know(const layer_job *j, const layer_sequence *q, layer_memory *w)
{
    int err;
#pragma omp critical(recover_calibration)
    err = calibration_read(&j->to->sweep->calibration, j->tensor, &w->file);
    RSD_TRY(err);
    w->calibration = w->file.c;
    w->any = w->file.any;
    if (!q)
        return RSD_OK;
    const size_t n = q->calibration->n;
    free(w->file.square);
    RSD_TRY(rsd_array_alloc(n, 1, sizeof *w->file.square, &w->file.square));
    for (size_t i = 0; i < n; i++)
        w->file.square[i] = q->calibration->H[i * n + i];
    w->calibration = *q->calibration;
    w->calibration.G = w->file.G;
    w->calibration.square = w->file.square;
    w->any = true;
    return RSD_OK;
}

/* The corrected weight, for the layers that follow; W becomes the original again. */
static int pass_on(const layer_job *j, const rsd_adapter *a, const layer_sequence *q,
                   layer_memory *w)
{
    rsd_mat_copy(w->Wq, q->corrected);
    if (a)
        RSD_TRY(rsd_adapter_merge(a, q->corrected));
    return rsd_model_read(j->to->sweep->model, j->tensor, w->W);
}

int layer_make(layer_job *j, const layer_sequence *q)
{
    layer_memory w = { 0 };
    rsd_adapter *a = adapter_of(j);
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_mat_alloc(j->tensor->rows, j->tensor->cols, &w.W));
    RSD_TRY_DONE(rsd_mat_alloc(j->tensor->rows, j->tensor->cols, &w.Wq));
    if (q)
        rsd_mat_copy(q->target, w.W);
    else
        RSD_TRY_DONE(rsd_model_read(j->to->sweep->model, j->tensor, w.W));
    RSD_TRY_DONE(know(j, q, &w));
    RSD_TRY_DONE(a ? set_adapter(j, a, &w) : quantize_layer(j, &w));
    if (q)
        RSD_TRY_DONE(pass_on(j, a, q, &w));
    RSD_TRY_DONE(measure_errors(j, a, &w));
    err = keep_layer(j, &w);
done:
    layer_memory_free(&w);
    return err;
}
