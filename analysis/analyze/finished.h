/* What a result file and the parts beside it hold of an analysis already. */
#ifndef RSD_ANALYZE_FINISHED_H
#define RSD_ANALYZE_FINISHED_H

#include "result/parts.h"
#include "result/provenance.h"
#include "result/text_index.h"

/* The calibration that a W_q was made or seen with (calibration_identity.h). */
typedef struct {
    char *matrix, *spec, *calibration;
} finished_calibration;

typedef struct {
    text_index done; /* "path of the matrix\tspec" */
    text_index models;
    finished_calibration *seen;
    size_t count;
    char *control, *control_source; /* a control that is there; NULL: none */
} finished;

/* What all runs that share a file agree in. */
typedef struct {
    const char *options, *inputs;     /* attributes of "/" */
    const result_model *const *model; /* [models] of this run, by name */
    size_t models;
} finished_terms;

/* Free with finished_free, also after a failure.
 * Errors: RSD_EUSAGE where options, the program's algorithm, or a model's weights or configuration
 * differ; those of the stores. */
RSD_CHECK int finished_read(parts *p, const finished_terms *terms, finished *out);
void finished_free(finished *f);

/* Is this spec's group there, in a matrix whose status is ok?  spec is escaped, "" for W's, and
 * "SPEC/GRH" for the spectra that take a calibration.  A quantizer that failed is not. */
bool finished_has(const finished *f, const char *matrix_path, const char *spec);

/* Is there a model of this name? */
bool finished_has_model(const finished *f, const char *name);

/* Write the terms into a part's "/". */
RSD_CHECK int finished_write_terms(rsd_store *store, const finished_terms *terms);

#endif
