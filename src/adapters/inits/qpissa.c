/* QPiSSA.  The principal part of W trains, and its rest is quantized: W_q = q(W - C), where C is
 * that of W itself and not a correction of W_q.  Without quantizer this is PiSSA. */
#include "adapters/alternate.h"

typedef struct {
    size_t steps;
} params;

static const params defaults = { .steps = 1 };

/* clang-format off */
static const rsd_opt options[] = {
    { "steps", 0, RSD_OPT_SIZE, offsetof(params, steps), 1, 1000, "count",
      "quantizations; before each but the first, C = SVD_r(W - W_q)" },
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
    return rsd_alternate(&(rsd_alternation){ .steps = a->steps, .from_weights = true }, task, out);
}

const rsd_init rsd_init_qpissa = {
    .name = "qpissa",
    .summary = "C = the best rank-r approximation of W, quantize the rest",
    .reference = "Meng et al., PiSSA, NeurIPS 2024 (arXiv:2404.02948)",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .moves_base = moves_base,
    .start = start,
};
