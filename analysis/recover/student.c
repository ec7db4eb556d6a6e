/* A run's model: every linear layer is read, quantized and given its adapter, side by side. */
#include "recover/student.h"
#include "adapters/adalora.h"
#include "cli/console.h"
#include "mat.h"
#include "recover/each_layer.h"
#include "recover/layer.h"
#include "recover/ranks.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- all layers ---- */

static int run_job(void *job)
{
    layer_job *j = job;
    const int err = layer_make(j, NULL);
    console_trace("%s: %s", j->to->run->name ? j->to->run->name : "original", j->tensor->name);
    return err;
}

/* About what an initialisation with both moments takes: four matrices of the layer's shape in float
 * and one in double, and for each moment itself, its root and work. */
static size_t job_bytes(const void *job)
{
    const layer_job *j = job;
    const size_t m = j->tensor->rows, n = j->tensor->cols;
    const bool moments = j->to->sweep->calibration.store;
    return 24 * m * n + (moments ? 24 * (m * m + n * n) : 8 * (m < n ? m * m : n * n));
}

static int make_side_by_side(layer_job *job, size_t jobs)
{
    return layers_each(&(layers_work){
        .job = job, .count = jobs, .size = sizeof *job, .run = run_job, .bytes = job_bytes });
}

static bool is_target(const sweep *s, const rsd_tensor *t)
{
    return !s->params->targets || fnmatch(s->params->targets, t->name, 0) == 0;
}

static const rsd_spec *spec_of(const student *s, const rsd_tensor *t)
{
    return recover_spec_for(&s->sweep->plan, s->run, &s->sweep->params->select, s->sweep->model, t);
}

static void set_rank(const student *s, size_t rank, rsd_adapter_plan *out)
{
    const recover_numbers *n = &s->sweep->params->numbers;
    const double r = (double)rank, alpha = n->alpha > 0 ? n->alpha : r;
    out->rank = rank;
    out->scale = (rsd_real)(n->rslora ? alpha / sqrt(r) : alpha / r);
}

/* Rank, pool and scale of one layer's adapter.  A layer that is too small for the rank gets what it
 * can take. */
static int plan_layer(const student *s, const rsd_tensor *t, rsd_adapter_plan *out)
{
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
    set_rank(s, s->run->rank < most ? s->run->rank : most, out);
    return RSD_OK;
}

/* --rank-budget: the same numbers in all, elsewhere. */
static int spread(const student *s, rsd_adapter_plan (*plan)[RSD_LINEARS])
{
    const size_t most = s->weights->shape.layers * RSD_LINEARS;
    rank_layer *layer;
    size_t count = 0;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(most, 1, sizeof *layer, &layer));
    for (size_t i = 0; i < most; i++) {
        const rsd_adapter_plan *p = &plan[i / RSD_LINEARS][i % RSD_LINEARS];
        const rsd_tensor *t = s->weights->block[i / RSD_LINEARS].tensor[i % RSD_LINEARS];
        if (p->rank)
            layer[count++] = (rank_layer){
                .tensor = t, .spec = spec_of(s, t), .pool = p->pool, .rank = p->rank
            };
    }
    RSD_TRY_DONE(ranks_spread(s->sweep, s->run->variant, layer, count));
    for (size_t i = 0, k = 0; i < most; i++) {
        rsd_adapter_plan *p = &plan[i / RSD_LINEARS][i % RSD_LINEARS];
        if (p->rank)
            set_rank(s, layer[k++].rank, p);
    }
done:
    free(layer);
    return err;
}

static int make_adapters(student *s, bool even)
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
    if (s->sweep->params->numbers.spread && !s->run->control && !even)
        RSD_TRY_DONE(spread(s, plan));
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

/* Only what corrects can answer to what came before. */
static bool in_sequence(const student *s)
{
    return s->sweep->params->numbers.sequence && s->adapted && !s->run->control &&
           !s->run->init->init->trains_only;
}

static int make_layers(student *s)
{
    const size_t most = s->weights->shape.layers * RSD_LINEARS;
    layer_job *job = NULL;
    size_t jobs = 0;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(most, 1, sizeof *job, &job));
    RSD_TRY_DONE(rsd_array_alloc(most, 1, sizeof *s->extra, &s->extra));
    for (size_t i = 0; i < most; i++) {
        const rsd_tensor *t = s->weights->block[i / RSD_LINEARS].tensor[i % RSD_LINEARS];
        if (!t)
            continue;
        job[jobs++] = (layer_job){ .to = s,
                                   .tensor = t,
                                   .layer = i / RSD_LINEARS,
                                   .slot = (rsd_slot)(i % RSD_LINEARS),
                                   .spec = s->run->control ? NULL : spec_of(s, t) };
    }
    RSD_TRY_DONE(in_sequence(s) ? layers_in_sequence(s, job, jobs) : make_side_by_side(job, jobs));
    for (size_t i = 0; i < jobs; i++)
        gather(s, &job[i]);
    if (!s->run->control && s->quantized == 0)
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
    RSD_TRY(rsd_transformer_alloc(s->weights, s->sweep->train.precision, keep, rows, &s->pass));
    const rsd_adapted_options o = { .weights = s->weights,
                                    .base = &s->base,
                                    .adapters = s->adapted ? &s->adapters : NULL,
                                    .grad = trains ? &s->grad : NULL,
                                    .rows = rows,
                                    .straight =
                                        s->adapted && p->numbers.straight && !s->run->control };
    RSD_TRY(rsd_adapted_alloc(&o, rsd_transformer_mm(s->pass), &s->hook));
    return rsd_transformer_hook(s->pass, rsd_adapted_hook(s->hook));
}

int student_make(const sweep *sw, const recover_run *run, student_kind kind, student *out)
{
    const bool plain = kind == STUDENT_PLAIN;
    *out = (student){ .sweep = sw, .run = run };
    student *s = out;
    RSD_TRY(sw->params->base == RECOVER_PACKED ? rsd_weights_load_frame(sw->model, &s->weights)
                                               : rsd_weights_load(sw->model, &s->weights));
    RSD_TRY(rsd_base_alloc(s->weights->shape.layers, &s->base));
    if (!plain)
        RSD_TRY(make_adapters(s, kind == STUDENT_EVEN));
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
    free(s->move);
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

size_t student_rank(const student *s, size_t layer, rsd_slot slot)
{
    const size_t rank = s->adapters.layer[layer][slot].rank;
    return rank && s->trainer ? rsd_recover_rank(s->trainer, layer, slot) : rank;
}
