/* Results of runs, and where they are kept until the sweep ends. */
#ifndef RSD_RECOVER_OUTCOME_H
#define RSD_RECOVER_OUTCOME_H

#include "recover/layers.h"
#include "recover/train.h"
#include "result/parts.h"

/* One run's results. */
typedef struct {
    recovery_row row;
    bool done;                                /* the row is known, and ok */
    double *fp, *q, *init, *trained, *merged; /* [row.windows], NULL where there is none */
    double *second_fp, *second_q, *second;    /* [row.windows_second], likewise */
    char *map, *candidates; /* of a base of the same bytes that was just made; or NULL */
    curves curves;
    measured_layers layers;
} outcome;

void outcome_free(outcome *o);

/* Read what is done into outcome[plan.runs], which is zero before; *out NULL: no -o, nothing is
 * kept.  Errors: RSD_EUSAGE when options or inputs contradict those of a run that is there; those
 * of parts_open. */
RSD_CHECK int outcomes_open(const sweep *s, parts **out, outcome *outcomes);

/* Where a run's state is kept, without suffix; *path NULL where nothing is kept.  Caller frees. */
RSD_CHECK int outcome_state(const parts *p, const recover_run *run, char **path);

/* Is run i trained as another one that is still to come, so that the state of it should stay? */
bool outcome_shares_state(const sweep *s, const outcome *outcomes, size_t i);

/* Keep a run that has ended, one way or the other; its state only where that is said. */
RSD_CHECK int outcome_put(const sweep *s, parts *p, const recover_run *run, bool keep_state,
                          outcome *o);

/* Everything into F.h5, unless nothing is new. */
RSD_CHECK int outcomes_publish(const sweep *s, parts *p, const outcome *outcomes);

#endif
