#include "result/result.h"

#include "io/store.h"
#include "mat.h"
#include "spectra/curves.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAN_FIELD(name, units, text) .name = NAN,
const result_relation result_no_relation = { RESULT_RELATION_LIST(NAN_FIELD) };

/* The columns of /spectra: where and what, then one real number after another. */
#define TEXT_COLUMN(name, text)        { name, "", text, RSD_COLUMN_TEXT },
#define INT_COLUMN(name, units, text)  { name, units, text, RSD_COLUMN_INT },
#define REAL_COLUMN(name, units, text) { #name, units, text, RSD_COLUMN_REAL },
static const rsd_column columns[] = {
    TEXT_COLUMN("model", "name of the model in this file") TEXT_COLUMN(
        "tensor", "name of the matrix in the model") TEXT_COLUMN("role", "what the matrix is for")
        INT_COLUMN("layer", "block", "block number, -1 outside the blocks")
            INT_COLUMN("rows", "row", "outputs") INT_COLUMN("cols", "column", "inputs")
                TEXT_COLUMN("spec", "quantizer, empty for W") TEXT_COLUMN(
                    "what", "W, Wq, R = W - Wq, or R in the metric of the data: RdH, RH, GRH")
                    TEXT_COLUMN("method", "how the singular values were computed") INT_COLUMN(
                        "complete", "bool", "1: all min(rows,cols) singular values are there"){
                        "error_bound", "weight", "absolute error bound of every singular value",
                        RSD_COLUMN_REAL },
    { "seconds", "s", "time that the spectrum took", RSD_COLUMN_REAL },
    RSD_METRIC_LIST(REAL_COLUMN) RESULT_RELATION_LIST(REAL_COLUMN)
};
enum { COLUMNS = sizeof columns / sizeof *columns, PLACE_COLUMNS = 10 };

const rsd_column *result_columns(size_t *count)
{
    *count = COLUMNS;
    return columns;
}

/* A record as a row, in the order of the columns. */
static void to_row(const result_record *r, rsd_value *v)
{
    *v++ = (rsd_value){ .text = r->place.model };
    *v++ = (rsd_value){ .text = r->place.tensor };
    *v++ = (rsd_value){ .text = r->place.role };
    *v++ = (rsd_value){ .integer = r->place.layer };
    *v++ = (rsd_value){ .integer = (int64_t)r->place.rows };
    *v++ = (rsd_value){ .integer = (int64_t)r->place.cols };
    *v++ = (rsd_value){ .text = r->spec };
    *v++ = (rsd_value){ .text = r->what };
    *v++ = (rsd_value){ .text = rsd_method_name(r->spectrum->method) };
    *v++ = (rsd_value){ .integer = r->spectrum->complete };
    *v++ = (rsd_value){ .real = r->spectrum->error_bound };
    *v++ = (rsd_value){ .real = r->spectrum->seconds };
    for (const rsd_metric_info *m = rsd_metric_table; m->name; m++)
        *v++ = (rsd_value){ .real = rsd_metric(&r->metrics, m) };
#define PUT(name, units, text) *v++ = (rsd_value){ .real = r->relation.name };
    RESULT_RELATION_LIST(PUT)
#undef PUT
}

static int rows_push(result_rows *rows, const rsd_value *v)
{
    if (rows->count == rows->capacity) {
        const size_t capacity = rows->capacity ? 2 * rows->capacity : 64;
        rsd_value *grown = realloc(rows->value, capacity * COLUMNS * sizeof *grown);
        if (!grown)
            return RSD_FAIL(RSD_ENOMEM, "table of %zu rows", capacity);
        rows->value = grown;
        rows->capacity = capacity;
    }
    rsd_value *to = rows->value + rows->count * COLUMNS;
    memcpy(to, v, COLUMNS * sizeof *v);
    for (size_t c = 0; c < COLUMNS; c++) {
        if (columns[c].type != RSD_COLUMN_TEXT)
            continue;
        to[c].text = strdup(v[c].text);
        if (!to[c].text) {
            while (c-- > 0)
                if (columns[c].type == RSD_COLUMN_TEXT)
                    free((char *)(uintptr_t)to[c].text);
            return RSD_FAIL(RSD_ENOMEM, "text of a row");
        }
    }
    rows->count++;
    return RSD_OK;
}

int result_rows_add(result_rows *rows, const result_record *record)
{
    rsd_value v[COLUMNS];
    to_row(record, v);
    return rows_push(rows, v);
}

int result_rows_add_table(result_rows *rows, const rsd_table *table)
{
    for (size_t i = 0; i < table->rows; i++) {
        rsd_value v[COLUMNS];
        for (size_t c = 0; c < COLUMNS; c++) {
            const size_t k = rsd_table_column(table, columns[c].name);
            if (k != SIZE_MAX && table->column[k].type == columns[c].type)
                v[c] = table->value[i * table->columns + k];
            else if (columns[c].type == RSD_COLUMN_TEXT) /* a column that came later */
                v[c].text = "";
            else if (columns[c].type == RSD_COLUMN_REAL)
                v[c].real = NAN;
            else
                v[c].integer = 0;
        }
        RSD_TRY(rows_push(rows, v));
    }
    return RSD_OK;
}

int result_rows_write(const result_rows *rows, rsd_store *store)
{
    return rsd_store_table(store, "/spectra", "one row per spectrum", columns, COLUMNS, rows->value,
                           rows->count);
}

void result_rows_free(result_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        for (size_t c = 0; c < COLUMNS; c++)
            if (columns[c].type == RSD_COLUMN_TEXT)
                free((char *)(uintptr_t)rows->value[i * COLUMNS + c].text);
    free(rows->value);
    *rows = (result_rows){ 0 };
}

static char *format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static char *format(const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    const int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    return n < 0 ? NULL : text;
}

char *result_model_path(const char *model)
{
    char *m = rsd_store_escape(model);
    char *path = m ? format("/models/%s", m) : NULL;
    free(m);
    return path;
}

char *result_matrix_path(const char *model, const char *tensor)
{
    char *m = rsd_store_escape(model), *t = rsd_store_escape(tensor);
    char *path = m && t ? format("/models/%s/matrices/%s", m, t) : NULL;
    free(m);
    free(t);
    return path;
}

char *result_spectrum_path(const result_record *r)
{
    char *matrix = result_matrix_path(r->place.model, r->place.tensor);
    char *spec = rsd_store_escape(r->spec);
    char *path = NULL;
    if (matrix && spec)
        path = *r->spec ? format("%s/quantized/%s/%s", matrix, spec, r->what)
                        : format("%s/%s", matrix, r->what);
    free(matrix);
    free(spec);
    return path;
}

int result_write_matrix(rsd_store *store, const char *path, const rsd_tensor *t, const char *status,
                        const char *message)
{
    RSD_TRY(rsd_store_group(store, path));
    RSD_TRY(rsd_store_set_text(store, path, "role", t->role.role));
    RSD_TRY(rsd_store_set_int(store, path, "layer", t->role.layer));
    RSD_TRY(rsd_store_set_int(store, path, "rows", (int64_t)t->rows));
    RSD_TRY(rsd_store_set_int(store, path, "cols", (int64_t)t->cols));
    RSD_TRY(rsd_store_set_text(store, path, "stored_dtype", t->stored));
    RSD_TRY(rsd_store_set_text(store, path, "status", status));
    return rsd_store_set_text(store, path, "message", message);
}

int result_write_curve(rsd_store *store, const char *path, const char *name, const double *x,
                       size_t n, const char *units, const char *description)
{
    char axis[64];
    snprintf(axis, sizeof axis, "/axes/rank_%zu", n);
    RSD_TRY(rsd_store_axis(store, axis, n, "rank", "rank r, or number of the singular value"));
    char *full = format("%s/%s", path, name);
    if (!full)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", name);
    const rsd_array_info info = {
        .units = units, .description = description, .ndim = 1, .shape = { n }, .axis = { axis }
    };
    const int err = rsd_store_array(store, full, x, &info);
    free(full);
    return err;
}

static int put_vectors(rsd_store *store, const char *path, const char *name, const double *x,
                       size_t count, size_t length)
{
    char rank_axis[64];
    snprintf(rank_axis, sizeof rank_axis, "/axes/rank_%zu", count);
    RSD_TRY(
        rsd_store_axis(store, rank_axis, count, "rank", "rank r, or number of the singular value"));
    char *full = format("%s/%s", path, name);
    if (!full)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", name);
    const rsd_array_info info = { .units = "1",
                                  .description = "singular vectors, one a row",
                                  .ndim = 2,
                                  .shape = { count, length },
                                  .axis = { rank_axis, NULL },
                                  .as_float = true };
    const int err = rsd_store_array(store, full, x, &info);
    free(full);
    return err;
}

static int put_attributes(rsd_store *store, const char *path, const result_record *r)
{
    rsd_value v[COLUMNS];
    to_row(r, v);
    RSD_TRY(rsd_store_set_text(store, path, "method", rsd_method_name(r->spectrum->method)));
    RSD_TRY(rsd_store_set_int(store, path, "complete", r->spectrum->complete));
    for (size_t c = PLACE_COLUMNS; c < COLUMNS; c++)
        if (!isnan(v[c].real))
            RSD_TRY(rsd_store_set_real(store, path, columns[c].name, v[c].real));
    return RSD_OK;
}

int result_write_spectrum(rsd_store *store, const result_record *r)
{
    const rsd_spectrum *s = r->spectrum;
    int err = RSD_OK;
    double *curve = NULL;
    char *path = result_spectrum_path(r);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of a spectrum");
    RSD_TRY_DONE(rsd_store_group(store, path));
    RSD_TRY_DONE(put_attributes(store, path, r));
    RSD_TRY_DONE(result_write_curve(store, path, "singular_values", s->s, s->count, "weight",
                                    "singular values, nonincreasing"));
    RSD_TRY_DONE(rsd_array_alloc(s->count, 1, sizeof *curve, &curve));
    rsd_cumulative_sum(s->s, s->count, r->metrics.nuclear, curve);
    RSD_TRY_DONE(result_write_curve(
        store, path, "cumulative_sum", curve, s->count, "share",
        "sum of the r largest singular values / sum of all (NaN: not all known)"));
    rsd_cumulative_energy(s->s, s->count, s->sumsq, curve);
    RSD_TRY_DONE(result_write_curve(
        store, path, "cumulative_energy", curve, s->count, "share",
        "sum of squares of the r largest singular values / squared Frobenius norm"));
done:
    free(curve);
    free(path);
    return err;
}

int result_write_vectors(rsd_store *store, const result_record *r, size_t count)
{
    const rsd_spectrum *s = r->spectrum;
    if (count > s->vectors)
        count = s->vectors;
    if (count == 0)
        return RSD_OK;
    char *path = result_spectrum_path(r);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of vectors");
    int err = put_vectors(store, path, "left_vectors", s->u, count, s->m);
    if (!err)
        err = put_vectors(store, path, "right_vectors", s->v, count, s->n);
    free(path);
    return err;
}

int result_write_null(rsd_store *store, const result_record *r, const result_null *null)
{
    const struct {
        const char *name;
        const double *x;
        const char *units, *description;
    } curves[] = {
        { "singular_values", null->s, "weight", "singular values of the null, mean over draws" },
        { "cumulative_sum", null->sum, "share", "mean over draws" },
        { "cumulative_sum_low", null->sum_low, "share", "least of the draws" },
        { "cumulative_sum_high", null->sum_high, "share", "largest of the draws" },
        { "cumulative_energy", null->energy, "share", "mean over draws" },
        { "cumulative_energy_low", null->energy_low, "share", "least of the draws" },
        { "cumulative_energy_high", null->energy_high, "share", "largest of the draws" },
    };
    int err = RSD_OK;
    char *base = result_spectrum_path(r);
    char *path = base ? format("%s/null/%s", base, rsd_null_name(null->null)) : NULL;
    if (!path) {
        err = RSD_FAIL(RSD_ENOMEM, "path of a null");
        goto done;
    }
    RSD_TRY_DONE(rsd_store_group(store, path));
    RSD_TRY_DONE(rsd_store_set_int(store, path, "draws", (int64_t)null->draws));
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (curves[i].x)
            RSD_TRY_DONE(result_write_curve(store, path, curves[i].name, curves[i].x, null->count,
                                            curves[i].units, curves[i].description));
done:
    free(path);
    free(base);
    return err;
}
