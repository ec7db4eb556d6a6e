/* Training all weights of a model on the windows of a token stream: one call, one step.
 *
 * Nothing but the order of windows (windows.h) is random: what a step does depends on the options,
 * the weights, the moments and the number of steps done, so that a training which is continued from
 * these (checkpoint.h) goes on bit for bit, on the same machine with the same number of threads. */
#ifndef RSD_TRAIN_PRETRAIN_H
#define RSD_TRAIN_PRETRAIN_H

#include "io/tokens.h"
#include "train/adamw.h"
#include "train/schedule.h"
#include "train/windows.h"
#include "transformer/create.h"
#include "transformer/transformer.h"

typedef struct {
    size_t context, batch; /* inputs of a window, windows of a step */
    size_t pass;           /* windows in memory at a time: gradients of a step's passes add up */
    rsd_schedule schedule;
    rsd_adamw_options adamw;
    double decay; /* of matrices; norms and biases have none */
    double clip;  /* most norm of a gradient; 0: any */
    uint64_t seed;
    rsd_precision precision;
    bool (*stop)(
        void *context); /* asked before each pass; true: the step is given up; may be NULL */
    void (*progress)(void *context, size_t windows_done); /* of the step; may be NULL */
    void *callback_context;
    bool recompute; /* keep blocks' inputs only, run each block again on the way back: less memory,
                       the same bits */
} rsd_pretrain_options;

typedef struct {
    rsd_pretrain_options options;
    rsd_weights *weights;      /* the caller's */
    rsd_parameters parameters; /* of weights */
    rsd_adamw adamw;           /* adamw.step: steps done */
    rsd_transformer *model;    /* memory for a pass */
    rsd_window_reader reader;
    size_t windows; /* of the stream: reader.count */

    rsd_gradients *grad;
    int32_t *input, *target;
    double *loss;
    rsd_real *dhidden;
    void *work;
} rsd_pretrain;

typedef struct {
    double loss; /* mean over the step's targets before its update, nats */
    double norm; /* of the gradient, before clipping */
    double rate; /* of learning */
} rsd_step;

/* Free with rsd_pretrain_free, also after an error.
 * Errors: RSD_EARG when the tokens fill no window, or the weights are not what the architecture has
 * by default (an optional bias); those of rsd_adamw_alloc, rsd_transformer_alloc and
 * rsd_parameters_list; RSD_ENOMEM. */
RSD_CHECK int rsd_pretrain_alloc(rsd_weights *weights, const rsd_tokens *tokens,
                                 const rsd_pretrain_options *options, rsd_pretrain *out);
void rsd_pretrain_free(rsd_pretrain *p);

/* One step of the schedule.  Weights and moments change only when it succeeds.
 * Errors: RSD_ESTOPPED where stop said so; RSD_EDOM for a loss or gradient that is not finite; the
 * token stream's; RSD_ENOMEM. */
RSD_CHECK int rsd_pretrain_step(rsd_pretrain *p, rsd_step *out);

/* After weights were changed by others.  Errors: as rsd_weights_prepare. */
RSD_CHECK int rsd_pretrain_refresh(rsd_pretrain *p);

#endif
