/* Private to the training of a run: what says how it goes, its state on disk, and the rates that
 * are tried before it. */
#ifndef RSD_RECOVER_TRAIN_STATE_H
#define RSD_RECOVER_TRAIN_STATE_H

#include "recover/train.h"

/* Everything that says how the run goes. */
typedef struct {
    student *s;
    const recover_numbers *n;
    curves *c;
    char identity[65];           /* of all that decides what a step of this run does */
    char *state, *curve;         /* files; NULL: nothing is kept */
    size_t settled;              /* steps before which no adapters may be kept (AdaLoRA's budget) */
    const double *init;          /* losses before any step, by window */
    double *last, *kept;         /* of the last evaluation, and of the best step so far */
    size_t last_step, kept_step; /* the steps of these; SIZE_MAX: not known to this process */
} training;

/* A trainer's options for so many steps with this highest rate. */
rsd_recover_options training_options(student *s, size_t steps, double rate);

/* Adapters and moments in one file, the curves so far in another; nothing where state is NULL.
 * Errors: RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int training_write_state(const training *t);

/* The curves that a process before has left: false where there are none of this identity. */
bool training_find_curves(const training *t);

/* Go on where they end; from the beginning where there is no state, or it cannot be read. */
void training_resume(const training *t);

/* --lr-probe: t->c->peak becomes the rate that does best in a few steps, each from the start.
 * The adapters are then as they start.
 * Errors: RSD_ESTOPPED; the trainer's, RSD_EDOM where no rate ends with a loss that is a number. */
RSD_CHECK int training_probe(const training *t);

#endif
