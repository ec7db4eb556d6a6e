#include "quantizers/float_sum.h"

#include <string.h>

enum { LANES = 8, STREAMS = 4, LEVELS = 4, WIDTH = LANES * STREAMS };

static void add(float *sum, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        sum[i] += x[i];
}

static int level_bits(size_t rounds)
{
    int bits = 0; /* of the smallest power of two >= rounds */
    while (rounds > (size_t)1 << bits)
        bits++;
    return bits / LEVELS > 4 ? bits / LEVELS : 4;
}

/* sum[0] = sums over `rounds` rows, `stride` apart, of the first `width` elements of each. */
static void add_rows(const float *x, size_t rounds, size_t stride, size_t width,
                     float sum[LEVELS][WIDTH])
{
    const int bits = level_bits(rounds);
    for (size_t i = 1; i <= rounds; i++) {
        add(sum[0], x + (i - 1) * stride, width);
        for (int j = 1; j < LEVELS && i % ((size_t)1 << j * bits) == 0; j++) {
            add(sum[j], sum[j - 1], width);
            memset(sum[j - 1], 0, width * sizeof **sum);
        }
    }
    for (int j = 1; j < LEVELS && rounds >> j * bits; j++) /* the others are 0, and sum[0] no -0 */
        add(sum[0], sum[j], width);
}

float rsd_float_sum(const float *x, size_t n)
{
    float sum[LEVELS][WIDTH] = { 0 };
    const size_t rounds = n / WIDTH;
    add_rows(x, rounds, WIDTH, WIDTH, sum);

    /* whole eights that fill no round, the four streams, the single elements, the eight lanes */
    size_t i = rounds * WIDTH;
    for (; i + LANES <= n; i += LANES)
        add(sum[0], x + i, LANES);
    for (int k = 1; k < STREAMS; k++)
        add(sum[0], sum[0] + k * LANES, LANES);
    float total = 0;
    for (; i < n; i++)
        total += x[i];
    for (int k = 0; k < LANES; k++)
        total += sum[0][k];
    return total;
}

void rsd_float_sum_columns(const float *x, size_t m, size_t n, float *total)
{
    for (size_t j = 0; j < n; j += WIDTH) {
        const size_t width = n - j < WIDTH ? n - j : WIDTH;
        float sum[LEVELS][WIDTH] = { 0 };
        add_rows(x + j, m, n, width, sum);
        memcpy(total + j, sum[0], width * sizeof *total);
    }
}
