#include "transformer/half.h"

#include "par.h"
#include "transformer/vector.h"

RSD_WIDEST static void round_row(const rsd_real *restrict x, size_t n, rsd_half *restrict half)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t u = (uint32_t)vector_bits((float)x[i]);
        const uint32_t even = (u + 0x7fffu + (u >> 16 & 1u)) >> 16;
        const uint32_t quiet = u >> 16 | 0x40u;
        half[i] = (uint16_t)((u & 0x7fffffffu) > 0x7f800000u ? quiet : even);
    }
}

RSD_WIDEST static void expand_row(const rsd_half *restrict half, size_t n, rsd_real *restrict x)
{
    for (size_t i = 0; i < n; i++) {
        const uint32_t u = (uint32_t)half[i] << 16;
        float f;
        memcpy(&f, &u, sizeof f);
        x[i] = (rsd_real)f;
    }
}

void rsd_half_round(const rsd_real *x, size_t ld, size_t rows, size_t cols, rsd_half *half)
{
    if (ld == cols) { /* one long row: few long pieces instead of many short ones */
        const size_t n = rows * cols;
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
        for (size_t i = 0; i < n; i += RSD_CHUNK)
            round_row(x + i, n - i < RSD_CHUNK ? n - i : RSD_CHUNK, half + i);
        return;
    }
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t i = 0; i < rows; i++)
        round_row(x + i * ld, cols, half + i * cols);
}

void rsd_half_expand(const rsd_half *half, rsd_real *x, size_t n)
{
#pragma omp parallel for schedule(static) num_threads(rsd_par_inner())
    for (size_t i = 0; i < n; i += RSD_CHUNK)
        expand_row(half + i, n - i < RSD_CHUNK ? n - i : RSD_CHUNK, x + i);
}
