/* analyze --predict: what quantizers will cost and corrections win back, without quantizing. */
#include "analyze/predict.h"

#include "alloc.h"
#include "cli/console.h"
#include "cli/stop.h"
#include "par.h"

#include <stdlib.h>

/* ---- a matrix ---- */

static int predict_specs(const prediction *p, prediction_layer *l, rsd_mat W,
                         const rsd_calibration *c, const moment_roots *roots)
{
    const measure_options *o = l->task->item.options;
    const size_t least = W.m < W.n ? W.m : W.n;
    const rsd_spectrum_opts opts = { .method = (rsd_method)o->method,
                                     .top = o->top && o->top < least ? o->top : 0,
                                     .tolerance = o->tolerance,
                                     .rounding = RSD_ROUNDING_F32,
                                     .seed = o->seed };
    a_priori_layer at;
    int err = a_priori_layer_make(W, c, roots, &opts, &at);
    for (size_t i = 0; i < l->specs && !err; i++) {
        const rsd_error_model *model = a_priori_model_of(&p->r->a_priori, &l->spec[i]);
        if (model)
            err = a_priori_layer_curve(&at, model, &l->curve[i]);
    }
    a_priori_layer_free(&at);
    return err;
}

static int predict_layer(prediction *p, prediction_layer *l)
{
    const measure_item *item = &l->task->item;
    const rsd_tensor *t = item->tensor;
    layer_calibration data = { 0 };
    moment_roots roots = { 0 };
    rsd_mat W = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_mat_alloc(t->rows, t->cols, &W));
    RSD_TRY_DONE(rsd_model_read(item->model, t, W));
    RSD_TRY_DONE(rsd_mat_check_finite(W));
    parts_lock(p->r->parts);
    err = calibration_read(item->calibration, t, &data);
    parts_unlock(p->r->parts);
    if (!err)
        err = moment_roots_make(&data.c, item->options->damping, t->name, &roots);
    if (!err)
        err = predict_specs(p, l, W, &data.c, &roots);
done:
    moment_roots_free(&roots);
    layer_calibration_free(&data);
    rsd_mat_free(&W);
    return err;
}

static void run_layer(void *context, size_t i)
{
    prediction *p = context;
    prediction_layer *l = &p->layer[i];
    l->code = predict_layer(p, l);
    if (l->code) {
        console_error("%s %s: %s", l->task->item.entry->name, l->task->item.tensor->name,
                      rsd_errmsg());
#pragma omp atomic
        p->r->failures++;
    }
    console_progress_step(l->task->item.tensor->name, 1);
}

static size_t layer_bytes(void *context, size_t i)
{
    const prediction *p = context;
    const rsd_tensor *t = p->layer[i].task->item.tensor;
    return t->rows * t->cols * sizeof(float) + moment_bytes(t->rows, t->cols) +
           a_priori_bytes(t->rows, t->cols);
}

static bool should_stop(void *context)
{
    (void)context;
    return stop_requested();
}

/* ---- all of them ---- */

static int add_layer(prediction *p, const task *k)
{
    prediction_layer *l = &p->layer[p->layers];
    const rsd_tensor *t = k->item.tensor;
    *l = (prediction_layer){ .task = k };
    l->spec = select_specs_for(&p->r->specs, t->name, &l->specs);
    RSD_TRY(rsd_zeroed(l->specs, sizeof *l->curve, &l->curve));
    p->layers++;
    for (size_t i = 0; i < l->specs; i++)
        l->curve[i] = (a_priori_curve){ .place = { k->item.entry->name, t->name, t->role.role,
                                                   t->role.layer, t->rows, t->cols },
                                        .spec = l->spec[i].text,
                                        .damping = k->item.options->damping };
    return RSD_OK;
}

/* The matrices whose H and G are there. */
static int find_layers(prediction *p)
{
    size_t without = 0;
    RSD_TRY(rsd_zeroed(p->r->tasks, sizeof *p->layer, &p->layer));
    for (size_t i = 0; i < p->r->tasks; i++) {
        const task *k = &p->r->task[i];
        if (calibration_has_both(k->item.calibration, k->item.tensor))
            RSD_TRY(add_layer(p, k));
        else
            without++;
    }
    if (without)
        console_note("%zu of %zu matrices have no H and G in %s: nothing is predicted of them",
                     without, p->r->tasks, p->r->params->calibration);
    return p->layers ? RSD_OK
                     : RSD_FAIL(RSD_EUSAGE, "--predict: %s has H and G of none of the matrices",
                                p->r->params->calibration);
}

static int compute(prediction *p)
{
    const rsd_par_work work = { .count = p->layers,
                                .bytes = layer_bytes,
                                .run = run_layer,
                                .stop = should_stop,
                                .context = p,
                                .budget =
                                    15 * analyze_largest(p->r) / 2 + 20000000 * rsd_par_threads() };
    console_progress_begin("matrix", p->layers, (double)p->layers);
    const int err = rsd_par_each(&work);
    console_progress_end();
    return err;
}

/* ---- the file ---- */

static const char *const written[] = { "/a_priori", NULL };
static const parts_kind kind = { .command = "analyze --predict",
                                 .prefix = "predict-",
                                 .writes = written };

static int write_last(const rsd_store *old, rsd_store *part, bool *changes, void *context)
{
    const prediction *p = context;
    (void)old;
    *changes = true;
    for (size_t i = 0; i < p->r->inputs; i++)
        RSD_TRY(result_model_write(part, &p->r->input[i].entry));
    for (size_t i = 0; i < p->layers; i++)
        for (size_t k = 0; k < p->layer[i].specs; k++)
            if (p->layer[i].curve[k].share)
                RSD_TRY(a_priori_write(part, &p->layer[i].curve[k]));
    return rows_write(&prediction_schema, part, p->rows.row, p->rows.count);
}

/* ---- the mode ---- */

static void prediction_free(prediction *p)
{
    for (size_t i = 0; i < p->layers; i++) {
        for (size_t k = 0; k < p->layer[i].specs; k++)
            free(p->layer[i].curve[k].share);
        free(p->layer[i].curve);
    }
    free(p->layer);
    free(p->rows.row);
}

int analyze_predict(analysis *r)
{
    prediction p = { .r = r };
    const parts_publication publication = { .command_line = r->command_line,
                                            .seed = r->params->common.seed,
                                            .last = write_last,
                                            .context = &p };
    int err = RSD_OK;
    RSD_TRY_DONE(
        parts_open(&kind, r->params->common.output, NULL, r->params->common.force, &r->parts));
    RSD_TRY_DONE(find_layers(&p));
    RSD_TRY_DONE(a_priori_models_make(&r->specs, true, &r->a_priori));
    RSD_TRY_DONE(compute(&p));
    if (stop_requested())
        goto done; /* sums over some of the layers would say something else */
    RSD_TRY_DONE(prediction_make_rows(&p));
    RSD_TRY_DONE(parts_publish(r->parts, &publication));
    if (!r->params->common.quiet)
        prediction_print(&p);
done:
    prediction_free(&p);
    return err;
}
