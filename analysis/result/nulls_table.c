/* The table `nulls`: what R's spectrum would be by chance, in every weighting, value by value. */
#include "result/table_arrays.h"

#include "alloc.h"
#include "spectra/nulls.h"

#include <stdlib.h>

static int emit_of(const rsd_store *store, const spectra_row *row, const table_sink *sink)
{
    static const char *const names[] = { "singular_values",       "cumulative_sum",
                                         "cumulative_sum_low",    "cumulative_sum_high",
                                         "cumulative_energy",     "cumulative_energy_low",
                                         "cumulative_energy_high" };
    char *base;
    RSD_TRY(table_spectrum_path(row, &base));
    int err = RSD_OK;
    for (int n = 0; !err && n < RSD_NULLS; n++) {
        char *group;
        err = rsd_format(&group, "%s/null/%s", base, rsd_null_name((rsd_null)n));
        if (!err && rsd_store_exists(store, group))
            err = table_emit_arrays(store, row, rsd_null_name((rsd_null)n), group, names,
                                    TABLE_ARRAYS_MAX, sink);
        free(group);
    }
    free(base);
    return err;
}

static int emit(const rsd_store *store, const char *name, const table_sink *sink)
{
    (void)name;
    static const rsd_column columns[] = {
        TABLE_PLACE_COLUMNS,
        { "null", "", "sign_flip, variance_profile, permuted or marchenko_pastur",
          RSD_COLUMN_TEXT },
        { "r", "rank", "rank, or number of the singular value", RSD_COLUMN_INT },
        { "singular_value", "weight", "expected: mean over draws, or in closed form",
          RSD_COLUMN_REAL },
        { "cumulative_sum", "share", "expected: mean over draws, or in closed form",
          RSD_COLUMN_REAL },
        { "cumulative_sum_low", "share", "least of the draws", RSD_COLUMN_REAL },
        { "cumulative_sum_high", "share", "largest of the draws", RSD_COLUMN_REAL },
        { "cumulative_energy", "share", "expected: mean over draws, or in closed form",
          RSD_COLUMN_REAL },
        { "cumulative_energy_low", "share", "least of the draws", RSD_COLUMN_REAL },
        { "cumulative_energy_high", "share", "largest of the draws", RSD_COLUMN_REAL },
    };
    spectra_rows rows;
    RSD_TRY(table_spectra(store, &rows));
    int err = sink->begin(sink->context, columns, sizeof columns / sizeof *columns);
    for (size_t i = 0; !err && i < rows.count; i++)
        if (rows.row[i].what >= SPECTRUM_R)
            err = emit_of(store, &rows.row[i], sink);
    spectra_free(&rows);
    return err;
}

const table_kind nulls_table = {
    .name = "nulls",
    .summary = "the null models' curves and bands, one row per rank",
    .emit = emit,
};
