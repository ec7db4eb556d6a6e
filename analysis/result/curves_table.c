/* The table `curves`: every spectrum, value by value. */
#include "result/table_arrays.h"

#include <stdlib.h>

static int emit(const rsd_store *store, const char *name, const table_sink *sink)
{
    (void)name;
    static const rsd_column columns[] = {
        TABLE_PLACE_COLUMNS,
        { "r", "rank", "rank, or number of the singular value", RSD_COLUMN_INT },
        { "singular_value", "weight", "the r-th largest", RSD_COLUMN_REAL },
        { "cumulative_sum", "share", "of the sum of singular values", RSD_COLUMN_REAL },
        { "cumulative_energy", "share", "of the squared Frobenius norm", RSD_COLUMN_REAL },
    };
    static const char *const names[] = { "singular_values", "cumulative_sum", "cumulative_energy" };
    spectra_rows rows;
    RSD_TRY(table_spectra(store, &rows));
    int err = sink->begin(sink->context, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; !err && i < rows.count; i++) {
        const spectra_row *row = &rows.row[i];
        char *group;
        err = table_spectrum_path(row, &group);
        if (!err)
            err = table_emit_arrays(store, row, NULL, group, names, 3, sink);
        free(group);
    }
    spectra_free(&rows);
    return err;
}

const table_kind curves_table = {
    .name = "curves",
    .summary = "singular values and both cumulative curves, one row per rank",
    .emit = emit,
};
