#include "transformer/embedding.h"

#include "par.h"
#include "transformer/vector.h"

static int check(const rsd_embedding *e, const int32_t *token, size_t B, size_t T, size_t start)
{
    if (e->P && (start > e->positions || T > e->positions - start))
        return RSD_FAIL(RSD_EARG, "embedding: positions %zu to %zu of %zu", start, start + T,
                        e->positions);
    for (size_t m = 0; m < B * T; m++)
        if (token[m] < 0 || (size_t)token[m] >= e->V)
            return RSD_FAIL(RSD_EDOM, "token %zu is %ld, outside the vocabulary of %zu", m,
                            (long)token[m], e->V);
    return RSD_OK;
}

RSD_WIDEST static void add_row(const rsd_real *restrict x, rsd_real *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] += x[i];
}

int rsd_embedding_forward(const rsd_embedding *e, const int32_t *token, size_t B, size_t T,
                          size_t start, rsd_real *y)
{
    const size_t C = e->C;
    RSD_TRY(check(e, token, B, T, start));
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t m = 0; m < B * T; m++) {
        memcpy(y + m * C, e->E + (size_t)token[m] * C, C * sizeof *y);
        if (e->P)
            add_row(e->P + (start + m % T) * C, y + m * C, C);
    }
    return RSD_OK;
}

/* Tokens repeat, so threads share out the channels, not the rows: no race, and the same bits with
 * any number of threads. */
void rsd_embedding_backward(const rsd_embedding *e, const int32_t *token, size_t B, size_t T,
                            size_t start, const rsd_real *dy, rsd_real *dE, rsd_real *dP)
{
    enum { SLICE = 64 };
    const size_t C = e->C;
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t first = 0; first < C; first += SLICE) {
        const size_t count = C - first < SLICE ? C - first : SLICE;
        for (size_t m = 0; m < B * T; m++) {
            if (dE)
                add_row(dy + m * C + first, dE + (size_t)token[m] * C + first, count);
            if (dP)
                add_row(dy + m * C + first, dP + (start + m % T) * C + first, count);
        }
    }
}
