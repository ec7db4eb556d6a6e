/* Measuring one changed matrix after another. */
#include "eval/sensitivity.h"

#include "alloc.h"
#include "boot.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "linalg/lowrank.h"
#include "mat.h"
#include "spectra/serial.h"
#include "transformer/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Everything that is open. */
typedef struct {
    const sensitivity_job *job;
    rsd_weights *changed; /* the original but for one matrix */
    rsd_transformer *pass;
    double *loss_fp, *difference; /* [windows] */
    rsd_gradients *gradient;      /* of the mean loss, by every weight */
    sensitivity_row *row;
    size_t rows, failed;
} run;

/* ---- losses ---- */

static int losses(run *r, double *out)
{
    const stream *s = r->job->stream;
    rsd_evaluation result;
    const rsd_evaluate_job job = { .model = r->pass,
                                   .tokens = s->tokens,
                                   .context = s->context,
                                   .windows = s->windows,
                                   .of = s->of,
                                   .batch = s->batch };
    RSD_TRY(rsd_evaluate(&job, &result));
    memcpy(out, result.loss, s->windows * sizeof *out);
    rsd_evaluation_free(&result);
    return RSD_OK;
}

/* dL/dW of the mean loss over all windows, labels the data's. */
static int add_gradients(run *r)
{
    const stream *s = r->job->stream;
    const size_t T = s->context, width = r->changed->shape.width;
    rsd_transformer *t = NULL;
    int32_t *token = NULL;
    rsd_real *dh = NULL;
    void *work = NULL;
    const rsd_real *hidden;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_transformer_alloc(r->changed, s->precision, RSD_KEEP_INPUTS, T, &t));
    RSD_TRY_DONE(rsd_array_alloc(T + 1, 1, sizeof *token, &token));
    RSD_TRY_DONE(rsd_array_alloc(T, width, sizeof *dh, &dh));
    rsd_loss loss = { .M = T,
                      .model = rsd_transformer_head(t, dh),
                      .target = token + 1,
                      .dh = dh,
                      .ce_weight = 1.0 / ((double)s->windows * (double)T) };
    RSD_TRY_DONE(rsd_array_alloc(rsd_loss_work(&loss), 1, 1, &work));
    for (size_t w = 0; w < s->windows && !stop_requested(); w++) {
        const size_t at = rsd_window_at(w, s->windows, s->of);
        RSD_TRY_DONE(rsd_tokens_read(s->tokens, at * T, T + 1, token));
        RSD_TRY_DONE(rsd_transformer_forward(t, token, 1, T, &hidden));
        loss.model = rsd_transformer_head(t, hidden);
        RSD_TRY_DONE(rsd_loss_run(rsd_transformer_mm(t), &loss, work));
        RSD_TRY_DONE(rsd_transformer_backward(t, dh, r->gradient));
    }
done:
    free(work);
    free(dh);
    free(token);
    rsd_transformer_free(t);
    return err;
}

static int begin(run *r)
{
    const sensitivity_job *job = r->job;
    const size_t tokens = job->stream->batch * job->stream->context;
    RSD_TRY(rsd_weights_copy(job->original, &r->changed));
    RSD_TRY(rsd_gradients_alloc(job->original, &r->gradient));
    RSD_TRY(rsd_transformer_alloc(r->changed, job->stream->precision, RSD_KEEP_NOTHING, tokens,
                                  &r->pass));
    RSD_TRY(rsd_array_alloc(job->stream->windows, 1, sizeof *r->loss_fp, &r->loss_fp));
    RSD_TRY(rsd_array_alloc(job->stream->windows, 1, sizeof *r->difference, &r->difference));
    RSD_TRY(losses(r, r->loss_fp));
    return add_gradients(r);
}

/* ---- one measurement ---- */

/* What stands in place of one matrix. */
typedef struct {
    const rsd_tensor *tensor;
    const rsd_spec *spec;
    const rsd_init_spec *init; /* NULL: not corrected */
    size_t rank;
} choice;

static bool is_done(const run *r, const choice *c)
{
    for (size_t i = 0; i < r->job->dones; i++) {
        const sensitivity_row *d = &r->job->done[i];
        if ((size_t)d->windows == r->job->stream->windows &&
            (size_t)d->windows_of == r->job->stream->of &&
            (size_t)d->context == r->job->stream->context && (size_t)d->rank == c->rank &&
            strcmp(d->model, r->job->name) == 0 && strcmp(d->tensor, c->tensor->name) == 0 &&
            strcmp(d->spec, c->spec->text) == 0 &&
            strcmp(d->init, c->init ? c->init->text : "") == 0)
            return true;
    }
    return false;
}

/* Wq, with its correction where there is one. */
static int replace(const run *r, const choice *c, rsd_mat W, rsd_mat Wq)
{
    const rsd_calibration *data = NULL;
    layer_calibration layer = { 0 };
    rsd_init_result start = { .Wq = Wq };
    rsd_mat C = { 0 };
    int err = RSD_OK;
    if (r->job->calibration) {
        RSD_TRY_DONE(calibration_read(r->job->calibration, c->tensor, &layer));
        data = layer.any ? &layer.c : NULL;
    }
    if (!c->init) {
        RSD_TRY_DONE(rsd_quantize(c->spec, W, data, Wq, &start.stats, NULL));
        goto done;
    }
    RSD_TRY_DONE(rsd_mat_alloc(W.m, c->rank, &start.B));
    RSD_TRY_DONE(rsd_mat_alloc(c->rank, W.n, &start.A));
    RSD_TRY_DONE(rsd_mat_alloc(W.m, W.n, &C));
    const rsd_init_task task = { .W = W,
                                 .quantizer = c->spec,
                                 .calibration = data,
                                 .rank = c->rank,
                                 .damping = r->job->damping,
                                 .seed = rsd_seed(r->job->seed, c->tensor->name) };
    RSD_TRY_DONE(rsd_init_start(c->init, &task, &start));
    rsd_mat_mul(start.B, start.A, C);
    for (size_t i = 0; i < W.m * W.n; i++)
        Wq.x[i] += C.x[i];
done:
    rsd_packed_free(&start.packed);
    rsd_mat_free(&start.B);
    rsd_mat_free(&start.A);
    rsd_mat_free(&C);
    layer_calibration_free(&layer);
    return err;
}

static int add_row(run *r, const choice *c, double first_order)
{
    const stream *s = r->job->stream;
    const rsd_series_mean increase = rsd_series_mean_of(r->difference, s->windows);
    RSD_TRY(rsd_room(&r->row, r->rows, 1, sizeof *r->row));
    sensitivity_row *row = &r->row[r->rows++];
    *row = (sensitivity_row){
        .layer = c->tensor->role.layer,
        .rank = (int64_t)c->rank,
        .windows = (int64_t)s->windows,
        .windows_of = (int64_t)s->of,
        .block = (int64_t)increase.block,
        .context = (int64_t)s->context,
        .loss_fp = rsd_mean(r->loss_fp, s->windows),
        .increase = increase.mean,
        .increase_se = increase.se,
        .first_order = first_order,
    };
    RSD_TRY(rsd_copy_text(r->job->name, &row->model));
    RSD_TRY(rsd_copy_text(c->tensor->name, &row->tensor));
    RSD_TRY(rsd_copy_text(c->tensor->role.role, &row->role));
    RSD_TRY(rsd_copy_text(c->spec->text, &row->spec));
    return rsd_copy_text(c->init ? c->init->text : "", &row->init);
}

static int measure(run *r, const choice *c)
{
    const stream *s = r->job->stream;
    const rsd_tensor *t = c->tensor;
    const rsd_weights *original = r->job->original;
    const rsd_real *D = rsd_gradients_at(r->gradient, original, rsd_weights_of(original, t));
    rsd_mat W = { rsd_weights_of(original, t), t->rows, t->cols, t->cols }, Wq;
    rsd_mat place = { rsd_weights_of(r->changed, t), t->rows, t->cols, t->cols };
    double first_order = 0;
    int err = RSD_OK;
    RSD_TRY(rsd_mat_alloc(t->rows, t->cols, &Wq));
    RSD_TRY_DONE(replace(r, c, W, Wq));
    for (size_t i = 0; i < t->elements; i++)
        first_order += (double)D[i] * ((double)Wq.x[i] - (double)W.x[i]);
    rsd_mat_copy(Wq, place);
    RSD_TRY_DONE(rsd_weights_prepare(r->changed, rsd_transformer_mm(r->pass)));
    RSD_TRY_DONE(losses(r, r->difference));
    for (size_t w = 0; w < s->windows; w++)
        r->difference[w] -= r->loss_fp[w];
    err = add_row(r, c, first_order);
done:
    rsd_mat_copy(W, place);
    rsd_mat_free(&Wq);
    return err;
}

/* A quantizer or correction that does not take this matrix is no reason to give up the others. */
static int try_one(run *r, const choice *c)
{
    if (is_done(r, c) || stop_requested())
        return RSD_OK;
    const int err = measure(r, c);
    console_progress_step(c->tensor->name, 1);
    if (!err && r->job->measured)
        return r->job->measured(&r->row[r->rows - 1], r->job->context);
    if (err != RSD_EUSAGE && err != RSD_EDOM && err != RSD_EARG)
        return err;
    r->failed++;
    console_error("%s, %s%s%s: %s", c->tensor->name, c->spec->text, c->init ? ", " : "",
                  c->init ? c->init->text : "", rsd_errmsg());
    return RSD_OK;
}

/* ---- all of them ---- */

/* A correction has no more ranks than its matrix. */
static size_t rank_of(const rsd_tensor *t, size_t asked)
{
    const size_t full = t->rows < t->cols ? t->rows : t->cols;
    return asked < full ? asked : full;
}

/* Two ranks above what there is are one. */
static bool is_asked_before(const sensitivity_job *job, const rsd_tensor *t, size_t k)
{
    for (size_t i = 0; i < k; i++)
        if (rank_of(t, job->rank[i]) == rank_of(t, job->rank[k]))
            return true;
    return false;
}

static int each_choice(run *r, const rsd_tensor *t, const rsd_spec *spec)
{
    const sensitivity_job *job = r->job;
    choice c = { .tensor = t, .spec = spec };
    RSD_TRY(try_one(r, &c));
    for (size_t i = 0; i < job->inits; i++)
        for (size_t k = 0; k < job->ranks; k++) {
            c.init = &job->init[i];
            c.rank = rank_of(t, job->rank[k]);
            if (!is_asked_before(job, t, k))
                RSD_TRY(try_one(r, &c));
        }
    return RSD_OK;
}

/* Matrices that the forward pass uses and the user selects. */
static bool takes(const sensitivity_job *job, const rsd_tensor *t)
{
    return select_takes(job->select, job->model, t) && rsd_weights_of(job->original, t);
}

static size_t count_choices(const sensitivity_job *job)
{
    size_t n = 0, specs;
    for (size_t i = 0; i < rsd_model_count(job->model); i++) {
        const rsd_tensor *t = rsd_model_tensor(job->model, i);
        if (!takes(job, t))
            continue;
        select_specs_for(job->specs, t->name, &specs);
        n += specs * (1 + job->inits * job->ranks);
    }
    return n;
}

static int each_tensor(run *r)
{
    const sensitivity_job *job = r->job;
    for (size_t i = 0; i < rsd_model_count(job->model) && !stop_requested(); i++) {
        const rsd_tensor *t = rsd_model_tensor(job->model, i);
        size_t specs;
        if (!takes(job, t))
            continue;
        const rsd_spec *spec = select_specs_for(job->specs, t->name, &specs);
        for (size_t s = 0; s < specs; s++)
            RSD_TRY(each_choice(r, t, &spec[s]));
    }
    return RSD_OK;
}

int sensitivity_measure(const sensitivity_job *job, sensitivity_row **rows, size_t *count,
                        size_t *failed)
{
    run r = { .job = job };
    const size_t choices = count_choices(job);
    int err = choices ? RSD_OK
                      : RSD_FAIL(RSD_EUSAGE, "nothing to measure: no -q SPEC, or no matrix is "
                                             "selected (--include)");
    if (!err) {
        console_progress_begin("matrix", choices, (double)choices);
        err = begin(&r);
        if (!err)
            err = each_tensor(&r);
        console_progress_end();
    }
    rsd_transformer_free(r.pass);
    rsd_weights_free(r.changed);
    rsd_gradients_free(r.gradient);
    free(r.loss_fp);
    free(r.difference);
    *rows = r.row;
    *count = r.rows;
    *failed = r.failed;
    return err;
}
