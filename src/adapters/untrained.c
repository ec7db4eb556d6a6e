#include "adapters/untrained.h"

#include "adapters/alternate.h"
#include "rng.h"

#include <math.h>
#include <string.h>

static void draw_row(rsd_rng *rng, rsd_draw draw, size_t rank, size_t n, float *row)
{
    const double bound = 1 / sqrt((double)n), sd = 1 / (double)rank;
    for (size_t j = 0; j < n; j++)
        row[j] = (float)(draw == RSD_DRAW_UNIFORM ? bound * (2 * rsd_rng_uniform(rng) - 1)
                                                  : sd * rsd_rng_normal(rng));
}

int rsd_init_untrained(const rsd_init_task *task, rsd_draw draw, rsd_init_result *out)
{
    rsd_rng *rng;
    RSD_TRY(rsd_init_quantize(task, task->W, out));
    RSD_TRY(rsd_rng_alloc(task->seed, "lora_A", &rng));
    for (size_t k = 0; k < out->A.m; k++)
        draw_row(rng, draw, out->A.m, out->A.n, out->A.x + k * out->A.ld);
    for (size_t i = 0; i < out->B.m; i++)
        memset(out->B.x + i * out->B.ld, 0, out->B.n * sizeof *out->B.x);
    rsd_rng_free(rng);
    return RSD_OK;
}

static bool is_dead(const rsd_init_result *out, size_t k)
{
    for (size_t j = 0; j < out->A.n; j++)
        if (out->A.x[k * out->A.ld + j] != 0)
            return false;
    for (size_t i = 0; i < out->B.m; i++)
        if (out->B.x[i * out->B.ld + k] != 0)
            return false;
    return true;
}

int rsd_init_revive(const rsd_init_task *task, rsd_init_result *out)
{
    rsd_rng *rng;
    RSD_TRY(rsd_rng_alloc(task->seed, "lora_A", &rng));
    for (size_t k = 0; k < out->A.m; k++)
        if (is_dead(out, k))
            draw_row(rng, RSD_DRAW_UNIFORM, out->A.m, out->A.n, out->A.x + k * out->A.ld);
    rsd_rng_free(rng);
    return RSD_OK;
}
