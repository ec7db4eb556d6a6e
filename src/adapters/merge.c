/* An adapter as numbers of the weight beside it: what it adds, what the two are together, and the
 * other way, the adapter that a correction asks for. */
#include "adapters/factors.h"

#include "mat.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int check_shape(const char *what, rsd_mat M, size_t m, size_t n)
{
    if (M.m != m || M.n != n)
        return RSD_FAIL(RSD_EARG, "%s is %zu x %zu, the adapter's is %zu x %zu", what, M.m, M.n, m,
                        n);
    return RSD_OK;
}

/* Rows of W + C (C alone where not `beside`) into W, dora's rows scaled to their magnitudes. */
static void put_rows(const rsd_adapter *a, bool beside, size_t first, size_t count,
                     const rsd_real *tile, rsd_mat W)
{
    for (size_t i = 0; i < count; i++) {
        float *w = W.x + (first + i) * W.ld;
        const rsd_real *c = tile + i * a->n;
        double sum = 0, scale = 1;
        for (size_t j = 0; j < a->n && beside && a->magnitude; j++) {
            const double v = (double)((rsd_real)w[j] + c[j]);
            sum += v * v;
        }
        if (beside && a->magnitude) /* a row of zeros stays one: adapted.h */
            scale = sum > 0 ? (double)a->magnitude[first + i] / sqrt(sum) : 0;
        for (size_t j = 0; j < a->n; j++)
            w[j] = beside ? (float)(scale * (double)((rsd_real)w[j] + c[j])) : (float)c[j];
    }
}

static int put(const rsd_adapter *a, bool beside, rsd_mat W)
{
    RSD_TRY(check_shape("matrix", W, a->m, a->n));
    rsd_factors f;
    rsd_real *tile = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_factors_alloc(a, &f));
    RSD_TRY_DONE(rsd_array_alloc(RSD_FACTOR_ROWS, a->n, sizeof *tile, &tile));
    for (size_t first = 0; first < a->m; first += RSD_FACTOR_ROWS) {
        const size_t rest = a->m - first;
        const size_t count = rest < RSD_FACTOR_ROWS ? rest : RSD_FACTOR_ROWS;
        if (!rsd_factor_rows(a, f.A, f.B, first, count, tile)) {
            err = RSD_FAIL(RSD_ENOMEM, "a correction of %zu x %zu", a->m, a->n);
            goto done;
        }
        put_rows(a, beside, first, count, tile, W);
    }
done:
    free(tile);
    rsd_factors_free(&f);
    return err;
}

int rsd_adapter_delta(const rsd_adapter *a, rsd_mat C) { return put(a, false, C); }

int rsd_adapter_merge(const rsd_adapter *a, rsd_mat W) { return put(a, true, W); }

static const rsd_section *find_section(const rsd_packed *p, const char *name)
{
    for (size_t i = 0; i < p->sections; i++)
        if (strcmp(p->section[i].name, name) == 0)
            return &p->section[i];
    return NULL;
}

int rsd_qalora_merge(const rsd_adapter *a, rsd_packed *base)
{
    const rsd_section *scales = find_section(base, "scales"), *zeros = find_section(base, "zeros");
    const size_t groups = a->n / a->pool;
    if (a->lambda || a->magnitude)
        return RSD_FAIL(RSD_EARG, "only lora with pooled inputs merges into zero points");
    if (base->m != a->m || base->n != a->n)
        return RSD_FAIL(RSD_EARG, "%zu x %zu packed, the adapter is for %zu x %zu", base->m,
                        base->n, a->m, a->n);
    if (!scales || !zeros || strcmp(zeros->dtype, "F32") != 0)
        return RSD_FAIL(RSD_EARG, "the packed weight has no zero points that are real numbers");
    if (zeros->count != a->m * groups || scales->count != zeros->count)
        return RSD_FAIL(RSD_EARG, "%zu zero points, but %zu pools of %zu inputs", zeros->count,
                        a->m * groups, a->pool);
    float *scale, *zero = zeros->data;
    RSD_TRY(rsd_array_alloc(scales->count, 1, sizeof *scale, &scale));
    rsd_section_reals(scales, scale);
    for (size_t i = 0; i < a->m; i++)
        for (size_t g = 0; g < groups; g++) {
            double sum = 0;
            for (size_t k = 0; k < a->rank; k++)
                sum += (double)a->B[i * a->rank + k] * (double)a->A[k * groups + g];
            const size_t at = i * groups + g;
            zero[at] = (float)((double)zero[at] - (double)a->scale * sum / (double)scale[at]);
        }
    free(scale);
    return RSD_OK;
}
