/* Private to src/adapters.  What LoRA starts from: B = 0 and a random A, so that nothing is added
 * and everything can train. */
#ifndef RSD_ADAPTERS_UNTRAINED_H
#define RSD_ADAPTERS_UNTRAINED_H

#include "adapters/init.h"

typedef enum {
    RSD_DRAW_UNIFORM, /* +-1/sqrt(n): torch's kaiming_uniform with a = sqrt(5), as LoRA's code */
    RSD_DRAW_GAUSSIAN /* sd 1/rank, as PEFT's init_lora_weights="gaussian" */
} rsd_draw;

/* Quantizes W, draws A, zeroes B.  Errors: the quantizer's, RSD_ENOMEM. */
RSD_CHECK int rsd_init_untrained(const rsd_init_task *task, rsd_draw draw, rsd_init_result *out);

/* A pair (column of B, row of A) with both 0 has gradient 0 and would never learn: where there was
 * nothing to correct, its row is drawn as above.  C stays what it is.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_init_revive(const rsd_init_task *task, rsd_init_result *out);

#endif
