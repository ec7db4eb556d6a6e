/* --rank-budget: as many numbers, spread over the layers. */
#ifndef RSD_RECOVER_RANKS_H
#define RSD_RECOVER_RANKS_H

#include "recover/sweep.h"

typedef struct {
    const rsd_tensor *tensor;
    const rsd_spec *spec; /* NULL: nothing is lost there */
    size_t pool;
    size_t rank; /* in: of the uniform choice, which sets the budget; out: what it gets, >= 1 */
} rank_layer;

/* Ranks that cost as many numbers as the given ones, or fewer by less than one rank, and leave the
 * least predicted loss: half the tail energy of G^(1/2) (W - W_q) H^(1/2), summed over layers.
 * Errors: RSD_EUSAGE for a layer without H or G; those of reading, quantizing, the roots and the
 * spectrum; with the matrix' name. */
RSD_CHECK int ranks_spread(const sweep *s, rsd_variant variant, rank_layer *layer, size_t count);

#endif
