#include "transformer/linear.h"

#include "par.h"

#include <assert.h>

int rsd_linear_forward(rsd_matmul *mm, const rsd_linear *l, rsd_factor x, rsd_real *y,
                       bool accumulate)
{
    return rsd_matmul_run(mm, &(rsd_product){ .A = x,
                                              .B = rsd_transpose(l->W),
                                              .alpha = 1,
                                              .beta = accumulate,
                                              .bias = l->bias,
                                              .C = y,
                                              .ldc = l->W.rows });
}

int rsd_linear_backward(rsd_matmul *mm, const rsd_linear *l, rsd_factor dy, rsd_real *dx,
                        bool accumulate)
{
    return rsd_matmul_run(
        mm, &(rsd_product){
                .A = dy, .B = l->W, .alpha = 1, .beta = accumulate, .C = dx, .ldc = l->W.cols });
}

/* Column sums, each thread its own columns: the same bits with any number of threads. */
static void add_column_sums(const rsd_factor *dy, rsd_real *db)
{
    enum { SLICE = 128 };
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t first = 0; first < dy->cols; first += SLICE) {
        const size_t count = dy->cols - first < SLICE ? dy->cols - first : SLICE;
        double sum[SLICE] = { 0 };
        for (size_t i = 0; i < dy->rows; i++)
            for (size_t j = 0; j < count; j++)
                sum[j] += (double)dy->x[i * dy->ld + first + j];
        for (size_t j = 0; j < count; j++)
            db[first + j] += (rsd_real)sum[j];
    }
}

int rsd_linear_backward_weight(rsd_matmul *mm, rsd_factor dy, rsd_factor x, rsd_real *dW,
                               rsd_real *db)
{
    assert(dy.rows == x.rows && !dy.transposed && !x.transposed && (!db || dy.x));
    if (db)
        add_column_sums(&dy, db);
    if (!dW)
        return RSD_OK;
    return rsd_matmul_run(
        mm, &(rsd_product){
                .A = rsd_transpose(dy), .B = x, .alpha = 1, .beta = 1, .C = dW, .ldc = x.cols });
}
