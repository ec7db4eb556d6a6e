/* LoftQ.  The base is the one from before the last decomposition: (Q_T, SVD_r(W - Q_T)). */
#include "adapters/alternate.h"

typedef struct {
    size_t steps;
    int first;
} params;

enum { FIRST_QUANTIZE, FIRST_SVD };

static const params defaults = { .steps = 5, .first = FIRST_QUANTIZE };

/* clang-format off */
static const rsd_opt options[] = {
    { "steps", 0, RSD_OPT_SIZE, offsetof(params, steps), 1, 1000, "count",
      "quantizations, each followed by a decomposition; PEFT does 1" },
    { "first", 0, RSD_OPT_CHOICE, offsetof(params, first), 0, 0, "quantize|svd",
      "what W meets first" },
    { 0 },
};
/* clang-format on */

static bool moves_base(const void *p)
{
    const params *a = p;
    return a->steps > 1 || a->first == FIRST_SVD;
}

static int start(const void *p, const rsd_init_task *task, rsd_init_result *out)
{
    const params *a = p;
    const rsd_alternation how = { .steps = a->steps,
                                  .from_weights = a->first == FIRST_SVD,
                                  .refit = true };
    return rsd_alternate(&how, task, out);
}

const rsd_init rsd_init_loftq = {
    .name = "loftq",
    .summary = "quantize W - C and decompose W - W_q in turn, in the plain norm",
    .reference = "Li et al., LoftQ, ICLR 2024 (arXiv:2310.08659)",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .moves_base = moves_base,
    .start = start,
};
