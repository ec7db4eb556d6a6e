/* What recover and eval --one-at-a-time measured, taken into the evidence once. */
#include "alloc.h"
#include "compare/evidence_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int relabel(evidence *e, const rsd_store *store, char **model)
{
    const char *label;
    RSD_TRY(evidence_label(e, store, *model, &label));
    free(*model);
    return rsd_copy_text(label, model);
}

/* ---- runs ---- */

static bool same_number(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

static bool same_run(const recovery_row *a, const recovery_row *b)
{
    return strcmp(a->run, b->run) == 0 && strcmp(a->model, b->model) == 0 && a->seed == b->seed &&
           a->steps == b->steps && a->windows == b->windows &&
           same_number(a->loss_fp, b->loss_fp) && same_number(a->loss_q, b->loss_q) &&
           same_number(a->loss_init, b->loss_init) && same_number(a->loss_trained, b->loss_trained);
}

static int read_windows(const rsd_store *store, const recovery_row *row, const char *name,
                        double **out)
{
    char *group = recovery_path(row->run), *path = NULL;
    size_t ndim, shape[2];
    int err = group ? rsd_format(&path, "%s/%s", group, name)
                    : RSD_FAIL(RSD_ENOMEM, "path of %s", row->run);
    *out = NULL;
    if (!err && rsd_store_exists(store, path)) {
        err = rsd_store_read_array(store, path, out, &ndim, shape);
        if (!err && (ndim != 1 || shape[0] != (size_t)row->windows))
            err = RSD_FAIL(RSD_EFORMAT, "%s: %s has %zu windows, its row says %lld",
                           rsd_store_path(store), path, shape[0], (long long)row->windows);
    }
    free(path);
    free(group);
    return err;
}

/* The row changes hands; *at is its index here, or SIZE_MAX where it was known. */
static int take_run(evidence *e, const rsd_store *store, recovery_row *row, size_t *at)
{
    *at = SIZE_MAX;
    for (size_t i = 0; i < e->runs; i++)
        if (same_run(&e->run[i], row)) {
            e->repeated_runs++;
            return RSD_OK;
        }
    RSD_TRY(rsd_room(&e->run, e->runs, 1, sizeof *e->run));
    RSD_TRY(rsd_room(&e->windows, e->runs, 1, sizeof *e->windows));
    *at = e->runs++;
    evidence_windows *w = &e->windows[*at];
    *w = (evidence_windows){ .file = e->files };
    e->run[*at] = *row;
    *row = recovery_no_row;
    RSD_TRY(read_windows(store, &e->run[*at], "window_loss_init", &w->init));
    return read_windows(store, &e->run[*at], "window_loss_trained", &w->trained);
}

/* at[k]: where run k of the file went. */
static int take_layers(evidence *e, const rsd_store *store, const size_t *at, size_t runs)
{
    recovery_layer *row;
    size_t count;
    int err = rows_read(&recovery_layers_schema, store, &row, &count);
    for (size_t i = 0; i < count && !err; i++) {
        size_t k = 0;
        err = relabel(e, store, &row[i].model);
        while (k < runs && (at[k] == SIZE_MAX || strcmp(e->run[at[k]].run, row[i].run) != 0 ||
                            strcmp(e->run[at[k]].model, row[i].model) != 0))
            k++;
        if (err || k == runs)
            continue;
        err = rsd_room(&e->run_layer, e->run_layers, 1, sizeof *e->run_layer);
        if (!err)
            err = rsd_room(&e->layer_run, e->run_layers, 1, sizeof *e->layer_run);
        if (err)
            break;
        e->layer_run[e->run_layers] = at[k];
        e->run_layer[e->run_layers++] = row[i];
        row[i] = recovery_no_layer;
    }
    rows_free(&recovery_layers_schema, row, count);
    return err;
}

int evidence_add_runs(evidence *e, const rsd_store *store)
{
    recovery_row *row;
    size_t count, *at = NULL;
    RSD_TRY(rows_read(&recovery_rows_schema, store, &row, &count));
    int err = rsd_zeroed(count, sizeof *at, &at);
    for (size_t i = 0; i < count && !err; i++) {
        err = relabel(e, store, &row[i].model);
        if (!err)
            err = take_run(e, store, &row[i], &at[i]);
    }
    if (!err)
        err = take_layers(e, store, at, count);
    free(at);
    rows_free(&recovery_rows_schema, row, count);
    return err;
}

/* ---- single layers ---- */

static bool same_layer(const sensitivity_row *a, const sensitivity_row *b)
{
    return strcmp(a->model, b->model) == 0 && strcmp(a->tensor, b->tensor) == 0 &&
           strcmp(a->spec, b->spec) == 0 && strcmp(a->init, b->init) == 0 && a->rank == b->rank;
}

static int take_single(evidence *e, sensitivity_row *row)
{
    for (size_t i = 0; i < e->sensitivities; i++) {
        sensitivity_row *held = &e->sensitivity[i];
        if (!same_layer(held, row))
            continue;
        e->repeated_layers++;
        if (row->windows > held->windows) {
            const sensitivity_row less = *held;
            *held = *row;
            *row = less; /* freed with the file's rows */
        }
        return RSD_OK;
    }
    RSD_TRY(rsd_room(&e->sensitivity, e->sensitivities, 1, sizeof *e->sensitivity));
    e->sensitivity[e->sensitivities++] = *row;
    *row = (sensitivity_row){ 0 };
    return RSD_OK;
}

int evidence_add_singles(evidence *e, const rsd_store *store)
{
    sensitivity_row *row;
    size_t count;
    int err = rows_read(&sensitivity_schema, store, &row, &count);
    for (size_t i = 0; i < count && !err; i++) {
        err = relabel(e, store, &row[i].model);
        if (!err)
            err = take_single(e, &row[i]);
    }
    rows_free(&sensitivity_schema, row, count);
    return err;
}
