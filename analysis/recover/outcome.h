/* Results of runs, and where they are kept until the sweep ends. */
#ifndef RSD_RECOVER_OUTCOME_H
#define RSD_RECOVER_OUTCOME_H

#include "recover/layers.h"
#include "recover/train.h"

/* One run's results. */
typedef struct {
    recovery_row row;
    bool done;  /* the row is known, and ok */
    char *part; /* the file that it lies in, beside F.h5; NULL: in F.h5, or nowhere */
    double *fp, *q, *init, *trained, *merged; /* [row.windows], NULL where there is none */
    curves curves;
    measured_layers layers;
} outcome;

void outcome_free(outcome *o);

/* Finished runs on their way into the result file: each is a file of its own in F.h5.part/, written
 * beside its name and renamed; at the end they and what F.h5 held become the new F.h5. */
typedef struct {
    amend file;
    bool open;     /* false: no -o, nothing is kept */
    bool replace;  /* what F.h5 held of this model's runs does not count (--force) */
    size_t others; /* parts of runs that this sweep does not have */
    char **other;
} recover_parts;

/* Open and lock; read what is done into outcome[plan.runs], which is zero before.
 * Errors: RSD_EUSAGE when options contradict those of a run that is there; those of amend.h. */
RSD_CHECK int parts_open(const sweep *s, recover_parts *p, outcome *outcomes);
void parts_close(recover_parts *p);

/* Where a run's state is kept, without suffix; *path NULL where nothing is kept.  Caller frees. */
RSD_CHECK int parts_state(const sweep *s, const recover_parts *p, const recover_run *run,
                          char **path);

/* Keep a run that has ended, one way or the other. */
RSD_CHECK int parts_put(const sweep *s, recover_parts *p, const recover_run *run, outcome *o);

/* A file of this name in F.h5.part/ says that --force was given. */
#define PARTS_MARK "recovery-replace"

/* Everything into F.h5, unless nothing is new. */
RSD_CHECK int parts_finish(const sweep *s, recover_parts *p, const outcome *outcomes);

#endif
