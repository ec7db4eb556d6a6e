/* What the files of evidence share: names of models, and the parts of a result file. */
#ifndef RSD_EVIDENCE_PARTS_H
#define RSD_EVIDENCE_PARTS_H

#include "compare/evidence.h"

/* What this file's model is called in the evidence; *label is the evidence's.
 * Errors: the store's, RSD_ENOMEM. */
RSD_CHECK int evidence_label(evidence *e, const rsd_store *store, const char *name,
                             const char **label);

/* Runs with their windows and layers; single layers.  Errors: evidence_add's. */
RSD_CHECK int evidence_add_runs(evidence *e, const rsd_store *store);
RSD_CHECK int evidence_add_singles(evidence *e, const rsd_store *store);

#endif
