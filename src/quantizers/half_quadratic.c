#include "quantizers/half_quadratic.h"

#include "quantizers/blocks.h"
#include "quantizers/float_sum.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Half-quadratic quantization: w ~ (q - z) / s on evenly spaced levels with a real-valued zero z,
 * which is moved so that the error is sparse instead of small: alternate E = shrink(W - Wq), what
 * is taken for outliers under |.|^0.7, and z = the group's mean of q - (W - E) s.
 *
 *   none    s and z from the group's range
 *   legacy  up to 20 rounds with beta 10, until the mean |W - Wq| of the matrix does not fall;
 *           keeps the last z, also of the round that failed
 *   v2      the same with beta growing by 1 % a round; keeps the best z
 *   slow    100 such rounds, no stop
 *
 * The shrinkage is 0 for |error| below about .17, so for weights of usual size E = 0.  A group
 * whose range is 1e-4 or less gets the scale 1 and, by any solver, its mean. */

void rsd_hq_layout(size_t n, size_t group, bool by_rows, int bits, rsd_hq *t)
{
    group = group < n ? group : n;
    *t = (rsd_hq){ .n = n, .by_rows = by_rows };
    t->columns = by_rows ? group : n / group + (n % group != 0);
    t->rows = n / t->columns + (n % t->columns != 0);
    t->groups = by_rows ? t->rows : t->columns;
    t->size = t->rows * t->columns;
    t->top = (float)((1 << bits) - 1);
}

static size_t row_length(const rsd_hq *t, size_t r)
{
    return r + 1 < t->rows ? t->columns : t->n - r * t->columns;
}

static size_t group_length(const rsd_hq *t, size_t g)
{
    return t->by_rows ? row_length(t, g) : t->rows - (g >= row_length(t, t->rows - 1));
}

int rsd_hq_alloc(rsd_mat W, rsd_hq *t)
{
    RSD_TRY(rsd_array_alloc(t->size, 1, sizeof(float), &t->x));
    RSD_TRY(rsd_array_alloc(t->size, 1, sizeof(float), &t->move));
    RSD_TRY(rsd_array_alloc(t->groups, 1, sizeof(float), &t->scale));
    RSD_TRY(rsd_array_alloc(t->groups, 1, sizeof(float), &t->zero));
    memset(t->x + t->n, 0, (t->size - t->n) * sizeof(float));
    memset(t->move + t->n, 0, (t->size - t->n) * sizeof(float));
    rsd_mat_copy(W, (rsd_mat){ t->x, W.m, W.n, W.n });
    return RSD_OK;
}

void rsd_hq_free(rsd_hq *t)
{
    free(t->x);
    free(t->move);
    free(t->scale);
    free(t->zero);
}

/* Scale and zero of a group's range; the limits are upstream's, and so is the product with a
 * rounded reciprocal. */
static void start_group(const rsd_hq *t, float low, float high, float *scale, float *zero)
{
    const float range = high - low;
    float s = isfinite(range) ? 1 / range * t->top : t->top / 2 / (high / 2 - low / 2);
    if (range <= 1e-4f)
        s = 1;
    *scale = s < 2e4f ? s : 2e4f;
    *zero = -low * *scale;
}

/* zero[] and scale[] hold the groups' least and largest weights before their own values. */
static void start(rsd_hq *t)
{
    for (size_t g = 0; g < t->groups; g++)
        t->zero[g] = FLT_MAX, t->scale[g] = -FLT_MAX;
    for (size_t r = 0; r < t->rows; r++)
        for (size_t c = 0; c < row_length(t, r); c++) {
            const size_t g = rsd_hq_group(t, r, c);
            const float x = t->x[r * t->columns + c];
            t->zero[g] = x < t->zero[g] ? x : t->zero[g];
            t->scale[g] = x > t->scale[g] ? x : t->scale[g];
        }
    for (size_t g = 0; g < t->groups; g++)
        start_group(t, t->zero[g], t->scale[g], &t->scale[g], &t->zero[g]);
}

/* Nearest code, halves to even: clamped first, the sum has no room for a fraction. */
static inline float code_of(float top, float x, float scale, float zero)
{
    float q = x * scale + zero;
    q = q < 0 ? 0 : q;
    q = q > top ? top : q;
    return (q + 0x1p23f) - 0x1p23f;
}

/* What is taken for outliers of error[n]: sign(e) max(|e| - |e|^(p-1)/beta, 0), p = 0.7, in place.
 * It is 0 for certain while |e| is below `from`, in most models everywhere. */
static void shrink(float *error, size_t n, float inverse_beta, float from)
{
    if (rsd_absmax(error, n) < from) {
        memset(error, 0, n * sizeof *error);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const float size = fabsf(error[i]);
        const float left = size < from ? 0 : size - inverse_beta * powf(size, -0.3f);
        error[i] = left > 0 ? copysignf(left, error[i]) : 0;
    }
}

/* Codes and errors of a run of weights; scale and zero lie `step` apart, 0 or 1, and the loop is
 * compiled for either.  One choice a statement, or it would not become vector instructions. */
static inline void errors(float top, const float *restrict x, size_t n, const float *restrict scale,
                          const float *restrict zero, size_t step, float *restrict code,
                          float *restrict error)
{
    for (size_t i = 0; i < n; i++) {
        const float s = scale[i * step], z = zero[i * step];
        const float q = code_of(top, x[i], s, z);
        float w = (q - z) / s;
        w = w > FLT_MAX ? FLT_MAX : w;
        w = w < -FLT_MAX ? -FLT_MAX : w;
        code[i] = q;
        error[i] = x[i] - w;
    }
}

static double sum_abs(const float *x, size_t n)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t i = 0; i < n; i++)
        sum += (double)fabsf(x[i]);
    return sum;
}

/* One round: what the new zeros are means of; returns the mean |W - Wq| of the old ones. */
static float measure(rsd_hq *t, double beta)
{
    enum { RUN = 1024 };
    const float inverse = (float)(1 / beta), from = 0.999f * powf(inverse, 1 / 1.3f);
    float code[RUN], error[RUN];
    double sum = 0;
    for (size_t r = 0; r < t->rows; r++)
        for (size_t c = 0; c < row_length(t, r); c += RUN) {
            const size_t left = row_length(t, r) - c, n = left < RUN ? left : RUN;
            const size_t g = rsd_hq_group(t, r, c), step = !t->by_rows;
            const float *x = t->x + r * t->columns + c, *scale = t->scale + g;
            float *move = t->move + r * t->columns + c;
            if (step)
                errors(t->top, x, n, scale, t->zero + g, 1, code, error);
            else
                errors(t->top, x, n, scale, t->zero + g, 0, code, error);
            sum += sum_abs(error, n);
            shrink(error, n, inverse, from);
            for (size_t i = 0; i < n; i++)
                move[i] = code[i] - (x[i] - error[i]) * scale[i * step];
        }
    return (float)(sum / (double)t->n);
}

static void move_zeros(rsd_hq *t)
{
    if (!t->by_rows)
        rsd_float_sum_columns(t->move, t->rows, t->columns, t->zero);
    for (size_t g = 0; g < t->groups; g++) {
        const size_t length = group_length(t, g);
        if (t->by_rows)
            t->zero[g] = rsd_float_sum(t->move + g * t->columns, length);
        t->zero[g] /= (float)length;
    }
}

int rsd_hq_solve(rsd_hq *t, rsd_hq_solver solver)
{
    start(t);
    if (solver == RSD_HQ_NONE)
        return RSD_OK;
    const bool grow = solver != RSD_HQ_LEGACY, stop = solver != RSD_HQ_SLOW;
    float least = solver == RSD_HQ_LEGACY ? 1e4f : INFINITY, *best = NULL;
    double beta = 10;
    RSD_TRY(rsd_array_alloc(t->groups, 1, sizeof *best, &best));
    memcpy(best, t->zero, t->groups * sizeof *best);
    for (int round = 0; round < (stop ? 20 : 100); round++) {
        const float error = measure(t, beta);
        move_zeros(t);
        beta *= grow ? 1.01 : 1;
        if (error < least) {
            least = error;
            memcpy(best, t->zero, t->groups * sizeof *best);
        } else if (stop) {
            break;
        }
    }
    if (solver == RSD_HQ_V2)
        memcpy(t->zero, best, t->groups * sizeof *best);
    free(best);
    return RSD_OK;
}

void rsd_hq_encode(const rsd_hq *t, uint8_t *codes)
{
    memset(codes + t->n, 0, t->size - t->n);
    for (size_t r = 0; r < t->rows; r++)
        for (size_t c = 0; c < row_length(t, r); c++) {
            const size_t at = r * t->columns + c, g = rsd_hq_group(t, r, c);
            codes[at] = (uint8_t)(int)code_of(t->top, t->x[at], t->scale[g], t->zero[g]);
        }
}
