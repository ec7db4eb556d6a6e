/* Private to the training of a run: what says how it goes, and its state on disk. */
#ifndef RSD_RECOVER_TRAIN_STATE_H
#define RSD_RECOVER_TRAIN_STATE_H

#include "recover/train.h"

/* Everything that says how the run goes. */
typedef struct {
    student *s;
    const recover_numbers *n;
    curves *c;
    char identity[65];
    char *state, *curve, *best; /* files; NULL: nothing is kept */
    double *last;               /* losses of the last evaluation, by window */
} training;

/* Adapters and moments in one file, the curves so far in another; nothing where state is NULL.
 * Errors: RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int training_write_state(const training *t);

/* Go on where a process before was stopped; from the beginning where there is nothing to go on
 * from, or it cannot be read. */
void training_resume(const training *t);

#endif
