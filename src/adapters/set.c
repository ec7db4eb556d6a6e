/* The adapter that a correction C = B0 A0 asks for. */
#include "adapters/factors.h"

#include "mat.h"
#include "rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool all_zero(rsd_mat M)
{
    for (size_t i = 0; i < M.m; i++)
        for (size_t j = 0; j < M.n; j++)
            if (M.x[i * M.ld + j] != 0)
                return false;
    return true;
}

static void copy_scaled(rsd_mat from, double scale, rsd_real *to)
{
    for (size_t i = 0; i < from.m; i++)
        for (size_t j = 0; j < from.n; j++)
            to[i * from.n + j] = (rsd_real)(scale * (double)from.x[i * from.ld + j]);
}

/* A direction of adalora's: n numbers `stride` apart. */
typedef struct {
    rsd_real *x;
    size_t n, stride;
} direction;

/* d becomes a unit vector; returns the length it had, 0 for one that was drawn. */
static double to_unit(direction d, rsd_rng *rng)
{
    double sum = 0, length;
    for (size_t i = 0; i < d.n; i++)
        sum += (double)d.x[i * d.stride] * (double)d.x[i * d.stride];
    length = sqrt(sum);
    if (length > 0) {
        for (size_t i = 0; i < d.n; i++)
            d.x[i * d.stride] = (rsd_real)((double)d.x[i * d.stride] / length);
        return length;
    }
    while (!(sum > 0)) {
        sum = 0;
        for (size_t i = 0; i < d.n; i++) {
            d.x[i * d.stride] = (rsd_real)rsd_rng_normal(rng);
            sum += (double)d.x[i * d.stride] * (double)d.x[i * d.stride];
        }
    }
    for (size_t i = 0; i < d.n; i++)
        d.x[i * d.stride] = (rsd_real)((double)d.x[i * d.stride] / sqrt(sum));
    return 0;
}

/* A seed that differs where the numbers do: layers of a model draw different directions. */
static uint64_t seed_of(const rsd_adapter *a)
{
    const rsd_real *const array[] = { a->A, a->B };
    const size_t count[] = { a->rank * (a->n / a->pool), a->m * a->rank };
    uint64_t h = rsd_seed(0, "adalora");
    for (int j = 0; j < 2; j++)
        for (size_t i = 0; i < count[j]; i++) {
            const float x = (float)array[j][i];
            uint32_t bits;
            memcpy(&bits, &x, sizeof bits);
            h = (h ^ bits) * UINT64_C(1099511628211);
        }
    return h;
}

static int set_adalora(rsd_adapter *a, rsd_mat B0, rsd_mat A0)
{
    rsd_rng *rng;
    copy_scaled(B0, 1, a->B);
    copy_scaled(A0, 1, a->A);
    RSD_TRY(rsd_rng_alloc(seed_of(a), "directions", &rng));
    for (size_t k = 0; k < a->rank; k++) {
        const double p = to_unit((direction){ a->B + k, a->m, a->rank }, rng);
        const double q = to_unit((direction){ a->A + k * a->n, a->n, 1 }, rng);
        a->lambda[k] = (rsd_real)(p * q / (double)a->scale);
    }
    rsd_rng_free(rng);
    return RSD_OK;
}

/* Row norms of W + C are row norms of what a merge with magnitudes left out would give. */
static int set_magnitude(rsd_adapter *a, rsd_mat W)
{
    rsd_real *dense;
    RSD_TRY(rsd_array_alloc(a->m, a->n, sizeof *dense, &dense));
    copy_scaled(W, 1, dense);
    const int err = rsd_factor_norms(a, a->A, a->B, dense, a->magnitude);
    free(dense);
    return err;
}

int rsd_adapter_set(rsd_adapter *a, rsd_mat B0, rsd_mat A0, rsd_mat W)
{
    const size_t columns = a->n / a->pool;
    if (B0.m != a->m || B0.n != a->rank || A0.m != a->rank || A0.n != columns)
        return RSD_FAIL(
            RSD_EARG, "factors %zu x %zu and %zu x %zu, the adapter's are %zu x %zu and %zu x %zu",
            B0.m, B0.n, A0.m, A0.n, a->m, a->rank, a->rank, columns);
    if (a->magnitude && (W.m != a->m || W.n != a->n))
        return RSD_FAIL(RSD_EARG, "magnitudes of a %zu x %zu weight from one of %zu x %zu", a->m,
                        a->n, W.m, W.n);
    if (a->lambda)
        return set_adalora(a, B0, A0);
    const bool nothing = all_zero(B0) || all_zero(A0);
    const double scale = nothing ? 1 : 1 / sqrt((double)a->scale);
    copy_scaled(B0, scale, a->B);
    copy_scaled(A0, scale, a->A);
    return a->magnitude ? set_magnitude(a, W) : RSD_OK;
}
