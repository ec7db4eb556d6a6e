/* eval --one-at-a-time: options, the file, and one line per matrix. */
#include "eval/one_at_a_time.h"

#include "cli/console.h"
#include "cli/stop.h"
#include "compare/evidence.h"
#include "mat.h"
#include "quantizers/label.h"
#include "result/amend.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the file ---- */

static int describe(const sensitivity_job *job, journal_model *out)
{
    *out = (journal_model){ .name = job->name,
                            .source = rsd_model_source(job->model),
                            .architecture = rsd_model_architecture(job->model),
                            .config = rsd_model_config(job->model),
                            .parameters = rsd_model_parameters(job->model) };
    return rsd_model_sha256(job->model, out->sha256);
}

static int open_file(const eval_single_options *o, const journal_model *model, amend *a,
                     sensitivity_row **rows, size_t *count)
{
    bool found;
    RSD_TRY(amend_open(o->output, a));
    RSD_TRY(amend_find_model(a, model, &found));
    return a->old && !o->force ? rows_read(&sensitivity_schema, a->old, rows, count) : RSD_OK;
}

static int write_file(const eval_single_options *o, const sensitivity_job *job,
                      const journal_model *model, amend *a, const sensitivity_row *rows,
                      size_t count)
{
    a->leave = "sensitivity";
    RSD_TRY(amend_begin(a, model, job->model, false, o->command_line, job->seed));
    RSD_TRY(rows_write(&sensitivity_schema, a->to, rows, count));
    return amend_commit(a);
}

/* ---- what is printed ---- */

static void print_row(const sensitivity_row *s)
{
    char *label = rsd_spec_label(s->spec);
    char how[256] = "";
    if (s->rank)
        snprintf(how, sizeof how, "%s r%lld", s->init, (long long)s->rank);
    printf("%-44s %-12s %-16s %+.5f ± %.5f   first order %+.5f\n", s->tensor,
           label ? label : s->spec, how, s->increase, s->increase_se, s->first_order);
    free(label);
}

static json_t *row_json(const sensitivity_row *s)
{
    return json_pack("{s:s,s:s,s:I,s:s,s:s,s:I,s:f,s:o,s:I,s:f}", "tensor", s->tensor, "role",
                     s->role, "layer", (json_int_t)s->layer, "spec", s->spec, "init", s->init,
                     "rank", (json_int_t)s->rank, "increase", s->increase, "increase_se",
                     isfinite(s->increase_se) ? json_real(s->increase_se) : json_null(), "block",
                     (json_int_t)s->block, "first_order", s->first_order);
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

static int print(const sensitivity_row *rows, size_t count, bool json)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        if (json)
            json_array_append_new(list, row_json(&rows[i]));
        else
            print_row(&rows[i]);
    }
    json_t *all =
        json_pack("{s:f,s:o}", "loss_original", count ? rows[0].loss_fp : 0.0, "layers", list);
    int failed = 0;
    if (json) {
        failed = !all || json_dumpf(all, stdout, JSON_INDENT(1));
        putchar('\n');
    } else
        print_sums(rows, count);
    json_decref(all);
    return failed ? RSD_FAIL(RSD_EIO, "could not print as JSON") : RSD_OK;
}

/* ---- together ---- */

int eval_single(const sensitivity_job *given, const eval_single_options *o)
{
    sensitivity_job job = *given;
    amend a = { .lock = -1 };
    journal_model model;
    sensitivity_row *old = NULL, *rows = NULL, *all = NULL;
    size_t olds = 0, count = 0, failed = 0;
    int err = RSD_OK;
    RSD_TRY_DONE(describe(&job, &model));
    if (o->output)
        RSD_TRY_DONE(open_file(o, &model, &a, &old, &olds));
    job.done = old;
    job.dones = olds;
    RSD_TRY_DONE(sensitivity_measure(&job, &rows, &count, &failed));
    if (olds)
        console_note("%zu measurements were in %s already", olds, o->output);
    RSD_TRY_DONE(rsd_array_alloc(olds + count + 1, 1, sizeof *all, &all));
    if (olds)
        memcpy(all, old, olds * sizeof *all);
    if (count)
        memcpy(all + olds, rows, count * sizeof *all);
    if (o->output)
        RSD_TRY_DONE(write_file(o, &job, &model, &a, all, olds + count));
    RSD_TRY_DONE(print(all, olds + count, o->json));
    err = stop_requested() ? RSD_ESTOPPED : failed ? RSD_EPARTIAL : RSD_OK;
done:
    free(all); /* its texts belong to old and rows */
    rows_free(&sensitivity_schema, old, olds);
    rows_free(&sensitivity_schema, rows, count);
    if (a.path)
        amend_close(&a);
    return err;
}
