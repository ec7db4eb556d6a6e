/* LoRC: the best correction of R itself, C = SVD_r(W - W_q). */
#include "adapters/alternate.h"

static int start(const void *params, const rsd_init_task *task, rsd_init_result *out)
{
    (void)params;
    return rsd_alternate(&(rsd_alternation){ .steps = 1, .refit = true }, task, out);
}

const rsd_init rsd_init_lorc = {
    .name = "lorc",
    .summary = "C = the best rank-r approximation of the residual W - W_q",
    .reference = "Yao et al., ZeroQuant-V2, arXiv:2303.08302 (LoRC)",
    .start = start,
};
