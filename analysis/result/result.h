/* The schema of the result file: which group holds which spectrum, and the columns of /spectra.
 * store.c knows HDF5 and no schema; this knows the schema and no HDF5. */
#ifndef RSD_RESULT_H
#define RSD_RESULT_H

#include "io/model.h"
#include "io/store.h"
#include "linalg/spectrum.h"
#include "spectra/metrics.h"
#include "spectra/nulls.h"

/* Numbers that belong to a quantized matrix or to its residual, NaN elsewhere.
 * ENTRY(field, units, description) */
/* clang-format off */
#define RESULT_RELATION_LIST(ENTRY)                                                                \
    ENTRY(bits_per_weight, "bit", "stored bits per weight, scales included, counted from the bytes") \
    ENTRY(packed_bytes, "byte", "bytes that the quantizer stores")                                 \
    ENTRY(relative_error, "ratio", "||W - Wq||_F / ||W||_F")                                       \
    ENTRY(sqnr_db, "dB", "-20 log10 relative_error")                                               \
    ENTRY(max_abs_error, "weight", "largest |W - Wq|")                                             \
    ENTRY(leak, "ratio", "<R,W>/||W||_F^2: how much of W is left in R")                            \
    ENTRY(leak_strength, "ratio", "|leak| s_1(W) / Marchenko-Pastur edge of R; above 1, W shows in R") \
    ENTRY(leak_directions, "count", "directions k of W with |leak| s_k(W) above that edge")        \
    ENTRY(overlap_rank, "rank", "dimension k of the top subspaces of R and W that are compared")   \
    ENTRY(overlap_left, "share", "overlap of the top-k left subspaces of R and W, ||U'V||_F^2/k")  \
    ENTRY(overlap_right, "share", "overlap of the top-k right subspaces of R and W")               \
    ENTRY(overlap_left_random, "share", "overlap_left expected of random subspaces, k/rows")       \
    ENTRY(overlap_right_random, "share", "overlap_right expected of random subspaces, k/cols")     \
    ENTRY(excess_rank, "rank", "rank r at which the excess capture below is taken")                \
    ENTRY(excess_sign_flip, "share", "energy share at r minus that of the sign-flip null")         \
    ENTRY(excess_permuted, "share", "energy share at r minus that of the permutation null")        \
    ENTRY(excess_marchenko_pastur, "share", "energy share at r minus that of iid noise")
/* clang-format on */

typedef struct {
#define RESULT_FIELD(name, units, text) double name;
    RESULT_RELATION_LIST(RESULT_FIELD)
#undef RESULT_FIELD
} result_relation;

extern const result_relation result_no_relation; /* NaN throughout */

/* Where a matrix stands in the file. */
typedef struct {
    const char *model, *tensor, *role;
    int layer;
    size_t rows, cols;
} result_place;

/* One spectrum on its way to the file: what is "W", "Wq", "R", "RdH", "RH" or "GRH"; spec is "" for
 * W. */
typedef struct {
    result_place place;
    const char *spec, *what;
    const rsd_spectrum *spectrum;
    rsd_metrics metrics;
    result_relation relation;
} result_record;

/* Rows of /spectra that wait to be written; texts are copied. */
typedef struct {
    size_t count, capacity;
    rsd_value *value; /* [count][result_column_count] */
} result_rows;

const rsd_column *result_columns(size_t *count);
RSD_CHECK int result_rows_add(result_rows *rows, const result_record *record);
/* All rows of a table of this schema (of a file of ours); columns are matched by name. */
RSD_CHECK int result_rows_add_table(result_rows *rows, const rsd_table *table);
RSD_CHECK int result_rows_write(const result_rows *rows, rsd_store *store);
void result_rows_free(result_rows *rows);

/* Paths of a matrix' group and of a spectrum's group; caller frees, NULL when memory is out. */
char *result_model_path(const char *model);
char *result_matrix_path(const char *model, const char *tensor);
char *result_spectrum_path(const result_record *record);

/* A matrix' group and what it says of the matrix: role, layer, shape, stored type.  status is "ok",
 * "failed" (message says why) or "calibrated" (H and G only: analyze has not been there). */
RSD_CHECK int result_write_matrix(rsd_store *store, const char *path, const rsd_tensor *t,
                                  const char *status, const char *message);

/* One array below path, along the shared axis of ranks 1..n. */
RSD_CHECK int result_write_curve(rsd_store *store, const char *path, const char *name,
                                 const double *x, size_t n, const char *units,
                                 const char *description);

/* Group, curves, attributes and the metrics as attributes. */
RSD_CHECK int result_write_spectrum(rsd_store *store, const result_record *record);

/* left_vectors and right_vectors, the first `count` of those that the spectrum has. */
RSD_CHECK int result_write_vectors(rsd_store *store, const result_record *record, size_t count);

/* One null of R's spectrum: mean over draws, and the band between the least and the largest. */
typedef struct {
    rsd_null null;
    size_t count, draws;
    const double *s; /* mean singular values */
    const double *sum, *sum_low, *sum_high, *energy, *energy_low, *energy_high;
} result_null;
RSD_CHECK int result_write_null(rsd_store *store, const result_record *record,
                                const result_null *null);

#endif
