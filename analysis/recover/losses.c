/* A run's model as it is now: its losses, those after merging, and the bytes that it holds. */
#include "recover/losses.h"
#include "boot.h"
#include "cli/stop.h"
#include "mat.h"
#include "transformer/evaluate.h"

#include <stdlib.h>
#include <string.h>

/* ---- losses ---- */

enum { PROBE_WINDOWS = 32 };

/* A signal ends an evaluation early; a mean over some of its windows is no result. */
static int all_windows(const rsd_evaluation *e, size_t asked)
{
    return e->windows == asked
               ? RSD_OK
               : RSD_FAIL(RSD_ESTOPPED, "stopped after %zu of %zu windows", e->windows, asked);
}

/* Of windows of the training stream: the first, or spread over `of`. */
static int training_loss(const student *s, size_t windows, size_t of, double *loss)
{
    const stream *from = &s->sweep->train;
    rsd_evaluation result;
    const rsd_evaluate_job job = { .model = s->pass,
                                   .tokens = from->tokens,
                                   .context = from->context,
                                   .windows = windows,
                                   .of = of,
                                   .batch = s->sweep->pass,
                                   .stop = stop_callback };
    RSD_TRY(rsd_evaluate(&job, &result));
    *loss = rsd_mean(result.loss, result.windows);
    const int err = all_windows(&result, windows);
    rsd_evaluation_free(&result);
    return err;
}

int student_probe(const student *s, double *loss)
{
    const size_t windows = s->sweep->train.windows;
    return training_loss(s, windows < PROBE_WINDOWS ? windows : PROBE_WINDOWS, 0, loss);
}

int student_held_out(const student *s, double *loss)
{
    return training_loss(s, s->sweep->held.windows, s->sweep->train.windows, loss);
}

static int losses_on(const sweep *s, const stream *text, rsd_transformer *pass, double *loss)
{
    rsd_evaluation result;
    const rsd_evaluate_job job = { .model = pass,
                                   .tokens = text->tokens,
                                   .context = text->context,
                                   .windows = text->windows,
                                   .of = text->of,
                                   .batch = s->pass,
                                   .stop = stop_callback };
    RSD_TRY(rsd_evaluate(&job, &result));
    memcpy(loss, result.loss, result.windows * sizeof *loss);
    const int err = all_windows(&result, text->windows);
    rsd_evaluation_free(&result);
    return err;
}

int sweep_losses(const sweep *s, rsd_transformer *pass, double *loss)
{
    return losses_on(s, &s->eval, pass, loss);
}

int student_losses(const student *s, double *loss) { return sweep_losses(s->sweep, s->pass, loss); }

int student_second_losses(const student *s, double **loss)
{
    const stream *text = &s->sweep->second;
    if (!text->windows)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(text->windows, 1, sizeof **loss, loss));
    return losses_on(s->sweep, text, s->pass, *loss);
}

int student_all_losses(const student *s, double **eval, double **second)
{
    RSD_TRY(rsd_array_alloc(s->sweep->eval.windows, 1, sizeof **eval, eval));
    RSD_TRY(student_losses(s, *eval));
    return student_second_losses(s, second);
}

static int copy_packed(const rsd_packed *from, rsd_packed *to)
{
    rsd_packed_init(to, from->m, from->n);
    for (size_t i = 0; i < from->sections; i++) {
        const rsd_section *x = &from->section[i];
        void *data;
        RSD_TRY(rsd_packed_add(to, x->name, x->dtype, x->count, &data));
        memcpy(data, x->data, x->bytes);
    }
    return RSD_OK;
}

/* The bytes of a layer's base: those that are kept, or, where they were unpacked, what the
 * quantizer makes of W again. */
static int packed_base(const student *s, const rsd_base_layer *b, const rsd_tensor *t, rsd_mat W,
                       rsd_packed *out)
{
    if (b->packed.m)
        return copy_packed(&b->packed, out);
    if (!s->run->init->init->trains_only)
        return RSD_FAIL(RSD_EUSAGE, "--merge requantize: with qalora and %s, use --base packed",
                        s->run->init->text);
    layer_calibration k;
    int err = calibration_read(&s->sweep->calibration, t, &k);
    if (!err)
        err = rsd_model_read(s->sweep->model, t, W);
    if (!err)
        err = rsd_pack(&b->spec, W, k.any ? &k.c : NULL, out);
    layer_calibration_free(&k);
    return err;
}

/* qalora: into the zero points, exactly where they are real numbers. */
static int merge_pooled(const student *s, const rsd_adapter *a, const rsd_base_layer *b,
                        const rsd_tensor *t, rsd_mat W)
{
    rsd_packed packed = { 0 };
    int err = packed_base(s, b, t, W, &packed);
    if (!err)
        err = rsd_qalora_merge(a, &packed);
    if (!err)
        err = rsd_unpack(&b->spec, &packed, W);
    rsd_packed_free(&packed);
    return err;
}

/* W on its quantizer's grid. */
static int requantize(const student *s, const rsd_base_layer *b, const rsd_tensor *t, rsd_mat W)
{
    layer_calibration k = { 0 };
    rsd_quant_stats stats;
    rsd_mat merged;
    RSD_TRY(rsd_mat_alloc(W.m, W.n, &merged));
    rsd_mat_copy(W, merged);
    int err = calibration_read(&s->sweep->calibration, t, &k);
    if (!err)
        err = rsd_quantize(&b->spec, merged, k.any ? &k.c : NULL, W, &stats, NULL);
    layer_calibration_free(&k);
    rsd_mat_free(&merged);
    return err;
}

/* W_q + C of one layer, or what its quantizer makes of it. */
static int merge_layer(const student *s, size_t layer, rsd_slot slot, recover_merge how, rsd_mat W)
{
    const rsd_adapter *a = &s->adapters.layer[layer][slot];
    const rsd_base_layer *b = &s->base.layer[layer][slot];
    const rsd_tensor *t = s->weights->block[layer].tensor[slot];
    const bool grid = how == RECOVER_MERGE_REQUANTIZE && b->spec.quantizer && a->rank;
    if (grid && a->pool > 1)
        return merge_pooled(s, a, b, t, W);
    RSD_TRY(student_base(s, layer, slot, W));
    if (!a->rank)
        return RSD_OK;
    RSD_TRY(rsd_adapter_merge(a, W));
    return grid ? requantize(s, b, t, W) : RSD_OK;
}

int student_merged_losses(const student *s, recover_merge how, double *loss)
{
    rsd_weights *w = NULL;
    rsd_transformer *pass = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_weights_load(s->sweep->model, &w));
    for (size_t b = 0; b < w->shape.layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++) {
            const rsd_tensor *t = w->block[b].tensor[slot];
            if (t)
                RSD_TRY_DONE(merge_layer(
                    s, b, slot, how, (rsd_mat){ rsd_weights_of(w, t), t->rows, t->cols, t->cols }));
        }
    RSD_TRY_DONE(rsd_transformer_alloc(w, s->sweep->train.precision, RSD_KEEP_NOTHING,
                                       s->sweep->pass * s->sweep->eval.context, &pass));
    err = sweep_losses(s->sweep, pass, loss);
done:
    rsd_transformer_free(pass);
    rsd_weights_free(w);
    return err;
}

/* ---- memory ---- */

static size_t linear_numbers(const student *s)
{
    size_t sum = 0;
    for (size_t b = 0; b < s->weights->shape.layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++) {
            const rsd_tensor *t = s->weights->block[b].tensor[slot];
            if (t && s->base.layer[b][slot].spec.quantizer)
                sum += t->elements;
        }
    return sum;
}

size_t student_base_bytes(const student *s)
{
    return s->sweep->params->base == RECOVER_PACKED ? rsd_base_bytes(&s->base)
                                                    : linear_numbers(s) * sizeof(rsd_real);
}

static size_t halves_bytes(const rsd_weights *w)
{
    size_t sum = 0;
    for (size_t b = 0; b < w->shape.layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++)
            if (w->block[b].linear[slot].W.half)
                sum += w->block[b].linear[slot].W.rows * w->block[b].linear[slot].W.cols;
    if (w->head.W.half)
        sum += w->head.W.rows * w->head.W.cols;
    return sum * sizeof(rsd_half);
}

size_t student_bytes(const student *s)
{
    size_t sum = s->weights->count * sizeof(rsd_real) + halves_bytes(s->weights) +
                 rsd_base_bytes(&s->base) + rsd_transformer_bytes(s->pass) +
                 rsd_adapted_bytes(s->hook) + rsd_matmul_bytes(rsd_transformer_mm(s->pass)) +
                 (s->adapters.count + s->start.count + s->grad.count) * sizeof(rsd_real);
    for (size_t b = 0; s->extras && b < s->weights->shape.layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++) {
            const rsd_tensor *t = s->weights->block[b].tensor[slot];
            if (t && !s->base.layer[b][slot].spec.quantizer)
                sum += t->elements * sizeof(float);
        }
    if (s->trainer && !s->sweep->params->optimizer_state)
        sum += rsd_recover_bytes(s->trainer);
    if (s->trainer && s->sweep->held.windows) /* the best step's */
        sum += s->adapters.count * sizeof(rsd_real);
    return sum;
}
