/* Tables that are made of a result file's arrays, one row per element. */
#ifndef RSD_RESULT_TABLE_ARRAYS_H
#define RSD_RESULT_TABLE_ARRAYS_H

#include "result/spectra_table.h"
#include "result/tables.h"

/* The named arrays of a group as columns; those that are missing, or of another length, are NaN. */
enum { TABLE_ARRAYS_MAX = 7 };
typedef struct {
    double *x[TABLE_ARRAYS_MAX];
    size_t count; /* length of the first */
} table_arrays;

/* The first n of names; free with table_arrays_free, also after a failure.
 * Errors: the store's, RSD_ENOMEM. */
RSD_CHECK int table_arrays_read(const rsd_store *store, const char *group, const char *const *names,
                                size_t n, table_arrays *out);
void table_arrays_free(table_arrays *a);

/* The columns that say which spectrum a row is of. */
/* clang-format off */
#define TABLE_PLACE_COLUMNS                                                                        \
    { "model", "", "name of the model in this file", RSD_COLUMN_TEXT },                            \
    { "tensor", "", "name of the matrix in the model", RSD_COLUMN_TEXT },                          \
    { "role", "", "what the matrix is for", RSD_COLUMN_TEXT },                                     \
    { "layer", "block", "block number, -1 outside the blocks", RSD_COLUMN_INT },                   \
    { "spec", "", "quantizer, empty for W", RSD_COLUMN_TEXT },                                     \
    { "what", "", "W, Wq, R, or R in a metric: RdH, RH, GR, GRH", RSD_COLUMN_TEXT }
/* clang-format on */

/* Rows r = 1 ... of one group: the spectrum's place, a label unless it is NULL, r, the n named
 * arrays.
 * Errors: the store's, the sink's, RSD_ENOMEM. */
RSD_CHECK int table_emit_arrays(const rsd_store *store, const spectra_row *row, const char *label,
                                const char *group, const char *const *names, size_t n,
                                const table_sink *sink);

/* All rows of /spectra; free with spectra_free.  Errors: RSD_ENOTFOUND, the store's. */
RSD_CHECK int table_spectra(const rsd_store *store, spectra_rows *rows);

/* The path of a row's group; caller frees.  Errors: RSD_ENOMEM. */
RSD_CHECK int table_spectrum_path(const spectra_row *row, char **out);

#endif
