#include "transformer/moments.h"

#include "linalg/eigen.h"
#include "mat.h"
#include "par.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TILE = 128 }; /* rows of the triangle that one thread updates at a time */

size_t rsd_moment_bytes(size_t n)
{
    size_t count, bytes;
    if (__builtin_add_overflow(n, 2, &count) || __builtin_mul_overflow(count, n, &count) ||
        __builtin_mul_overflow(count, sizeof(double), &bytes))
        return SIZE_MAX;
    return bytes;
}

int rsd_moment_alloc(size_t n, rsd_moment *out)
{
    *out = (rsd_moment){ .n = n };
    RSD_TRY(rsd_array_alloc(n, n, sizeof(double), &out->second));
    RSD_TRY(rsd_array_alloc(n, 1, sizeof(double), &out->mean_abs));
    RSD_TRY(rsd_array_alloc(n, 1, sizeof(double), &out->max_abs));
    memset(out->second, 0, n * n * sizeof(double));
    memset(out->mean_abs, 0, n * sizeof(double));
    memset(out->max_abs, 0, n * sizeof(double));
    return RSD_OK;
}

void rsd_moment_free(rsd_moment *m)
{
    free(m->second);
    free(m->mean_abs);
    free(m->max_abs);
    *m = (rsd_moment){ 0 };
}

/* Widen a panel, and take the absolute values on the way. */
static void widen(rsd_moment *m, const rsd_real *x, size_t rows, double *panel)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t j = 0; j < m->n; j++) {
            const double v = (double)x[r * m->n + j], a = fabs(v);
            panel[r * m->n + j] = v;
            m->mean_abs[j] += a;
            m->max_abs[j] = a > m->max_abs[j] ? a : m->max_abs[j];
        }
}

/* Tiles of rows of the triangle, up to and with the diagonal's block: each is one product of a
 * single-threaded BLAS, so that the bits are the same whoever computes it.  dsyrk would save the
 * half of the diagonal blocks that is not read, a few percent, but only its own threads split it.
 */
static void add_panel(rsd_moment *m, const double *panel, size_t rows)
{
    const size_t n = m->n, tiles = (n + TILE - 1) / TILE;
#pragma omp parallel for schedule(dynamic, 1) num_threads(rsd_par_inner())
    for (size_t t = 0; t < tiles; t++) {
        const size_t at = (tiles - 1 - t) * TILE; /* the long ones first */
        const size_t height = n - at < TILE ? n - at : TILE;
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)height, (int)(at + height),
                    (int)rows, 1, panel + at, (int)n, panel, (int)n, 1, m->second + at * n, (int)n);
    }
}

void rsd_moment_add(rsd_moment *m, const rsd_real *x, size_t rows, double *work)
{
    for (size_t at = 0; at < rows; at += RSD_MOMENT_PANEL) {
        const size_t p = rows - at < RSD_MOMENT_PANEL ? rows - at : RSD_MOMENT_PANEL;
        widen(m, x + at * m->n, p, work);
        add_panel(m, work, p);
    }
    m->rows += rows;
}

int rsd_moment_finish(rsd_moment *m)
{
    const size_t n = m->n;
    const double scale = 1 / (double)m->rows;
    if (m->rows == 0)
        return RSD_FAIL(RSD_EDOM, "a moment of %zu channels without rows", n);
    for (size_t i = 0; i < n; i++)
        if (!isfinite(m->second[i * n + i])) /* any NaN or Inf of channel i is in this sum */
            return RSD_FAIL(RSD_EDOM, "channel %zu of %zu is not finite in %zu rows", i, n,
                            m->rows);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++)
            m->second[j * n + i] = m->second[i * n + j] *= scale;
        m->second[i * n + i] *= scale;
        m->mean_abs[i] *= scale;
    }
    return RSD_OK;
}

int rsd_moment_eigenvalues(rsd_moment *m, double *lambda, size_t *clamped)
{
    const size_t n = m->n;
    RSD_TRY(rsd_eigen(m->second, n, 0, lambda, NULL));
    const double least = (double)n * DBL_EPSILON * lambda[0];
    *clamped = 0;
    for (size_t i = 0; i < n; i++)
        if (lambda[i] < least) {
            lambda[i] = 0;
            ++*clamped;
        }
    return RSD_OK;
}
