/* Everything that analyze says about one matrix: the spectra of W, and for each W_q its spectrum
 * and that of R with its nulls, and how R relates to W. */
#ifndef RSD_MEASURE_H
#define RSD_MEASURE_H

#include "analyze/measure_moments.h"
#include "io/model.h"
#include "quantizers/quantizer.h"
#include "result/journal.h"

typedef struct {
    int method;
    size_t top;
    double tolerance;
    size_t vectors;
    bool null[RSD_NULLS];
    size_t null_draws;
    size_t overlap; /* dimension of the top subspaces of R and W that are compared; 0: none */
    size_t excess_rank;
    uint64_t seed;
} measure_options;

/* Where a W_q comes from: a quantizer, or a checkpoint that somebody quantized. */
typedef struct {
    const char *text;           /* its name in the file: a spec, or checkpoint:NAME */
    const rsd_spec *spec;       /* NULL: */
    const rsd_model *model;     /* the checkpoint, */
    const rsd_tensor *tensor;   /* W_q there; NULL where it has none */
    const journal_model *entry; /* and its group */
} measure_source;

typedef struct {
    const measure_options *options;
    const rsd_model *model;
    const rsd_tensor *tensor;
    const journal_model *entry;   /* the model's group */
    const measure_source *source; /* [sources] that are still to be done */
    size_t sources;
    const moment_source *moments; /* holds this matrix' H and G; NULL: not calibrated */
} measure_item;

/* Working memory of one item, for the plan. */
size_t measure_bytes(const measure_item *item);

/* Measure and put into the journal.  A matrix that fails (NaN, no convergence) is put there with
 * status "failed" and its message, and its error is returned; nothing else is lost.  So is a
 * checkpoint's W_q alone, in its own group; one that is missing or of another shape is noted there,
 * and no error. */
RSD_CHECK int measure_matrix(const measure_item *item, journal *j);

#endif
