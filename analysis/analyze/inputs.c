/* What a run of analyze reads: models, checkpoints that are W_q, the control, H and G. */
#include "alloc.h"
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
    RSD_TRY(rsd_format(&in->name, "%s%.*s", prefix, (int)len, name));
    RSD_TRY(result_model_describe(in->model, in->name, &in->entry));
    in->entry.control = in->control;
    return RSD_OK;
}

static int open_input(analysis *r, const char *name, size_t len, const char *source)
{
    return open_model("", name, len, source, &r->input[r->inputs++]);
}

static bool is_input(const analysis *r, const char *name)
{
    size_t i = 0;
    while (i < r->inputs && strcmp(r->input[i].name, name) != 0)
        i++;
    return i < r->inputs;
}

/* "control", or the first of control_2, control_3, ... where the user has called a model so. */
static void name_control(const analysis *r, char out[32])
{
    strcpy(out, "control");
    for (size_t n = 2; is_input(r, out) || finished_has_model(&r->finished, out); n++)
        snprintf(out, 32, "control_%zu", n);
}

/* The rank-4 control: what a curve of a truly low-rank matrix looks like.  As large as the first
 * matrix of the run but at most 768 wide, so that it costs next to nothing; a file that has one
 * keeps it. */
static int open_control(analysis *r)
{
    if (r->params->control == 0)
        return RSD_OK;
    const finished *f = &r->finished;
    if (f->control) {
        if (is_input(r, f->control))
            return RSD_OK; /* the user analyzes it */
        r->input[r->inputs].control = true;
        return open_input(r, f->control, strlen(f->control), f->control_source);
    }
    const rsd_tensor *t = r->task[0].item.tensor;
    const size_t rows = t->rows < 768 ? t->rows : 768, cols = t->cols < 768 ? t->cols : 768;
    const size_t least = rows < cols ? rows : cols;
    char source[160], name[32];
    snprintf(source, sizeof source, "synthetic:rows=%zu,cols=%zu,rank=%zu,seed=%zu", rows, cols,
             r->params->control < least ? r->params->control : least, r->params->common.seed);
    name_control(r, name);
    r->input[r->inputs].control = true;
    return open_input(r, name, strlen(name), source);
}

static int add_tasks(analysis *r, size_t which)
{
    const input *in = &r->input[which];
    const size_t count = rsd_model_count(in->model);
    RSD_TRY(rsd_room(&r->task, r->tasks, count + 1, sizeof *r->task));
    const size_t before = r->tasks;
    const select_options all = { 0 };
    for (size_t i = 0; i < count; i++) {
        const rsd_tensor *t = rsd_model_tensor(in->model, i);
        if (!select_takes(in->control ? &all : &r->params->select, in->model, t))
            continue;
        task *k = &r->task[r->tasks];
        *k = (task){ .item = { .options = &r->measure,
                               .model = in->model,
                               .tensor = t,
                               .entry = &in->entry,
                               .calibration = &in->calibration } };
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

static int check_selection(const analysis *r)
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

/* Is the last model's name its own? */
static int check_name(const analysis *r)
{
    const input *last = &r->input[r->inputs - 1];
    for (const input *in = r->input; in < last; in++)
        if (strcmp(in->name, last->name) == 0)
            return RSD_FAIL(RSD_EUSAGE, "two models are called %s; name one: NAME=%s", last->name,
                            last->entry.source);
    return RSD_OK;
}

int analyze_open_inputs(analysis *r, const rsd_list *words)
{
    RSD_TRY(rsd_array_alloc(words->count + 1, 1, sizeof *r->input, &r->input));
    memset(r->input, 0, (words->count + 1) * sizeof *r->input);
    for (size_t i = 0; i < words->count; i++) {
        const char *name;
        size_t len;
        const char *source = select_source(words->item[i], &name, &len);
        RSD_TRY(open_input(r, name, len, source));
        RSD_TRY(check_name(r));
    }
    RSD_TRY(check_selection(r));
    for (size_t i = 0; i < r->inputs; i++)
        RSD_TRY(add_tasks(r, i));
    return RSD_OK;
}

int analyze_add_control(analysis *r)
{
    const size_t before = r->inputs;
    RSD_TRY(open_control(r));
    return r->inputs > before ? add_tasks(r, before) : RSD_OK;
}

int analyze_open_calibration(analysis *r)
{
    const char *path = r->params->calibration;
    size_t found = 0;
    for (size_t i = 0; path && i < r->inputs; i++) {
        input *in = &r->input[i];
        RSD_TRY(calibration_find(path, in->model, &in->calibration));
        found += in->calibration.model != NULL;
        if (!in->calibration.model && r->inputs > 1)
            console_note("%s holds no calibration of %s", path, in->name);
    }
    if (path && !found)
        return RSD_FAIL(RSD_EUSAGE,
                        "--calibration %s is of another model: none of it has the weights of %s "
                        "(sha256 %.12s...)",
                        path, r->input[0].entry.source, r->input[0].entry.sha256);
    return RSD_OK;
}

/* How many of the run's matrices it holds; *odd: the first that it does not hold, or in another
 * shape. */
static size_t count_pairs(const analysis *r, const input *checkpoint, const rsd_tensor **odd)
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

static int open_checkpoint(analysis *r, const char *word)
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

int analyze_open_checkpoints(analysis *r)
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
        calibration_close(&in[i].calibration);
        rsd_model_close(in[i].model);
        free(in[i].name);
    }
    free(in);
}

void analyze_close_inputs(analysis *r)
{
    close_all(r->input, r->inputs);
    close_all(r->checkpoint, r->checkpoints);
}
