/* CALDERA.  min || (W - Q - C) H^(1/2) || over both, in turn; the best pair is kept.  Q is the
 * quantizer's: one that rounds with H, as LDLQ, is what the paper has.  Its Hadamard rotations and
 * quantized factors are not done. */
#include "adapters/calibrated_weighting.h"

typedef struct {
    size_t rounds;
} params;

static const params defaults = { .rounds = 20 };

/* clang-format off */
static const rsd_opt options[] = {
    { "rounds", 0, RSD_OPT_SIZE, offsetof(params, rounds), 1, 1000, "count",
      "quantizations of W - C, each followed by a correction; the best is kept" },
    { 0 },
};
/* clang-format on */

static bool moves_base(const void *p) { return ((const params *)p)->rounds > 1; }

static int start(const void *p, const rsd_init_task *task, rsd_init_result *out)
{
    const params *a = p;
    const rsd_alternation how = { .steps = a->rounds, .refit = true, .best = true };
    return rsd_alternate_calibrated(how, "caldera", RSD_VIEW_NONE, RSD_VIEW_FULL, task, out);
}

const rsd_init rsd_init_caldera = {
    .name = "caldera",
    .summary = "quantize W - C and correct W - W_q in turn, in the metric of the inputs",
    .reference = "Saha et al., CALDERA, NeurIPS 2024 (arXiv:2405.18886)",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .calibration = RSD_CALIBRATION_NEEDS,
    .moves_base = moves_base,
    .start = start,
};
