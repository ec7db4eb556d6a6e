/* LLM.int8().  Columns whose inputs reach the threshold stay in 16 bits; the others are rounded to
 * 8 bits on a scale per row, c = round(127 w / max|w|).  Without calibration no column is known to
 * stand out. (The method's activations are rounded to 8 bits as well; that is no property of W.) */
#include "quantizers/blocks.h"
#include "quantizers/quantizer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double threshold;
} params;

static const params defaults = { .threshold = 6 };

/* clang-format off */
static const rsd_opt options[] = {
    { "threshold", 0, RSD_OPT_REAL, offsetof(params, threshold), 0, 1e9, "X",
      "largest |x| from which on an input's column is kept" },
    { 0 },
};
/* clang-format on */

static bool kept(const params *a, const rsd_calibration *c, size_t j)
{
    return c && c->max_abs && c->max_abs[j] >= a->threshold;
}

static int pack_kept(const params *a, rsd_mat W, const rsd_calibration *c, size_t count,
                     rsd_packed *out)
{
    int32_t *column;
    float *x;
    RSD_TRY(rsd_packed_add(out, "columns", "I32", count, &column));
    RSD_TRY(rsd_array_alloc(W.m, count, sizeof *x, &x));
    for (size_t j = 0, k = 0; j < W.n; j++) {
        if (!kept(a, c, j))
            continue;
        column[k] = (int32_t)j;
        for (size_t i = 0; i < W.m; i++)
            x[i * count + k] = W.x[i * W.ld + j];
        k++;
    }
    const int err = rsd_packed_add_reals(out, "kept", x, W.m * count, true, 1);
    free(x);
    return err;
}

static int pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    const params *a = rsd_spec_params(spec);
    size_t count = 0;
    int8_t *codes;
    float *scale;
    for (size_t j = 0; j < W.n; j++)
        count += kept(a, c, j);
    RSD_TRY(rsd_packed_add(out, "codes", "I8", W.m * (W.n - count), &codes));
    RSD_TRY(rsd_packed_add(out, "scales", "F32", W.m, &scale));
    for (size_t i = 0; i < W.m; i++) {
        const float *w = W.x + i * W.ld;
        float most = 0;
        for (size_t j = 0; j < W.n; j++)
            if (!kept(a, c, j))
                most = fmaxf(most, fabsf(w[j]));
        scale[i] = rsd_grid_step(most, 127);
        for (size_t j = 0; j < W.n; j++)
            if (!kept(a, c, j)) {
                const float q = rintf(w[j] / scale[i]);
                *codes++ = (int8_t)(q > 127 ? 127 : q < -127 ? -127 : q);
            }
    }
    return count ? pack_kept(a, W, c, count, out) : RSD_OK;
}

static const rsd_section *section(const rsd_packed *in, const char *name)
{
    for (size_t i = 0; i < in->sections; i++)
        if (strcmp(in->section[i].name, name) == 0)
            return &in->section[i];
    return NULL;
}

static int unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    (void)spec;
    const rsd_section *columns = section(in, "columns");
    const size_t count = columns ? columns->count : 0;
    const int32_t *column = columns ? columns->data : NULL;
    const int8_t *codes = rsd_packed_get(in, "codes")->data;
    const float *scale = rsd_packed_get(in, "scales")->data;
    float *x = NULL;
    RSD_TRY(rsd_array_alloc(Wq.m, count ? count : 1, sizeof *x, &x));
    if (count)
        rsd_section_reals(rsd_packed_get(in, "kept"), x);
    for (size_t i = 0; i < Wq.m; i++)
        for (size_t j = 0, k = 0; j < Wq.n; j++) {
            const bool keep = k < count && (size_t)column[k] == j;
            Wq.x[i * Wq.ld + j] = keep ? x[i * count + k] : rsd_finite(scale[i] * (float)*codes++);
            k += keep;
        }
    free(x);
    return RSD_OK;
}

/* Idempotent: 127 is odd: see int.c.  What is kept is a 16-bit number the second time. */
const rsd_quantizer rsd_quantizer_llmint8 = {
    .name = "llmint8",
    .summary = "8 bits on a scale per row; columns of outlying inputs stay in 16",
    .reference = "Dettmers et al., LLM.int8(), NeurIPS 2022",
    .options = options,
    .defaults = &defaults,
    .params_size = sizeof(params),
    .calibration = RSD_CALIBRATION_TAKES,
    .idempotent = rsd_idempotent_always,
    .pack = pack,
    .unpack = unpack,
};
