#include "linalg/apply.h"

#include "par.h"

#include <cblas.h>
#include <pthread.h>
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

/* --- in float32 ---
 *
 * A BLAS copies A into an order that suits its kernel, which pays for a hundred vectors and not for
 * sixteen.  Here A is read once, in its own order, ROWS rows side by side, and an entry meets a
 * vector register (or two, or four) that holds its factor in all 16 vectors.  Products are added up
 * in float32 over at most 256 entries, then in double.  A product and a sum rather than their
 * fusion, so that each clone gives the same bits; memory is what limits the rate either way. */

#if defined(__x86_64__) && defined(__GLIBC__)
#define WIDEST __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDEST
#endif

typedef float lanes __attribute__((vector_size(RSD_LANES * sizeof(float))));
enum { ROWS = 8, SHORT = 256 };

/* y[r] = sum_j a[r][j] x[j] for ROWS rows of n entries. */
WIDEST static void rows_times(const float *const a[ROWS], size_t n, const lanes *x,
                              double y[ROWS][RSD_LANES])
{
    memset(y, 0, ROWS * sizeof *y);
    for (size_t at = 0; at < n; at += SHORT) {
        const size_t end = n - at < SHORT ? n : at + SHORT;
        lanes sum[ROWS];
        memset(sum, 0, sizeof sum);
        for (size_t j = at; j < end; j++)
            for (size_t r = 0; r < ROWS; r++)
                sum[r] += a[r][j] * x[j];
        for (size_t r = 0; r < ROWS; r++)
            for (size_t l = 0; l < RSD_LANES; l++)
                y[r][l] += sum[r][l];
    }
}

/* z[j] += sum_r a[r][j] x[r] for ROWS rows of n entries. */
WIDEST static void add_rows(const float *const a[ROWS], size_t n, const lanes x[ROWS], lanes *z)
{
    lanes factor[ROWS];
    memcpy(factor, x, sizeof factor);
    for (size_t j = 0; j < n; j++) {
        lanes sum = z[j];
        for (size_t r = 0; r < ROWS; r++)
            sum += a[r][j] * factor[r];
        z[j] = sum;
    }
}

/* What one thread does: a range of y's entries, so that threads share nothing and no sum depends on
 * how many there are. */
typedef struct {
    rsd_mat A;
    const lanes *x; /* [m or n, rounded up to ROWS] */
    lanes *z;       /* [n] */
    double *y;      /* [vectors][m or n] */
    size_t vectors, from, to;
    pthread_t thread;
} part;

/* ROWS rows from `row` on; where there are fewer, the last again. */
static void point_at(rsd_mat A, size_t row, size_t col, const float *a[ROWS])
{
    for (size_t r = 0; r < ROWS; r++)
        a[r] = A.x + (row + r < A.m ? row + r : A.m - 1) * A.ld + col;
}

static void *some_rows(void *argument)
{
    const part *p = argument;
    const float *a[ROWS];
    double y[ROWS][RSD_LANES];
    for (size_t row = p->from; row < p->to; row += ROWS) {
        point_at(p->A, row, 0, a);
        rows_times(a, p->A.n, p->x, y);
        for (size_t l = 0; l < p->vectors; l++)
            for (size_t r = 0; r < ROWS && row + r < p->to; r++)
                p->y[l * p->A.m + row + r] = y[r][l];
    }
    return NULL;
}

static void *some_columns(void *argument)
{
    const part *p = argument;
    const size_t n = p->A.n, width = p->to - p->from;
    const float *a[ROWS];
    for (size_t l = 0; l < p->vectors; l++)
        memset(p->y + l * n + p->from, 0, width * sizeof *p->y);
    for (size_t at = 0; at < p->A.m; at += SHORT) {
        memset(p->z + p->from, 0, width * sizeof *p->z);
        for (size_t row = at; row < p->A.m && row < at + SHORT; row += ROWS) {
            point_at(p->A, row, p->from, a);
            add_rows(a, width, p->x + row, p->z + p->from);
        }
        for (size_t l = 0; l < p->vectors; l++)
            for (size_t j = p->from; j < p->to; j++)
                p->y[l * n + j] += p->z[j][l];
    }
    return NULL;
}

/* Plain threads, gone when the product is done: those of OpenMP would spin on, as above.  One that
 * cannot be had is done without. */
static void run_parts(part whole, size_t length, void *(*work)(void *))
{
    enum { MOST = 64, GRAIN = 16 };
    part parts[MOST];
    bool started[MOST] = { false };
    const size_t grains = (length + GRAIN - 1) / GRAIN, inner = (size_t)rsd_par_inner();
    size_t count = inner < MOST ? inner : MOST;
    if (count > grains)
        count = grains;
    for (size_t i = count; i-- > 0;) {
        const size_t end = (i + 1) * grains / count * GRAIN;
        parts[i] = whole;
        parts[i].from = i * grains / count * GRAIN;
        parts[i].to = end < length ? end : length;
        started[i] = i && !pthread_create(&parts[i].thread, NULL, work, &parts[i]);
        if (!started[i])
            work(&parts[i]);
    }
    for (size_t i = 1; i < count; i++)
        if (started[i])
            pthread_join(parts[i].thread, NULL);
}

int rsd_apply_single(rsd_mat A, bool transposed, const double *x, size_t k, double *y)
{
    const size_t in = transposed ? A.m : A.n, out = transposed ? A.n : A.m;
    const size_t padded = (in + ROWS - 1) / ROWS * ROWS;
    lanes *memory;
    RSD_TRY(rsd_array_alloc(padded + (transposed ? A.n : 0), 1, sizeof *memory, &memory));
    for (size_t at = 0; at < k; at += RSD_LANES) {
        const size_t vectors = k - at < RSD_LANES ? k - at : RSD_LANES;
        memset(memory, 0, padded * sizeof *memory);
        for (size_t l = 0; l < vectors; l++)
            for (size_t i = 0; i < in; i++)
                memory[i][l] = (float)x[(at + l) * in + i];
        const part whole = {
            .A = A,
            .x = memory,
            .z = memory + padded,
            .y = y + at * out,
            .vectors = vectors,
        };
        run_parts(whole, out, transposed ? some_columns : some_rows);
    }
    free(memory);
    return RSD_OK;
}
