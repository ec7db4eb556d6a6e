/* oneDNN compiles a product for one shape; compiled ones are kept in a table with one place per
 * hash, so that it is bounded and a lookup is one comparison.  Plain row-major memory is as fast
 * as oneDNN's blocked layouts to within 5 % (it packs tiles as it goes), and one bfloat16 copy of
 * a weight then serves W x and W' dy alike: nothing is reordered ahead. */
#include "transformer/matmul.h"

#include "mat.h"
#include "par.h"
#include "transformer/vector.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <oneapi/dnnl/dnnl.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 256, WORTH_ROUNDING = 64 };
static const bool in_double = sizeof(rsd_real) == sizeof(double);

/* Everything that a compiled product depends on; all bytes defined, compared as bytes. */
typedef struct {
    dnnl_dims_t size;         /* m, n, k */
    dnnl_dim_t lda, ldb, ldc;
    float alpha, beta;
    int32_t transpose_A, transpose_B, half, bias, threads, pad;
} shape;

typedef struct {
    shape key;
    dnnl_primitive_t primitive; /* NULL: empty place */
    dnnl_memory_t A, B, C, bias, scratch;
    size_t scratch_bytes;
} compiled;

typedef struct {
    void *x;
    size_t bytes;
} buffer;

struct rsd_matmul {
    rsd_precision precision;
    bool native;
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    buffer A, B, expanded, scratch;
    compiled places[PLACES];
};

bool rsd_bf16_native(void)
{
    const unsigned isa = (unsigned)dnnl_get_effective_cpu_isa();
    return (isa & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

static int failed(const char *what, dnnl_status_t status)
{
    return RSD_FAIL(RSD_ENOMEM, "matrix product: oneDNN: %s: status %d%s", what, (int)status,
                    status == dnnl_out_of_memory ? " (out of memory)" : "");
}

int rsd_matmul_alloc(rsd_precision precision, rsd_matmul **out)
{
    int err = RSD_OK;
    rsd_matmul *mm = calloc(1, sizeof *mm);
    *out = NULL;
    if (!mm)
        return RSD_FAIL(RSD_ENOMEM, "matrix products: %zu bytes", sizeof *mm);
    mm->native = rsd_bf16_native();
    mm->precision = precision != RSD_PRECISION_AUTO ? precision : mm->native ? RSD_PRECISION_BF16 : RSD_PRECISION_F32;
    if (in_double)
        mm->precision = RSD_PRECISION_F32;
    dnnl_status_t status = dnnl_engine_create(&mm->engine, dnnl_cpu, 0);
    if (!status)
        status = dnnl_stream_create(&mm->stream, mm->engine, dnnl_stream_default_flags);
    if (status) {
        err = failed("engine", status);
        rsd_matmul_free(mm);
        return err;
    }
    *out = mm;
    return RSD_OK;
}

static void forget(compiled *c)
{
    dnnl_memory_t memories[] = { c->A, c->B, c->C, c->bias, c->scratch };
    for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    if (c->primitive)
        dnnl_primitive_destroy(c->primitive);
    memset(c, 0, sizeof *c);
}

void rsd_matmul_free(rsd_matmul *mm)
{
    if (!mm)
        return;
    for (size_t i = 0; i < PLACES; i++)
        forget(&mm->places[i]);
    if (mm->stream)
        dnnl_stream_destroy(mm->stream);
    if (mm->engine)
        dnnl_engine_destroy(mm->engine);
    free(mm->A.x);
    free(mm->B.x);
    free(mm->expanded.x);
    free(mm->scratch.x);
    free(mm);
}

rsd_precision rsd_matmul_precision(const rsd_matmul *mm) { return mm->precision; }

size_t rsd_matmul_bytes(const rsd_matmul *mm)
{
    return mm->A.bytes + mm->B.bytes + mm->expanded.bytes + mm->scratch.bytes;
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

/* ---- bfloat16 ---- */

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

/* ---- one product ---- */

static size_t hash(const shape *key)
{
    const unsigned char *byte = (const unsigned char *)key;
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < sizeof *key; i++)
        h = (h ^ byte[i]) * 1099511628211u;
    return (size_t)(h >> 32) % PLACES;
}

static void describe(dnnl_memory_desc_t *md, size_t rows, size_t cols, bool transposed, size_t ld,
                     dnnl_data_type_t type, dnnl_status_t *status)
{
    const dnnl_dims_t dims = { (dnnl_dim_t)rows, (dnnl_dim_t)cols };
    const dnnl_dims_t strides = { transposed ? 1 : (dnnl_dim_t)ld, transposed ? (dnnl_dim_t)ld : 1 };
    if (!*status)
        *status = dnnl_memory_desc_init_by_strides(md, 2, dims, type, strides);
}

/* alpha is an output scale and beta the scale of a sum: oneDNN's own order of operations. */
static dnnl_status_t attributes(const shape *key, dnnl_primitive_attr_t *attr)
{
    dnnl_post_ops_t sum = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (!status)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (!status && key->alpha != 1)
        status = dnnl_primitive_attr_set_output_scales(*attr, 1, 0, &key->alpha);
    if (!status && key->beta != 0) {
        status = dnnl_post_ops_create(&sum);
        if (!status)
            status = dnnl_post_ops_append_sum(sum, key->beta);
        if (!status)
            status = dnnl_primitive_attr_set_post_ops(*attr, sum);
        if (sum)
            dnnl_post_ops_destroy(sum);
    }
    return status;
}

static dnnl_status_t compile(rsd_matmul *mm, compiled *c)
{
    const shape *key = &c->key;
    const dnnl_data_type_t type = key->half ? dnnl_bf16 : dnnl_f32;
    const size_t m = (size_t)key->size[0], n = (size_t)key->size[1], k = (size_t)key->size[2];
    dnnl_memory_desc_t A, B, C, bias;
    dnnl_matmul_desc_t op;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t s = dnnl_success;
    describe(&A, m, k, key->transpose_A, (size_t)key->lda, type, &s);
    describe(&B, k, n, key->transpose_B, (size_t)key->ldb, type, &s);
    describe(&C, m, n, false, (size_t)key->ldc, dnnl_f32, &s);
    describe(&bias, 1, n, false, n, dnnl_f32, &s);
    if (!s)
        s = dnnl_matmul_desc_init(&op, &A, &B, key->bias ? &bias : NULL, &C);
    if (!s)
        s = attributes(key, &attr);
    if (!s)
        s = dnnl_primitive_desc_create(&pd, &op, attr, mm->engine, NULL);
    if (!s)
        s = dnnl_primitive_create(&c->primitive, pd);
    if (!s) {
        const dnnl_memory_desc_t *scratch =
            dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
        c->scratch_bytes = dnnl_memory_desc_get_size(scratch);
        s = dnnl_memory_create(&c->scratch, scratch, mm->engine, DNNL_MEMORY_NONE);
    }
    const dnnl_memory_desc_t *descs[] = { &A, &B, &C, &bias };
    dnnl_memory_t *memories[] = { &c->A, &c->B, &c->C, &c->bias };
    for (int i = 0; i < 4 && !s; i++)
        s = dnnl_memory_create(memories[i], descs[i], mm->engine, DNNL_MEMORY_NONE);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return s;
}

static dnnl_status_t execute(rsd_matmul *mm, compiled *c, const void *A, const void *B,
                             const rsd_product *p)
{
    dnnl_status_t s = dnnl_memory_set_data_handle(c->A, (void *)A);
    if (!s)
        s = dnnl_memory_set_data_handle(c->B, (void *)B);
    if (!s)
        s = dnnl_memory_set_data_handle(c->C, p->C);
    if (!s)
        s = dnnl_memory_set_data_handle(c->bias, (void *)p->bias);
    if (!s)
        s = dnnl_memory_set_data_handle(c->scratch, mm->scratch.x);
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, c->A },
                                     { DNNL_ARG_WEIGHTS, c->B },
                                     { DNNL_ARG_DST, c->C },
                                     { DNNL_ARG_SCRATCHPAD, c->scratch },
                                     { DNNL_ARG_BIAS, c->bias } };
    if (!s)
        s = dnnl_primitive_execute(c->primitive, mm->stream, p->bias ? 5 : 4, args);
    return s ? s : dnnl_stream_wait(mm->stream);
}

/* A product is compiled for a number of threads, and must run with as many: oneDNN takes it from
 * OpenMP, whose setting is the calling thread's own. */
static int run_compiled(rsd_matmul *mm, const shape *key, const void *A, const void *B,
                        const rsd_product *p)
{
    int err = RSD_OK;
    compiled *c = &mm->places[hash(key)];
    const int threads = omp_get_max_threads();
    omp_set_num_threads(key->threads);
    dnnl_status_t status = dnnl_success;
    if (!c->primitive || memcmp(&c->key, key, sizeof *key)) {
        forget(c);
        c->key = *key;
        status = compile(mm, c);
    }
    if (status) {
        forget(c);
        err = failed("compile", status);
        goto done;
    }
    RSD_TRY_DONE(grow(&mm->scratch, c->scratch_bytes, 1, 1));
    status = execute(mm, c, A, B, p);
    if (status)
        err = failed("execute", status);
done:
    omp_set_num_threads(threads);
    return err;
}

/* ---- factors ---- */

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
static int as_rounded(rsd_matmul *mm, const rsd_factor *A, buffer *b, const void **data,
                      size_t *ld)
{
    rsd_factor rounded = *A;
    if (!A->half) {
        RSD_TRY(grow(&mm->expanded, A->rows, A->cols, sizeof(rsd_half)));
        rsd_half_round(A->x, A->ld, A->rows, A->cols, mm->expanded.x);
        rounded.half = mm->expanded.x;
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
    const double unrounded = (p->A.half ? 0.0 : (double)m * (double)k) +
                             (p->B.half ? 0.0 : (double)k * (double)n);
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
    shape key;
    memset(&key, 0, sizeof key);
    key.size[0] = (dnnl_dim_t)m;
    key.size[1] = (dnnl_dim_t)n;
    key.size[2] = (dnnl_dim_t)k;
    key.lda = (dnnl_dim_t)lda;
    key.ldb = (dnnl_dim_t)ldb;
    key.ldc = (dnnl_dim_t)p->ldc;
    key.alpha = (float)p->alpha;
    key.beta = (float)p->beta;
    key.transpose_A = p->A.transposed;
    key.transpose_B = p->B.transposed;
    key.half = half && mm->native;
    key.bias = p->bias != NULL;
    key.threads = rsd_par_inner();
    return run_compiled(mm, &key, A, B, p);
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

static CBLAS_TRANSPOSE blas_op(bool transposed) { return transposed ? CblasTrans : CblasNoTrans; }

bool rsd_tile(bool transpose_A, bool transpose_B, size_t m, size_t n, size_t k, rsd_real alpha,
              const rsd_real *A, size_t lda, const rsd_real *B, size_t ldb, rsd_real beta,
              rsd_real *C, size_t ldc)
{
    const void *a = A, *b = B; /* the branch not taken sees the other type */
    void *c = C;
    assert(m <= INT_MAX && n <= INT_MAX && k <= INT_MAX);
    assert(lda <= INT_MAX && ldb <= INT_MAX && ldc <= INT_MAX);
    if (in_double) {
        cblas_dgemm(CblasRowMajor, blas_op(transpose_A), blas_op(transpose_B), (int)m, (int)n,
                    (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
        return true;
    }
    return dnnl_sgemm(transpose_A ? 'T' : 'N', transpose_B ? 'T' : 'N', (dnnl_dim_t)m,
                      (dnnl_dim_t)n, (dnnl_dim_t)k, (float)alpha, a, (dnnl_dim_t)lda, b,
                      (dnnl_dim_t)ldb, (float)beta, c, (dnnl_dim_t)ldc) == dnnl_success;
}
