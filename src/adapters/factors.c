#include "adapters/factors.h"

#include "mat.h"
#include "par.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void rsd_factor_repeat(const rsd_adapter *a, rsd_real *A)
{
    const rsd_real *from = a->A;
    for (size_t i = 0; i < a->rank * (a->n / a->pool); i++)
        for (size_t j = 0; j < a->pool; j++)
            *A++ = from[i];
}

void rsd_factor_repeat_backward(const rsd_adapter *a, const rsd_real *dA, rsd_adapter *grad)
{
    for (size_t i = 0; i < a->rank * (a->n / a->pool); i++) {
        double sum = 0;
        for (size_t j = 0; j < a->pool; j++)
            sum += (double)*dA++;
        grad->A[i] += (rsd_real)sum;
    }
}

void rsd_factor_scale(const rsd_adapter *a, rsd_real *B)
{
    for (size_t i = 0; i < a->m; i++)
        for (size_t k = 0; k < a->rank; k++)
            B[i * a->rank + k] = a->B[i * a->rank + k] * a->lambda[k];
}

void rsd_factor_scale_backward(const rsd_adapter *a, const rsd_real *dB, rsd_adapter *grad)
{
    for (size_t k = 0; k < a->rank; k++) {
        double sum = 0;
        for (size_t i = 0; i < a->m; i++) {
            grad->B[i * a->rank + k] += dB[i * a->rank + k] * a->lambda[k];
            sum += (double)dB[i * a->rank + k] * (double)a->B[i * a->rank + k];
        }
        grad->lambda[k] += (rsd_real)sum;
    }
}

int rsd_factors_alloc(const rsd_adapter *a, rsd_factors *out)
{
    const size_t A = rsd_factor_repeats(a) ? a->rank * a->n : 0;
    const size_t B = rsd_factor_scales(a) ? a->m * a->rank : 0;
    *out = (rsd_factors){ .A = a->A, .B = a->B };
    RSD_TRY(rsd_array_alloc(A + B, 1, sizeof *out->memory, &out->memory));
    if (A) {
        rsd_factor_repeat(a, out->memory);
        out->A = out->memory;
    }
    if (B) {
        rsd_factor_scale(a, out->memory + A);
        out->B = out->memory + A;
    }
    return RSD_OK;
}

void rsd_factors_free(rsd_factors *f)
{
    free(f->memory);
    *f = (rsd_factors){ 0 };
}

bool rsd_factor_rows(const rsd_adapter *a, const rsd_real *A, const rsd_real *B, size_t first,
                     size_t count, rsd_real *out)
{
    return rsd_tile(false, false, count, a->n, a->rank, a->scale, B + first * a->rank, a->rank, A,
                    a->n, 0, out, a->n);
}

/* tile += rows of W; each row's norm, in double. */
static void norms_of(const rsd_real *W, size_t rows, size_t n, const rsd_real *tile, rsd_real *norm)
{
    for (size_t i = 0; i < rows; i++) {
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (size_t j = 0; j < n; j++) {
            const double v = (double)(W[i * n + j] + tile[i * n + j]);
            sum += v * v;
        }
        norm[i] = (rsd_real)sqrt(sum);
    }
}

int rsd_factor_norms(const rsd_adapter *a, const rsd_real *A, const rsd_real *B, const rsd_real *W,
                     rsd_real *norm)
{
    bool failed = false;
#pragma omp parallel num_threads(rsd_par_inner()) reduction(|| : failed)
    {
        rsd_real *tile = NULL;
        failed = rsd_array_alloc(RSD_FACTOR_ROWS, a->n, sizeof *tile, &tile) != RSD_OK;
#pragma omp for schedule(static)
        for (size_t first = 0; first < a->m; first += RSD_FACTOR_ROWS) {
            const size_t rest = a->m - first;
            const size_t count = rest < RSD_FACTOR_ROWS ? rest : RSD_FACTOR_ROWS;
            if (failed || !rsd_factor_rows(a, A, B, first, count, tile))
                failed = true;
            else
                norms_of(W + first * a->n, count, a->n, tile, norm + first);
        }
        free(tile);
    }
    if (failed) /* its message may be another thread's */
        return RSD_FAIL(RSD_ENOMEM, "row norms of %zu x %zu", a->m, a->n);
    return RSD_OK;
}
