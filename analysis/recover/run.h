/* One run of the sweep, from its quantized model to its row. */
#ifndef RSD_RECOVER_RUN_H
#define RSD_RECOVER_RUN_H

#include "recover/references.h"

/* What is known of a run before it begins; the row's texts are the caller's to free. */
RSD_CHECK int run_describe(const sweep *s, const recover_run *run, recovery_row *r);

/* Means, errors and shares of the losses by window that are there, into the row.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int run_put_losses(const sweep *s, outcome *o);

/* Do it.  o->row is described.  Errors: RSD_ESTOPPED after a signal, with the state kept; what made
 * this run fail. */
RSD_CHECK int run_one(const sweep *s, references *refs, const parts *kept, const recover_run *run,
                      outcome *o);

#endif
