/* LAPACK factors M = L L' from the first row on; V V' is the same from the last, i.e. of the matrix
 * with rows and columns reversed, which in memory is the array read backwards. */
#include "linalg/triangular.h"

#include "mat.h"

#include <float.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

static void reverse(double *x, size_t count)
{
    for (size_t i = 0, j = count; i + 1 < j; i++) {
        const double t = x[i];
        x[i] = x[--j];
        x[j] = t;
    }
}

static void clear_upper(double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            x[i * n + j] = 0;
}

static int prepare(double *M, size_t n, double delta)
{
    double trace = 0;
    for (size_t i = 0; i < n * n; i++)
        if (!isfinite(M[i]))
            return RSD_FAIL(RSD_EDOM, "entry (%zu,%zu) of a second moment is %g", i / n, i % n,
                            M[i]);
    for (size_t i = 0; i < n; i++)
        trace += M[i * n + i] > 0 ? M[i * n + i] : 0;
    const double mean = trace > 0 ? trace / (double)n : 1;
    for (size_t i = 0; i < n; i++) {
        if (!(M[i * n + i] > 0)) {
            for (size_t j = 0; j < n; j++)
                M[i * n + j] = M[j * n + i] = 0;
            M[i * n + i] = mean;
        }
        M[i * n + i] += delta * mean;
    }
    return RSD_OK;
}

/* What a channel has of its own, beside those that are factored before it, is V_ii^2 of its M_ii.
 * Where that is rounding, so is all that is divided by it.  own[n]: M's diagonal. */
static int check_pivots(const double *V, size_t n, const double *own, double delta)
{
    for (size_t i = 0; i < n; i++) {
        const double pivot = V[i * (n + 1)] * V[i * (n + 1)];
        if (!(pivot > (double)n * DBL_EPSILON * own[i]))
            return RSD_FAIL(RSD_EDOM,
                            "a second moment of %zu channels is singular (pivot %zu) with damping "
                            "%g of its mean diagonal: give more, as damping=0.01",
                            n, i, delta);
    }
    return RSD_OK;
}

static int factor(double *M, size_t n, double delta)
{
    reverse(M, n * n);
    const lapack_int info = LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'L', (lapack_int)n, M, (lapack_int)n);
    if (info > 0)
        return RSD_FAIL(RSD_EDOM,
                        "a second moment of %zu channels is singular (pivot %zu) with damping %g "
                        "of its mean diagonal: give more, as damping=0.01",
                        n, n - (size_t)info, delta);
    if (info < 0)
        return RSD_FAIL(RSD_ENOMEM, "Cholesky factor of %zu channels: LAPACK says %d", n,
                        (int)info);
    clear_upper(M, n);
    reverse(M, n * n);
    return RSD_OK;
}

int rsd_upper_factor(double *M, size_t n, double delta)
{
    double *own = NULL;
    int err = RSD_OK;
    if (n > INT_MAX)
        return RSD_FAIL(RSD_EARG, "a second moment of %zu channels: more than LAPACK counts", n);
    RSD_TRY_DONE(prepare(M, n, delta));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *own, &own));
    for (size_t i = 0; i < n; i++)
        own[i] = M[i * (n + 1)];
    RSD_TRY_DONE(factor(M, n, delta));
    RSD_TRY_DONE(check_pivots(M, n, own, delta));
done:
    free(own);
    return err;
}

int rsd_upper_inverse(double *V, size_t n)
{
    const lapack_int info =
        LAPACKE_dtrtri(LAPACK_ROW_MAJOR, 'U', 'N', (lapack_int)n, V, (lapack_int)n);
    if (info)
        return RSD_FAIL(RSD_EDOM, "a triangular factor of %zu channels is singular (%d)", n,
                        (int)info);
    return RSD_OK;
}
