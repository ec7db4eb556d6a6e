/* Finished runs: files of their own until the sweep ends, then the new result file. */
#include "recover/outcome.h"
#include "cli/console.h"
#include "io/file.h"
#include "mat.h"
#include "rng.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char prefix[] = "recovery-";

void outcome_free(outcome *o)
{
    rows_free_texts(&recovery_rows_schema, &o->row);
    free(o->part);
    free(o->fp);
    free(o->q);
    free(o->init);
    free(o->trained);
    free(o->merged);
    curves_free(&o->curves);
    measured_layers_free(&o->layers);
    *o = (outcome){ 0 };
}

/* ---- a run's group ---- */

enum { WINDOW_ARRAYS = 5 };
typedef struct {
    const char *name, *description;
    double **x;
} window_array;

static void window_arrays(outcome *o, window_array out[WINDOW_ARRAYS])
{
    const window_array list[WINDOW_ARRAYS] = {
        { "window_loss_fp", "of the original model, each window's mean", &o->fp },
        { "window_loss_q", "of the model quantized without adapters", &o->q },
        { "window_loss_init", "with the adapters as they start", &o->init },
        { "window_loss_trained", "after the last step", &o->trained },
        { "window_loss_merged", "after merging", &o->merged },
    };
    memcpy(out, list, sizeof list);
}

static int write_curves(rsd_store *store, const char *path, const curves *c)
{
    double *step;
    RSD_TRY(rsd_array_alloc(c->steps, 1, sizeof *step, &step));
    for (size_t i = 0; i < c->steps; i++)
        step[i] = (double)i + 1;
    const struct {
        const char *name, *axis, *units, *description;
        const double *x;
        size_t n;
    } list[] = {
        { "step", "step", "step", "steps done after it", step, c->steps },
        { "train_loss", "step", "nat", "the objective over the step's windows, before its update",
          c->train_loss, c->steps },
        { "learning_rate", "step", "1", "of the step", c->rate, c->steps },
        { "eval_step", "evaluation", "step", "steps done before the evaluation", c->eval_step,
          c->evals },
        { "eval_loss", "evaluation", "nat/token", "mean over the evaluation windows", c->eval_loss,
          c->evals },
    };
    int err = RSD_OK;
    for (size_t i = 0; !err && i < sizeof list / sizeof *list; i++)
        if (list[i].n)
            err = recovery_write_array(store, path, list[i].name, list[i].x, list[i].n,
                                       list[i].axis, list[i].units, list[i].description);
    free(step);
    return err;
}

static int write_windows(rsd_store *store, const char *path, outcome *o)
{
    window_array a[WINDOW_ARRAYS];
    window_arrays(o, a);
    for (size_t i = 0; i < WINDOW_ARRAYS; i++)
        if (*a[i].x)
            RSD_TRY(recovery_write_array(store, path, a[i].name, *a[i].x, (size_t)o->row.windows,
                                         "window", "nat/token", a[i].description));
    return RSD_OK;
}

static int write_group(rsd_store *store, const char *options, outcome *o)
{
    char *path = recovery_path(o->row.run);
    int err = path ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", o->row.run);
    if (err)
        return err;
    RSD_TRY_DONE(rsd_store_group(store, path));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "options", options));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "spec", o->row.spec));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "init", o->row.init));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "variant", o->row.variant));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "status", o->row.status));
    RSD_TRY_DONE(write_windows(store, path, o));
    RSD_TRY_DONE(write_curves(store, path, &o->curves));
    err = recover_write_layers(store, path, &o->layers);
done:
    free(path);
    return err;
}

static int write_layer_rows(rsd_store *store, const measured_layers *l)
{
    recovery_layer *rows;
    RSD_TRY(rsd_array_alloc(l->count, 1, sizeof *rows, &rows));
    for (size_t i = 0; i < l->count; i++)
        rows[i] = l->item[i].row;
    const int err = rows_write(&recovery_layers_schema, store, rows, l->count);
    free(rows);
    return err;
}

static int write_part(const sweep *s, const char *path, outcome *o)
{
    rsd_store *store;
    RSD_TRY(rsd_store_open(path, RSD_STORE_CREATE, &store));
    int err = write_group(store, s->options, o);
    if (!err)
        err = rows_write(&recovery_rows_schema, store, &o->row, 1);
    if (!err)
        err = write_layer_rows(store, &o->layers);
    const int closed = rsd_store_close(store);
    return err ? err : closed;
}

int parts_state(const sweep *s, const recover_parts *p, const recover_run *run, char **path)
{
    (void)s;
    *path = NULL;
    if (!p->open)
        return RSD_OK;
    if (asprintf(path, "%s/%s%016llx", p->file.folder, prefix,
                 (unsigned long long)rsd_seed(0, run->name)) >= 0)
        return RSD_OK;
    *path = NULL;
    return RSD_FAIL(RSD_ENOMEM, "path of %s", run->name);
}

int parts_put(const sweep *s, recover_parts *p, const recover_run *run, outcome *o)
{
    char *stem = NULL, *path = NULL, *temporary = NULL;
    if (!p->open)
        return RSD_OK;
    int err = RSD_OK;
    RSD_TRY_DONE(parts_state(s, p, run, &stem));
    if (asprintf(&path, "%s.h5", stem) < 0 || asprintf(&temporary, "%s.tmp", stem) < 0) {
        err = RSD_FAIL(RSD_ENOMEM, "path of %s", run->name);
        goto done;
    }
    err = write_part(s, temporary, o);
    if (!err && rename(temporary, path) != 0)
        err = RSD_FAIL(RSD_EIO, "%s: %s", path, strerror(errno));
    if (err) {
        unlink(temporary);
        goto done;
    }
    recover_forget_state(stem);
    free(o->part);
    o->part = path;
    path = NULL;
done:
    free(temporary);
    free(path);
    free(stem);
    return err;
}

/* ---- what is there ---- */

/* "a=1,b=2" and "a=1,b=3": the first item that differs. */
static int contradiction(const char *where, const char *run, const char *held, const char *wanted)
{
    size_t start = 0, i = 0;
    for (; held[i] && held[i] == wanted[i]; i++)
        if (held[i] == ',')
            start = i + 1;
    return RSD_FAIL(RSD_EUSAGE,
                    "%s: %s was made with '%.*s', this command says '%.*s'; --force "
                    "starts over, -o writes another file",
                    where, run, (int)strcspn(held + start, ","), held + start,
                    (int)strcspn(wanted + start, ","), wanted + start);
}

static int check_options(const sweep *s, const rsd_store *store, const char *run)
{
    char *path = recovery_path(run), *held = NULL;
    int err = path ? rsd_store_get_text(store, path, "options", &held)
                   : RSD_FAIL(RSD_ENOMEM, "path of %s", run);
    if (!err && strcmp(held, s->options) != 0)
        err = contradiction(s->params->common.output, run, held, s->options);
    free(held);
    free(path);
    return err;
}

static int read_windows(const rsd_store *store, outcome *o)
{
    window_array a[WINDOW_ARRAYS];
    char *group = recovery_path(o->row.run);
    int err = group ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", o->row.run);
    window_arrays(o, a);
    for (size_t i = 0; !err && i < WINDOW_ARRAYS; i++) {
        char *path = NULL;
        size_t ndim, shape[2];
        if (asprintf(&path, "%s/%s", group, a[i].name) < 0)
            err = RSD_FAIL(RSD_ENOMEM, "path in %s", group);
        else if (rsd_store_exists(store, path)) {
            err = rsd_store_read_array(store, path, a[i].x, &ndim, shape);
            if (!err && (ndim != 1 || shape[0] != (size_t)o->row.windows))
                err = RSD_FAIL(RSD_EFORMAT, "%s: %s has %zu windows, its row says %lld",
                               rsd_store_path(store), path, shape[0], (long long)o->row.windows);
        }
        free(path);
    }
    free(group);
    return err;
}

size_t sweep_find_run(const sweep *s, const char *name)
{
    size_t i = 0;
    while (i < s->plan.runs && strcmp(s->plan.run[i].name, name) != 0)
        i++;
    return i;
}

static int keep_other(recover_parts *p, const char *part)
{
    char **grown = realloc(p->other, (p->others + 1) * sizeof *grown);
    if (!grown)
        return RSD_FAIL(RSD_ENOMEM, "list of parts");
    p->other = grown;
    p->other[p->others] = strdup(part);
    return p->other[p->others] ? (p->others++, RSD_OK) : RSD_FAIL(RSD_ENOMEM, "path of a part");
}

/* One run of this sweep, out of the store. */
static int take_outcome(const rsd_store *store, const char *part, recovery_row *row, outcome *o)
{
    outcome_free(o);
    o->row = *row;
    *row = recovery_no_row;
    o->done = true;
    o->part = part ? strdup(part) : NULL;
    if (part && !o->part)
        return RSD_FAIL(RSD_ENOMEM, "path of a part");
    return read_windows(store, o);
}

/* Runs of this model that the store holds.  part: the file's path where it is a part, else NULL. */
static int scan(const sweep *s, recover_parts *p, const rsd_store *store, const char *part,
                outcome *outcomes)
{
    recovery_row *row;
    size_t count;
    int err = rows_read(&recovery_rows_schema, store, &row, &count);
    for (size_t i = 0; !err && i < count; i++) {
        const bool ours = strcmp(row[i].model, s->name) == 0;
        const size_t k = ours ? sweep_find_run(s, row[i].run) : s->plan.runs;
        if (ours)
            err = check_options(s, store, row[i].run);
        if (!err && k < s->plan.runs && strcmp(row[i].status, "ok") == 0)
            err = take_outcome(store, part, &row[i], &outcomes[k]);
        else if (!err && k == s->plan.runs && part)
            err = keep_other(p, part);
    }
    rows_free(&recovery_rows_schema, row, count);
    return err;
}

static int is_part(const struct dirent *e)
{
    return strncmp(e->d_name, prefix, sizeof prefix - 1) == 0 && rsd_path_ends(e->d_name, ".h5");
}

static int is_ours(const struct dirent *e)
{
    return strncmp(e->d_name, prefix, sizeof prefix - 1) == 0;
}

static int scan_part(const sweep *s, recover_parts *p, const char *path, outcome *outcomes)
{
    rsd_store *store;
    if (rsd_store_open(path, RSD_STORE_READ, &store)) {
        console_note("%s: not readable, done again (%s)", path, rsd_errmsg());
        unlink(path);
        return RSD_OK;
    }
    int err = scan(s, p, store, path, outcomes);
    const int closed = rsd_store_close(store);
    return err ? err : closed;
}

/* Each file of the folder that the filter takes. */
static int each_file(const sweep *s, recover_parts *p, int (*filter)(const struct dirent *),
                     int (*take)(const sweep *, recover_parts *, const char *, outcome *),
                     outcome *outcomes)
{
    const char *folder = p->file.folder;
    struct dirent **entry = NULL;
    const int n = scandir(folder, &entry, filter, alphasort);
    int err = n < 0 ? RSD_FAIL(RSD_EIO, "%s: %s", folder, strerror(errno)) : RSD_OK;
    for (int i = 0; i < n; i++) {
        char *path = rsd_path_join(folder, entry[i]->d_name);
        if (!err)
            err = path ? take(s, p, path, outcomes) : RSD_FAIL(RSD_ENOMEM, "path in %s", folder);
        free(path);
        free(entry[i]);
    }
    free(entry);
    return err;
}

static int remove_file(const sweep *s, recover_parts *p, const char *path, outcome *outcomes)
{
    (void)s;
    (void)p;
    (void)outcomes;
    unlink(path);
    return RSD_OK;
}

/* --force: forget what was begun, and leave a mark so that a resumed run too ignores what F.h5
 * holds of this model's runs. */
static int start_over(const sweep *s, recover_parts *p)
{
    RSD_TRY(each_file(s, p, is_ours, remove_file, NULL));
    const int fd = openat(p->file.lock, PARTS_MARK, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return RSD_FAIL(RSD_EIO, "%s/%s: %s", p->file.folder, PARTS_MARK, strerror(errno));
    close(fd);
    return RSD_OK;
}

int parts_open(const sweep *s, recover_parts *p, outcome *outcomes)
{
    bool found;
    *p = (recover_parts){ .file.lock = -1 };
    if (!s->params->common.output)
        return RSD_OK;
    p->open = true;
    RSD_TRY(amend_open(s->params->common.output, &p->file));
    RSD_TRY(amend_find_model(&p->file, &s->entry, &found));
    if (s->params->common.force)
        RSD_TRY(start_over(s, p));
    p->replace = faccessat(p->file.lock, PARTS_MARK, F_OK, 0) == 0;
    if (found && !p->replace)
        RSD_TRY(scan(s, p, p->file.old, NULL, outcomes));
    return each_file(s, p, is_part, scan_part, outcomes);
}

void parts_close(recover_parts *p)
{
    for (size_t i = 0; i < p->others; i++)
        free(p->other[i]);
    free(p->other);
    if (p->open)
        amend_close(&p->file);
}
