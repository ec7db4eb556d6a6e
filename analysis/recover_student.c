/* A run's model: every linear layer is read, quantized and given its adapter, side by side. */
#include "adapters/adalora.h"
#include "mat.h"
#include "par.h"
#include "recover_private.h"
#include "rng.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- one layer ---- */

typedef struct {
    student *to;
    const rsd_tensor *tensor;
    size_t layer;
    rsd_slot slot;
    const rsd_spec *spec; /* NULL: it stays as it is */
    int err;
    char message[512];
    double bytes, norm, error, start_error;
} layer_job;

/* Arrays that live while a layer is made. */
typedef struct {
    rsd_mat W, Wq, B, A, pooled; /* pooled: A over sums of inputs */
    rsd_packed packed;
    known_layer known;
} layer_memory;

static void layer_memory_free(layer_memory *w)
{
    rsd_mat_free(&w->W);
    rsd_mat_free(&w->Wq);
    rsd_mat_free(&w->B);
    rsd_mat_free(&w->A);
    rsd_mat_free(&w->pooled);
    rsd_packed_free(&w->packed);
    known_layer_free(&w->known);
}

static rsd_adapter *adapter_of(const layer_job *j)
{
    rsd_adapter *a = j->to->adapted ? &j->to->adapters.layer[j->layer][j->slot] : NULL;
    return a && a->rank ? a : NULL;
}

static rsd_init_task task_of(const layer_job *j, const layer_memory *w)
{
    return (rsd_init_task){ .W = w->W, .quantizer = j->spec,
                            .known = w->known.any ? &w->known.c : NULL, .rank = w->B.n,
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
    return rsd_quantize(j->spec, w->W, w->known.any ? &w->known.c : NULL, w->Wq, &stats,
                        &w->packed);
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

static int make_layer(layer_job *j)
{
    layer_memory w = { 0 };
    const sweep *s = j->to->sweep;
    rsd_adapter *a = adapter_of(j);
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_mat_alloc(j->tensor->rows, j->tensor->cols, &w.W));
    RSD_TRY_DONE(rsd_mat_alloc(j->tensor->rows, j->tensor->cols, &w.Wq));
    RSD_TRY_DONE(rsd_model_read(s->model, j->tensor, w.W));
#pragma omp critical(recover_known)
    err = known_read(&s->known, j->tensor, &w.known);
    if (err)
        goto done;
    RSD_TRY_DONE(a ? set_adapter(j, a, &w) : quantize_layer(j, &w));
    RSD_TRY_DONE(measure_errors(j, a, &w));
    err = keep_layer(j, &w);
done:
    layer_memory_free(&w);
    return err;
}

/* ---- all layers ---- */

static void run_job(void *context, size_t i)
{
    layer_job *j = (layer_job *)context + i;
    j->err = make_layer(j);
    if (j->err)
        snprintf(j->message, sizeof j->message, "%s: %s", j->tensor->name, rsd_errmsg());
}

/* About what an initialisation with both moments takes: four matrices of the layer's shape in float
 * and one in double, and for each moment itself, its root and work. */
static size_t job_bytes(void *context, size_t i)
{
    const layer_job *j = (const layer_job *)context + i;
    const size_t m = j->tensor->rows, n = j->tensor->cols;
    const bool moments = j->to->sweep->known.store;
    return 24 * m * n + (moments ? 24 * (m * m + n * n) : 8 * (m < n ? m * m : n * n));
}

static bool is_target(const sweep *s, const rsd_tensor *t)
{
    return !s->params->targets || fnmatch(s->params->targets, t->name, 0) == 0;
}

static const rsd_spec *spec_of(const student *s, const rsd_tensor *t)
{
    return recover_spec_for(&s->sweep->plan, s->run, &s->sweep->params->select, s->sweep->model, t);
}

/* Rank, pool and scale of one layer's adapter.  A layer that is too small for the rank gets what it
 * can take. */
static int plan_layer(const student *s, const rsd_tensor *t, rsd_adapter_plan *out)
{
    const recover_numbers *n = &s->sweep->params->numbers;
    const rsd_spec *spec = spec_of(s, t);
    out->pool = 1;
    if (s->run->variant == RSD_QALORA) {
        if (!spec)
            return RSD_FAIL(RSD_EUSAGE, "%s: qalora needs a quantized layer; see --targets",
                            t->name);
        RSD_TRY(recover_pool(spec, &out->pool));
        if (t->cols % out->pool)
            return RSD_FAIL(RSD_EUSAGE, "%s: groups of %zu do not divide its %zu inputs", t->name,
                            out->pool, t->cols);
    }
    const size_t columns = t->cols / out->pool, most = t->rows < columns ? t->rows : columns;
    out->rank = s->run->rank < most ? s->run->rank : most;
    const double r = (double)out->rank, alpha = n->alpha > 0 ? n->alpha : r;
    out->scale = (rsd_real)(n->rslora ? alpha / sqrt(r) : alpha / r);
    return RSD_OK;
}

static int make_adapters(student *s)
{
    const size_t layers = s->weights->shape.layers;
    rsd_adapter_plan(*plan)[RSD_LINEARS];
    size_t targets = 0;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(layers, 1, sizeof *plan, &plan));
    memset(plan, 0, layers * sizeof *plan);
    for (size_t b = 0; b < layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++) {
            const rsd_tensor *t = s->weights->block[b].tensor[slot];
            if (!t || !is_target(s->sweep, t))
                continue;
            RSD_TRY_DONE(plan_layer(s, t, &plan[b][slot]));
            targets++;
        }
    if (targets == 0)
        RSD_TRY_DONE(RSD_FAIL(RSD_EUSAGE, "--targets %s: no linear layer is called so",
                              s->sweep->params->targets));
    err = rsd_adapters_alloc(s->weights, s->run->variant,
                             (const rsd_adapter_plan(*)[RSD_LINEARS])plan, &s->adapters);
    s->adapted = !err;
done:
    free(plan);
    return err;
}

static void gather(student *s, const layer_job *j)
{
    if (j->spec) {
        s->quantized += (double)j->tensor->elements;
        s->packed_bytes += j->bytes;
    }
    s->norm += j->norm;
    s->error += j->error;
    s->start_error += j->start_error;
}

static int make_layers(student *s)
{
    const size_t most = s->weights->shape.layers * RSD_LINEARS;
    layer_job *job = NULL;
    size_t jobs = 0, largest = 0;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(most, 1, sizeof *job, &job));
    RSD_TRY_DONE(rsd_array_alloc(most, 1, sizeof *s->extra, &s->extra));
    for (size_t i = 0; i < most; i++) {
        const rsd_tensor *t = s->weights->block[i / RSD_LINEARS].tensor[i % RSD_LINEARS];
        if (!t)
            continue;
        job[jobs] = (layer_job){ .to = s, .tensor = t, .layer = i / RSD_LINEARS,
                                 .slot = (rsd_slot)(i % RSD_LINEARS),
                                 .spec = s->run->control ? NULL : spec_of(s, t) };
        const size_t bytes = job_bytes(job, jobs++);
        largest = bytes > largest ? bytes : largest;
    }
    const rsd_par_work work = { .count = jobs, .bytes = job_bytes, .run = run_job, .context = job,
                                .budget = 4 * largest + 100000000 * rsd_par_threads() };
    RSD_TRY_DONE(rsd_par_each(&work));
    for (size_t i = 0; !err && i < jobs; i++) {
        if (job[i].err)
            err = RSD_FAIL(job[i].err, "%s", job[i].message);
        gather(s, &job[i]);
    }
    if (!err && !s->run->control && s->quantized == 0)
        err = RSD_FAIL(RSD_EUSAGE, "no linear layer is quantized; see --include and --map");
done:
    free(job);
    return err;
}

/* ---- the pass ---- */

static int open_pass(student *s, bool trains)
{
    const recover_params *p = s->sweep->params;
    const size_t rows = s->sweep->pass * s->sweep->train.context;
    const rsd_keep trained = p->recompute ? RSD_KEEP_INPUTS : RSD_KEEP_ALL;
    const rsd_keep keep = trains ? trained : RSD_KEEP_NOTHING;
    RSD_TRY(rsd_transformer_alloc(s->weights, (rsd_precision)p->stream.precision, keep, rows,
                                  &s->pass));
    const rsd_adapted_options o = { .weights = s->weights, .base = &s->base,
                                    .adapters = s->adapted ? &s->adapters : NULL,
                                    .grad = trains ? &s->grad : NULL, .rows = rows,
                                    .straight = s->adapted && p->numbers.straight &&
                                                !s->run->control };
    RSD_TRY(rsd_adapted_alloc(&o, rsd_transformer_mm(s->pass), &s->hook));
    return rsd_transformer_hook(s->pass, rsd_adapted_hook(s->hook));
}

int student_make(const sweep *sw, const recover_run *run, bool plain, student *out)
{
    *out = (student){ .sweep = sw, .run = run };
    student *s = out;
    RSD_TRY(sw->params->base == RECOVER_PACKED ? rsd_weights_load_frame(sw->model, &s->weights)
                                               : rsd_weights_load(sw->model, &s->weights));
    RSD_TRY(rsd_base_alloc(s->weights->shape.layers, &s->base));
    if (!plain)
        RSD_TRY(make_adapters(s));
    RSD_TRY(make_layers(s));
    if (plain)
        return open_pass(s, false);
    if (run->variant == RSD_ADALORA && run->init->init->trains_only)
        RSD_TRY(rsd_adalora_start(&s->adapters, run->seed));
    RSD_TRY(rsd_adapters_like(&s->adapters, &s->grad));
    RSD_TRY(rsd_adapters_like(&s->adapters, &s->start));
    memcpy(s->start.memory, s->adapters.memory, s->adapters.count * sizeof *s->start.memory);
    return open_pass(s, true);
}

void student_free(student *s)
{
    rsd_recover_free(s->trainer);
    rsd_transformer_free(s->pass);
    rsd_adapted_free(s->hook);
    rsd_adapters_free(&s->adapters);
    rsd_adapters_free(&s->start);
    rsd_adapters_free(&s->grad);
    rsd_base_free(&s->base);
    rsd_weights_free(s->weights);
    for (size_t i = 0; i < s->extras; i++)
        free(s->extra[i]);
    free(s->extra);
    *s = (student){ 0 };
}

int student_base(const student *s, size_t layer, rsd_slot slot, rsd_mat Wq)
{
    const rsd_base_layer *b = &s->base.layer[layer][slot];
    if (b->packed.m)
        return rsd_unpack(&b->spec, &b->packed, Wq);
    const rsd_factor *W = &s->weights->block[layer].linear[slot].W;
    for (size_t i = 0; i < Wq.m; i++)
        memcpy(Wq.x + i * Wq.ld, W->x + i * W->ld, Wq.n * sizeof *Wq.x);
    return RSD_OK;
}
