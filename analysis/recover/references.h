/* What many runs are set against: losses of the original, and of each quantizer without adapters.
 */
#ifndef RSD_RECOVER_REFERENCES_H
#define RSD_RECOVER_REFERENCES_H

#include "recover/outcome.h"

/* Losses by window of the evaluation text and of the second one; NULL until a run has needed them,
 * second NULL where there is none. */
typedef struct {
    double *eval, *second;
} reference;

typedef struct {
    reference fp;
    reference *q; /* [specs of -q, at least 1] */
    size_t specs;
    bool memory_said;
} references;

RSD_CHECK int references_alloc(const sweep *s, references *out);
void references_free(references *r);

/* What this run is set against becomes the outcome's; it is computed the first time.  q only where
 * the run is no control.  Errors: those of making the models and of their passes. */
RSD_CHECK int references_put(const sweep *s, references *refs, const recover_run *run, outcome *o);

#endif
