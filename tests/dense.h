/* Small dense matrices for tests: noise, planted directions, singular values by plain LAPACK, apart
 * from the library's own linalg. */
#ifndef RSD_TEST_DENSE_H
#define RSD_TEST_DENSE_H

#include "mat.h"
#include "rng.h"
#include "test.h"

#include <lapacke.h>
#include <stdbool.h>

/* m x n of N(0,1) entries; free with rsd_mat_free. */
static inline rsd_mat dense_noise(size_t m, size_t n, uint64_t seed)
{
    rsd_mat A;
    rsd_rng *rng;
    CHECK_OK(rsd_mat_alloc(m, n, &A));
    CHECK_OK(rsd_rng_alloc(seed, "noise", &rng));
    rsd_rng_normals(rng, A.x, m * n);
    rsd_rng_free(rng);
    return A;
}

/* A += size u v', u and v constant in magnitude, of unit norm, with signs by the bits of key. */
static inline void dense_add_spike(rsd_mat A, double size, unsigned key)
{
    const double scale = size / sqrt((double)A.m * (double)A.n);
    for (size_t i = 0; i < A.m; i++)
        for (size_t j = 0; j < A.n; j++) {
            const bool flip = __builtin_parityll(i & key) ^ __builtin_parityll(j & key);
            A.x[i * A.ld + j] += (float)(flip ? -scale : scale);
        }
}

/* The min(m,n) singular values, nonincreasing; free() them. */
static inline double *dense_singular_values(rsd_mat A)
{
    const size_t d = A.m < A.n ? A.m : A.n;
    double *a = malloc(A.m * A.n * sizeof *a), *s = malloc(d * sizeof *s);
    assert_non_null(a);
    assert_non_null(s);
    for (size_t i = 0; i < A.m; i++)
        for (size_t j = 0; j < A.n; j++)
            a[i * A.n + j] = (double)A.x[i * A.ld + j];
    /* row-major A is column-major A', with the same singular values */
    const int info =
        LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', (int)A.n, (int)A.m, a, (int)A.n, s, NULL, 1, NULL, 1);
    assert_int_equal(info, 0);
    free(a);
    return s;
}

#endif
