/* PEFT's Gaussian start: B = 0, A normal, W quantized as it is. */
#include "adapters/untrained.h"

static int start(const void *params, const rsd_init_task *task, rsd_init_result *out)
{
    (void)params;
    return rsd_init_untrained(task, RSD_DRAW_GAUSSIAN, out);
}

const rsd_init rsd_init_gaussian = {
    .name = "gaussian",
    .summary = "B = 0, A normal with standard deviation 1/rank",
    .reference = "PEFT, init_lora_weights=\"gaussian\"; Hu et al., LoRA, ICLR 2022",
    .trains_only = true,
    .start = start,
};
