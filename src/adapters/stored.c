#include "adapters/stored.h"

#include "fp.h"
#include "mat.h"

#include <stdlib.h>

/* x[count][length], of which x[k * along + j * step] is number j of direction k. */
static int store_rows(const rsd_spec *spec, rsd_real *x, size_t count, size_t length, size_t along,
                      size_t step, size_t *bytes)
{
    rsd_mat rows = { 0 }, stored = { 0 };
    rsd_quant_stats stats;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_mat_alloc(count, length, &rows));
    RSD_TRY_DONE(rsd_mat_alloc(count, length, &stored));
    for (size_t k = 0; k < count; k++)
        for (size_t j = 0; j < length; j++)
            rows.x[k * length + j] = (float)x[k * along + j * step];
    RSD_TRY_DONE(rsd_quantize(spec, rows, NULL, stored, &stats, NULL));
    for (size_t k = 0; k < count; k++)
        for (size_t j = 0; j < length; j++)
            x[k * along + j * step] = stored.x[k * length + j];
    *bytes += stats.packed_bytes;
done:
    rsd_mat_free(&stored);
    rsd_mat_free(&rows);
    return err;
}

/* Numbers in bfloat16; NULL: there are none. */
static void store_halves(rsd_real *x, size_t count, size_t *bytes)
{
    for (size_t i = 0; x && i < count; i++) {
        const uint32_t code = rsd_fp_encode(&rsd_bf16, (float)x[i], true);
        x[i] = rsd_fp_decode(&rsd_bf16, code);
    }
    *bytes += x ? 2 * count : 0;
}

static int store(const rsd_spec *spec, rsd_adapter *a, size_t *bytes)
{
    const size_t n = a->n / a->pool;
    RSD_TRY(store_rows(spec, a->A, a->rank, n, n, 1, bytes));
    RSD_TRY(store_rows(spec, a->B, a->rank, a->m, 1, a->rank, bytes));
    store_halves(a->lambda, a->rank, bytes);
    store_halves(a->magnitude, a->m, bytes);
    return RSD_OK;
}

int rsd_adapters_store(const rsd_spec *spec, rsd_adapters *a, size_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < a->layers; i++)
        for (rsd_slot s = 0; s < RSD_LINEARS; s++) {
            const int err = a->layer[i][s].rank ? store(spec, &a->layer[i][s], bytes) : RSD_OK;
            if (err)
                return rsd_fail_prefix(err, "adapter of layer %zu, %s", i, rsd_slot_role(s));
        }
    return RSD_OK;
}
