/* Training the adapters of a quantized model: one call, one step.
 *
 * Data, schedule and randomness are pretrain.h's: windows in an order that seed and epoch
 * determine, a training that is continued from its state goes on bit for bit.
 *
 *   ce       mean cross-entropy of the data's next tokens
 *   kl       mean KL(original || adapted) of every token
 *   hidden   mean squared difference of the last hidden states (after the final norm), mean over
 *            channels too
 *
 * LoRA+: B's learning rate is `b_ratio` times A's (2402.12354).  AdaLoRA: its orthogonality
 * penalty, importance and budget are adalora.h's. */
#ifndef RSD_TRAIN_RECOVER_H
#define RSD_TRAIN_RECOVER_H

#include "adapters/adapted.h"
#include "io/tokens.h"
#include "train/adamw.h"
#include "train/pretrain.h"
#include "train/schedule.h"
#include "transformer/transformer.h"

typedef enum { RSD_OBJECTIVE_CE, RSD_OBJECTIVE_KL, RSD_OBJECTIVE_HIDDEN } rsd_objective;
#define RSD_OBJECTIVE_WORDS "ce|kl|hidden"

typedef struct {
    rsd_objective objective;
    size_t context, batch; /* inputs of a window, windows of a step */
    size_t pass;           /* windows in memory at a time: gradients of a step's passes add up */
    rsd_schedule schedule;
    rsd_adamw_options adamw;
    double decay, clip;
    double b_ratio;        /* 1: as A */
    uint64_t seed;
    const char *state_path; /* the moments live in this mapped file; NULL: in memory */
} rsd_recover_options;

typedef struct rsd_recover rsd_recover;

/* model: has the hook of `adapted` (whose adapters and grad are these); teacher: the original, for
 * kl and hidden, else NULL.  All stay the caller's.
 * Errors: RSD_EARG, RSD_EIO (state_path), RSD_ENOMEM. */
RSD_CHECK int rsd_recover_alloc(rsd_transformer *model, rsd_adapted *adapted,
                                rsd_adapters *adapters, rsd_adapters *grad,
                                rsd_transformer *teacher, const rsd_tokens *tokens,
                                const rsd_recover_options *options, rsd_recover **out);
void rsd_recover_free(rsd_recover *r);

size_t rsd_recover_steps(const rsd_recover *r); /* done */

/* out->loss: of the objective, before the update.
 * Errors: RSD_EDOM for a loss or gradient that is not finite; the token stream's; RSD_ENOMEM. */
RSD_CHECK int rsd_recover_step(rsd_recover *r, rsd_step *out);

/* Adapters, moments, steps and AdaLoRA's importance, in one safetensors file, bit for bit; identity
 * (a hash, 64 hexadecimal digits) must agree when it is read.  As train/checkpoint.h. */
RSD_CHECK int rsd_recover_write(const rsd_recover *r, const char *identity, const char *path);
RSD_CHECK int rsd_recover_read(rsd_recover *r, const char *identity, const char *path);

#endif
