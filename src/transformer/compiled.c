/* All that sees oneDNN.  alpha is an output scale and beta the scale of a sum, in oneDNN's own
 * order of operations; work memory is ours, one block that fits the largest product, for oneDNN
 * would otherwise keep one for each. */
#include "transformer/compiled.h"

#include "alloc.h"
#include "mat.h"
#include "transformer/matmul.h"

#include <assert.h>
#include <cblas.h>
#include <limits.h>
#include <omp.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdlib.h>
#include <string.h>

enum { PLACES = 256 };

typedef struct {
    rsd_product_shape key;
    dnnl_primitive_t primitive; /* NULL: empty place */
    dnnl_memory_t A, B, C, bias, scratch;
    size_t scratch_bytes;
} place;

struct rsd_compiled {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    void *scratch;
    size_t scratch_bytes;
    place places[PLACES];
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

int rsd_compiled_alloc(rsd_compiled **out)
{
    rsd_compiled *c;
    *out = NULL;
    RSD_TRY(rsd_zeroed(1, sizeof *c, &c));
    dnnl_status_t status = dnnl_engine_create(&c->engine, dnnl_cpu, 0);
    if (!status)
        status = dnnl_stream_create(&c->stream, c->engine, dnnl_stream_default_flags);
    if (status) {
        rsd_compiled_free(c);
        return failed("engine", status);
    }
    *out = c;
    return RSD_OK;
}

static void forget(place *at)
{
    dnnl_memory_t memories[] = { at->A, at->B, at->C, at->bias, at->scratch };
    for (size_t i = 0; i < sizeof memories / sizeof *memories; i++)
        if (memories[i])
            dnnl_memory_destroy(memories[i]);
    if (at->primitive)
        dnnl_primitive_destroy(at->primitive);
    memset(at, 0, sizeof *at);
}

void rsd_compiled_free(rsd_compiled *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < PLACES; i++)
        forget(&c->places[i]);
    if (c->stream)
        dnnl_stream_destroy(c->stream);
    if (c->engine)
        dnnl_engine_destroy(c->engine);
    free(c->scratch);
    free(c);
}

size_t rsd_compiled_bytes(const rsd_compiled *c) { return c->scratch_bytes; }

static size_t hash(const rsd_product_shape *key)
{
    const unsigned char *byte = (const unsigned char *)key;
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < sizeof *key; i++)
        h = (h ^ byte[i]) * 1099511628211u;
    return (size_t)(h >> 32) % PLACES;
}

static dnnl_status_t describe(dnnl_memory_desc_t *md, int64_t rows, int64_t cols, bool transposed,
                              int64_t ld, dnnl_data_type_t type)
{
    const dnnl_dims_t dims = { rows, cols };
    const dnnl_dims_t strides = { transposed ? 1 : ld, transposed ? ld : 1 };
    return dnnl_memory_desc_init_by_strides(md, 2, dims, type, strides);
}

static dnnl_status_t attributes(const rsd_product_shape *key, dnnl_primitive_attr_t *attr)
{
    dnnl_post_ops_t sum = NULL;
    dnnl_status_t status = dnnl_primitive_attr_create(attr);
    if (!status)
        status = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (!status && key->alpha != 1)
        status = dnnl_primitive_attr_set_output_scales(*attr, 1, 0, &key->alpha);
    if (status || key->beta == 0)
        return status;
    status = dnnl_post_ops_create(&sum);
    if (!status)
        status = dnnl_post_ops_append_sum(sum, key->beta);
    if (!status)
        status = dnnl_primitive_attr_set_post_ops(*attr, sum);
    if (sum)
        dnnl_post_ops_destroy(sum);
    return status;
}

/* The memories that the product will be pointed at. */
static dnnl_status_t attach(rsd_compiled *c, place *at, const dnnl_memory_desc_t *const desc[4],
                            const_dnnl_primitive_desc_t pd)
{
    const dnnl_memory_desc_t *scratch =
        dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    dnnl_memory_t *memory[] = { &at->A, &at->B, &at->C, &at->bias };
    dnnl_status_t s = dnnl_memory_create(&at->scratch, scratch, c->engine, DNNL_MEMORY_NONE);
    at->scratch_bytes = dnnl_memory_desc_get_size(scratch);
    for (int i = 0; i < 4 && !s; i++)
        s = dnnl_memory_create(memory[i], desc[i], c->engine, DNNL_MEMORY_NONE);
    return s;
}

static dnnl_status_t compile(rsd_compiled *c, place *at)
{
    const rsd_product_shape *key = &at->key;
    const dnnl_data_type_t type = key->half ? dnnl_bf16 : dnnl_f32;
    dnnl_memory_desc_t A, B, C, bias;
    dnnl_matmul_desc_t op;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_status_t s = describe(&A, key->m, key->k, key->transpose_A, key->lda, type);
    if (!s)
        s = describe(&B, key->k, key->n, key->transpose_B, key->ldb, type);
    if (!s)
        s = describe(&C, key->m, key->n, false, key->ldc, dnnl_f32);
    if (!s)
        s = describe(&bias, 1, key->n, false, key->n, dnnl_f32);
    if (!s)
        s = dnnl_matmul_desc_init(&op, &A, &B, key->bias ? &bias : NULL, &C);
    if (!s)
        s = attributes(key, &attr);
    if (!s)
        s = dnnl_primitive_desc_create(&pd, &op, attr, c->engine, NULL);
    if (!s)
        s = dnnl_primitive_create(&at->primitive, pd);
    if (!s)
        s = attach(c, at, (const dnnl_memory_desc_t *const[4]){ &A, &B, &C, &bias }, pd);
    if (pd)
        dnnl_primitive_desc_destroy(pd);
    if (attr)
        dnnl_primitive_attr_destroy(attr);
    return s;
}

static dnnl_status_t execute(rsd_compiled *c, place *at, const void *A, const void *B,
                             const void *bias, void *C)
{
    dnnl_status_t s = dnnl_memory_set_data_handle(at->A, (void *)A);
    if (!s)
        s = dnnl_memory_set_data_handle(at->B, (void *)B);
    if (!s)
        s = dnnl_memory_set_data_handle(at->C, C);
    if (!s)
        s = dnnl_memory_set_data_handle(at->bias, (void *)bias);
    if (!s)
        s = dnnl_memory_set_data_handle(at->scratch, c->scratch);
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, at->A },
                                     { DNNL_ARG_WEIGHTS, at->B },
                                     { DNNL_ARG_DST, at->C },
                                     { DNNL_ARG_SCRATCHPAD, at->scratch },
                                     { DNNL_ARG_BIAS, at->bias } };
    if (!s)
        s = dnnl_primitive_execute(at->primitive, c->stream, bias ? 5 : 4, args);
    return s ? s : dnnl_stream_wait(c->stream);
}

/* The place of a product, compiled if it held none or another. */
static int look_up(rsd_compiled *c, const rsd_product_shape *key, place **out)
{
    place *at = *out = &c->places[hash(key)];
    if (at->primitive && !memcmp(&at->key, key, sizeof *key))
        return RSD_OK;
    forget(at);
    at->key = *key;
    const dnnl_status_t status = compile(c, at);
    int err = status ? failed("compile", status) : RSD_OK;
    if (!err && at->scratch_bytes > c->scratch_bytes) {
        free(c->scratch);
        c->scratch = NULL;
        c->scratch_bytes = 0;
        err = rsd_array_alloc(at->scratch_bytes, 1, 1, &c->scratch);
        if (!err)
            c->scratch_bytes = at->scratch_bytes;
    }
    if (err)
        forget(at);
    return err;
}

/* A product is compiled for a number of threads, and must run with as many: oneDNN takes it from
 * OpenMP, whose setting is the calling thread's own. */
int rsd_compiled_run(rsd_compiled *c, const rsd_product_shape *key, const void *A, const void *B,
                     const void *bias, void *C)
{
    place *at;
    const int threads = omp_get_max_threads();
    omp_set_num_threads(key->threads);
    int err = look_up(c, key, &at);
    if (!err) {
        const dnnl_status_t status = execute(c, at, A, B, bias, C);
        err = status ? failed("execute", status) : RSD_OK;
    }
    omp_set_num_threads(threads);
    return err;
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
    if (sizeof(rsd_real) == sizeof(double)) {
        cblas_dgemm(CblasRowMajor, blas_op(transpose_A), blas_op(transpose_B), (int)m, (int)n,
                    (int)k, alpha, a, (int)lda, b, (int)ldb, beta, c, (int)ldc);
        return true;
    }
    return dnnl_sgemm(transpose_A ? 'T' : 'N', transpose_B ? 'T' : 'N', (dnnl_dim_t)m,
                      (dnnl_dim_t)n, (dnnl_dim_t)k, (float)alpha, a, (dnnl_dim_t)lda, b,
                      (dnnl_dim_t)ldb, (float)beta, c, (dnnl_dim_t)ldc) == dnnl_success;
}
