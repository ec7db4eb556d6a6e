/* Everything that analyze says about one matrix: the spectra of W, and for each quantizer those of
 * W_q and R with its nulls, and how R relates to W. */
#ifndef RSD_MEASURE_H
#define RSD_MEASURE_H

#include "io/model.h"
#include "journal.h"
#include "measure_moments.h"
#include "quantizers/quantizer.h"

typedef struct {
    int method;
    size_t top;
    double tolerance;
    size_t vectors;
    bool null[RSD_NULLS];
    size_t null_draws;
    size_t overlap;     /* dimension of the top subspaces of R and W that are compared; 0: none */
    size_t excess_rank;
    uint64_t seed;
} measure_options;

typedef struct {
    const measure_options *options;
    const rsd_model *model;
    const rsd_tensor *tensor;
    const journal_model *entry; /* the model's group */
    const rsd_spec *spec;       /* [specs] that are still to be done */
    size_t specs;
    const moment_source *moments; /* holds this matrix' H and G; NULL: not calibrated */
} measure_item;

/* Working memory of one item, for the plan. */
size_t measure_bytes(const measure_item *item);

/* Measure and put into the journal.  A matrix that fails (NaN, no convergence) is put there with
 * status "failed" and its message, and its error is returned; nothing else is lost. */
RSD_CHECK int measure_matrix(const measure_item *item, journal *j);

#endif
