#include "linalg/rounding.h"

#include "alloc.h"

#include <math.h>
#include <stdlib.h>

int rsd_rounding_of(rsd_mat A, double u, rsd_rounding *out)
{
    double *column, row = 0, sum = 0, widest = 0;
    RSD_TRY(rsd_zeroed(A.n, sizeof *column, &column));
    for (size_t i = 0; i < A.m; i++) {
        const float *a = A.x + i * A.ld;
        double squares = 0;
#pragma omp simd reduction(+ : squares)
        for (size_t j = 0; j < A.n; j++) {
            const double square = (double)a[j] * (double)a[j];
            squares += square;
            column[j] += square;
        }
        row = fmax(row, squares);
        sum += squares;
    }
    for (size_t j = 0; j < A.n; j++)
        widest = fmax(widest, column[j]);
    free(column);
    *out = (rsd_rounding){ .likely = u * (sqrt(row) + sqrt(widest)), .most = u * sqrt(sum) };
    return RSD_OK;
}

rsd_rounding rsd_rounding_larger(rsd_rounding a, rsd_rounding b)
{
    return (rsd_rounding){ fmax(a.likely, b.likely), fmax(a.most, b.most) };
}

rsd_rounding rsd_rounding_scaled(rsd_rounding a, double factor)
{
    return (rsd_rounding){ a.likely * factor, a.most * factor };
}
