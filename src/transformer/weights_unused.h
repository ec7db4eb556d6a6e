/* Private to src/transformer.  Tensors of a checkpoint that no forward pass reads.
 *
 * A norm on queries, a gate, a bias that stands in the file but not in this program would make the
 * losses those of another model: what is not used must be known to be none of the weights. */
#ifndef RSD_TRANSFORMER_WEIGHTS_UNUSED_H
#define RSD_TRANSFORMER_WEIGHTS_UNUSED_H

#include "err.h"
#include "io/model.h"

/* Every tensor of the model is among used[count], or is a buffer that follows from the
 * configuration (frequencies of rotary positions, causal masks, position numbers), a scale of
 * activations or of a cache, or, outside the blocks, the head of another task.
 * Errors: RSD_EFORMAT naming the first tensor that is not; RSD_ENOMEM. */
RSD_CHECK int rsd_weights_check_unused(const rsd_model *model, const rsd_tensor **used,
                                       size_t count, const char *arch);

#endif
