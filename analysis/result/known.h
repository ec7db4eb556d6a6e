/* What is known of a model's layers from its data, for quantizers, initialisations and spectra that
 * take it: what calibrate wrote (schema: calibrate_write.h), or llama.cpp's importance matrix. */
#ifndef RSD_KNOWN_H
#define RSD_KNOWN_H

#include "io/imatrix.h"
#include "io/model.h"
#include "io/store.h"
#include "opt.h"
#include "quantizers/calibration.h"

/* Rows for a command's option table: two names for one path, at the offset `at` of a const char *.
 */
/* clang-format off */
#define KNOWN_OPTIONS(at)                                                                          \
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
    char *model;      /* name of the model in it */
    rsd_imatrix imatrix;
    const char *model_type; /* imatrix: of the model, whose tensors it calls by GGUF's names */
} known;

/* The file's first bytes tell which it is.  In a result file the model is found by its weights,
 * whatever its name is there; an importance matrix knows shapes only.  path NULL: nothing is known,
 * and reading gives nothing.  The model must outlive *out.  Free with known_close, also after a
 * failure.
 * Errors: the store's, rsd_imatrix_read's; RSD_EUSAGE when no model of the file has these weights,
 * or the file knows none of its layers; RSD_ENOTFOUND for an importance matrix of an architecture
 * that GGUF has no names for. */
RSD_CHECK int known_open(const char *path, const rsd_model *model, known *out);
void known_close(known *k);

/* One layer: a view into memory of its own. */
typedef struct {
    rsd_calibration c;
    bool any; /* something is known */
    double *H, *G, *square, *mean_abs, *max_abs;
} known_layer;

/* All that the file knows of t; members it lacks are NULL (an importance matrix has `square`).  One
 * thread at a time.  Free with known_layer_free, also after a failure.
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
