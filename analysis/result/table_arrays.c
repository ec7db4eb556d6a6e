/* Rows made of a result file's arrays. */
#include "result/table_arrays.h"

#include "alloc.h"
#include "result/result.h"

#include <math.h>
#include <stdlib.h>

int table_arrays_read(const rsd_store *store, const char *group, const char *const *names, size_t n,
                      table_arrays *out)
{
    *out = (table_arrays){ 0 };
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

void table_arrays_free(table_arrays *a)
{
    for (size_t i = 0; i < TABLE_ARRAYS_MAX; i++)
        free(a->x[i]);
}

enum { PLACE = 6 }; /* columns of every row, before the label */

int table_emit_arrays(const rsd_store *store, const spectra_row *row, const char *label,
                      const char *group, const char *const *names, size_t n, const table_sink *sink)
{
    table_arrays a;
    int err = table_arrays_read(store, group, names, n, &a);
    rsd_value v[PLACE + 2 + TABLE_ARRAYS_MAX] = {
        { .text = row->model },    { .text = row->tensor }, { .text = row->role },
        { .integer = row->layer }, { .text = row->spec },   { .text = spectrum_names[row->what] },
        { .text = label },
    };
    rsd_value *rank = &v[PLACE + (label != NULL)];
    for (size_t r = 0; !err && r < a.count; r++) {
        rank->integer = (int64_t)r + 1;
        for (size_t i = 0; i < n; i++)
            rank[1 + i].real = a.x[i] ? a.x[i][r] : NAN;
        err = sink->row(sink->context, v);
    }
    table_arrays_free(&a);
    return err;
}

int table_spectra(const rsd_store *store, spectra_rows *rows)
{
    if (!rsd_store_exists(store, spectra_schema.path))
        return RSD_FAIL(RSD_ENOTFOUND, "%s holds no %s", rsd_store_path(store),
                        spectra_schema.path);
    return spectra_read(store, rows);
}

int table_spectrum_path(const spectra_row *row, char **out)
{
    *out = result_spectrum_path(row->model, row->tensor, row->spec, row->what);
    return *out ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of a spectrum of %s", row->tensor);
}
