/* AdaLoRA: which of the triplets P_i, lambda_i, Q_i of all layers are worth their rank.
 *
 *   penalty      weight * mean over all P and Q of ||P'P - I||_F and ||Q Q' - I||_F
 *   sensitivity  I = beta1 I + (1 - beta1) |w g|,  U = beta2 U + (1 - beta2) | |w g| - I |
 *   importance   of a triplet: (I U)(lambda_i) + mean (I U)(P_i) + mean (I U)(Q_i)
 *   budget       after step t: initial ranks up to t = begin, then
 *                target + (initial - target) (1 - (t - begin) / (steps - end - begin))^3, rounded
 *                down; target for the last `end` steps
 *
 * Every `interval` steps of the fall, lambda of all but the `budget` most important triplets is
 * set to 0; the optimizer may bring them back until t = steps - end, when the choice becomes final.
 * Of equal ones the first stays, so that what is kept is the budget exactly.  w and g are the
 * numbers after the step and the gradient that it took, clipped, as in the authors' code; the paper
 * squares the penalty's norms, their code does not.
 * Source: Zhang et al. 2303.10512, eq. 4-13, and their implementation. */
#ifndef RSD_ADAPTERS_ADALORA_H
#define RSD_ADAPTERS_ADALORA_H

#include "adapters/adapter.h"

#include <stdbool.h>

typedef struct {
    size_t target;     /* rank of a layer at the end, on average */
    size_t steps;      /* of the training */
    size_t begin, end; /* t_i and t_f: begin + end < steps */
    size_t interval;   /* of the steps that choose */
    double beta1, beta2, penalty;
} rsd_adalora_options;

/* The authors' numbers; steps, begin and end are the caller's to say. */
static const rsd_adalora_options rsd_adalora_defaults = {
    .target = 8,
    .interval = 1,
    .beta1 = 0.85,
    .beta2 = 0.85,
    .penalty = 0.5,
};

/* Rank that a layer has before the first step, where its matrix is large enough. */
enum { RSD_ADALORA_INITIAL_RANK = 12 };

typedef struct rsd_adalora rsd_adalora;

/* P and Q normal with standard deviation 0.02, lambda 0; what a layer gets depends on seed, layer
 * and slot alone.  Errors: RSD_EARG unless a's variant is adalora, RSD_ENOMEM. */
RSD_CHECK int rsd_adalora_start(rsd_adapters *a, uint64_t seed);

/* adapters and grad stay the caller's.  Free with rsd_adalora_free.
 * Errors: RSD_EARG for another variant, adapters without layers, a target of 0 or above the mean
 * rank, begin + end >= steps, an interval of 0, a beta outside [0, 1), a penalty below 0;
 * RSD_ENOMEM. */
RSD_CHECK int rsd_adalora_alloc(rsd_adapters *adapters, rsd_adapters *grad,
                                const rsd_adalora_options *options, rsd_adalora **out);
void rsd_adalora_free(rsd_adalora *a);

/* The penalty; its gradient is added to grad.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_adalora_penalty(rsd_adalora *a, double *penalty);

/* After step t = 1, 2, ..., whose gradient was scale * grad. */
void rsd_adalora_step(rsd_adalora *a, size_t t, double scale);

/* Sum of ranks after step t. */
size_t rsd_adalora_budget(const rsd_adalora *a, size_t t);

/* Triplets kept by the last choice; a layer's initial rank before the first. */
size_t rsd_adalora_rank(const rsd_adalora *a, size_t layer, rsd_slot slot);
size_t rsd_adalora_rank_sum(const rsd_adalora *a);

/* What must be stored for a training to go on, besides adapters and moments: I and U (2 x the
 * adapters' count), and a byte per triplet, 1 where it is kept. */
rsd_real *rsd_adalora_sensitivity(rsd_adalora *a);
unsigned char *rsd_adalora_kept(rsd_adalora *a, size_t *triplets);

#endif
