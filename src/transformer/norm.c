/* RMSNorm is LayerNorm with the mean taken as 0, in both directions but for one term. */
#include "transformer/norm.h"

#include "par.h"
#include "transformer/vector.h"

#include <stdbool.h>

RSD_WIDEST static rsd_real row_sum(const rsd_real *x, size_t C)
{
    rsd_real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t c = 0; c < C; c++)
        sum += x[c];
    return sum;
}

RSD_WIDEST static rsd_real row_sumsq(const rsd_real *x, rsd_real mean, size_t C)
{
    rsd_real sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t c = 0; c < C; c++)
        sum += (x[c] - mean) * (x[c] - mean);
    return sum;
}

RSD_WIDEST static void row_scale(const rsd_norm *norm, const rsd_real *x, rsd_real mean,
                                 rsd_real rstd, rsd_real *y)
{
    const rsd_real *w = norm->w, *b = norm->b;
    const size_t C = norm->C;
    if (b) {
#pragma omp simd
        for (size_t c = 0; c < C; c++)
            y[c] = (x[c] - mean) * rstd * w[c] + b[c];
    } else {
#pragma omp simd
        for (size_t c = 0; c < C; c++)
            y[c] = (x[c] - mean) * rstd * w[c];
    }
}

static void forward(const rsd_norm *norm, const rsd_real *x, size_t M, rsd_real *y, rsd_real *mean,
                    rsd_real *rstd)
{
    const size_t C = norm->C;
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t m = 0; m < M; m++) {
        const rsd_real mu = mean ? row_sum(x + m * C, C) / (rsd_real)C : 0;
        const double var = (double)row_sumsq(x + m * C, mu, C) / (double)C;
        rstd[m] = (rsd_real)(1 / sqrt(var + norm->eps));
        if (mean)
            mean[m] = mu;
        row_scale(norm, x + m * C, mu, rstd[m], y + m * C);
    }
}

void rsd_layernorm_forward(const rsd_norm *norm, const rsd_real *x, size_t M, rsd_real *y,
                           rsd_real *mean, rsd_real *rstd)
{
    forward(norm, x, M, y, mean, rstd);
}

void rsd_rmsnorm_forward(const rsd_norm *norm, const rsd_real *x, size_t M, rsd_real *y,
                         rsd_real *rstd)
{
    forward(norm, x, M, y, NULL, rstd);
}

/* With h the normalised row and g = w dy:  dx = rstd (g - mean(g) - h mean(g h)); the second term
 * is the derivative of the mean. */
RSD_WIDEST static void row_backward(const rsd_norm *norm, const rsd_real *restrict dy,
                                    const rsd_real *restrict x, rsd_real mean, rsd_real rstd,
                                    bool centred, rsd_real *restrict dx)
{
    const rsd_real *restrict w = norm->w;
    const size_t C = norm->C;
    rsd_real g = 0, gh = 0;
#pragma omp simd reduction(+ : g, gh)
    for (size_t c = 0; c < C; c++) {
        g += w[c] * dy[c];
        gh += w[c] * dy[c] * (x[c] - mean);
    }
    g = centred ? g / (rsd_real)C : 0;
    gh = gh * rstd * rstd / (rsd_real)C;
#pragma omp simd
    for (size_t c = 0; c < C; c++)
        dx[c] += rstd * (w[c] * dy[c] - g - gh * (x[c] - mean));
}

enum { SLICE = 128 };

RSD_WIDEST static void add_weight_row(const rsd_real *restrict dy, const rsd_real *restrict x,
                                      rsd_real mean, rsd_real rstd, size_t count,
                                      double *restrict dw, double *restrict db)
{
    for (size_t c = 0; c < count; c++) {
        dw[c] += (double)(dy[c] * (x[c] - mean) * rstd);
        db[c] += (double)dy[c];
    }
}

/* Each thread its own channels, over all rows: the same bits with any number of threads. */
static void weight_backward(size_t C, const rsd_real *dy, const rsd_real *x, const rsd_real *mean,
                            const rsd_real *rstd, size_t M, rsd_real *dw, rsd_real *db)
{
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t first = 0; first < C; first += SLICE) {
        const size_t count = C - first < SLICE ? C - first : SLICE;
        double sum_w[SLICE] = { 0 }, sum_b[SLICE] = { 0 };
        for (size_t m = 0; m < M; m++)
            add_weight_row(dy + m * C + first, x + m * C + first, mean ? mean[m] : 0, rstd[m],
                           count, sum_w, sum_b);
        for (size_t c = 0; c < count && dw; c++)
            dw[first + c] += (rsd_real)sum_w[c];
        for (size_t c = 0; c < count && db; c++)
            db[first + c] += (rsd_real)sum_b[c];
    }
}

static void backward(const rsd_norm *norm, const rsd_real *dy, const rsd_real *x,
                     const rsd_real *mean, const rsd_real *rstd, size_t M, rsd_real *dx,
                     rsd_real *dw, rsd_real *db)
{
    const size_t C = norm->C;
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t m = 0; m < M; m++)
        row_backward(norm, dy + m * C, x + m * C, mean ? mean[m] : 0, rstd[m], mean != NULL,
                     dx + m * C);
    if (dw || db)
        weight_backward(C, dy, x, mean, rstd, M, dw, db);
}

void rsd_layernorm_backward(const rsd_norm *norm, const rsd_real *dy, const rsd_real *x,
                            const rsd_real *mean, const rsd_real *rstd, size_t M, rsd_real *dx,
                            rsd_real *dw, rsd_real *db)
{
    backward(norm, dy, x, mean, rstd, M, dx, dw, db);
}

void rsd_rmsnorm_backward(const rsd_norm *norm, const rsd_real *dy, const rsd_real *x,
                          const rsd_real *rstd, size_t M, rsd_real *dx, rsd_real *dw)
{
    backward(norm, dy, x, NULL, rstd, M, dx, dw, NULL);
}
