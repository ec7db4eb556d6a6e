/* One run of the sweep, from its quantized model to its row. */
#ifndef RSD_RECOVER_RUN_H
#define RSD_RECOVER_RUN_H

#include "recover/outcome.h"

/* Losses that many runs are set against: by evaluation window. */
typedef struct {
    double *fp;
    double **q; /* [specs of -q, at least 1]; NULL until one run has needed it */
    size_t specs;
    bool memory_said;
} references;

/* What is known of a run before it begins; the row's texts are the caller's to free. */
RSD_CHECK int run_describe(const sweep *s, const recover_run *run, recovery_row *r);

/* Do it.  o->row is described.  Errors: RSD_ESTOPPED after a signal, with the state kept; what made
 * this run fail. */
RSD_CHECK int run_one(const sweep *s, references *refs, const parts *kept, const recover_run *run,
                      outcome *o);

#endif
