#include "result/tables.h"

#include "alloc.h"
#include "result/recovery_table.h"
#include "result/result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A table that the file holds as one. */
static int emit_stored(const rsd_store *store, const char *name, const table_sink *sink)
{
    char *path;
    RSD_TRY(rsd_format(&path, "/%s", name));
    rsd_table t = { 0 };
    int err = rsd_store_exists(store, path)
                  ? rsd_store_read_table(store, path, &t)
                  : RSD_FAIL(RSD_ENOTFOUND, "%s holds no table '%s'", rsd_store_path(store), name);
    free(path);
    if (!err)
        err = sink->begin(sink->context, t.column, t.columns);
    for (size_t i = 0; !err && i < t.rows; i++)
        err = sink->row(sink->context, t.value + i * t.columns);
    rsd_table_free(&t);
    return err;
}

static int spectra_open(const rsd_store *store, spectra_rows *rows)
{
    if (!rsd_store_exists(store, spectra_schema.path))
        return RSD_FAIL(RSD_ENOTFOUND, "%s holds no %s", rsd_store_path(store),
                        spectra_schema.path);
    return spectra_read(store, rows);
}

static int spectrum_path(const spectra_row *row, char **out)
{
    *out = result_spectrum_path(row->model, row->tensor, row->spec, row->what);
    return *out ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of a spectrum of %s", row->tensor);
}

/* The named arrays of a group as columns; those that are missing, or of another length, are NaN. */
enum { ARRAYS_MAX = 7 };
typedef struct {
    double *x[ARRAYS_MAX];
    size_t count; /* length of the first */
} arrays;

static int arrays_read(const rsd_store *store, const char *group, const char *const *names,
                       size_t n, arrays *out)
{
    *out = (arrays){ 0 };
    for (size_t i = 0; i < n; i++) {
        char *path;
        RSD_TRY(rsd_format(&path, "%s/%s", group, names[i]));
        size_t ndim = 0, shape[2] = { 0 };
        const int err = rsd_store_exists(store, path)
                            ? rsd_store_read_array(store, path, &out->x[i], &ndim, shape)
                            : RSD_OK;
        free(path);
        if (err)
            return err;
        if (i == 0)
            out->count = shape[0];
        if (out->x[i] && (ndim != 1 || shape[0] != out->count)) {
            free(out->x[i]);
            out->x[i] = NULL;
        }
    }
    return RSD_OK;
}

static void arrays_free(arrays *a)
{
    for (size_t i = 0; i < ARRAYS_MAX; i++)
        free(a->x[i]);
}

enum { PLACE = 6 };
#define PLACE_COLUMNS                                                                              \
    { "model", "", "name of the model in this file", RSD_COLUMN_TEXT },                            \
        { "tensor", "", "name of the matrix in the model", RSD_COLUMN_TEXT },                      \
        { "role", "", "what the matrix is for", RSD_COLUMN_TEXT },                                 \
        { "layer", "block", "block number, -1 outside the blocks", RSD_COLUMN_INT },               \
    {                                                                                              \
        "spec", "", "quantizer, empty for W", RSD_COLUMN_TEXT                                      \
    }

/* Rows r = 1..count of one group: its place, a label, r, the arrays. */
static int emit_arrays(const rsd_store *store, const spectra_row *row, const char *label,
                       const char *group, const char *const *names, size_t n,
                       const table_sink *sink)
{
    arrays a;
    int err = arrays_read(store, group, names, n, &a);
    rsd_value v[PLACE + 1 + ARRAYS_MAX] = {
        { .text = row->model },    { .text = row->tensor }, { .text = row->role },
        { .integer = row->layer }, { .text = row->spec },   { .text = label },
    };
    for (size_t r = 0; !err && r < a.count; r++) {
        v[PLACE].integer = (int64_t)r + 1;
        for (size_t i = 0; i < n; i++)
            v[PLACE + 1 + i].real = a.x[i] ? a.x[i][r] : NAN;
        err = sink->row(sink->context, v);
    }
    arrays_free(&a);
    return err;
}

static int emit_curves(const rsd_store *store, const char *name, const table_sink *sink)
{
    (void)name;
    static const rsd_column columns[] = {
        PLACE_COLUMNS,
        { "what", "", "W, Wq or R", RSD_COLUMN_TEXT },
        { "r", "rank", "rank, or number of the singular value", RSD_COLUMN_INT },
        { "singular_value", "weight", "the r-th largest", RSD_COLUMN_REAL },
        { "cumulative_sum", "share", "of the sum of singular values", RSD_COLUMN_REAL },
        { "cumulative_energy", "share", "of the squared Frobenius norm", RSD_COLUMN_REAL },
    };
    static const char *const names[] = { "singular_values", "cumulative_sum", "cumulative_energy" };
    spectra_rows rows;
    RSD_TRY(spectra_open(store, &rows));
    int err = sink->begin(sink->context, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; !err && i < rows.count; i++) {
        const spectra_row *row = &rows.row[i];
        char *group;
        err = spectrum_path(row, &group);
        if (!err)
            err = emit_arrays(store, row, spectrum_names[row->what], group, names, 3, sink);
        free(group);
    }
    spectra_free(&rows);
    return err;
}

static int emit_nulls_of(const rsd_store *store, const spectra_row *row, const table_sink *sink)
{
    /* clang-format off */
    static const char *const names[] = {
        "singular_values", "cumulative_sum", "cumulative_sum_low", "cumulative_sum_high",
        "cumulative_energy", "cumulative_energy_low", "cumulative_energy_high" };
    char *base;
    RSD_TRY(spectrum_path(row, &base));
    int err = RSD_OK;
    for (int n = 0; !err && n < RSD_NULLS; n++) {
        char *group;
        err = rsd_format(&group, "%s/null/%s", base, rsd_null_name((rsd_null)n));
        if (!err && rsd_store_exists(store, group))
            err = emit_arrays(store, row, rsd_null_name((rsd_null)n), group, names, ARRAYS_MAX,
                              sink);
        free(group);
    }
    free(base);
    return err;
}

static int emit_nulls(const rsd_store *store, const char *name, const table_sink *sink)
{
    (void)name;
    static const rsd_column columns[] = {
        PLACE_COLUMNS,
        { "null", "", "sign_flip, permuted or marchenko_pastur", RSD_COLUMN_TEXT },
        { "r", "rank", "rank, or number of the singular value", RSD_COLUMN_INT },
        { "singular_value", "weight", "mean over draws", RSD_COLUMN_REAL },
        { "cumulative_sum", "share", "mean over draws", RSD_COLUMN_REAL },
        { "cumulative_sum_low", "share", "least of the draws", RSD_COLUMN_REAL },
        { "cumulative_sum_high", "share", "largest of the draws", RSD_COLUMN_REAL },
        { "cumulative_energy", "share", "mean over draws", RSD_COLUMN_REAL },
        { "cumulative_energy_low", "share", "least of the draws", RSD_COLUMN_REAL },
        { "cumulative_energy_high", "share", "largest of the draws", RSD_COLUMN_REAL },
    };
    /* clang-format on */
    spectra_rows rows;
    RSD_TRY(spectra_open(store, &rows));
    int err = sink->begin(sink->context, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; !err && i < rows.count; i++)
        if (rows.row[i].what == SPECTRUM_R)
            err = emit_nulls_of(store, &rows.row[i], sink);
    spectra_free(&rows);
    return err;
}

static int emit_matrix(const rsd_store *store, const char *model, const char *tensor,
                       const table_sink *sink)
{
    char *path = result_matrix_path(model, tensor), *text[4] = { NULL };
    static const char *const names[4] = { "role", "stored_dtype", "status", "message" };
    int64_t layer = -1, rows = 0, cols = 0;
    int err = path ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", tensor);
    for (int i = 0; !err && i < 4; i++)
        err = rsd_store_get_text(store, path, names[i], &text[i]);
    if (!err)
        err = rsd_store_get_int(store, path, "layer", &layer);
    if (!err)
        err = rsd_store_get_int(store, path, "rows", &rows);
    if (!err)
        err = rsd_store_get_int(store, path, "cols", &cols);
    const rsd_value v[] = { { .text = model },    { .text = tensor },  { .text = text[0] },
                            { .integer = layer }, { .integer = rows }, { .integer = cols },
                            { .text = text[1] },  { .text = text[2] }, { .text = text[3] } };
    if (!err)
        err = sink->row(sink->context, v);
    for (int i = 0; i < 4; i++)
        free(text[i]);
    free(path);
    return err;
}

static int emit_matrices(const rsd_store *store, const char *name, const table_sink *sink)
{
    (void)name;
    static const rsd_column columns[] = {
        { "model", "", "name of the model in this file", RSD_COLUMN_TEXT },
        { "tensor", "", "name of the matrix in the model", RSD_COLUMN_TEXT },
        { "role", "", "what the matrix is for", RSD_COLUMN_TEXT },
        { "layer", "block", "block number, -1 outside the blocks", RSD_COLUMN_INT },
        { "rows", "row", "outputs", RSD_COLUMN_INT },
        { "cols", "column", "inputs", RSD_COLUMN_INT },
        { "stored_dtype", "", "number type in the model's file", RSD_COLUMN_TEXT },
        { "status", "", "ok or failed", RSD_COLUMN_TEXT },
        { "message", "", "why it failed", RSD_COLUMN_TEXT },
    };
    RSD_TRY(sink->begin(sink->context, columns, sizeof columns / sizeof *columns));
    rsd_names models, tensors;
    RSD_TRY(rsd_store_names(store, "/models", &models));
    int err = RSD_OK;
    for (size_t m = 0; !err && m < models.count; m++) {
        err = result_matrices(store, models.name[m], &tensors);
        for (size_t t = 0; !err && t < tensors.count; t++)
            err = emit_matrix(store, models.name[m], tensors.name[t], sink);
        rsd_names_free(&tensors);
    }
    rsd_names_free(&models);
    return err;
}

/* Rows of one array along another of the run's: step, or eval_step. */
static int emit_training_of(const rsd_store *store, const char *group, const char *run,
                            const char *what, const char *const names[2], const table_sink *sink)
{
    arrays a;
    int err = arrays_read(store, group, names, 2, &a);
    for (size_t i = 0; !err && a.x[0] && a.x[1] && i < a.count; i++) {
        const rsd_value v[] = { { .text = run },
                                { .text = what },
                                { .integer = (int64_t)a.x[0][i] },
                                { .real = a.x[1][i] } };
        err = sink->row(sink->context, v);
    }
    arrays_free(&a);
    return err;
}

static int emit_training(const rsd_store *store, const char *name, const table_sink *sink)
{
    (void)name;
    static const rsd_column columns[] = {
        { "run", "", "name of the run's group", RSD_COLUMN_TEXT },
        { "what", "", "train_loss (the objective), eval_loss or learning_rate", RSD_COLUMN_TEXT },
        { "step", "step", "steps done: after it, before the evaluation", RSD_COLUMN_INT },
        { "value", "nat, 1", "loss, or learning rate", RSD_COLUMN_REAL },
    };
    static const char *const pairs[][2] = {
        { "step", "train_loss" },
        { "eval_step", "eval_loss" },
        { "step", "learning_rate" },
    };
    rsd_names runs;
    if (!rsd_store_exists(store, "/recovery"))
        return RSD_FAIL(RSD_ENOTFOUND, "%s holds no runs of recover", rsd_store_path(store));
    RSD_TRY(sink->begin(sink->context, columns, sizeof columns / sizeof *columns));
    int err = rsd_store_names(store, "/recovery", &runs);
    for (size_t i = 0; !err && i < 3 * runs.count; i++) {
        const char *run = runs.name[i / 3];
        char *group = recovery_path(run);
        if (!group)
            err = RSD_FAIL(RSD_ENOMEM, "path of %s", run);
        else if (rsd_store_has(store, group, "options")) /* a run, not a table */
            err = emit_training_of(store, group, run, pairs[i % 3][1], pairs[i % 3], sink);
        free(group);
    }
    rsd_names_free(&runs);
    return err;
}

const table_kind table_kinds[] = {
    { "spectra", "one row per spectrum, every metric a column", emit_stored },
    { "matrices", "one row per matrix: shape, role, status", emit_matrices },
    { "curves", "singular values and both cumulative curves, one row per rank", emit_curves },
    { "nulls", "the null models' curves and bands, one row per rank", emit_nulls },
    { "recovery/runs", "one row per run of recover: losses, recovered share, bits", emit_stored },
    { "recovery/layers", "one row per run and layer: spectrum and overlaps", emit_stored },
    { "recovery/curves", "losses along training, one row per step or evaluation", emit_training },
    { "sensitivity", "one row per matrix quantized or corrected alone: its own loss", emit_stored },
    { "prediction", "what spectra predict to remain at each rank, per matrix and summed",
      emit_stored },
    { NULL, NULL, NULL },
};

/* "spectra, matrices, ...". */
static int known_tables(char **out)
{
    char *all = NULL, *longer;
    RSD_TRY(rsd_copy_text("", &all));
    for (const table_kind *t = table_kinds; t->name; t++) {
        const int err = rsd_format(&longer, "%s%s%s", all, *all ? ", " : "", t->name);
        free(all);
        RSD_TRY(err);
        all = longer;
    }
    *out = all;
    return RSD_OK;
}

int table_emit(const rsd_store *store, const char *name, const table_sink *sink)
{
    char *known;
    for (const table_kind *t = table_kinds; t->name; t++)
        if (strcmp(t->name, name) == 0)
            return t->emit(store, name, sink);
    RSD_TRY(known_tables(&known));
    const int err = RSD_FAIL(RSD_ENOTFOUND, "no table '%s'; there are %s", name, known);
    free(known);
    return err;
}
