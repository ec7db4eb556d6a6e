/* Pairs of a run and the base of its size, out of /recovery. */
#include "result/same_bytes.h"

#include "alloc.h"
#include "boot.h"
#include "result/recovery_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- which base ---- */

static bool is_done(const recovery_row *r, recovery_kind kind)
{
    return strcmp(r->status, "ok") == 0 && recovery_kind_of(r) == kind;
}

/* May the base stand in the run's place? */
static bool fits(const recovery_row *base, const recovery_row *run)
{
    return is_done(base, RECOVERY_SAME_BYTES) && strcmp(base->model, run->model) == 0 &&
           base->windows == run->windows && base->stored_bytes <= run->stored_bytes;
}

/* The best on training windows; of two that are alike the smaller. */
static const recovery_row *find_base(const recovery_row *row, size_t rows, const recovery_row *run)
{
    const recovery_row *best = NULL;
    for (size_t i = 0; i < rows; i++) {
        const recovery_row *b = &row[i];
        if (fits(b, run) &&
            (!best || b->loss_probe < best->loss_probe ||
             (b->loss_probe == best->loss_probe && b->stored_bytes < best->stored_bytes)))
            best = b;
    }
    return best;
}

static bool has_bases(const recovery_row *row, size_t rows, const char *model)
{
    for (size_t i = 0; i < rows; i++)
        if (is_done(&row[i], RECOVERY_SAME_BYTES) && strcmp(row[i].model, model) == 0)
            return true;
    return false;
}

/* ---- on which windows ---- */

/* *x NULL where the run has no such losses. */
static int read_losses(const rsd_store *store, const char *run, const char *name, double **x,
                       size_t *n)
{
    char *group = recovery_path(run), *path = NULL;
    size_t ndim, shape[2] = { 0 };
    *x = NULL;
    int err =
        group ? rsd_format(&path, "%s/%s", group, name) : RSD_FAIL(RSD_ENOMEM, "path of %s", run);
    if (!err && rsd_store_exists(store, path))
        err = rsd_store_read_array(store, path, x, &ndim, shape);
    *n = shape[0];
    free(path);
    free(group);
    return err;
}

static int compare_on(const rsd_store *store, const char *run, const char *base, const char *name,
                      same_bytes_text *out)
{
    double *x = NULL, *y = NULL;
    size_t n, m;
    int err = RSD_OK;
    *out = (same_bytes_text){ NAN, NAN, { 0 } };
    RSD_TRY_DONE(read_losses(store, run, name, &x, &n));
    RSD_TRY_DONE(read_losses(store, base, name, &y, &m));
    if (!x || !y)
        goto done;
    if (n != m) {
        err = RSD_FAIL(RSD_EFORMAT, "%s: %s of %s has %zu windows, of %s %zu",
                       rsd_store_path(store), name, run, n, base, m);
        goto done;
    }
    out->loss = rsd_mean(x, n);
    out->base = rsd_mean(y, n);
    err = rsd_paired_test(x, y, n, &out->pair);
done:
    free(x);
    free(y);
    return err;
}

/* ---- the list ---- */

static void free_row(same_bytes_row *r)
{
    free(r->model);
    free(r->run);
    free(r->spec);
    free(r->init);
    free(r->base_run);
    free(r->base);
    *r = (same_bytes_row){ 0 };
}

static int fill(const rsd_store *store, const recovery_row *run, const recovery_row *base,
                same_bytes_row *out)
{
    *out = (same_bytes_row){ .bytes = run->stored_bytes,
                             .base_bytes = base->stored_bytes,
                             .bits = run->bits_per_weight_total,
                             .base_bits = base->bits_per_weight_total };
    RSD_TRY(rsd_copy_text(run->model, &out->model));
    RSD_TRY(rsd_copy_text(run->run, &out->run));
    RSD_TRY(rsd_copy_text(run->spec, &out->spec));
    RSD_TRY(rsd_copy_text(run->init, &out->init));
    RSD_TRY(rsd_copy_text(base->run, &out->base_run));
    RSD_TRY(rsd_copy_text(base->same_bytes, &out->base));
    RSD_TRY(compare_on(store, run->run, base->run, "window_loss_trained", &out->first));
    return compare_on(store, run->run, base->run, "window_second_trained", &out->second);
}

static bool is_known(const same_bytes_list *list, const same_bytes_row *r)
{
    for (size_t i = 0; i < list->count; i++) {
        const same_bytes_row *k = &list->row[i];
        if (strcmp(k->run, r->run) == 0 && strcmp(k->model, r->model) == 0 &&
            strcmp(k->base, r->base) == 0 && k->first.loss == r->first.loss &&
            k->first.base == r->first.base)
            return true;
    }
    return false;
}

static int add_run(same_bytes_list *list, const rsd_store *store, const recovery_row *run,
                   const recovery_row *base)
{
    same_bytes_row row;
    int err = fill(store, run, base, &row);
    if (!err && !is_known(list, &row)) {
        err = rsd_room(&list->row, list->count, 1, sizeof *list->row);
        if (!err) {
            list->row[list->count++] = row;
            return RSD_OK;
        }
    }
    free_row(&row);
    return err;
}

int same_bytes_add(same_bytes_list *list, const rsd_store *store)
{
    recovery_row *row;
    size_t rows;
    int err = rows_read(&recovery_rows_schema, store, &row, &rows);
    for (size_t i = 0; !err && i < rows; i++) {
        if (!is_done(&row[i], RECOVERY_ADAPTERS) || !has_bases(row, rows, row[i].model))
            continue;
        const recovery_row *base = find_base(row, rows, &row[i]);
        list->without += !base;
        if (base)
            err = add_run(list, store, &row[i], base);
    }
    rows_free(&recovery_rows_schema, row, rows);
    return err;
}

void same_bytes_free(same_bytes_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free_row(&list->row[i]);
    free(list->row);
    *list = (same_bytes_list){ 0 };
}

/* ---- who wins ---- */

const char *same_bytes_winner(const same_bytes_text *text)
{
    if (!text->pair.n)
        return "";
    const int sign = rsd_paired_sign(&text->pair);
    return sign < 0 ? "correction" : sign > 0 ? "base" : "neither";
}

same_bytes_tally same_bytes_count(const same_bytes_list *list, bool second)
{
    same_bytes_tally tally = { 0 };
    for (size_t i = 0; i < list->count; i++) {
        const same_bytes_text *t = second ? &list->row[i].second : &list->row[i].first;
        const int sign = rsd_paired_sign(&t->pair);
        tally.correction += t->pair.n && sign < 0;
        tally.base += t->pair.n && sign > 0;
        tally.neither += t->pair.n && sign == 0;
    }
    return tally;
}
