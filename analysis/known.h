/* What calibrate wrote about a model's layers, read back: for quantizers, initialisations and
 * spectra that take it.  Schema: calibrate_write.h. */
#ifndef RSD_KNOWN_H
#define RSD_KNOWN_H

#include "io/model.h"
#include "io/store.h"
#include "quantizers/calibration.h"

/* An open result file with a calibration of one model. */
typedef struct {
    rsd_store *store;
    char *model; /* name of the model in the file */
} known;

/* Find the model by its weights, whatever its name is there.  path NULL: nothing is known, and
 * reading gives nothing.  Free with known_close, also after a failure.
 * Errors: the store's; RSD_EUSAGE when no model of the file has these weights, or none of its
 * layers is calibrated. */
RSD_CHECK int known_open(const char *path, const rsd_model *model, known *out);
void known_close(known *k);

/* One layer: a view into memory of its own. */
typedef struct {
    rsd_calibration c;
    bool any; /* something is known */
    double *H, *G, *square, *mean_abs, *max_abs;
} known_layer;

/* All that the file knows of t; members it lacks are NULL.  One thread at a time.  Free with
 * known_layer_free, also after a failure.
 * Errors: the store's; RSD_EFORMAT for an array of another size than t asks. */
RSD_CHECK int known_read(const known *k, const rsd_tensor *t, known_layer *out);
void known_layer_free(known_layer *l);

/* The same file's numbers one by one: what is "H" or "G", matrix the path of the matrix' group.
 * Where layers share their input, the moment is found with the one that holds it. */
bool known_has_moment(const rsd_store *store, const char *matrix, const char *what);

/* name is "moment" (n x n), "mean_abs" or "max_abs" (n); *x is allocated (free).
 * Errors: RSD_ENOTFOUND, RSD_EFORMAT for another size, the store's. */
RSD_CHECK int known_array(const rsd_store *store, const char *matrix, const char *what,
                          const char *name, size_t n, double **x);
RSD_CHECK int known_tokens(const rsd_store *store, const char *matrix, const char *what,
                           int64_t *tokens);

#endif
