/* What a model's layers see of data, for quantizers, initialisations and spectra that
 * take it: what calibrate wrote (schema: moment_group.h), or llama.cpp's importance matrix. */
#ifndef RSD_CALIBRATION_FILE_H
#define RSD_CALIBRATION_FILE_H

#include "io/imatrix.h"
#include "io/model.h"
#include "io/store.h"
#include "opt.h"
#include "quantizers/calibration.h"
#include "result/calibration_tally.h"

/* Rows for a command's option table: two names for one path, at the offset `at` of a const char *.
 */
/* clang-format off */
#define CALIBRATION_OPTIONS(at)                                                                          \
    { "calibration", 0, RSD_OPT_STRING, (at), 0, 0, "FILE.h5",                                     \
      "H and G of the layers, from calibrate, for methods that take them" },                       \
    {                                                                                              \
        "imatrix", 0, RSD_OPT_STRING, (at), 0, 0, "FILE",                                          \
            "in its place llama.cpp's importance matrix, for quantizers that weigh inputs"         \
    }
/* clang-format on */

/* An open result file with a calibration of one model, or an importance matrix. */
typedef struct {
    rsd_store *store; /* NULL: no result file */
    char *model;      /* name of the model's group in it; NULL: it has none with these weights */
    rsd_imatrix imatrix;
    const char *model_type; /* imatrix: of the model, whose tensors it calls by GGUF's names */
    const char *path;
    calibration_tally *tally; /* of what is read; NULL: none is kept */
} calibration;

/* The file's first bytes tell which it is.  In a result file the model is found by its weights,
 * whatever its name is there; an importance matrix knows shapes only.  path NULL: no calibration,
 * and reading gives nothing.  The model must outlive *out.  calibration_close, also after a
 * failure, frees it, and notes which matrices it was read for in vain and which inputs it never
 * saw. Errors: the store's, rsd_imatrix_read's; RSD_EUSAGE when no model of the file has these
 * weights, or the file has none of its layers; RSD_ENOTFOUND for an importance matrix of an
 * architecture that GGUF has no names for. */
RSD_CHECK int calibration_open(const char *path, const rsd_model *model, calibration *out);

/* The same of a result file that may hold nothing of this model: out->model is NULL then. */
RSD_CHECK int calibration_find(const char *path, const rsd_model *model, calibration *out);
void calibration_close(calibration *k);

/* One layer: a view into memory of its own. */
typedef struct {
    rsd_calibration c;
    bool any; /* the file has something of it */
    double *H, *G, *square, *mean_abs, *max_abs;
} layer_calibration;

/* All that the file has of t; members it lacks are NULL (an importance matrix has `square`).  One
 * thread at a time.  Free with layer_calibration_free, also after a failure.
 * Errors: the store's; RSD_EFORMAT for an array of another size than t asks. */
RSD_CHECK int calibration_read(const calibration *k, const rsd_tensor *t, layer_calibration *out);
void layer_calibration_free(layer_calibration *l);

/* Does it have both H and G of t? */
bool calibration_has_both(const calibration *k, const rsd_tensor *t);

/* The same file's numbers one by one: what is "H" or "G", matrix the path of the matrix' group.
 * Where layers share their input, the moment is found with the one that holds it. */
bool calibration_has_moment(const rsd_store *store, const char *matrix, const char *what);

/* name is "moment" (n x n), "eigenvalues", "mean_abs" or "max_abs" (n); *x is allocated (free).
 * Errors: RSD_ENOTFOUND, RSD_EFORMAT for another size, the store's. */
RSD_CHECK int calibration_array(const rsd_store *store, const char *matrix, const char *what,
                                const char *name, size_t n, double **x);
RSD_CHECK int calibration_tokens(const rsd_store *store, const char *matrix, const char *what,
                                 int64_t *tokens);

#endif
