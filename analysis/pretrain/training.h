/* A training from scratch: what is open, its loop, and what is said at its end. */
#ifndef RSD_PRETRAIN_TRAINING_H
#define RSD_PRETRAIN_TRAINING_H

#include "cli/command.h"
#include "cli/stream.h"
#include "pretrain/training_folder.h"

typedef struct {
    rsd_common common;
    stream_options stream;
    const char *eval_tokens;
    size_t steps, batch, warmup, eval_every, checkpoint_every;
    double lr, min_lr, decay, clip, beta1, beta2;
    int store;
    bool recompute;
} pretrain_params;

/* Everything that is open. */
typedef struct {
    const pretrain_params *params;
    pretrain_folder folder;
    char *config; /* text of config.json */
    rsd_tokenizer *tokenizer;
    rsd_shape shape;
    rsd_model *initial;
    rsd_weights *weights;
    rsd_tokens *tokens, *eval_tokens;
    rsd_pretrain pretrain;
    rsd_progress progress;
    rsd_step last;
    double eval_loss;             /* NaN: none yet */
    size_t eval_step, first_step; /* of the last evaluation; where this process began */
    double seconds;
} training;

/* All steps that are left, with evaluations and checkpoints; after a signal the last whole step's
 * state is kept, and it comes back early.
 * Errors: those of steps, evaluations and writes. */
RSD_CHECK int training_run(training *t);

/* As a note, or JSON on standard output.  Errors: RSD_EIO. */
RSD_CHECK int training_report(const training *t);

#endif
