/* eval --one-at-a-time: options, the file, and one line per matrix. */
#include "eval/one_at_a_time.h"
#include "alloc.h"

#include "cli/console.h"
#include "cli/json_out.h"
#include "cli/printable.h"
#include "cli/stop.h"
#include "mat.h"
#include "quantizers/label.h"
#include "result/calibration_identity.h"
#include "result/parts.h"
#include "result/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALGORITHM = 2 }; /* raised when the same options give other numbers */

/* Everything that is open. */
typedef struct {
    sensitivity_job job; /* with the rows that the file holds as those that are done */
    const eval_single_options *o;
    result_model model;
    parts *parts;                           /* NULL: printed only */
    char *group;                            /* the model's */
    char *attribute, *inputs, *corrections; /* there: what rows were made from */
    char calibration[32];
    sensitivity_row *old, *rows;
    size_t olds, count;
} single;

/* ---- what rows are made from ---- */

static bool takes_data(const sensitivity_job *job)
{
    const select_specs *s = job->specs;
    bool takes = false;
    for (size_t i = 0; i < s->specs; i++)
        takes |= s->spec[i].quantizer->calibration != RSD_CALIBRATION_NONE;
    for (size_t i = 0; i < s->rules; i++)
        takes |= s->rule[i].spec.quantizer->calibration != RSD_CALIBRATION_NONE;
    for (size_t i = 0; i < job->inits; i++)
        takes |= job->init[i].init->calibration != RSD_CALIBRATION_NONE;
    return takes;
}

/* Rows of other windows stand beside these, with inputs of their own. */
static int name_inputs(single *e)
{
    const sensitivity_job *job = &e->job;
    char tokens[17], data[17] = "none";
    RSD_TRY(stream_identity(job->stream, tokens));
    if (!(e->group = result_model_path(job->name)))
        return RSD_FAIL(RSD_ENOMEM, "path of %s", job->name);
    if (job->calibration)
        RSD_TRY(calibration_identity(job->calibration, job->model, data));
    snprintf(e->calibration, sizeof e->calibration, "calibration=%s", data);
    RSD_TRY(rsd_format(&e->attribute, "sensitivity_%zux%zu", job->stream->windows,
                       job->stream->context));
    RSD_TRY(rsd_format(&e->inputs, "algorithm=%d,tokens=%s,precision=%s", ALGORITHM, tokens,
                       stream_precision_name(job->stream)));
    return rsd_format(&e->corrections, "damping=%.9g,seed=%llu", job->damping,
                      (unsigned long long)job->seed);
}

/* Is there a row of this model over these windows? */
static bool has_rows(const single *e, const sensitivity_row *rows, size_t count)
{
    bool has = false;
    for (size_t i = 0; i < count && !has; i++)
        has = (size_t)rows[i].windows == e->job.stream->windows &&
              (size_t)rows[i].context == e->job.stream->context &&
              strcmp(rows[i].model, e->job.name) == 0;
    return has;
}

static int check_inputs(const single *e, const rsd_store *store)
{
    const char *where = e->o->output;
    RSD_TRY(provenance_agree_at(store, e->group, e->attribute, where, e->inputs));
    if (e->job.inits)
        RSD_TRY(provenance_agree_at(store, e->group, "sensitivity_inits", where, e->corrections));
    if (takes_data(&e->job))
        RSD_TRY(
            provenance_agree_at(store, e->group, "sensitivity_calibration", where, e->calibration));
    return RSD_OK;
}

/* The model, with what its rows are made from. */
static int write_model(const single *e, rsd_store *store)
{
    RSD_TRY(result_model_write(store, &e->model));
    RSD_TRY(rsd_store_set_text(store, e->group, e->attribute, e->inputs));
    if (e->job.inits)
        RSD_TRY(rsd_store_set_text(store, e->group, "sensitivity_inits", e->corrections));
    if (takes_data(&e->job))
        RSD_TRY(rsd_store_set_text(store, e->group, "sensitivity_calibration", e->calibration));
    return RSD_OK;
}

/* ---- the file ---- */

/* --force forgets this model's rows. */
static const char *const written[] = { "/sensitivity", NULL };
static const parts_kind kind = { .command = "eval", .prefix = "sensitivity-", .writes = written };

static bool same_measurement(const sensitivity_row *a, const sensitivity_row *b)
{
    return a->windows == b->windows && a->context == b->context && a->rank == b->rank &&
           strcmp(a->model, b->model) == 0 && strcmp(a->tensor, b->tensor) == 0 &&
           strcmp(a->spec, b->spec) == 0 && strcmp(a->init, b->init) == 0;
}

/* Those of the file come first; a run that was killed while it published left some in parts, too.
 */
static int take_row(single *e, sensitivity_row *row)
{
    for (size_t i = 0; i < e->olds; i++)
        if (same_measurement(&e->old[i], row))
            return RSD_OK;
    RSD_TRY(rsd_room(&e->old, e->olds, 1, sizeof *e->old));
    e->old[e->olds++] = *row;
    *row = (sensitivity_row){ 0 }; /* its texts have moved */
    return RSD_OK;
}

static int read_rows(const rsd_store *store, bool part, void *context)
{
    single *e = context;
    sensitivity_row *row = NULL;
    size_t count;
    int err = RSD_OK;
    (void)part;
    RSD_TRY(rows_read(&sensitivity_schema, store, &row, &count));
    if (has_rows(e, row, count))
        RSD_TRY_DONE(check_inputs(e, store));
    for (size_t i = 0; i < count; i++)
        RSD_TRY_DONE(take_row(e, &row[i]));
done:
    rows_free(&sensitivity_schema, row, count);
    return err;
}

static int open_file(single *e)
{
    const eval_single_options *o = e->o;
    if (!o->output)
        return RSD_OK;
    RSD_TRY(name_inputs(e));
    RSD_TRY(parts_open(&kind, o->output, &e->model, o->force, &e->parts));
    return parts_each(e->parts, read_rows, e);
}

/* A row on its way into its part. */
typedef struct {
    const single *e;
    const sensitivity_row *row;
} measured;

static int fill(rsd_store *store, void *context)
{
    const measured *m = context;
    RSD_TRY(write_model(m->e, store));
    return rows_write(&sensitivity_schema, store, m->row, 1);
}

static int keep_row(const sensitivity_row *row, void *context)
{
    const single *e = context;
    measured m = { e, row };
    return e->parts ? parts_put(e->parts, NULL, fill, &m) : RSD_OK;
}

static int write_last(const rsd_store *old, rsd_store *part, bool *changes, void *context)
{
    const single *e = context;
    (void)old;
    *changes = parts_count(e->parts) || parts_replace(e->parts);
    return write_model(e, part);
}

static int publish(single *e)
{
    const parts_publication publication = {
        .command_line = e->o->command_line, .seed = e->job.seed, .last = write_last, .context = e
    };
    return e->parts ? parts_publish(e->parts, &publication) : RSD_OK;
}

/* ---- what is printed ---- */

static void print_row(const sensitivity_row *s)
{
    char *label = rsd_spec_label(s->spec);
    char how[256] = "";
    if (s->rank)
        snprintf(how, sizeof how, "%s r%lld", s->init, (long long)s->rank);
    printable_put(stdout, s->tensor, 44);
    printf(" %-12s %-16s %+.5f ± %.5f   first order %+.5f\n", label ? label : s->spec, how,
           s->increase, s->increase_se, s->first_order);
    free(label);
}

static void put_row(json_out *j, const sensitivity_row *s)
{
    json_open_object(j, NULL);
    json_put_text(j, "tensor", s->tensor);
    json_put_text(j, "role", s->role);
    json_put_int(j, "layer", s->layer);
    json_put_text(j, "spec", s->spec);
    json_put_text(j, "init", s->init);
    json_put_int(j, "rank", s->rank);
    json_put_real(j, "increase", s->increase);
    json_put_real(j, "increase_se", s->increase_se);
    json_put_int(j, "block", s->block);
    json_put_real(j, "first_order", s->first_order);
    json_close(j);
}

/* Whether layers add up is seen by setting these sums against the loss of all at once. */
static void print_sums(const sensitivity_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t before = 0, n = 0;
        double sum = 0;
        for (size_t k = 0; k < count; k++) {
            if (rows[k].rank || strcmp(rows[k].spec, rows[i].spec) != 0)
                continue;
            before += k < i;
            sum += rows[k].increase;
            n++;
        }
        if (before || rows[i].rank)
            continue;
        char *label = rsd_spec_label(rows[i].spec);
        printf("%s: %zu matrices, one at a time; their increases add up to %.5f nats per token\n",
               label ? label : rows[i].spec, n, sum);
        free(label);
    }
}

/* What the errors are over; rows of other runs of the command may differ. */
static void print_windows(const sensitivity_row *rows, size_t count)
{
    int64_t block = 0;
    for (size_t i = 0; i < count; i++)
        block = rows[i].block > block ? rows[i].block : block;
    if (!count)
        return;
    printf("means over %lld windows", (long long)rows[count - 1].windows);
    if (rows[count - 1].windows_of)
        printf(", spread over the %lld of the stream", (long long)rows[count - 1].windows_of);
    printf("; errors take up to %lld that follow each other together\n", (long long)block);
}

static int print_json(const sensitivity_row *rows, size_t count)
{
    json_out j = json_begin_object();
    json_put_real(&j, "loss_original", count ? rows[0].loss_fp : 0);
    json_open_list(&j, "layers");
    for (size_t i = 0; i < count; i++)
        put_row(&j, &rows[i]);
    json_close(&j);
    return json_print(&j, stdout, JSON_INDENTED);
}

static int print(const sensitivity_row *rows, size_t count, bool json)
{
    if (json)
        return print_json(rows, count);
    for (size_t i = 0; i < count; i++)
        print_row(&rows[i]);
    print_sums(rows, count);
    print_windows(rows, count);
    return RSD_OK;
}

/* ---- together ---- */

int eval_single(const sensitivity_job *job, const eval_single_options *o)
{
    single e = { .job = *job, .o = o };
    sensitivity_row *all = NULL;
    size_t failed = 0;
    int err = RSD_OK;
    RSD_TRY_DONE(result_model_describe(e.job.model, e.job.name, &e.model));
    RSD_TRY_DONE(open_file(&e));
    e.job.done = e.old;
    e.job.dones = e.olds;
    e.job.measured = keep_row;
    e.job.context = &e;
    RSD_TRY_DONE(sensitivity_measure(&e.job, &e.rows, &e.count, &failed));
    if (e.olds)
        console_note("%zu measurements were in %s already", e.olds, o->output);
    RSD_TRY_DONE(publish(&e));
    RSD_TRY_DONE(rsd_array_alloc(e.olds + e.count + 1, 1, sizeof *all, &all));
    if (e.olds)
        memcpy(all, e.old, e.olds * sizeof *all);
    if (e.count)
        memcpy(all + e.olds, e.rows, e.count * sizeof *all);
    RSD_TRY_DONE(print(all, e.olds + e.count, o->json));
    err = stop_requested() ? RSD_ESTOPPED : failed ? RSD_EPARTIAL : RSD_OK;
done:
    free(all); /* its texts belong to old and rows */
    rows_free(&sensitivity_schema, e.old, e.olds);
    rows_free(&sensitivity_schema, e.rows, e.count);
    parts_close(e.parts);
    free(e.group);
    free(e.attribute);
    free(e.inputs);
    free(e.corrections);
    return err;
}
