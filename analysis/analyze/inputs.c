/* What a run of analyze reads: models, checkpoints that are W_q, the control, H and G. */
#include "analyze/analysis.h"
#include "cli/console.h"
#include "cli/pair.h"
#include "mat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* name: NULL for the source's own. */
static int open_model(const char *prefix, const char *name, size_t len, const char *source,
                      input *in)
{
    RSD_TRY(rsd_model_open(source, &in->model));
    if (!name) {
        name = rsd_model_name(in->model);
        len = strlen(name);
    }
    if (asprintf(&in->name, "%s%.*s", prefix, (int)len, name) < 0) {
        in->name = NULL;
        return RSD_FAIL(RSD_ENOMEM, "name of %s", source);
    }
    in->entry = (journal_model){ .name = in->name,
                                 .control = in->control,
                                 .source = rsd_model_source(in->model),
                                 .architecture = rsd_model_architecture(in->model),
                                 .config = rsd_model_config(in->model),
                                 .parameters = rsd_model_parameters(in->model) };
    return rsd_model_sha256(in->model, in->entry.sha256);
}

static int open_input(run *r, const char *name, size_t len, const char *source)
{
    return open_model("", name, len, source, &r->input[r->inputs++]);
}

/* The rank-4 control: what a curve of a truly low-rank matrix looks like.  As large as the first
 * matrix of the run but at most 768 wide, so that it costs next to nothing; a file that has one
 * keeps it. */
static int open_control(run *r)
{
    if (r->params->control == 0)
        return RSD_OK;
    r->input[r->inputs].control = true;
    const char *held = journal_source(r->journal, "control");
    if (held && strncmp(held, "synthetic:", 10) == 0)
        return open_input(r, "control", 7, held);
    const rsd_tensor *t = r->task[0].item.tensor;
    const size_t rows = t->rows < 768 ? t->rows : 768, cols = t->cols < 768 ? t->cols : 768;
    const size_t least = rows < cols ? rows : cols;
    char source[160];
    snprintf(source, sizeof source, "synthetic:rows=%zu,cols=%zu,rank=%zu,seed=%zu", rows, cols,
             r->params->control < least ? r->params->control : least, r->params->common.seed);
    return open_input(r, "control", 7, source);
}

static int add_tasks(run *r, size_t which)
{
    const input *in = &r->input[which];
    const size_t count = rsd_model_count(in->model);
    task *grown = realloc(r->task, (r->tasks + count + 1) * sizeof *grown);
    if (!grown)
        return RSD_FAIL(RSD_ENOMEM, "%zu matrices", count);
    r->task = grown;
    const size_t before = r->tasks;
    const select_options all = { 0 };
    for (size_t i = 0; i < count; i++) {
        const rsd_tensor *t = rsd_model_tensor(in->model, i);
        if (!select_takes(in->control ? &all : &r->params->select, in->model, t))
            continue;
        task *k = &r->task[r->tasks];
        *k = (task){
            .item = { .options = &r->measure, .model = in->model, .tensor = t, .entry = &in->entry }
        };
        k->path = result_matrix_path(in->name, t->name);
        if (!k->path)
            return RSD_FAIL(RSD_ENOMEM, "path of %s", t->name);
        r->tasks++;
    }
    console_detail("%s: %s, %s, %zu of %zu tensors", in->name, in->entry.source,
                   in->entry.architecture, r->tasks - before, count);
    if (r->tasks == before)
        return RSD_FAIL(RSD_EUSAGE, "%s: no matrix is selected (%zu tensors); see --include",
                        in->entry.source, count);
    return RSD_OK;
}

static int check_selection(const run *r)
{
    const rsd_model **models;
    RSD_TRY(rsd_array_alloc(r->inputs, 1, sizeof *models, &models));
    for (size_t i = 0; i < r->inputs; i++)
        models[i] = r->input[i].model;
    const int err =
        select_check(&r->params->select, &r->specs, r->params->calibration, models, r->inputs);
    free(models);
    return err;
}

int analyze_open_inputs(run *r, const rsd_list *words)
{
    RSD_TRY(rsd_array_alloc(words->count + 1, 1, sizeof *r->input, &r->input));
    memset(r->input, 0, (words->count + 1) * sizeof *r->input);
    for (size_t i = 0; i < words->count; i++) {
        const char *name;
        size_t len;
        const char *source = select_source(words->item[i], &name, &len);
        RSD_TRY(open_input(r, name, len, source));
    }
    RSD_TRY(check_selection(r));
    for (size_t i = 0; i < r->inputs; i++)
        RSD_TRY(add_tasks(r, i));
    return RSD_OK;
}

int analyze_add_control(run *r)
{
    const size_t before = r->inputs;
    RSD_TRY(open_control(r));
    return r->inputs > before ? add_tasks(r, before) : RSD_OK;
}

int analyze_open_calibration(run *r)
{
    const char *path = r->params->calibration;
    if (!path)
        return RSD_OK;
    r->moments.damping = r->params->numbers.damping;
    r->moments.tally = &r->tally;
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &r->moments.store));
    for (size_t i = 0; i < r->inputs; i++) {
        const input *in = &r->input[i];
        char *model = result_model_path(in->name), *sha = NULL;
        const bool there = model && rsd_store_exists(r->moments.store, model);
        int err = model ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", in->name);
        if (there)
            err = rsd_store_get_text(r->moments.store, model, "sha256", &sha);
        if (!err && sha && strcmp(sha, in->entry.sha256) != 0)
            err = RSD_FAIL(RSD_EUSAGE,
                           "--calibration %s: its %s is another model (sha256 %.12s..., "
                           "%s has %.12s...)",
                           path, in->name, sha, in->entry.source, in->entry.sha256);
        if (!err && !there && !in->control)
            console_note("%s holds no calibration of %s", path, in->name);
        free(sha);
        free(model);
        RSD_TRY(err);
    }
    return RSD_OK;
}

/* How many of the run's matrices it holds; *odd: the first that it does not hold, or in another
 * shape. */
static size_t count_pairs(const run *r, const input *checkpoint, const rsd_tensor **odd)
{
    size_t count = 0;
    *odd = NULL;
    for (size_t i = 0; i < r->tasks; i++) {
        const rsd_tensor *t = r->task[i].item.tensor;
        const rsd_tensor *other = pair_find(checkpoint->model, t->name);
        if (other && other->rows == t->rows && other->cols == t->cols)
            count++;
        else if (!*odd)
            *odd = t;
    }
    return count;
}

static int open_checkpoint(run *r, const char *word)
{
    const char *name;
    size_t len;
    const char *source = select_source(word, &name, &len);
    input *in = &r->checkpoint[r->checkpoints++];
    RSD_TRY(open_model("checkpoint:", name, len, source, in));
    for (input *other = r->checkpoint; other < in; other++)
        if (strcmp(other->name, in->name) == 0)
            return RSD_FAIL(RSD_EUSAGE,
                            "--quantized: %s and %s are both called %s; name one: "
                            "NAME=%s",
                            other->entry.source, source, strchr(in->name, ':') + 1, source);
    const rsd_tensor *odd;
    const size_t pairs = count_pairs(r, in, &odd);
    if (!pairs)
        return RSD_FAIL(RSD_EUSAGE,
                        "--quantized %s: none of the %zu matrices of %s is there by name "
                        "and shape, such as %s (%zu x %zu)",
                        source, r->tasks, r->input[0].entry.source, odd->name, odd->rows,
                        odd->cols);
    console_detail("%s: %s, %s, %zu of %zu matrices", in->name, source, in->entry.architecture,
                   pairs, r->tasks);
    if (odd)
        console_note("%s: %zu of %zu matrices are not there, or in another shape, such as %s",
                     in->name, r->tasks - pairs, r->tasks, odd->name);
    return RSD_OK;
}

int analyze_open_checkpoints(run *r)
{
    const rsd_list *words = &r->params->quantized;
    if (!words->count)
        return RSD_OK;
    if (r->inputs != 1)
        return RSD_FAIL(RSD_EUSAGE, "--quantized goes with one model, the original, not %zu",
                        r->inputs);
    RSD_TRY(rsd_array_alloc(words->count, 1, sizeof *r->checkpoint, &r->checkpoint));
    memset(r->checkpoint, 0, words->count * sizeof *r->checkpoint);
    for (size_t i = 0; i < words->count; i++)
        RSD_TRY(open_checkpoint(r, words->item[i]));
    return RSD_OK;
}

static void close_all(input *in, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        rsd_model_close(in[i].model);
        free(in[i].name);
    }
    free(in);
}

void analyze_close_inputs(run *r)
{
    close_all(r->input, r->inputs);
    close_all(r->checkpoint, r->checkpoints);
}
