/* What each matrix costs when it alone is quantized, and what is left of that when it alone is
 * corrected: the measurement that predictions per layer are held against. */
#ifndef RSD_SENSITIVITY_H
#define RSD_SENSITIVITY_H

#include "adapters/init.h"
#include "cli/select.h"
#include "cli/stream.h"
#include "result/calibration_file.h"
#include "result/sensitivity_table.h"
#include "transformer/transformer.h"

typedef struct {
    const rsd_model *model;
    const char *name; /* of the model in the table */
    const rsd_weights *original;
    const stream *stream;
    const select_options *select;
    const select_specs *specs;
    const rsd_init_spec *init; /* [inits] corrections, each at every rank; may be none */
    size_t inits;
    const size_t *rank; /* [ranks] */
    size_t ranks;
    double damping;
    const calibration *calibration; /* calibration, or NULL */
    uint64_t seed;
    const sensitivity_row *done; /* [dones] rows that need not be measured again */
    size_t dones;
    /* A row as soon as it is measured; may be NULL.  Its failure ends the measurement. */
    int (*measured)(const sensitivity_row *row, void *context);
    void *context;
} sensitivity_job;

/* New rows, in order of matrices, specs, corrections; after a stop those that are finished.  *rows
 * is allocated (rows_free with sensitivity_schema), also after a failure.
 * A matrix whose quantizer or correction fails is reported and left out: *failed counts them.
 * Errors: the model's, the stream's, that of `measured`, RSD_EUSAGE when nothing is selected,
 * RSD_ENOMEM. */
RSD_CHECK int sensitivity_measure(const sensitivity_job *job, sensitivity_row **rows, size_t *count,
                                  size_t *failed);

#endif
