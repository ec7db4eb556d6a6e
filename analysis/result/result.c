/* Spectra into the groups where they belong. */
#include "result/result.h"

#include "alloc.h"
#include "io/store.h"
#include "mat.h"
#include "spectra/curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static spectra_row row_of(const result_record *r)
{
    return (spectra_row){
        .model = r->place.model,
        .tensor = r->place.tensor,
        .role = r->place.role,
        .layer = r->place.layer,
        .rows = (int64_t)r->place.rows,
        .cols = (int64_t)r->place.cols,
        .spec = r->spec,
        .what = r->what,
        .method = rsd_method_name(r->spectrum->method),
        .complete = r->spectrum->complete,
        .error_bound = r->spectrum->error_bound,
        .seconds = r->spectrum->seconds,
        .metrics = r->metrics,
        .relation = r->relation,
    };
}

int result_add(spectra_rows *rows, const result_record *record)
{
    const spectra_row row = row_of(record);
    return spectra_add(rows, &row);
}

char *result_model_path(const char *model)
{
    char *m = rsd_store_escape(model), *path = NULL;
    if (!m || rsd_format(&path, "/models/%s", m))
        path = NULL;
    free(m);
    return path;
}

char *result_matrix_path(const char *model, const char *tensor)
{
    char *m = rsd_store_escape(model), *t = rsd_store_escape(tensor), *path = NULL;
    if (!m || !t || rsd_format(&path, "/models/%s/matrices/%s", m, t))
        path = NULL;
    free(m);
    free(t);
    return path;
}

int result_matrices(const rsd_store *store, const char *model, rsd_names *out)
{
    char *m = result_model_path(model), *path = NULL;
    *out = (rsd_names){ 0 };
    int err = m ? rsd_format(&path, "%s/matrices", m) : RSD_FAIL(RSD_ENOMEM, "path of %s", model);
    if (!err)
        err = rsd_store_names(store, path, out);
    free(path);
    free(m);
    return err;
}

char *result_spectrum_path(const char *model, const char *tensor, const char *spec,
                           spectrum_what what)
{
    char *matrix = result_matrix_path(model, tensor), *s = rsd_store_escape(spec), *path = NULL;
    int err = matrix && s ? RSD_OK : RSD_ENOMEM;
    if (!err)
        err = what == SPECTRUM_W
                  ? rsd_format(&path, "%s/%s", matrix, spectrum_names[what])
                  : rsd_format(&path, "%s/quantized/%s/%s", matrix, s, spectrum_names[what]);
    free(matrix);
    free(s);
    return err ? NULL : path;
}

static char *record_path(const result_record *r)
{
    return result_spectrum_path(r->place.model, r->place.tensor, r->spec, r->what);
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
    char *full;
    RSD_TRY(rsd_format(&full, "%s/%s", path, name));
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
    char *full;
    RSD_TRY(rsd_format(&full, "%s/%s", path, name));
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

/* Every real number of its row that is one. */
static int put_attributes(rsd_store *store, const char *path, const result_record *r)
{
    const spectra_row row = row_of(r);
    RSD_TRY(rsd_store_set_text(store, path, "method", row.method));
    RSD_TRY(rsd_store_set_int(store, path, "complete", row.complete));
    for (size_t c = 0; c < spectra_schema.fields; c++) {
        const rows_field *f = &spectra_schema.field[c];
        const double x = rows_number(f, &row);
        if (f->column.type == RSD_COLUMN_REAL && !isnan(x))
            RSD_TRY(rsd_store_set_real(store, path, f->column.name, x));
    }
    return RSD_OK;
}

int result_write_spectrum(rsd_store *store, const result_record *r)
{
    const rsd_spectrum *s = r->spectrum;
    int err = RSD_OK;
    double *curve = NULL;
    char *path = record_path(r);
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
    char *path = record_path(r);
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
        { "singular_values", null->s, "weight",
          "singular values of the null, mean over draws or in closed form" },
        { "cumulative_sum", null->sum, "share", "mean over draws, or in closed form" },
        { "cumulative_sum_low", null->sum_low, "share", "least of the draws" },
        { "cumulative_sum_high", null->sum_high, "share", "largest of the draws" },
        { "cumulative_energy", null->energy, "share", "mean over draws, or in closed form" },
        { "cumulative_energy_low", null->energy_low, "share", "least of the draws" },
        { "cumulative_energy_high", null->energy_high, "share", "largest of the draws" },
    };
    int err = RSD_OK;
    char *base = record_path(r);
    char *path = NULL;
    if (!base) {
        err = RSD_FAIL(RSD_ENOMEM, "path of a null");
        goto done;
    }
    RSD_TRY_DONE(rsd_format(&path, "%s/null/%s", base, rsd_null_name(null->null)));
    RSD_TRY_DONE(rsd_store_group(store, path));
    RSD_TRY_DONE(rsd_store_set_int(store, path, "draws", (int64_t)null->draws));
    RSD_TRY_DONE(rsd_store_set_real(store, path, "energy", null->energy_total));
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++)
        if (curves[i].x)
            RSD_TRY_DONE(result_write_curve(store, path, curves[i].name, curves[i].x, null->count,
                                            curves[i].units, curves[i].description));
done:
    free(path);
    free(base);
    return err;
}
