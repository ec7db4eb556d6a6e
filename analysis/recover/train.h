/* The training of a run, from which a killed process goes on. */
#ifndef RSD_RECOVER_TRAIN_H
#define RSD_RECOVER_TRAIN_H

#include "recover/student.h"

/* What a training leaves behind, step by step. */
typedef struct {
    size_t steps, evals;
    double *train_loss, *rate; /* [steps of the plan], the first `steps` calibration */
    double *eval_step, *eval_loss;
    size_t most_evals;
    double best;
    size_t best_step;
    double seconds; /* of steps, over all processes that had a part */
} curves;

RSD_CHECK int curves_alloc(const recover_numbers *n, curves *out);
void curves_free(curves *c);

/* The hash of all that decides what a step of this run does: states of another are not read. */
RSD_CHECK int training_identity(const sweep *s, const recover_run *run, char identity[65]);

/* Train a student, from where `state` (a path without suffix; NULL: keep none) says it was left.
 * first: the loss before any step; last gets the losses after the last, by window.
 * Errors: RSD_ESTOPPED after a signal, with the state written; the trainer's. */
RSD_CHECK int recover_train(student *s, const char *state, double first, curves *c, double *last);

/* Remove what recover_train kept under this name. */
void recover_forget_state(const char *state);

#endif
