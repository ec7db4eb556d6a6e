/* CorDA.  SVD(W H) = U S V', C = (r of its terms) H^-1, and W - C is quantized: the adapter is a
 * part of W, chosen by the data, not a correction.  The metric's half is H itself, not its root. */
#include "adapters/alternate.h"
#include "adapters/calibrated_weighting.h"

typedef struct {
    int keep;
} params;

enum { KEEP_TOP, KEEP_BOTTOM };

static const params defaults = { .keep = KEEP_TOP };

/* clang-format off */
static const rsd_opt options[] = {
    { "keep", 0, RSD_OPT_CHOICE, offsetof(params, keep), 0, 0, "top|bottom",
      "top: adapt what these data use most; bottom: leave that alone, adapt the rest" },
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
    int err = RSD_OK;
    rsd_alternation how = { .steps = 1, .from_weights = true };
    RSD_TRY_DONE(
        rsd_calibrated_weighting(task, "corda", RSD_VIEW_NONE, RSD_VIEW_FULL, &how.metric));
    for (size_t i = 0; i < how.metric.H.n && how.metric.H.root; i++)
        how.metric.H.root[i] *= how.metric.H.root[i];
    how.metric.bottom = a->keep == KEEP_BOTTOM;
    RSD_TRY_DONE(rsd_alternate(&how, task, out));
done:
    rsd_metric_free(&how.metric);
    return err;
}

const rsd_init rsd_init_corda = {
    .name = "corda",
    .summary = "the part of W that the data use most, or least; quantize the rest",
    .reference = "Yang et al., CorDA, NeurIPS 2024 (arXiv:2406.05223)",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .calibration = RSD_CALIBRATION_NEEDS,
    .moves_base = moves_base,
    .start = start,
};
