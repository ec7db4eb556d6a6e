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
 * Gradients of all adapters, AdaLoRA's penalty included, are clipped together.  Weight decay is
 * that of A and B (P and Q); lambda and magnitudes have none.  LoRA+: B's learning rate is
 * `b_ratio` times A's (2402.12354); lambda's and magnitudes' is A's.  AdaLoRA: its penalty,
 * importance and budget are adalora.h's. */
#ifndef RSD_TRAIN_RECOVER_H
#define RSD_TRAIN_RECOVER_H

#include "adapters/adalora.h"
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
    size_t held_out;       /* windows of the stream that no step sees (windows.h) */
    rsd_schedule schedule;
    rsd_adamw_options adamw;
    double decay, clip;
    double b_ratio; /* 1: as A */
    uint64_t seed;
    bool (*stop)(
        void *context); /* asked before each pass; true: the step is given up; may be NULL */
    void (*progress)(void *context, size_t windows_done); /* of the step; may be NULL */
    void *callback_context;
    const char *state_path;      /* the moments live in this new mapped file; NULL: in memory */
    rsd_adalora_options adalora; /* read for that variant alone; its steps are the schedule's */
} rsd_recover_options;

typedef struct rsd_recover rsd_recover;

/* model: has the hook of `adapted` (whose adapters and grad are these), and memory for pass x
 * context tokens on the way back; teacher: the original, for kl and hidden, else NULL.  All stay
 * the caller's.  *out is NULL after an error.
 * Errors: RSD_EARG (numbers of 0, tokens that fill no window, a teacher that is missing or of
 * another shape, gradients of another shape, a b_ratio, decay or clip below 0); those of
 * rsd_adalora_alloc and rsd_adamw_alloc_mapped; RSD_ENOMEM. */
RSD_CHECK int rsd_recover_alloc(rsd_transformer *model, rsd_adapted *adapted,
                                rsd_adapters *adapters, rsd_adapters *grad,
                                rsd_transformer *teacher, const rsd_tokens *tokens,
                                const rsd_recover_options *options, rsd_recover **out);
void rsd_recover_free(rsd_recover *r);

size_t rsd_recover_steps(const rsd_recover *r);   /* done */
size_t rsd_recover_windows(const rsd_recover *r); /* of an epoch */
size_t rsd_recover_bytes(const rsd_recover *r);   /* of moments and AdaLoRA's sensitivity, in memory
                                                     or in the file */

/* The rank that the layer has now: what AdaLoRA's last choice kept; the adapter's otherwise. */
size_t rsd_recover_rank(const rsd_recover *r, size_t layer, rsd_slot slot);

/* out->loss: of the objective, without AdaLoRA's penalty, before the update.  Adapters and moments
 * change only when it succeeds.
 * Errors: RSD_ESTOPPED where stop said so; RSD_EDOM for a loss or gradient that is not finite; the
 * token stream's; RSD_ENOMEM. */
RSD_CHECK int rsd_recover_step(rsd_recover *r, rsd_step *out);

/* The step to end with.  judge: the adapters as they are now have this loss, on windows that no
 * step sees; a copy of them is kept where it is finite and less than of all judged before. Errors:
 * RSD_ENOMEM. */
RSD_CHECK int rsd_recover_judge(rsd_recover *r, double loss);

/* Its number and loss; false where none was judged: the last step, NaN. */
bool rsd_recover_best(const rsd_recover *r, size_t *step, double *loss);

/* Its adapters in the place of the last ones, where one was judged: no step may follow.
 * Errors: those of rsd_adapted_refresh. */
RSD_CHECK int rsd_recover_take_best(rsd_recover *r);

/* Adapters, moments, steps, the best step and AdaLoRA's importance, in one safetensors file, bit
 * for bit; identity (a hash, 64 hexadecimal digits) must agree when it is read. Errors: as
 * train/checkpoint.h. */
RSD_CHECK int rsd_recover_write(const rsd_recover *r, const char *identity, const char *path);
RSD_CHECK int rsd_recover_read(rsd_recover *r, const char *identity, const char *path);

#endif
