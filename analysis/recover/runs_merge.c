/* What F.h5 held and the runs beside it become the new F.h5. */
#include "recover/outcome.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Rows of the new tables; texts of rows belong to others. */
typedef struct {
    recovery_row *row;
    recovery_layer *layer;
    recovery_row *held; /* rows that the tables own */
    size_t rows, layers, helds;
} tables;

static int push_row(tables *t, const recovery_row *row)
{
    recovery_row *grown = realloc(t->row, (t->rows + 1) * sizeof *grown);
    if (!grown)
        return RSD_FAIL(RSD_ENOMEM, "%zu runs", t->rows + 1);
    t->row = grown;
    t->row[t->rows++] = *row;
    return RSD_OK;
}

/* Take layers of one run out of those of a store. */
static int push_layers(tables *t, recovery_layer *from, size_t count, const char *run)
{
    for (size_t i = 0; i < count; i++) {
        if (!from[i].run || strcmp(from[i].run, run) != 0)
            continue;
        recovery_layer *grown = realloc(t->layer, (t->layers + 1) * sizeof *grown);
        if (!grown)
            return RSD_FAIL(RSD_ENOMEM, "%zu layers", t->layers + 1);
        t->layer = grown;
        t->layer[t->layers++] = from[i];
        from[i] = recovery_no_layer; /* its texts are the table's now */
    }
    return RSD_OK;
}

static int copy_group(const rsd_store *from, rsd_store *to, const char *run)
{
    char *path = recovery_path(run);
    const int err =
        path ? rsd_store_copy(from, path, to, path) : RSD_FAIL(RSD_ENOMEM, "path of %s", run);
    free(path);
    return err;
}

/* A run that a store holds: its group, its row, its layers. */
static int take_run(const rsd_store *from, rsd_store *to, const recovery_row *row, tables *t)
{
    recovery_layer *layer;
    size_t count;
    RSD_TRY(copy_group(from, to, row->run));
    RSD_TRY(push_row(t, row));
    int err = rows_read(&recovery_layers_schema, from, &layer, &count);
    if (!err)
        err = push_layers(t, layer, count, row->run);
    rows_free(&recovery_layers_schema, layer, count);
    return err;
}

/* What F.h5 held: runs of other models, and this model's that are not done anew.  Rows of this
 * sweep are those that it has by now: a control may have come later. */
static int take_old(const sweep *s, const recover_parts *p, const outcome *outcomes,
                    recovery_row *row, size_t count, tables *t)
{
    for (size_t i = 0; i < count; i++) {
        const bool ours = strcmp(row[i].model, s->name) == 0;
        const size_t k = ours ? sweep_find_run(s, row[i].run) : s->plan.runs;
        const bool mine = k < s->plan.runs;
        if (ours && (p->replace || (mine && outcomes[k].part)))
            continue;
        RSD_TRY(take_run(p->file.old, p->file.to,
                         mine && outcomes[k].done ? &outcomes[k].row : &row[i], t));
    }
    return RSD_OK;
}

static int take_part(const recover_parts *p, const char *part, const recovery_row *row, tables *t)
{
    rsd_store *store;
    RSD_TRY(rsd_store_open(part, RSD_STORE_READ, &store));
    const int err = take_run(store, p->file.to, row, t);
    const int closed = rsd_store_close(store);
    return err ? err : closed;
}

/* A run that was begun with another list of quantizers or ranks, or of another model; unless F.h5
 * has it. */
static int take_other(const recover_parts *p, const char *part, tables *t)
{
    rsd_store *store;
    recovery_row *row = NULL, *grown;
    size_t count = 0;
    RSD_TRY(rsd_store_open(part, RSD_STORE_READ, &store));
    int err = rows_read(&recovery_rows_schema, store, &row, &count);
    for (size_t i = 0; !err && i < count; i++) {
        char *path = recovery_path(row[i].run);
        const bool there = path && rsd_store_exists(p->file.to, path);
        err = path ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", row[i].run);
        free(path);
        if (err || there)
            continue;
        grown = realloc(t->held, (t->helds + 1) * sizeof *grown);
        if (!grown) {
            err = RSD_FAIL(RSD_ENOMEM, "%zu runs", t->helds + 1);
            continue;
        }
        t->held = grown;
        t->held[t->helds++] = row[i];
        err = take_run(store, p->file.to, &row[i], t);
        row[i] = recovery_no_row;
    }
    rows_free(&recovery_rows_schema, row, count);
    const int closed = rsd_store_close(store);
    return err ? err : closed;
}

static int write_recovery(const sweep *s, const recover_parts *p, const outcome *outcomes)
{
    tables t = { 0 };
    recovery_row *old = NULL;
    size_t olds = 0;
    bool complete = true;
    int err = RSD_OK;
    rsd_store *to = p->file.to;
    RSD_TRY_DONE(rsd_store_group(to, "/recovery"));
    RSD_TRY_DONE(amend_write_provenance(to, "/recovery", s->command_line, s->params->common.seed));
    if (p->file.old)
        RSD_TRY_DONE(rows_read(&recovery_rows_schema, p->file.old, &old, &olds));
    RSD_TRY_DONE(take_old(s, p, outcomes, old, olds, &t));
    for (size_t i = 0; i < s->plan.runs; i++) {
        complete = complete && outcomes[i].done;
        if (outcomes[i].part)
            RSD_TRY_DONE(take_part(p, outcomes[i].part, &outcomes[i].row, &t));
    }
    for (size_t i = 0; i < p->others; i++)
        RSD_TRY_DONE(take_other(p, p->other[i], &t));
    RSD_TRY_DONE(rsd_store_set_int(to, "/recovery", "complete", complete));
    RSD_TRY_DONE(rows_write(&recovery_rows_schema, to, t.row, t.rows));
    err = rows_write(&recovery_layers_schema, to, t.layer, t.layers);
done:
    rows_free(&recovery_rows_schema, old, olds);
    rows_free(&recovery_rows_schema, t.held, t.helds);
    free(t.row);
    rows_free(&recovery_layers_schema, t.layer, t.layers);
    return err;
}

int parts_finish(const sweep *s, recover_parts *p, const outcome *outcomes)
{
    bool news = p->replace || p->others;
    for (size_t i = 0; i < s->plan.runs; i++)
        news = news || outcomes[i].part;
    if (!p->open || !news)
        return RSD_OK;
    p->file.leave = "recovery";
    RSD_TRY(
        amend_begin(&p->file, &s->entry, s->model, false, s->command_line, s->params->common.seed));
    RSD_TRY(write_recovery(s, p, outcomes));
    RSD_TRY(amend_commit(&p->file));
    for (size_t i = 0; i < s->plan.runs; i++)
        if (outcomes[i].part)
            unlink(outcomes[i].part);
    for (size_t i = 0; i < p->others; i++)
        unlink(p->other[i]);
    unlinkat(p->file.lock, PARTS_MARK, 0);
    return RSD_OK;
}
