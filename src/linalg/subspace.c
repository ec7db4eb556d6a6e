#include "linalg/subspace.h"

#include "mat.h"

#include <assert.h>
#include <cblas.h>
#include <lapacke.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Singular values of U V', an i x j matrix.  A cosine within rounding of 1 says nothing about the
 * angle below 1e-8: whoever needs that takes sines. */
int rsd_principal_cosines(const double *u, size_t i, const double *v, size_t j, size_t d,
                          double *cosines)
{
    if (i == 0 || j == 0 || i > d || j > d || d > INT_MAX)
        return RSD_FAIL(RSD_EARG, "no angles between %zu and %zu vectors of length %zu", i, j, d);

    int err = RSD_OK;
    const lapack_int rows = (lapack_int)i, cols = (lapack_int)j;
    const size_t count = i < j ? i : j;
    double *product = NULL, *work = NULL;
    RSD_TRY_DONE(rsd_array_alloc(i, j, sizeof *product, &product));
    RSD_TRY_DONE(rsd_array_alloc(i + j, 64, sizeof *work, &work));
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, rows, cols, (int)d, 1, u, (int)d, v,
                (int)d, 0, product, rows);
    const lapack_int info =
        LAPACKE_dgesvd_work(LAPACK_COL_MAJOR, 'N', 'N', rows, cols, product, rows, cosines, NULL, 1,
                            NULL, 1, work, (lapack_int)(64 * (i + j)));
    assert(info >= 0);
    if (info)
        err = RSD_FAIL(RSD_ECONV, "svd of a %zu x %zu matrix", i, j);
    for (size_t k = 0; !err && k < count; k++)
        cosines[k] = fmin(cosines[k], 1);
done:
    free(product);
    free(work);
    return err;
}

double rsd_overlap(const double *cosines, size_t i, size_t j)
{
    const size_t count = i < j ? i : j;
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += cosines[k] * cosines[k];
    return sum / (double)count;
}

double rsd_overlap_random(size_t i, size_t j, size_t d)
{
    return (double)(i > j ? i : j) / (double)d;
}
