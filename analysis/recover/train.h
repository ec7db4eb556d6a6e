/* The training of a run, from which a killed process goes on. */
#ifndef RSD_RECOVER_TRAIN_H
#define RSD_RECOVER_TRAIN_H

#include "recover/student.h"

/* What a training leaves behind, step by step. */
typedef struct {
    size_t steps, evals, looks;
    double *train_loss, *rate; /* [steps of the plan], the first `steps` calibration */
    double *eval_step, *eval_loss;
    double *held_step, *held_loss; /* on the training windows held out, as often as looked at */
    size_t most_evals;
    double best; /* of eval_loss, */
    size_t best_step;
    size_t kept_step; /* whose adapters it ends with, */
    double kept_loss; /* and theirs on the windows held out; NaN: nothing was chosen */
    double peak;      /* learning rate */
    double seconds;   /* of steps, over all processes that had a part */
} curves;

RSD_CHECK int curves_alloc(const recover_numbers *n, curves *out);
void curves_free(curves *c);

/* Train a student whose rate is chosen, from where `state` (a path without suffix; NULL: keep none)
 * says it was left.  Its adapters are then those of c->kept_step, and s->rate is what it was
 * trained with (--lr-probe).  init: losses before any step, by window; trained gets those of its
 * adapters. Errors: RSD_ESTOPPED after a signal, with the state written; the trainer's. */
RSD_CHECK int recover_train(student *s, const char *state, const double *init, curves *c,
                            double *trained);

/* Remove what recover_train kept under this name. */
void recover_forget_state(const char *state);

#endif
