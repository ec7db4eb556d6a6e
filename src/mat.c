#include "mat.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int rsd_array_alloc(size_t a, size_t b, size_t size, void *out)
{
    size_t count, bytes;
    *(void **)out = NULL;
    if (__builtin_mul_overflow(a, b, &count) || __builtin_mul_overflow(count, size, &bytes) ||
        bytes > PTRDIFF_MAX - 64)
        return RSD_FAIL(RSD_ENOMEM, "%zu x %zu x %zu bytes do not fit the address space", a, b,
                        size);
    bytes = (bytes + 63) / 64 * 64; /* aligned_alloc wants a multiple */
    *(void **)out = aligned_alloc(64, bytes ? bytes : 64);
    return *(void **)out ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "%zu bytes", bytes);
}

int rsd_mat_alloc(size_t m, size_t n, rsd_mat *out)
{
    *out = (rsd_mat){ NULL, m, n, n };
    return rsd_array_alloc(m, n, sizeof(float), &out->x);
}

void rsd_mat_free(rsd_mat *A)
{
    free(A->x);
    *A = (rsd_mat){ 0 };
}

void rsd_mat_copy(rsd_mat A, rsd_mat B)
{
    assert(A.m == B.m && A.n == B.n);
    for (size_t i = 0; i < A.m; i++)
        memmove(B.x + i * B.ld, A.x + i * A.ld, A.n * sizeof *A.x);
}

void rsd_mat_sub(rsd_mat A, rsd_mat B, rsd_mat R)
{
    assert(A.m == B.m && A.n == B.n && A.m == R.m && A.n == R.n);
    for (size_t i = 0; i < A.m; i++)
        for (size_t j = 0; j < A.n; j++)
            R.x[i * R.ld + j] = A.x[i * A.ld + j] - B.x[i * B.ld + j];
}

double rsd_mat_dot(rsd_mat A, rsd_mat B)
{
    assert(A.m == B.m && A.n == B.n);
    double total = 0;
    for (size_t i = 0; i < A.m; i++) {
        double row = 0; /* per row first: the error grows with m + n, not with m n */
#pragma omp simd reduction(+ : row)
        for (size_t j = 0; j < A.n; j++)
            row += (double)A.x[i * A.ld + j] * (double)B.x[i * B.ld + j];
        total += row;
    }
    return total;
}

double rsd_mat_sumsq(rsd_mat A) { return rsd_mat_dot(A, A); }

int rsd_mat_check_finite(rsd_mat A)
{
    for (size_t i = 0; i < A.m; i++) {
        const float *row = A.x + i * A.ld;
        float zero = 0; /* stays 0 or -0 unless some x is NaN or Inf: no branch inside */
#pragma omp simd reduction(+ : zero)
        for (size_t j = 0; j < A.n; j++)
            zero += row[j] * 0.0f;
        if (zero == 0)
            continue;
        for (size_t j = 0; j < A.n; j++)
            if (!isfinite(row[j]))
                return RSD_FAIL(RSD_EDOM, "element (%zu,%zu) of a %zu x %zu matrix is %f", i, j,
                                A.m, A.n, (double)row[j]);
    }
    return RSD_OK;
}
