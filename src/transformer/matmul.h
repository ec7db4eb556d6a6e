/* Matrix products of the transformer: C = alpha op(A) op(B) + beta C + bias, row-major, by oneDNN.
 *
 * bf16 rounds both factors to bfloat16 (half to even) and accumulates in float32; C, bias and
 * everything between products stay float32.  A processor without bfloat16 instructions computes
 * the same from the rounded numbers in float32, so the choice is honoured everywhere, if slowly.
 * A float32 factor that comes without its bfloat16 copy is rounded here when the product is large
 * enough to win the time back, 64 multiplications per number; smaller ones (an adapter's, of rank
 * under 64) stay in float32, whose results are no worse.
 *
 * In the double build products are OpenBLAS's dgemm and precision has no effect. */
#ifndef RSD_TRANSFORMER_MATMUL_H
#define RSD_TRANSFORMER_MATMUL_H

#include "err.h"
#include "transformer/half.h"

#include <stdbool.h>

/* In the order of the option's words, f32|bf16|auto. */
typedef enum { RSD_PRECISION_F32, RSD_PRECISION_BF16, RSD_PRECISION_AUTO } rsd_precision;

/* True where the processor multiplies bfloat16 (AVX512-BF16 or AMX): what auto asks. */
bool rsd_bf16_native(void);

/* Compiled products by shape, and the memory they work in.  Belongs to one calling thread at a
 * time; the products themselves use rsd_par_inner() threads. */
typedef struct rsd_matmul rsd_matmul;

/* Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_matmul_alloc(rsd_precision precision, rsd_matmul **out);
void rsd_matmul_free(rsd_matmul *mm);
rsd_precision rsd_matmul_precision(const rsd_matmul *mm); /* never AUTO */
size_t rsd_matmul_bytes(const rsd_matmul *mm);            /* of work memory it holds now */

/* A factor: a view, owns nothing.  One of x and half may be NULL (a frozen weight that is kept in
 * bfloat16 alone; a mm of precision f32 then multiplies the rounded numbers). */
typedef struct {
    const rsd_real *x;    /* x[i*ld + j], 0 <= i < rows, 0 <= j < cols */
    const rsd_half *half; /* half[i*cols + j]: the same in bfloat16 */
    size_t rows, cols, ld;
    bool transposed; /* op(A) is the transpose of what is stored */
} rsd_factor;

static inline rsd_factor rsd_dense(const rsd_real *x, size_t rows, size_t cols)
{
    return (rsd_factor){ .x = x, .rows = rows, .cols = cols, .ld = cols };
}

static inline rsd_factor rsd_transpose(rsd_factor A)
{
    A.transposed = !A.transposed;
    return A;
}

typedef struct {
    rsd_factor A, B;      /* op(A) is m x k, op(B) k x n */
    rsd_real alpha, beta; /* beta 0: C is written, whatever it held */
    const rsd_real *bias; /* n values added to every row, alpha being 1 then (asserted); or NULL */
    rsd_real *C;          /* m x n, overlaps nothing above */
    size_t ldc;
} rsd_product;

/* Shapes must agree (asserted); m, n, k may be 0.
 * Errors: RSD_ENOMEM, also when oneDNN refuses (the message holds its status). */
RSD_CHECK int rsd_matmul_run(rsd_matmul *mm, const rsd_product *p);

/* The bfloat16 copy of A where mm computes in bf16, for a factor of many products: *half is it, to
 * be freed with free(), and A->half too; in f32 *half is NULL.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_matmul_prepare(const rsd_matmul *mm, rsd_factor *A, rsd_half **half);

/* One tile in the number type itself, without context: C = alpha op(A) op(B) + beta C.  Inside a
 * parallel region it is single-threaded.  Errors: false, when out of memory. */
RSD_CHECK bool rsd_tile(bool transpose_A, bool transpose_B, size_t m, size_t n, size_t k,
                        rsd_real alpha, const rsd_real *A, size_t lda, const rsd_real *B,
                        size_t ldb, rsd_real beta, rsd_real *C, size_t ldc);

#endif
