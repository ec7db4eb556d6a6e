/* Everything that analyze says about one matrix: the spectra of W, and for each W_q its spectrum
 * and that of R with its nulls, and how R relates to W. */
#ifndef RSD_MEASURE_H
#define RSD_MEASURE_H

#include "analyze/finished.h"
#include "analyze/measure_a_priori.h"
#include "io/model.h"
#include "quantizers/quantizer.h"
#include "result/calibration_file.h"
#include "result/parts.h"
#include "result/provenance.h"
#include "result/result.h"

typedef struct {
    int method;
    size_t top;
    double tolerance;
    size_t vectors;
    bool null[RSD_NULLS];
    size_t null_draws;
    size_t overlap; /* dimension of the top subspaces of R and W that are compared; 0: none */
    size_t excess_rank;
    double damping; /* of H and G: a share of their mean eigenvalue */
    uint64_t seed;
    const finished_terms *terms;     /* written into every part */
    const a_priori_models *a_priori; /* of the run's quantizers; NULL: nothing is predicted */
} measure_options;

/* Where a W_q comes from: a quantizer, or a checkpoint that somebody quantized. */
typedef struct {
    const char *text;          /* its name in the file: a spec, or checkpoint:NAME */
    const rsd_spec *spec;      /* NULL: */
    const rsd_model *model;    /* the checkpoint, */
    const rsd_tensor *tensor;  /* W_q there; NULL where it has none */
    const result_model *entry; /* and its group */
} wq_origin;

typedef struct {
    const measure_options *options;
    const rsd_model *model;
    const rsd_tensor *tensor;
    const result_model *entry; /* the model's group */
    const wq_origin *origin;   /* [origins] that are still to be done */
    size_t origins;
    const calibration *calibration; /* may hold nothing of it */
    char identity[17];              /* of what it says of this matrix, "none" for nothing */
    bool moments;                   /* it has both H and G */
} measure_item;

/* Working memory of one item, for the plan. */
size_t measure_bytes(const measure_item *item);

/* Measure and put into the parts.  A matrix that fails (NaN, no convergence) is put there with
 * status "failed" and its message, and its error is returned; nothing else is lost.  A W_q that
 * fails is alone in that: its own group says so, and its error is returned after all else is put.
 * A checkpoint's that is missing or of another shape is noted there and no error; so is one that a
 * control cannot have. */
RSD_CHECK int measure_matrix(const measure_item *item, parts *p);

#endif
