/* Runs of recover, sorted for figures. */
#include "figures/runs.h"

#include "alloc.h"
#include "figures/caption.h"
#include "mat.h"
#include "quantizers/label.h"

#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool any_matches(const rsd_list *globs, const char *text)
{
    for (size_t i = 0; i < globs->count; i++)
        if (fnmatch(globs->item[i], text, 0) == 0)
            return true;
    return false;
}

static bool is_ok(const recovery_row *row) { return strcmp(row->status, "ok") == 0; }

static int add_spec(runs *r, const char *spec, bool *taken)
{
    const rsd_list *wanted = &r->v->selection->specs;
    *taken = true;
    for (size_t i = 0; i < r->specs; i++)
        if (strcmp(r->spec[i].spec, spec) == 0)
            return RSD_OK;
    char *label = rsd_spec_label(*spec ? spec : "mapped");
    if (!label)
        return RSD_FAIL(RSD_ENOMEM, "label of %s", spec);
    *taken = wanted->count == 0 || any_matches(wanted, spec) || any_matches(wanted, label);
    int err = *taken ? rsd_room(&r->spec, r->specs, 1, sizeof *r->spec) : RSD_OK;
    if (!err && *taken)
        r->spec[r->specs++] = (runs_spec){ spec, label };
    else
        free(label);
    return err;
}

static bool is_of(const recovery_row *row, const runs_series *line)
{
    return strcmp(line->init, row->init) == 0 && strcmp(line->variant, row->variant) == 0 &&
           strcmp(line->factors, row->factors) == 0;
}

static int add_line(runs *r, const recovery_row *row)
{
    for (size_t i = 0; i < r->series; i++)
        if (is_of(row, &r->line[i]))
            return RSD_OK;
    RSD_TRY(rsd_room(&r->line, r->series, 1, sizeof *r->line));
    r->line[r->series++] = (runs_series){ row->init, row->variant, row->factors, NULL };
    return RSD_OK;
}

static int add_rank(runs *r, int64_t rank)
{
    size_t at = 0;
    while (at < r->ranks && r->rank[at] < rank)
        at++;
    if (at < r->ranks && r->rank[at] == rank)
        return RSD_OK;
    RSD_TRY(rsd_room(&r->rank, r->ranks, 1, sizeof *r->rank));
    memmove(r->rank + at + 1, r->rank + at, (r->ranks - at) * sizeof *r->rank);
    r->rank[at] = rank;
    r->ranks++;
    return RSD_OK;
}

/* What tells the lines apart beside their starts. */
typedef struct {
    bool variants, factors;
} differences;

static differences differences_of(const runs *r)
{
    differences d = { false, false };
    for (size_t i = 1; i < r->series; i++) {
        d.variants |= strcmp(r->line[i].variant, r->line[0].variant) != 0;
        d.factors |= strcmp(r->line[i].factors, r->line[0].factors) != 0;
    }
    return d;
}

static int label_line(runs_series *l, differences d)
{
    char *factors = NULL;
    if (d.factors && !(factors = rsd_spec_label(l->factors)))
        return RSD_FAIL(RSD_ENOMEM, "label of %s", l->factors);
    const int err =
        rsd_format(&l->label, "%s%s%s%s%s", l->init, d.variants ? ", " : "",
                   d.variants ? l->variant : "", factors ? ", " : "", factors ? factors : "");
    free(factors);
    return err;
}

static int label_lines(runs *r)
{
    const differences d = differences_of(r);
    for (size_t i = 0; i < r->series; i++)
        RSD_TRY(label_line(&r->line[i], d));
    return RSD_OK;
}

static int collect(runs *r)
{
    for (size_t i = 0; i < r->rows; i++) {
        const recovery_row *row = &r->row[i];
        bool taken;
        if (row->control || !is_ok(row) || strcmp(row->model, r->model) != 0)
            continue;
        RSD_TRY(add_spec(r, row->spec, &taken));
        if (!taken)
            continue;
        RSD_TRY(add_line(r, row));
        RSD_TRY(add_rank(r, row->rank));
    }
    return label_lines(r);
}

static void clear(runs *r)
{
    for (size_t i = 0; i < r->specs; i++)
        free(r->spec[i].label);
    for (size_t i = 0; i < r->series; i++)
        free(r->line[i].label);
    free(r->spec);
    free(r->line);
    free(r->rank);
    *r = (runs){ .v = r->v, .row = r->row, .rows = r->rows };
}

/* Is this row the first of its model? */
static bool begins_model(const runs *r, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(r->row[k].model, r->row[i].model) == 0)
            return false;
    return true;
}

int runs_each_model(const view *v, int (*draw)(const runs *r, const page_sink *sink),
                    const page_sink *sink)
{
    const rsd_list *models = &v->selection->models;
    runs r = { .v = v };
    int err = rows_read(&recovery_rows_schema, v->store, &r.row, &r.rows);
    for (size_t i = 0; !err && i < r.rows; i++) {
        if (!begins_model(&r, i) || (models->count && !any_matches(models, r.row[i].model)))
            continue;
        r.model = r.row[i].model;
        err = collect(&r);
        if (!err && r.series)
            err = draw(&r, sink);
        clear(&r);
    }
    rows_free(&recovery_rows_schema, r.row, r.rows);
    return err;
}

const recovery_row *runs_next(const runs *r, const runs_spec *spec, const runs_series *line,
                              int64_t rank, size_t *at)
{
    while (++*at < r->rows) {
        const recovery_row *row = &r->row[*at];
        if (!row->control && is_ok(row) && strcmp(row->model, r->model) == 0 &&
            (!spec || strcmp(row->spec, spec->spec) == 0) && (rank == 0 || row->rank == rank) &&
            (!line || is_of(row, line)))
            return row;
    }
    return NULL;
}

const recovery_row *runs_control(const runs *r, int64_t rank, const char *variant)
{
    for (size_t i = 0; i < r->rows; i++) {
        const recovery_row *row = &r->row[i];
        if (recovery_kind_of(row) == RECOVERY_CONTROL && is_ok(row) &&
            strcmp(row->model, r->model) == 0 && row->rank == rank &&
            strcmp(row->variant, variant) == 0)
            return row;
    }
    return NULL;
}

static bool is_base(const runs *r, const recovery_row *row)
{
    size_t k = 0;
    if (recovery_kind_of(row) != RECOVERY_SAME_BYTES || !is_ok(row) ||
        strcmp(row->model, r->model) != 0)
        return false;
    while (k < r->specs && strcmp(r->spec[k].spec, row->spec) != 0)
        k++;
    return k < r->specs;
}

/* Is a before b: by bits, and those of equal bits as they are in the file? */
static bool before(const recovery_row *a, const recovery_row *b)
{
    const double x = a->bits_per_weight, y = b->bits_per_weight;
    return x != y ? x < y : a < b;
}

const recovery_row *runs_same_bytes(const runs *r, const recovery_row *last)
{
    const recovery_row *next = NULL;
    for (size_t i = 0; i < r->rows; i++) {
        const recovery_row *row = &r->row[i];
        if (is_base(r, row) && (!last || before(last, row)) && (!next || before(row, next)))
            next = row;
    }
    return next;
}

double runs_original(const runs *r)
{
    size_t at = SIZE_MAX;
    const recovery_row *row = runs_next(r, NULL, NULL, 0, &at);
    return row ? row->loss_fp : NAN;
}

double runs_quantized(const runs *r, const runs_spec *spec)
{
    size_t at = SIZE_MAX;
    const recovery_row *row = runs_next(r, spec, NULL, 0, &at);
    return row ? row->loss_q : NAN;
}

/* *x gets the array's numbers added; it is allocated by the first. */
static int add_array(const rsd_store *store, const char *run, const char *name, double **sum,
                     size_t *n)
{
    char *group = recovery_path(run), *path = NULL;
    double *x = NULL;
    size_t ndim, shape[2] = { 0 };
    int err =
        group ? rsd_format(&path, "%s/%s", group, name) : RSD_FAIL(RSD_ENOMEM, "path of %s", name);
    if (!err)
        err = rsd_store_read_array(store, path, &x, &ndim, shape);
    free(path);
    free(group);
    if (err)
        return err;
    if (!*sum) {
        *sum = x;
        *n = shape[0];
        return RSD_OK;
    }
    *n = shape[0] < *n ? shape[0] : *n;
    for (size_t i = 0; i < *n; i++)
        (*sum)[i] += x[i];
    free(x);
    return RSD_OK;
}

int runs_curve(const runs *r, const runs_spec *spec, const runs_series *line, int64_t rank,
               double **step, double **loss, size_t *n)
{
    const recovery_row *row;
    size_t at = SIZE_MAX, seeds = 0;
    int err = RSD_OK;
    *step = *loss = NULL;
    *n = 0;
    while (!err && (row = runs_next(r, spec, line, rank, &at)) != NULL) {
        err = add_array(r->v->store, row->run, "eval_step", step, n);
        if (!err)
            err = add_array(r->v->store, row->run, "eval_loss", loss, n);
        seeds++;
    }
    for (size_t i = 0; !err && i < *n; i++) {
        (*step)[i] /= (double)seeds;
        (*loss)[i] /= (double)seeds;
    }
    return err;
}

void runs_put_series(const runs *r, page *p)
{
    char text[CAPTION_SIZE(48)];
    page_number(p, "series", (double)r->series);
    for (size_t i = 0; i < r->series; i++) {
        caption_shorten(r->line[i].label, 48, text, sizeof text);
        page_series(p, i + 1, text);
    }
}

const char **runs_columns(const runs *r, const char *first)
{
    const char **names;
    if (rsd_array_alloc(1 + r->series, 1, sizeof *names, &names))
        return NULL;
    names[0] = first;
    for (size_t i = 0; i < r->series; i++)
        names[1 + i] = r->line[i].label;
    return names;
}
