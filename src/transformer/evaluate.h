/* Losses of a model over the windows of a token stream. */
#ifndef RSD_TRANSFORMER_EVALUATE_H
#define RSD_TRANSFORMER_EVALUATE_H

#include "io/tokens.h"
#include "transformer/transformer.h"

/* Windows of `context` inputs that follow each other without overlap, each with its `context`
 * next-token targets; what fills no window is left out. */
size_t rsd_windows(size_t tokens, size_t context);

/* The place in the stream of the i-th of `count` windows that lie evenly over `of`, the first
 * window among them: floor(i of / count).  of 0: the first `count`, which is i.  count <= of. */
size_t rsd_window_at(size_t i, size_t count, size_t of);

/* Results; free with rsd_evaluation_free. */
typedef struct {
    size_t windows, context;
    double *loss;          /* [windows] mean of each, nats per token */
    double *loss_original; /* the same of the original model; NULL without one */
    double *kl;            /* [windows * context] KL(original || model) of each token; or NULL */
    size_t agree;          /* tokens with the same likeliest next token */
} rsd_evaluation;

typedef struct {
    rsd_transformer *model, *original; /* original NULL: none */
    const rsd_tokens *tokens;
    size_t context, windows;
    size_t of; /* windows of the stream that these are spread over (rsd_window_at); 0: the first */
    size_t batch; /* windows a pass: the transformers have memory for batch * context tokens */
    void (*progress)(void *context, size_t windows_done);
    bool (*stop)(void *context); /* true: end early, with the windows done; may be NULL */
    void *callback_context;
} rsd_evaluate_job;

/* Both models see the same windows at the same time; no logits are stored.
 * Errors: the token stream's, the passes', RSD_ENOMEM. */
RSD_CHECK int rsd_evaluate(const rsd_evaluate_job *job, rsd_evaluation *out);
void rsd_evaluation_free(rsd_evaluation *e);

#endif
