#include "linalg/eigen.h"

#include "linalg/tridiag.h"
#include "mat.h"

#include <assert.h>
#include <lapacke.h>
#include <stdlib.h>
#include <string.h>

enum {
    BLOCK = 32
}; /* of dsytrd and dormtr: 20 to 32 measure the same, below and above is slower */

typedef struct {
    double *diag, *off, *tau; /* tau: with A, the reflectors */
    double *work;             /* n * BLOCK */
} reduced;

/* The k largest of the tridiagonal matrix, in falling order.  dstemr counts from below, spoils
 * diag and off, and wants room for one value more than asked.  It bisects for a range of indices,
 * also for one that is all of them, which takes a third of the whole. */
static int tridiag_vectors(reduced *t, size_t n, size_t k, double *x)
{
    int err = RSD_OK;
    lapack_int *integers = NULL, found = 0, accurate = 1;
    double *lambda = NULL;
    RSD_TRY_DONE(rsd_array_alloc(n, 12, sizeof *integers, &integers));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *lambda, &lambda));
    const lapack_int N = (lapack_int)n, first = (lapack_int)(n - k) + 1;
    const lapack_int info =
        LAPACKE_dstemr_work(LAPACK_COL_MAJOR, 'V', k < n ? 'I' : 'A', N, t->diag, t->off, 0, 0,
                            first, N, &found, lambda, x, N, (lapack_int)k, integers, &accurate,
                            t->work, 18 * N, integers + 2 * n, 10 * N);
    assert(info >= 0);
    if (info > 0 || found != (lapack_int)k)
        err = RSD_FAIL(RSD_ECONV, "%zu eigenvectors of order %zu: LAPACK's dstemr answers %d", k, n,
                       (int)info);
    for (size_t i = 0; !err && i < k / 2; i++)
        for (size_t j = 0; j < n; j++) {
            const double swap = x[i * n + j];
            x[i * n + j] = x[(k - 1 - i) * n + j];
            x[(k - 1 - i) * n + j] = swap;
        }
done:
    free(integers);
    free(lambda);
    return err;
}

int rsd_eigen(double *A, size_t n, size_t k, double *lambda, double *x)
{
    int err = RSD_OK;
    const lapack_int N = (lapack_int)n;
    double *memory;
    RSD_TRY(rsd_array_alloc(n, 3 + BLOCK, sizeof *memory, &memory));
    reduced t = { memory, memory + n, memory + 2 * n, memory + 3 * n };
    lapack_int info = LAPACKE_dsytrd_work(LAPACK_COL_MAJOR, 'L', N, A, N, t.diag, t.off, t.tau,
                                          t.work, N * BLOCK);
    assert(info == 0);
    RSD_TRY_DONE(rsd_tridiag_eigenvalues(n, t.diag, t.off, lambda));
    if (k) {
        RSD_TRY_DONE(tridiag_vectors(&t, n, k, x));
        info = LAPACKE_dormtr_work(LAPACK_COL_MAJOR, 'L', 'L', 'N', N, (lapack_int)k, A, N, t.tau,
                                   x, N, t.work, N * BLOCK);
        assert(info == 0);
    }
done:
    free(memory);
    return err;
}
