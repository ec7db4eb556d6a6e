/* Finished runs: files of their own until the sweep ends, then the new result file. */
#include "recover/outcome.h"

#include "alloc.h"
#include "mat.h"
#include "rng.h"

#include <stdlib.h>
#include <string.h>

/* --force forgets the runs of this model. */
static const char *const written[] = { "/recovery/runs", "/recovery/layers", NULL };
static const parts_kind kind = {
    .command = "recover", .prefix = "recovery-", .writes = written, .old_first = true
};

void outcome_free(outcome *o)
{
    rows_free_texts(&recovery_rows_schema, &o->row);
    free(o->fp);
    free(o->q);
    free(o->init);
    free(o->trained);
    free(o->merged);
    free(o->second_fp);
    free(o->second_q);
    free(o->second);
    free(o->map);
    free(o->candidates);
    curves_free(&o->curves);
    measured_layers_free(&o->layers);
    *o = (outcome){ 0 };
}

/* ---- a run's group ---- */

enum { WINDOW_ARRAYS = 8, FIRST_SECOND = 5 };
typedef struct {
    const char *name, *description;
    double **x;
} window_array;

static int64_t windows_of(const outcome *o, size_t i)
{
    return i < FIRST_SECOND ? o->row.windows : o->row.windows_second;
}

static void window_arrays(outcome *o, window_array out[WINDOW_ARRAYS])
{
    const window_array list[WINDOW_ARRAYS] = {
        { "window_loss_fp", "of the original model, each window's mean", &o->fp },
        { "window_loss_q", "of the model quantized without adapters", &o->q },
        { "window_loss_init", "with the adapters as they start", &o->init },
        { "window_loss_trained", "with the adapters of kept_step", &o->trained },
        { "window_loss_merged", "after merging", &o->merged },
        { "window_second_fp", "of the original model on the second text", &o->second_fp },
        { "window_second_q", "of the model quantized without adapters on it", &o->second_q },
        { "window_second_trained", "on it, of what window_loss_trained is of", &o->second },
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
        { "held_step", "look", "step", "steps done before the look at windows held out",
          c->held_step, c->looks },
        { "held_loss", "look", "nat/token", "mean over the training windows held out", c->held_loss,
          c->looks },
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
            RSD_TRY(recovery_write_array(store, path, a[i].name, *a[i].x, (size_t)windows_of(o, i),
                                         "window", "nat/token", a[i].description));
    return RSD_OK;
}

static int write_group(rsd_store *store, const sweep *s, outcome *o)
{
    char *path = recovery_path(o->row.run);
    int err = path ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", o->row.run);
    if (err)
        return err;
    RSD_TRY_DONE(rsd_store_group(store, path));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "options", s->options));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "inputs", s->inputs));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "spec", o->row.spec));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "init", o->row.init));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "variant", o->row.variant));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "status", o->row.status));
    if (o->map)
        RSD_TRY_DONE(rsd_store_set_text(store, path, "map", o->map));
    if (o->candidates)
        RSD_TRY_DONE(rsd_store_set_text(store, path, "candidates", o->candidates));
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

/* A run on its way into its part. */
typedef struct {
    const sweep *s;
    outcome *o;
} ended;

static int fill(rsd_store *store, void *context)
{
    const ended *e = context;
    RSD_TRY(result_model_write(store, &e->s->entry));
    RSD_TRY(write_group(store, e->s, e->o));
    RSD_TRY(rows_write(&recovery_rows_schema, store, &e->o->row, 1));
    return write_layer_rows(store, &e->o->layers);
}

/* What a name's files are called by, of its first `length` characters. */
static int name_digits(const char *name, size_t length, char **out)
{
    char *text;
    RSD_TRY(rsd_format(&text, "%.*s", (int)length, name));
    const int err = rsd_format(out, "%016llx", (unsigned long long)rsd_seed(0, text));
    free(text);
    return err;
}

int outcome_state(const parts *p, const recover_run *run, char **path)
{
    char *digits;
    *path = NULL;
    if (!p)
        return RSD_OK;
    RSD_TRY(name_digits(run->name, run->training, &digits));
    const int err = rsd_format(path, "%s/%s%s", parts_folder(p), kind.prefix, digits);
    free(digits);
    return err;
}

/* Forget what a training of this run left. */
static int forget_state(const parts *p, const recover_run *run)
{
    char *stem;
    RSD_TRY(outcome_state(p, run, &stem));
    recover_forget_state(stem);
    free(stem);
    return RSD_OK;
}

bool outcome_shares_state(const sweep *s, const outcome *outcomes, size_t i)
{
    const recover_run *r = &s->plan.run[i];
    for (size_t k = 0; k < s->plan.runs; k++) {
        const recover_run *other = &s->plan.run[k];
        if (k != i && !other->same_bytes && !outcomes[k].row.run &&
            other->training == r->training && strncmp(other->name, r->name, r->training) == 0)
            return true;
    }
    return false;
}

int outcome_put(const sweep *s, parts *p, const recover_run *run, bool keep_state, outcome *o)
{
    char *digits;
    ended e = { s, o };
    if (!p)
        return RSD_OK;
    RSD_TRY(name_digits(run->name, strlen(run->name), &digits));
    const int err = parts_put(p, digits, fill, &e);
    free(digits);
    return err || keep_state || run->same_bytes ? err : forget_state(p, run);
}

/* ---- what is there ---- */

typedef struct {
    const sweep *s;
    outcome *outcomes;
} reading;

/* A base was chosen from what this command would choose it from. */
static int check_candidates(const sweep *s, const rsd_store *store, const char *path,
                            const char *where, const recover_run *run)
{
    char *text = NULL;
    RSD_TRY(menu_text(&s->menu, run->spec, &s->plan.specs, &text));
    const int err = provenance_agree_at(store, path, "candidates", where, text);
    free(text);
    return err;
}

/* Runs of one model in a file agree in everything but what their names say.  k: of the run in the
 * plan, plan.runs where it is another's. */
static int check_terms(const sweep *s, const rsd_store *store, const char *run, size_t k)
{
    char *path = recovery_path(run), *where = NULL;
    int err = path ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", run);
    if (!err)
        err = rsd_format(&where, "%s: %s", s->params->common.output, run);
    if (!err)
        err = provenance_agree_at(store, path, "options", where, s->options);
    if (!err)
        err = provenance_agree_at(store, path, "inputs", where, s->inputs);
    if (!err && k < s->plan.runs && s->plan.run[k].same_bytes)
        err = check_candidates(s, store, path, where, &s->plan.run[k]);
    free(where);
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
        err = rsd_format(&path, "%s/%s", group, a[i].name);
        if (!err && rsd_store_exists(store, path)) {
            err = rsd_store_read_array(store, path, a[i].x, &ndim, shape);
            if (!err && (ndim != 1 || shape[0] != (size_t)windows_of(o, i)))
                err = RSD_FAIL(RSD_EFORMAT, "%s: %s has %zu windows, its row says %lld",
                               rsd_store_path(store), path, shape[0], (long long)windows_of(o, i));
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

/* One run of this sweep, out of the store. */
static int take_outcome(const rsd_store *store, recovery_row *row, outcome *o)
{
    outcome_free(o);
    o->row = *row;
    *row = recovery_no_row;
    o->done = true;
    return read_windows(store, o);
}

/* Runs of this model that the store holds. */
static int read_runs(const rsd_store *store, bool part, void *context)
{
    const reading *r = context;
    recovery_row *row;
    size_t count;
    (void)part;
    int err = rows_read(&recovery_rows_schema, store, &row, &count);
    for (size_t i = 0; !err && i < count; i++) {
        if (strcmp(row[i].model, r->s->name) != 0)
            continue;
        const size_t k = sweep_find_run(r->s, row[i].run);
        err = check_terms(r->s, store, row[i].run, k);
        if (!err && k < r->s->plan.runs && strcmp(row[i].status, "ok") == 0)
            err = take_outcome(store, &row[i], &r->outcomes[k]);
    }
    rows_free(&recovery_rows_schema, row, count);
    return err;
}

int outcomes_open(const sweep *s, parts **out, outcome *outcomes)
{
    const rsd_common *common = &s->params->common;
    reading r = { s, outcomes };
    *out = NULL;
    if (!common->output)
        return RSD_OK;
    RSD_TRY(parts_open(&kind, common->output, &s->entry, common->force, out));
    for (size_t i = 0; i < s->plan.runs && common->force; i++)
        RSD_TRY(forget_state(*out, &s->plan.run[i]));
    RSD_TRY(parts_each(*out, read_runs, &r));
    for (size_t i = 0; i < s->plan.runs; i++) /* kept for runs that are no longer asked for */
        if (outcomes[i].done && !outcome_shares_state(s, outcomes, i))
            RSD_TRY(forget_state(*out, &s->plan.run[i]));
    return RSD_OK;
}

/* ---- into the file ---- */

/* The rows once more: the controls that runs are set against may have come after them. */
static int write_rows(rsd_store *part, const sweep *s, const outcome *outcomes)
{
    recovery_row *row;
    size_t count = 0;
    RSD_TRY(rsd_array_alloc(s->plan.runs, 1, sizeof *row, &row));
    for (size_t i = 0; i < s->plan.runs; i++)
        if (outcomes[i].row.run)
            row[count++] = outcomes[i].row;
    const int err = rows_write(&recovery_rows_schema, part, row, count);
    free(row);
    return err;
}

typedef struct {
    const sweep *s;
    const parts *p;
    const outcome *outcomes;
} ending;

static int write_last(const rsd_store *old, rsd_store *part, bool *changes, void *context)
{
    const ending *e = context;
    const sweep *s = e->s;
    bool complete = true;
    (void)old;
    *changes = parts_count(e->p) || parts_replace(e->p);
    for (size_t i = 0; i < s->plan.runs; i++)
        complete = complete && e->outcomes[i].done;
    RSD_TRY(result_model_write(part, &s->entry));
    RSD_TRY(rsd_store_group(part, "/recovery"));
    RSD_TRY(provenance_write(part, "/recovery", s->command_line, s->params->common.seed));
    RSD_TRY(rsd_store_set_int(part, "/recovery", "complete", complete));
    return write_rows(part, s, e->outcomes);
}

int outcomes_publish(const sweep *s, parts *p, const outcome *outcomes)
{
    ending e = { s, p, outcomes };
    const char **order;
    int err = RSD_OK;
    if (!p)
        return RSD_OK;
    RSD_TRY(rsd_zeroed(s->plan.runs, sizeof *order, &order));
    char **path = NULL;
    RSD_TRY_DONE(rsd_zeroed(s->plan.runs, sizeof *path, &path));
    for (size_t i = 0; i < s->plan.runs; i++) {
        if (!(path[i] = recovery_path(s->plan.run[i].name))) {
            err = RSD_FAIL(RSD_ENOMEM, "path of %s", s->plan.run[i].name);
            goto done;
        }
        order[i] = path[i];
    }
    const parts_publication publication = { .order = order,
                                            .count = s->plan.runs,
                                            .command_line = s->command_line,
                                            .seed = s->params->common.seed,
                                            .last = write_last,
                                            .context = &e };
    err = parts_publish(p, &publication);
done:
    for (size_t i = 0; path && i < s->plan.runs; i++)
        free(path[i]);
    free(path);
    free(order);
    return err;
}
