/* Where QLoRA starts: B = 0, A uniform, W quantized as it is. */
#include "adapters/untrained.h"

static int start(const void *params, const rsd_init_task *task, rsd_init_result *out)
{
    (void)params;
    return rsd_init_untrained(task, RSD_DRAW_UNIFORM, out);
}

const rsd_init rsd_init_zero = {
    .name = "zero",
    .summary = "B = 0, A uniform: nothing is corrected before training",
    .reference = "Hu et al., LoRA, ICLR 2022; Dettmers et al., QLoRA, NeurIPS 2023",
    .trains_only = true,
    .start = start,
};
