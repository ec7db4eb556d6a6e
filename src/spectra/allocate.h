/* One option for each of many layers, at the least total loss that a budget allows: which
 * quantizer, or how many ranks, each layer gets. */
#ifndef RSD_SPECTRA_ALLOCATE_H
#define RSD_SPECTRA_ALLOCATE_H

#include "err.h"

#include <stddef.h>

typedef struct {
    double cost, loss; /* finite, >= 0; bits or numbers, and predicted nats per token */
} rsd_option;

typedef struct {
    size_t count; /* >= 1 */
    const rsd_option *option;
} rsd_options;

typedef struct {
    double cost, loss; /* of what was chosen, summed */
    double bound;      /* no choice within the budget has a lower loss than this */
} rsd_allocation;

/* chosen[n]: an index into each layer's options, total cost at most `budget`.
 *
 * The options of a layer that pay are the corners of the lower convex hull of (cost, loss); corners
 * are taken in order of loss saved per cost, over all layers, which is the best choice for every
 * budget that it hits exactly.  What is left of the budget goes to the upgrades that still fit, the
 * one that saves most first.  The distance to the bound is at most the loss that one upgrade saves.
 *
 * Errors: RSD_EARG when not even the cheapest options fit (the message says what they cost), or a
 * number is not finite; RSD_ENOMEM.
 * Source: Sinha & Zoltners, The multiple-choice knapsack problem, Operations Research 27 (1979). */
RSD_CHECK int rsd_allocate(const rsd_options *layer, size_t n, double budget, size_t *chosen,
                           rsd_allocation *out);

/* The option that, given to every layer, costs at most `budget` and loses least; layers must have
 * the same number of options.  *cost and *loss are its sums; SIZE_MAX, and NaN, where none fits. */
size_t rsd_allocate_uniform(const rsd_options *layer, size_t n, double budget, double *cost,
                            double *loss);

#endif
