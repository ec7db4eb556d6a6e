/* The control that counts: a base of no more bytes than an adapted model, without adapters. */
#ifndef RSD_RECOVER_BASE_RUN_H
#define RSD_RECOVER_BASE_RUN_H

#include "recover/references.h"

/* Is there a run that is done, and that this base is to be as large as? */
bool base_run_ready(const sweep *s, const recover_run *run, const outcome *outcomes);

/* Choose the base (base_choice.h) within the fewest bytes of those runs, and take its losses.
 * o->row is described.  Errors: RSD_ESTOPPED after a signal; those of base_choose, the passes'. */
RSD_CHECK int base_run(sweep *s, references *refs, const recover_run *run, const outcome *outcomes,
                       outcome *o);

#endif
