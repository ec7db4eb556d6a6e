/* One run from its quantized model to its row: losses, sizes, memory, adapters. */
#include "recover/run.h"
#include "alloc.h"
#include "boot.h"
#include "cli/console.h"
#include "mat.h"
#include "recover/losses.h"
#include "recover/rate.h"
#include "recover/report.h"
#include "recover/save.h"
#include "recover/storage.h"
#include "spectra/serial.h"
#include "train/recovered.h"

#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int losses_alloc(const sweep *s, double **x)
{
    return rsd_array_alloc(s->eval.windows, 1, sizeof **x, x);
}

static recovery_kind kind_of(const recover_run *run)
{
    return run->same_bytes ? RECOVERY_SAME_BYTES
           : run->control  ? RECOVERY_CONTROL
                           : RECOVERY_ADAPTERS;
}

int run_describe(const sweep *s, const recover_run *run, recovery_row *r)
{
    const recover_params *p = s->params;
    const recover_numbers *n = &p->numbers;
    static const char *const objectives[] = { "ce", "kl", "hidden" };
    *r = recovery_no_row;
    RSD_TRY(rsd_copy_text(run->name, &r->run));
    RSD_TRY(rsd_copy_text(s->name, &r->model));
    RSD_TRY(rsd_copy_text(run->spec && !run->control ? run->spec->text : "", &r->spec));
    RSD_TRY(rsd_copy_text(run->same_bytes ? "" : run->init->text, &r->init));
    RSD_TRY(rsd_copy_text(rsd_variant_name(run->variant), &r->variant));
    RSD_TRY(rsd_copy_text(objectives[n->objective], &r->objective));
    RSD_TRY(rsd_copy_text(p->base == RECOVER_PACKED ? "packed" : "dense", &r->base));
    RSD_TRY(rsd_copy_text(recovery_kind_name(kind_of(run)), &r->kind));
    RSD_TRY(rsd_copy_text(p->numbers.straight ? "" : run->factors->text, &r->factors));
    RSD_TRY(rsd_copy_text("", &r->same_bytes));
    RSD_TRY(rsd_copy_text("ok", &r->status));
    RSD_TRY(rsd_copy_text("", &r->message));
    r->rank = (int64_t)run->rank;
    r->seed = (int64_t)run->seed;
    r->control = run->control || run->same_bytes;
    r->steps = run->same_bytes ? 0 : (int64_t)n->steps;
    r->batch = run->same_bytes ? 0 : (int64_t)n->batch;
    r->context = (int64_t)s->train.context;
    r->windows = (int64_t)s->eval.windows;
    r->windows_of = (int64_t)s->eval.of;
    r->windows_second = (int64_t)s->second.windows;
    return RSD_OK;
}

/* Mean and error of one row of losses; the row keeps the longest block that an error was taken in.
 */
static void put_loss(const double *x, size_t n, recovery_row *r, double *mean, double *se)
{
    if (!x)
        return;
    const rsd_series_mean m = rsd_series_mean_of(x, n);
    *mean = m.mean;
    *se = m.se;
    r->block = (int64_t)m.block > r->block ? (int64_t)m.block : r->block;
}

/* The same of the second text. */
static void put_second(const sweep *s, outcome *o)
{
    recovery_row *r = &o->row;
    const size_t n = s->second.windows;
    double none;
    put_loss(o->second, n, r, &r->loss_second, &r->loss_second_se);
    put_loss(o->second_fp, n, r, &r->loss_fp_second, &none);
    put_loss(o->second_q, n, r, &r->loss_q_second, &none);
}

int run_put_losses(const sweep *s, outcome *o)
{
    recovery_row *r = &o->row;
    const size_t n = s->eval.windows;
    rsd_recovered f;
    put_loss(o->fp, n, r, &r->loss_fp, &r->loss_fp_se);
    put_loss(o->q, n, r, &r->loss_q, &r->loss_q_se);
    put_loss(o->init, n, r, &r->loss_init, &r->loss_init_se);
    put_loss(o->trained, n, r, &r->loss_trained, &r->loss_trained_se);
    put_loss(o->merged, n, r, &r->loss_merged, &r->loss_merged_se);
    r->loss_best = o->curves.best;
    r->best_step = (int64_t)o->curves.best_step;
    r->kept_step = (int64_t)o->curves.kept_step;
    if (o->curves.looks) {
        r->held_windows = (int64_t)s->held.windows;
        r->loss_held = o->curves.kept_loss;
        r->loss_held_init = o->curves.held_loss[0];
    }
    put_second(s, o);
    if (!o->q)
        return RSD_OK; /* a control recovers nothing */
    if (o->init) {
        RSD_TRY(rsd_recovered_fraction(o->fp, o->q, o->init, n, &f));
        r->recovered_init = f.fraction;
        r->recovered_init_se = f.se;
    }
    RSD_TRY(rsd_recovered_fraction(o->fp, o->q, o->trained, n, &f));
    r->gap = f.gap;
    r->gap_se = f.gap_se;
    r->recovered_fraction = f.fraction;
    r->recovered_fraction_se = f.se;
    r->block = (int64_t)f.block > r->block ? (int64_t)f.block : r->block;
    return RSD_OK;
}

static size_t linear_weights(const student *m)
{
    size_t sum = 0;
    for (size_t b = 0; b < m->weights->shape.layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++)
            if (m->weights->block[b].tensor[slot])
                sum += m->weights->block[b].tensor[slot]->elements;
    return sum;
}

static size_t rank_sum(const student *m)
{
    size_t sum = 0;
    for (size_t b = 0; b < m->weights->shape.layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++)
            sum += student_rank(m, b, slot);
    return sum;
}

static double scale_of(const student *m)
{
    for (size_t b = 0; b < m->weights->shape.layers; b++)
        for (rsd_slot slot = 0; slot < RSD_LINEARS; slot++)
            if (m->adapters.layer[b][slot].rank)
                return m->adapters.layer[b][slot].scale;
    return NAN;
}

/* Sizes, over the weights that are quantized; adapter_bytes are known. */
static void put_sizes(const student *m, outcome *o)
{
    recovery_row *r = &o->row;
    const bool control = m->run->control;
    const double weights = control ? (double)linear_weights(m) : m->quantized;
    r->adapter_numbers = (int64_t)rsd_adapters_parameters(&m->adapters);
    r->bits_per_weight = control ? 16 : 8 * m->packed_bytes / weights;
    r->bits_per_weight_total = r->bits_per_weight + 8 * (double)r->adapter_bytes / weights;
    r->stored_bytes = (int64_t)(control ? 2 * weights : m->packed_bytes) + r->adapter_bytes;
    r->rank_sum = (int64_t)rank_sum(m);
    r->scale = scale_of(m);
    r->alpha = m->sweep->params->numbers.alpha > 0 ? m->sweep->params->numbers.alpha
                                                   : (double)m->run->rank;
    r->weight_error = sqrt(m->error / m->norm);
    r->start_error = sqrt(m->start_error / m->norm);
    r->base_bytes = (int64_t)student_base_bytes(m);
    r->bf16_bytes = (int64_t)(2 * weights);
    r->tokens = r->steps * r->batch * r->context;
    r->seconds = o->curves.seconds;
    r->tokens_per_s = (double)r->tokens / r->seconds;
}

static void put_memory(const student *m, references *refs, recovery_row *r)
{
    r->computed_bytes = (int64_t)student_bytes(m);
    r->resident_bytes = (int64_t)memory_resident() - r->resident_bytes; /* what was there before */
    r->peak_bytes = (int64_t)memory_peak();
    if (refs->memory_said || m->run->control)
        return;
    refs->memory_said = true;
    console_note("%s base: %.2f MB of quantized layers (%.2f MB in bfloat16); the run counts %.1f "
                 "MB and takes %.1f MB, the process %.1f MB at most",
                 r->base, 1e-6 * (double)r->base_bytes, 1e-6 * (double)r->bf16_bytes,
                 1e-6 * (double)r->computed_bytes, 1e-6 * (double)r->resident_bytes,
                 1e-6 * (double)r->peak_bytes);
}

/* No steps: what starts is what is left. */
static void stay(const sweep *s, outcome *o)
{
    memcpy(o->trained, o->init, s->eval.windows * sizeof *o->init);
    o->curves.best = o->curves.eval_loss[0] = rsd_mean(o->init, s->eval.windows);
    o->curves.eval_step[0] = 0;
    o->curves.evals = 1;
}

static int train(const sweep *s, references *refs, student *m, const char *state, outcome *o)
{
    const size_t steps = s->params->numbers.steps;
    RSD_TRY(losses_alloc(s, &o->init));
    RSD_TRY(losses_alloc(s, &o->trained));
    RSD_TRY(curves_alloc(&s->params->numbers, &o->curves));
    if (steps == 0)
        RSD_TRY(student_store(m, &o->row.adapter_bytes));
    RSD_TRY(student_losses(m, o->init));
    if (steps == 0)
        stay(s, o);
    else {
        RSD_TRY(student_choose_rate(m));
        const int err = recover_train(m, state, o->init, &o->curves, o->trained);
        o->row.learning_rate = m->rate; /* of one that failed, too */
        o->row.displacement = m->displacement;
        RSD_TRY(err);
        RSD_TRY(student_store(m, &o->row.adapter_bytes));
        RSD_TRY(student_losses(m, o->trained));
    }
    RSD_TRY(student_second_losses(m, &o->second));
    put_sizes(m, o);
    put_memory(m, refs, &o->row);
    RSD_TRY(recover_measure(m, &o->layers));
    if (s->params->numbers.merge != RECOVER_MERGE_NONE) {
        RSD_TRY(losses_alloc(s, &o->merged));
        RSD_TRY(student_merged_losses(m, (recover_merge)s->params->numbers.merge, o->merged));
    }
    return run_put_losses(s, o);
}

/* The prediction that spreads ranks is of second order, and a loss that starts far away does not
 * follow it: on some training windows the spread start must be better than the even one.  A start
 * that corrects nothing says nothing, and is taken at the prediction's word. */
static int make_student(const sweep *s, const recover_run *run, student *m)
{
    double even, spread;
    if (!s->params->numbers.spread || run->control || run->init->init->trains_only)
        return student_make(s, run, STUDENT_ADAPTED, m);
    RSD_TRY(student_make(s, run, STUDENT_EVEN, m));
    RSD_TRY(student_probe(m, &even));
    student_free(m);
    RSD_TRY(student_make(s, run, STUDENT_ADAPTED, m));
    RSD_TRY(student_probe(m, &spread));
    console_detail("%s: %.4f with ranks spread, %.4f with even ones", run->name, spread, even);
    if (spread <= even)
        return RSD_OK;
    student_free(m);
    return student_make(s, run, STUDENT_EVEN, m);
}

int run_one(const sweep *s, references *refs, const parts *kept, const recover_run *run, outcome *o)
{
    student m = { 0 };
    saved files = { 0 };
    char *state = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(outcome_state(kept, run, &state));
    RSD_TRY_DONE(references_put(s, refs, run, o));
    malloc_trim(0); /* so that what the system counts is this run's */
    memory_reset_peak();
    o->row.resident_bytes = (int64_t)memory_resident();
    RSD_TRY_DONE(make_student(s, run, &m));
    RSD_TRY_DONE(train(s, refs, &m, state, o));
    RSD_TRY_DONE(save_student(&m, &files));
    student_free(&m); /* what follows needs its memory */
    err = save_read_back(s, run, o, &files);
done:
    student_free(&m);
    saved_free(&files);
    free(state);
    return err;
}
