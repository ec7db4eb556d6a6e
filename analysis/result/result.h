/* The schema of the result file: which group holds which spectrum.
 * io/store/ knows HDF5 and no schema; this knows the schema and no HDF5. */
#ifndef RSD_RESULT_H
#define RSD_RESULT_H

#include "io/model.h"
#include "io/store.h"
#include "linalg/spectrum.h"
#include "result/spectra_table.h"
#include "spectra/nulls.h"

/* Where a matrix stands in the file. */
typedef struct {
    const char *model, *tensor, *role;
    int layer;
    size_t rows, cols;
} result_place;

/* One spectrum on its way to the file; spec is "" for W. */
typedef struct {
    result_place place;
    const char *spec;
    spectrum_what what;
    const rsd_spectrum *spectrum;
    rsd_metrics metrics;
    result_relation relation;
} result_record;

/* The record as one more row of /spectra.  Errors: RSD_ENOMEM. */
RSD_CHECK int result_add(spectra_rows *rows, const result_record *record);

/* Paths of a matrix' group and of a spectrum's group (spec is ignored for W); caller frees, NULL
 * when memory is out. */
char *result_model_path(const char *model);
char *result_matrix_path(const char *model, const char *tensor);
char *result_spectrum_path(const char *model, const char *tensor, const char *spec,
                           spectrum_what what);

/* Names of a model's matrices, in the file's order; those of models are rsd_store_names of /models.
 * Free with rsd_names_free.  Errors: the store's. */
RSD_CHECK int result_matrices(const rsd_store *store, const char *model, rsd_names *out);

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

/* One null of R's spectrum, in its weighting: mean over draws, and the band between the least and
 * the largest. */
typedef struct {
    rsd_null null;
    size_t count, draws;
    double energy_total; /* ||.||_F^2, mean over draws */
    const double *s;     /* mean singular values */
    const double *sum, *sum_low, *sum_high, *energy, *energy_low, *energy_high;
} result_null;
RSD_CHECK int result_write_null(rsd_store *store, const result_record *record,
                                const result_null *null);

#endif
