#include "linalg/apply.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

/* One thread: it takes 1 % of what BLAS then does, and OpenMP's threads, which spin for a while
 * after a loop, would keep BLAS's threads from the processor. */
void rsd_widen(rsd_mat A, size_t row, size_t rows, size_t col, size_t cols, double *out)
{
    for (size_t i = 0; i < rows; i++) {
        const float *from = A.x + (row + i) * A.ld + col;
        for (size_t j = 0; j < cols; j++)
            out[i * cols + j] = from[j];
    }
}

/* Panels of rows in either case: they are contiguous.  Each gives its own rows of y = A x, and adds
 * its share to y = A' x.  To BLAS a row-major block is the transposed column-major one. */
int rsd_apply(rsd_mat A, bool transposed, const double *x, size_t k, double *y)
{
    const int m = (int)A.m, n = (int)A.n, vectors = (int)k;
    double *panel;
    RSD_TRY(rsd_array_alloc(RSD_PANEL, A.n, sizeof *panel, &panel));
    if (transposed)
        memset(y, 0, k * A.n * sizeof *y);
    for (size_t row = 0; row < A.m; row += RSD_PANEL) {
        const size_t rows = A.m - row < RSD_PANEL ? A.m - row : RSD_PANEL;
        rsd_widen(A, row, rows, 0, A.n, panel);
        if (transposed)
            cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, n, vectors, (int)rows, 1, panel,
                        n, x + row, m, 1, y, n);
        else
            cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, (int)rows, vectors, n, 1, panel, n,
                        x, n, 0, y + row, m);
    }
    free(panel);
    return RSD_OK;
}
