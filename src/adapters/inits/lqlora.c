/* LQ-LoRA.  W ~ Q + C in the norm || D_r (.) D_c ||, where D_r and D_c are roots of row and column
 * means of the Fisher information F = E[g_W^2].  With the gradient of a weight g_i x_j, and g and x
 * independent, F is diag(G) diag(H)', and its means are those diagonals.  Starts from Q = 0, and
 * ends with the first step whose error is not lower. */
#include "adapters/calibrated_weighting.h"

typedef struct {
    size_t steps;
} params;

static const params defaults = { .steps = 100 };

/* clang-format off */
static const rsd_opt options[] = {
    { "steps", 0, RSD_OPT_SIZE, offsetof(params, steps), 1, 1000, "count",
      "quantizations at most; ends with the first that does not help" },
    { 0 },
};
/* clang-format on */

static bool moves_base(const void *p)
{
    (void)p;
    return true;
}

static int start(const void *p, const rsd_init_task *task, rsd_init_result *out)
{
    const params *a = p;
    const rsd_alternation how = { .steps = a->steps, .from_weights = true, .stop = true };
    return rsd_alternate_calibrated(how, "lqlora", RSD_VIEW_DIAGONAL, RSD_VIEW_DIAGONAL, task, out);
}

static const rsd_alias aliases[] = { { "lq-lora", "" }, { 0 } };

const rsd_init rsd_init_lqlora = {
    .name = "lqlora",
    .summary = "decompose and quantize in turn, rows and columns weighted by Fisher information",
    .reference = "Guo et al., LQ-LoRA, ICLR 2024 (arXiv:2311.12023)",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .aliases = aliases,
    .calibration = RSD_CALIBRATION_NEEDS,
    .moves_base = moves_base,
    .start = start,
};
