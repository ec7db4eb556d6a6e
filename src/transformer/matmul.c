/* Which numbers a product takes: float32, bfloat16, or bfloat16's values in float32.  Plain
 * row-major memory is as fast as oneDNN's blocked layouts to within 5 % (it packs tiles as it
 * goes), and one bfloat16 copy of a weight then serves W x and W' dy alike: nothing is reordered
 * ahead. */
#include "transformer/matmul.h"

#include "alloc.h"
#include "mat.h"
#include "par.h"
#include "transformer/compiled.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { WORTH_ROUNDING = 64 };
static const bool in_double = sizeof(rsd_real) == sizeof(double);

typedef struct {
    void *x;
    size_t bytes;
} buffer;

struct rsd_matmul {
    rsd_precision precision;
    bool native;
    rsd_compiled *compiled;
    buffer A, B, rounded;
};

int rsd_matmul_alloc(rsd_precision precision, rsd_matmul **out)
{
    *out = NULL;
    rsd_matmul *mm;
    RSD_TRY(rsd_zeroed(1, sizeof *mm, &mm));
    mm->native = rsd_bf16_native();
    mm->precision = precision;
    if (precision == RSD_PRECISION_AUTO)
        mm->precision = mm->native ? RSD_PRECISION_BF16 : RSD_PRECISION_F32;
    if (in_double)
        mm->precision = RSD_PRECISION_F32;
    const int err = rsd_compiled_alloc(&mm->compiled);
    if (err) {
        rsd_matmul_free(mm);
        return err;
    }
    *out = mm;
    return RSD_OK;
}

void rsd_matmul_free(rsd_matmul *mm)
{
    if (!mm)
        return;
    rsd_compiled_free(mm->compiled);
    free(mm->A.x);
    free(mm->B.x);
    free(mm->rounded.x);
    free(mm);
}

rsd_precision rsd_matmul_precision(const rsd_matmul *mm) { return mm->precision; }

size_t rsd_matmul_bytes(const rsd_matmul *mm)
{
    return mm->A.bytes + mm->B.bytes + mm->rounded.bytes + rsd_compiled_bytes(mm->compiled);
}

int rsd_matmul_prepare(const rsd_matmul *mm, rsd_factor *A, rsd_half **half)
{
    *half = NULL;
    if (mm->precision != RSD_PRECISION_BF16)
        return RSD_OK;
    RSD_TRY(rsd_array_alloc(A->rows, A->cols, sizeof **half, half));
    rsd_half_round(A->x, A->ld, A->rows, A->cols, *half);
    A->half = *half;
    return RSD_OK;
}

static int grow(buffer *b, size_t rows, size_t cols, size_t size)
{
    if (b->bytes / size / (cols ? cols : 1) >= rows)
        return RSD_OK;
    free(b->x);
    *b = (buffer){ 0 };
    RSD_TRY(rsd_array_alloc(rows, cols, size, &b->x));
    b->bytes = rows * cols * size;
    return RSD_OK;
}

/* A as the product wants it: in bfloat16 (*ld = cols), or in float. */
static int as_half(const rsd_factor *A, buffer *b, const void **data, size_t *ld)
{
    *data = A->half;
    *ld = A->cols;
    if (A->half)
        return RSD_OK;
    RSD_TRY(grow(b, A->rows, A->cols, sizeof(rsd_half)));
    rsd_half_round(A->x, A->ld, A->rows, A->cols, b->x);
    *data = b->x;
    return RSD_OK;
}

static int as_real(const rsd_factor *A, buffer *b, const void **data, size_t *ld)
{
    *data = A->x;
    *ld = A->ld;
    if (A->x)
        return RSD_OK;
    RSD_TRY(grow(b, A->rows, A->cols, sizeof(rsd_real)));
    rsd_half_expand(A->half, b->x, A->rows * A->cols);
    *data = b->x;
    *ld = A->cols;
    return RSD_OK;
}

/* Without bfloat16 instructions: the rounded numbers, multiplied in float. */
static int as_rounded(rsd_matmul *mm, const rsd_factor *A, buffer *b, const void **data, size_t *ld)
{
    rsd_factor rounded = *A;
    if (!A->half) {
        RSD_TRY(grow(&mm->rounded, A->rows, A->cols, sizeof(rsd_half)));
        rsd_half_round(A->x, A->ld, A->rows, A->cols, mm->rounded.x);
        rounded.half = mm->rounded.x;
    }
    rounded.x = NULL;
    return as_real(&rounded, b, data, ld);
}

/* Does rounding what has no bfloat16 copy cost less than the product gains? */
static bool wants_half(const rsd_matmul *mm, const rsd_product *p, size_t m, size_t n, size_t k)
{
    if (mm->precision != RSD_PRECISION_BF16)
        return false;
    if (!p->A.x || !p->B.x)
        return true;
    const double unrounded =
        (p->A.half ? 0.0 : (double)m * (double)k) + (p->B.half ? 0.0 : (double)k * (double)n);
    return (double)m * (double)n * (double)k >= WORTH_ROUNDING * unrounded;
}

static int multiply_float(rsd_matmul *mm, const rsd_product *p, size_t m, size_t n, size_t k)
{
    const void *A, *B;
    size_t lda, ldb;
    const bool half = wants_half(mm, p, m, n, k);
    if (half && mm->native) {
        RSD_TRY(as_half(&p->A, &mm->A, &A, &lda));
        RSD_TRY(as_half(&p->B, &mm->B, &B, &ldb));
    } else if (half) {
        RSD_TRY(as_rounded(mm, &p->A, &mm->A, &A, &lda));
        RSD_TRY(as_rounded(mm, &p->B, &mm->B, &B, &ldb));
    } else {
        RSD_TRY(as_real(&p->A, &mm->A, &A, &lda));
        RSD_TRY(as_real(&p->B, &mm->B, &B, &ldb));
    }
    rsd_product_shape key;
    memset(&key, 0, sizeof key);
    key.m = (int64_t)m;
    key.n = (int64_t)n;
    key.k = (int64_t)k;
    key.lda = (int64_t)lda;
    key.ldb = (int64_t)ldb;
    key.ldc = (int64_t)p->ldc;
    key.alpha = (float)p->alpha;
    key.beta = (float)p->beta;
    key.transpose_A = p->A.transposed;
    key.transpose_B = p->B.transposed;
    key.half = half && mm->native;
    key.bias = p->bias != NULL;
    key.threads = rsd_par_inner();
    return rsd_compiled_run(mm->compiled, &key, A, B, p->bias, p->C);
}

static int multiply_double(rsd_matmul *mm, const rsd_product *p, size_t m, size_t n, size_t k)
{
    const void *A, *B;
    size_t lda, ldb;
    RSD_TRY(as_real(&p->A, &mm->A, &A, &lda));
    RSD_TRY(as_real(&p->B, &mm->B, &B, &ldb));
    if (!rsd_tile(p->A.transposed, p->B.transposed, m, n, k, p->alpha, A, lda, B, ldb, p->beta,
                  p->C, p->ldc))
        return RSD_FAIL(RSD_ENOMEM, "matrix product of %zu x %zu x %zu", m, k, n);
    for (size_t i = 0; i < m && p->bias; i++)
        for (size_t j = 0; j < n; j++)
            p->C[i * p->ldc + j] += p->bias[j];
    return RSD_OK;
}

/* k = 0: nothing to multiply, but C still has to become beta C + bias. */
static void multiply_nothing(const rsd_product *p, size_t m, size_t n)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            rsd_real *c = &p->C[i * p->ldc + j];
            *c = (p->beta != 0 ? p->beta * *c : 0) + (p->bias ? p->bias[j] : 0);
        }
}

int rsd_matmul_run(rsd_matmul *mm, const rsd_product *p)
{
    const size_t m = p->A.transposed ? p->A.cols : p->A.rows;
    const size_t k = p->A.transposed ? p->A.rows : p->A.cols;
    const size_t n = p->B.transposed ? p->B.rows : p->B.cols;
    assert((p->B.transposed ? p->B.cols : p->B.rows) == k);
    assert(!p->bias || p->alpha == 1);
    assert(p->ldc >= n && (p->A.x || p->A.half) && (p->B.x || p->B.half));
    if (k == 0 || m == 0 || n == 0) {
        multiply_nothing(p, m, n);
        return RSD_OK;
    }
    return in_double ? multiply_double(mm, p, m, n, k) : multiply_float(mm, p, m, n, k);
}
