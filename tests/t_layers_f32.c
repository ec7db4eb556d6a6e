/* The transformer's layers in float against their definitions written out in double.  Tolerances
 * are c n eps scale: n terms of a sum, eps = 2^-24, scale the sum of the terms' magnitudes. */
#include "test.h"

#include "fp.h"
#include "par.h"
#include "transformer/activation.h"
#include "transformer/attention.h"
#include "transformer/embedding.h"
#include "transformer/linear.h"
#include "transformer/loss.h"
#include "transformer/norm.h"
#include "transformer/rotary.h"
#include "transformer/vector.h"

#include <omp.h>
#include <sys/wait.h>
#include <unistd.h>

static const double eps = 0x1p-24;

static float *fill(size_t n, double seed)
{
    float *x = aligned_alloc(64, (n * sizeof *x + 64) / 64 * 64);
    for (size_t i = 0; i < n; i++)
        x[i] = (float)(sin(seed + 1.7 * (double)i) + 0.5 * cos(0.37 * (double)(i * i % 65537)));
    return x;
}

static float *constant(size_t n, float value)
{
    float *x = fill(n, 0);
    for (size_t i = 0; i < n; i++)
        x[i] = value;
    return x;
}

static float bits(uint32_t u)
{
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* ---- element-wise functions ---- */

static void test_exp(void **state)
{
    (void)state;
    for (uint32_t u = 0; u < 0xff800000u; u += 9973) { /* every exponent, both signs */
        const float x = bits(u);
        if (isnan(x))
            continue;
        const double want = exp((double)x);
        const float got = vector_exp_float(x);
        if (want > 0x1.fffffep127)
            CHECK_CLOSE(got > 0x1.fp127f, 1, 0);
        else
            CHECK_CLOSE(got, want, 2 * 1.1 * eps * want + 0x1p-148);
    }
    assert_true(isnan(vector_exp_float(NAN)));
    CHECK_CLOSE(vector_exp_float(0), 1, 0);
    CHECK_CLOSE(vector_exp_float(-INFINITY), 0, 0);
    CHECK_CLOSE(isinf(vector_exp_float(INFINITY)), 1, 0);
}

static double value(rsd_activation f, double x)
{
    switch (f) {
    case RSD_RELU:
        return x < 0 ? 0 : x;
    case RSD_GELU:
        return 0.5 * x * erfc(-x * M_SQRT1_2);
    case RSD_GELU_TANH: /* 1 + tanh u = 2/(1 + e^-2u), which keeps the tail in double too */
        return x / (1 + exp(-2 * sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case RSD_SILU:
        return x / (1 + exp(-x));
    }
    return NAN;
}

static double slope(rsd_activation f, double x)
{
    const double h = 1e-5;
    if (f == RSD_RELU)
        return x > 0;
    return (value(f, x - 2 * h) - 8 * value(f, x - h) + 8 * value(f, x + h) - value(f, x + 2 * h)) /
           (12 * h);
}

/* Values are right to 8 eps (1 + x^2) of themselves, gelu_tanh's to 8 eps (1 + |x|^3): rounding
 * the exponent's argument is a relative error of that size. */
static void test_activations(void **state)
{
    (void)state;
    enum { N = 3001 };
    float x[N], y[N], dx[N], ones[N], up[N], gated[N], dup[N];
    for (int i = 0; i < N; i++) {
        x[i] = (float)(i - N / 2) * 0.0065f;
        ones[i] = 1;
        up[i] = 0.25f + 0.001f * (float)i;
    }
    for (int k = RSD_RELU; k <= RSD_SILU; k++) {
        const rsd_activation f = (rsd_activation)k;
        rsd_activation_forward(f, x, y, N);
        rsd_activation_backward(f, ones, x, dx, N);
        for (int i = 0; i < N; i++) {
            const double want = value(f, (double)x[i]);
            const double loss = 1 + pow(fabs((double)x[i]), f == RSD_GELU_TANH ? 3 : 2);
            CHECK_CLOSE(y[i], want, 8 * eps * loss * fabs(want) + 0x1p-126);
            CHECK_CLOSE(dx[i], slope(f, (double)x[i]), 40 * eps); /* x^3 p (1 - p) is up to 6 */
        }
        rsd_gated_forward(f, x, up, gated, N);
        for (int i = 0; i < N; i++)
            CHECK_CLOSE(gated[i], y[i] * up[i], 0);
        rsd_gated_backward(f, ones, x, up, gated, dup, N);
        for (int i = 0; i < N; i++) {
            CHECK_CLOSE(gated[i], dx[i] * up[i], 2 * eps);
            CHECK_CLOSE(dup[i], y[i], 0);
        }
        memcpy(gated, x, sizeof x); /* in place */
        rsd_activation_forward(f, gated, gated, N);
        assert_memory_equal(gated, y, sizeof y);
    }
}

static void test_activation_ends(void **state)
{
    (void)state;
    for (int k = RSD_RELU; k <= RSD_SILU; k++) {
        float x[] = { -INFINITY, INFINITY, NAN, -1e30f, 1e30f, -0.0f, 1e-40f }, y[7], one[7], d[7];
        for (int i = 0; i < 7; i++)
            one[i] = 1;
        rsd_activation_forward((rsd_activation)k, x, y, 7);
        rsd_activation_backward((rsd_activation)k, one, x, d, 7);
        CHECK_CLOSE(y[0], 0, 0);
        CHECK_CLOSE(y[1] == INFINITY, 1, 0);
        assert_true(isnan(y[2]) && isnan(d[2]));
        CHECK_CLOSE(y[3], 0, 0);
        CHECK_CLOSE(y[4], 1e30f, 0);
        CHECK_CLOSE(y[5], 0, 0);
        CHECK_CLOSE(y[6], 1e-40, 0.51e-40);
        CHECK_CLOSE(d[0], 0, 0);
        CHECK_CLOSE(d[1], 1, 0);
        CHECK_CLOSE(d[3], 0, 0);
        CHECK_CLOSE(d[4], 1, 0);
    }
    rsd_activation f;
    CHECK_OK(rsd_activation_find("gelu_pytorch_tanh", &f));
    assert_int_equal(f, RSD_GELU_TANH);
    CHECK_OK(rsd_activation_find("gelu", &f));
    assert_int_equal(f, RSD_GELU);
    CHECK_FAILS(rsd_activation_find("mish", &f), RSD_ENOTFOUND, "'mish': known are relu");
}

/* ---- products ---- */

static rsd_matmul *products(rsd_precision precision)
{
    rsd_matmul *mm;
    CHECK_OK(rsd_matmul_alloc(precision, &mm));
    return mm;
}

/* op(A) in double, every number rounded to bfloat16 where asked. */
static double *written_out(const rsd_factor *A, bool rounded)
{
    const size_t rows = A->transposed ? A->cols : A->rows, cols = A->transposed ? A->rows : A->cols;
    double *out = malloc((rows * cols + 1) * sizeof *out);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            const size_t r = A->transposed ? j : i, c = A->transposed ? i : j;
            float x = A->x ? A->x[r * A->ld + c] : bits((uint32_t)A->half[r * A->cols + c] << 16);
            if (rounded)
                x = rsd_fp_decode(&rsd_bf16, rsd_fp_encode(&rsd_bf16, x, false));
            out[i * cols + j] = (double)x;
        }
    return out;
}

/* Runs p on a copy of C and compares with the definition; what lies between rows must stay. */
static void check_product(rsd_matmul *mm, rsd_product p, bool rounded)
{
    const size_t m = p.A.transposed ? p.A.cols : p.A.rows;
    const size_t k = p.A.transposed ? p.A.rows : p.A.cols;
    const size_t n = p.B.transposed ? p.B.rows : p.B.cols;
    float *C = fill(m * p.ldc, 3), *C0 = fill(m * p.ldc, 3);
    double *A = written_out(&p.A, rounded), *B = written_out(&p.B, rounded);
    p.C = C;
    CHECK_OK(rsd_matmul_run(mm, &p));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < p.ldc; j++) {
            const double c0 = (double)C0[i * p.ldc + j];
            double want = 0, size = 0;
            if (j >= n) {
                CHECK_CLOSE(C[i * p.ldc + j], c0, 0);
                continue;
            }
            for (size_t l = 0; l < k; l++) {
                const double term = (double)p.alpha * A[i * k + l] * B[l * n + j];
                want += term;
                size += fabs(term);
            }
            want += (double)p.beta * c0 + (p.bias ? (double)p.bias[j] : 0);
            size += fabs((double)p.beta * c0) + (p.bias ? fabs((double)p.bias[j]) : 0);
            CHECK_CLOSE(C[i * p.ldc + j], want, 2 * ((double)k + 4) * eps * size);
        }
    free(C);
    free(C0);
    free(A);
    free(B);
}

/* Every transposition, with gaps between rows (gap > 0) and without, one shape. */
static void check_shape(rsd_matmul *mm, size_t m, size_t n, size_t k, size_t gap, bool rounded)
{
    float *A = fill((m + k + gap) * (m + k + gap), 1), *B = fill((n + k + gap) * (n + k + gap), 2);
    float *bias = fill(n, 5);
    for (int t = 0; t < 4; t++) {
        rsd_factor a = rsd_dense(A, t & 1 ? k : m, t & 1 ? m : k);
        rsd_factor b = rsd_dense(B, t & 2 ? n : k, t & 2 ? k : n);
        a.transposed = t & 1;
        b.transposed = t & 2;
        a.ld += gap;
        b.ld += gap;
        check_product(mm, (rsd_product){ a, b, 1, 0, NULL, NULL, n + gap }, rounded);
        check_product(mm, (rsd_product){ a, b, 1, 1, bias, NULL, n + gap }, rounded);
        check_product(mm, (rsd_product){ a, b, 1, 0, bias, NULL, n }, rounded);
        check_product(mm, (rsd_product){ a, b, -0.75f, 0.5f, NULL, NULL, n + gap }, rounded);
    }
    free(A);
    free(B);
    free(bias);
}

static const size_t shapes[][3] = { { 1, 1, 1 },   { 5, 7, 3 },     { 1, 9, 17 },   { 64, 48, 33 },
                                    { 65, 1, 70 }, { 130, 67, 16 }, { 16, 100, 65 } };

static void test_products_f32(void **state)
{
    (void)state;
    rsd_matmul *mm = products(RSD_PRECISION_F32);
    assert_int_equal(rsd_matmul_precision(mm), RSD_PRECISION_F32);
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (size_t gap = 0; gap < 4; gap += 3)
            check_shape(mm, shapes[s][0], shapes[s][1], shapes[s][2], gap, false);
    float C[6] = { 1, 2, 3, 4, 5, NAN }, bias[3] = { 10, 20, 30 };
    CHECK_OK(rsd_matmul_run(
        mm, &(rsd_product){ rsd_dense(C, 2, 0), rsd_dense(C, 0, 3), 1, 2, NULL, C, 3 }));
    CHECK_CLOSE(C[4], 10, 0); /* no terms: beta C */
    CHECK_OK(rsd_matmul_run(
        mm, &(rsd_product){ rsd_dense(C, 2, 0), rsd_dense(C, 0, 3), 1, 0, bias, C, 3 }));
    CHECK_CLOSE(C[5], 30, 0); /* beta 0 writes, even over NaN */
    const float one = 1;
    C[0] = NAN;
    CHECK_OK(rsd_matmul_run(
        mm, &(rsd_product){ rsd_dense(&one, 1, 1), rsd_dense(&one, 1, 1), 1, 0, NULL, C, 1 }));
    CHECK_CLOSE(C[0], 1, 0);
    rsd_matmul_free(mm);
    rsd_matmul_free(NULL);
}

static void test_half_round(void **state)
{
    (void)state;
    enum { N = 1 << 16 };
    float *x = malloc(N * sizeof *x), *back = malloc(N * sizeof *back);
    uint16_t *want = malloc(N * sizeof *want), *got = malloc(N * sizeof *got);
    for (uint32_t low = 0x7ff0; low < 0x8010; low++) { /* about the ties, every upper half */
        for (uint32_t i = 0; i < N; i++)
            x[i] = bits(i << 16 | low);
        rsd_fp_encode_array(&rsd_bf16, x, want, N, false);
        rsd_half_round(x, 256, 256, 256, got); /* one long row */
        for (uint32_t i = 0; i < N; i++)
            if (isnan(x[i]) ? !isnan(bits((uint32_t)got[i] << 16)) : got[i] != want[i])
                fail_msg("%a becomes %04x, not %04x", (double)x[i], got[i], want[i]);
    }
    rsd_half_round(x, 256, 256, 255, want); /* rows with a gap */
    for (size_t i = 0; i < 256; i++)
        assert_memory_equal(want + i * 255, got + i * 256, 255 * sizeof *got);
    rsd_half_expand(got, back, N);
    for (uint32_t i = 0; i < N; i++)
        assert_true(isnan(x[i]) ? isnan(back[i]) : back[i] == bits((uint32_t)got[i] << 16));
    free(x);
    free(back);
    free(want);
    free(got);
}

/* Products of rounded numbers are exact in float32, so only their sum differs from the definition.
 * Run again, below, on a processor that is told to have no bfloat16 instructions. */
static void test_products_bf16(void **state)
{
    (void)state;
    enum { M = 140, N = 150, K = 129 }; /* M N / (M + N) > 64: worth rounding */
    rsd_matmul *mm = products(RSD_PRECISION_BF16);
    assert_int_equal(rsd_matmul_precision(mm), RSD_PRECISION_BF16);
    check_shape(mm, M, N, K, 0, true);
    check_shape(mm, M, N, K, 3, true);
    check_shape(mm, 130, 260, 64, 1, true);
    check_shape(mm, M, 8, K, 0, false); /* not worth rounding: in float32 */
    float *A = fill(M * K, 1), *W = fill(N * K, 2);
    rsd_half *half;
    rsd_factor weight = rsd_dense(W, N, K);
    CHECK_OK(rsd_matmul_prepare(mm, &weight, &half));
    assert_non_null(half);
    assert_ptr_equal(weight.half, half);
    weight.x = NULL; /* the bfloat16 copy alone */
    const rsd_product forward = { rsd_dense(A, M, K), rsd_transpose(weight), 1, 0, NULL, NULL, N };
    check_product(mm, forward, true);
    check_product(mm, (rsd_product){ rsd_dense(A, 3, N), weight, 1, 1, NULL, NULL, K + 1 }, true);
    rsd_matmul *full = products(RSD_PRECISION_F32); /* the same numbers, A not rounded */
    check_product(full, forward, false);
    rsd_half *none;
    rsd_factor untouched = rsd_dense(W, N, K);
    CHECK_OK(rsd_matmul_prepare(full, &untouched, &none));
    assert_null(none);
    assert_null(untouched.half);
    rsd_matmul_free(full);
    rsd_matmul_free(mm);
    free(half);
    free(A);
    free(W);
}

static void test_auto(void **state)
{
    (void)state;
    rsd_matmul *mm = products(RSD_PRECISION_AUTO);
    assert_int_equal(rsd_matmul_precision(mm),
                     rsd_bf16_native() ? RSD_PRECISION_BF16 : RSD_PRECISION_F32);
    rsd_matmul_free(mm);
}

static void test_without_bf16(void **state)
{
    (void)state;
    fflush(NULL);
    const pid_t child = fork();
    if (!child) {
        setenv("DNNL_MAX_CPU_ISA", "AVX2", 1);
        execl("/proc/self/exe", "t_layers_f32", "bf16", (char *)NULL);
        _exit(127);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* More shapes than places, back and forth; then many threads, each with its own. */
static void test_many_shapes(void **state)
{
    (void)state;
    rsd_matmul *mm = products(RSD_PRECISION_F32);
    float x[700], C[700];
    for (int i = 0; i < 700; i++)
        x[i] = 1;
    for (int round = 0; round < 2; round++)
        for (size_t k = 1; k <= 700; k++) {
            CHECK_OK(rsd_matmul_run(
                mm, &(rsd_product){ rsd_dense(x, 1, k), rsd_dense(x, k, 1), 1, 0, NULL, C, 1 }));
            CHECK_CLOSE(C[0], (double)k, 0);
        }
    rsd_matmul_free(mm);
}

static void test_inside_threads(void **state)
{
    (void)state;
    enum { M = 150, N = 140, K = 130, TASKS = 6 };
    float *A = fill(M * K, 1), *B = fill(K * N, 2), *C[TASKS];
    int failed = 0;
    for (int t = 0; t < TASKS; t++)
        C[t] = constant(M * N, NAN);
    rsd_par_init(3);
#pragma omp parallel for num_threads(3) schedule(static, 1) reduction(+ : failed)
    for (int t = 0; t < TASKS; t++) {
        rsd_matmul *mm;
        if (rsd_matmul_alloc(RSD_PRECISION_F32, &mm)) {
            failed++;
            continue;
        }
        failed += rsd_matmul_run(mm, &(rsd_product){ rsd_dense(A, M, K), rsd_dense(B, K, N), 1, 0,
                                                     NULL, C[t], N }) != RSD_OK;
        rsd_matmul_free(mm);
    }
    assert_int_equal(failed, 0);
    for (int t = 0; t < TASKS; t++) {
        for (size_t i = 0; i < M; i += 7)
            for (size_t j = 0; j < N; j += 5) {
                double want = 0, size = 0;
                for (size_t k = 0; k < K; k++) {
                    want += (double)A[i * K + k] * (double)B[k * N + j];
                    size += fabs((double)A[i * K + k] * (double)B[k * N + j]);
                }
                CHECK_CLOSE(C[t][i * N + j], want, 2 * K * eps * size);
            }
        free(C[t]);
    }
    rsd_par_init(2);
    free(A);
    free(B);
}

/* ---- linear, norms, embedding, rotary ---- */

static void test_linear_bias(void **state)
{
    (void)state;
    enum { M = 300, F = 260 };
    float *dy = fill(M * F, 1), *x = fill(M, 2), *dW = constant(F, 2), *db = constant(F, 1);
    rsd_matmul *mm = products(RSD_PRECISION_F32);
    CHECK_OK(rsd_linear_backward_weight(mm, rsd_dense(dy, M, F), rsd_dense(x, M, 1), dW, db));
    for (size_t f = 0; f < F; f++) {
        double sum = 1, product = 2;
        for (size_t m = 0; m < M; m++) {
            sum += (double)dy[m * F + f];
            product += (double)dy[m * F + f] * (double)x[m];
        }
        CHECK_CLOSE(db[f], sum, 4 * eps * (1 + fabs(sum)));
        CHECK_CLOSE(dW[f], product, M * eps * 1.5 * M);
    }
    rsd_matmul_free(mm);
    free(dy);
    free(x);
    free(dW);
    free(db);
}

static void test_norms(void **state)
{
    (void)state;
    enum { M = 5, C = 777 };
    float *x = fill(M * C, 1), *w = fill(C, 2), *b = fill(C, 3), *y = constant(M * C, NAN);
    float mean[M], rstd[M];
    const rsd_norm norm = { C, w, b, 1e-5 }, plain = { C, w, NULL, 1e-6 };
    for (size_t i = 0; i < C; i++) {
        x[i] = 1000 + 1e-2f * x[i]; /* mean far above the spread */
        x[C + i] = 0;
        x[2 * C + i] *= 1e15f;
        x[3 * C + i] *= 1e-15f;
    }
    for (int rms = 0; rms < 2; rms++) {
        if (rms)
            rsd_rmsnorm_forward(&plain, x, M, y, rstd);
        else
            rsd_layernorm_forward(&norm, x, M, y, mean, rstd);
        for (size_t m = 0; m < M; m++) {
            double mu = 0, var = 0;
            for (size_t c = 0; c < C && !rms; c++)
                mu += (double)x[m * C + c] / C;
            for (size_t c = 0; c < C; c++)
                var += ((double)x[m * C + c] - mu) * ((double)x[m * C + c] - mu) / C;
            const double scale = 1 / sqrt(var + (rms ? 1e-6 : 1e-5));
            for (size_t c = 0; c < C; c++) {
                const double h = ((double)x[m * C + c] - mu) * scale;
                const double want = h * (double)w[c] + (rms ? 0 : (double)b[c]);
                /* the rounded mean is off by up to eps |mean| */
                const double error = 16 * eps * (2 + fabs(h)) + 4 * eps * fabs(mu) * scale;
                CHECK_CLOSE(y[m * C + c], want, error * 1.5);
            }
            CHECK_CLOSE(rstd[m], scale, (8 + 4 * fabs(mu * scale)) * eps * scale);
        }
    }
    free(x);
    free(w);
    free(b);
    free(y);
}

static void test_embedding(void **state)
{
    (void)state;
    enum { V = 4, C = 3, T = 2 };
    float *E = fill(V * C, 1), *P = fill(5 * C, 2), y[2 * T * C];
    const int32_t token[] = { 3, 0, 0, 2 }, high[] = { 0, 4, 0, 0 }, low[] = { 0, 0, -1, 0 };
    const rsd_embedding e = { V, C, E, P, 5 }, rope = { V, C, E, NULL, 0 };
    CHECK_OK(rsd_embedding_forward(&e, token, 2, T, 3, y));
    for (size_t m = 0; m < 2 * T; m++)
        for (size_t c = 0; c < C; c++)
            CHECK_CLOSE(y[m * C + c], E[(size_t)token[m] * C + c] + P[(3 + m % T) * C + c], 0);
    CHECK_OK(rsd_embedding_forward(&rope, token, 2, T, 1000, y));
    CHECK_CLOSE(y[2], E[3 * C + 2], 0);
    CHECK_FAILS(rsd_embedding_forward(&e, high, 2, T, 0, y), RSD_EDOM, "token 1 is 4, outside");
    CHECK_FAILS(rsd_embedding_forward(&e, low, 2, T, 0, y), RSD_EDOM, "token 2 is -1, outside");
    CHECK_FAILS(rsd_embedding_forward(&e, token, 2, T, 4, y), RSD_EARG, "positions 4 to 6 of 5");
    CHECK_FAILS(rsd_embedding_forward(&e, token, 2, T, SIZE_MAX, y), RSD_EARG, "of 5");
    free(E);
    free(P);
}

/* The turn of a unit pair by position * f is (cos, sin): reads the frequencies off. */
static void check_frequency(rsd_rotary_spec spec, size_t pair, size_t position, double want)
{
    enum { D = 64 };
    float x[D] = { 0 };
    rsd_rotary *r;
    x[pair] = 1;
    CHECK_OK(rsd_rotary_alloc(&spec, &r));
    rsd_rotary_forward(r, (rsd_heads){ x, D, D }, 1, 1, 1, position);
    const double angle = (double)position * want;
    CHECK_CLOSE(x[pair], cos(angle), 2 * eps * (1 + angle)); /* the angle is rounded to float */
    CHECK_CLOSE(x[pair + spec.dims / 2], sin(angle), 2 * eps * (1 + angle));
    rsd_rotary_free(r);
}

static void test_rotary(void **state)
{
    (void)state;
    const rsd_rotary_spec plain = { .dims = 16, .context = 200, .theta = 1e4 };
    check_frequency(plain, 0, 5, 1);
    check_frequency(plain, 3, 199, pow(1e4, -6.0 / 16));
    rsd_rotary_spec s = plain;
    s.scaling = RSD_ROPE_LINEAR;
    s.factor = 4;
    check_frequency(s, 3, 199, pow(1e4, -6.0 / 16) / 4);
    /* Llama 3.1's: factor 8, 1 and 4 turns within 8192 tokens, theta 5e5, 128 channels */
    rsd_rotary_spec llama = { .dims = 64,
                              .context = 3000,
                              .theta = 5e5,
                              .scaling = RSD_ROPE_LLAMA3,
                              .factor = 8,
                              .low_freq = 1,
                              .high_freq = 4,
                              .original = 8192 };
    check_frequency(llama, 1, 30, pow(5e5, -1.0 / 32));         /* 870 turns: as it is */
    check_frequency(llama, 31, 2999, pow(5e5, -31.0 / 32) / 8); /* 0.004 turns: stretched */
    const double f = pow(5e5, -16.0 / 32), share = (8192 * f / (2 * M_PI) - 1) / 3;
    assert_true(share > 0.05 && share < 0.95);
    check_frequency(llama, 16, 2999, f * ((1 - share) / 8 + share)); /* 1.8 turns: between */

    rsd_rotary *r;
    s.dims = 7;
    CHECK_FAILS(rsd_rotary_alloc(&s, &r), RSD_EARG, "7 channels are not pairs");
    assert_null(r);
    s = plain;
    s.theta = 1;
    CHECK_FAILS(rsd_rotary_alloc(&s, &r), RSD_EARG, "theta 1 is not above 1");
    s.theta = NAN;
    CHECK_FAILS(rsd_rotary_alloc(&s, &r), RSD_EARG, "theta");
    s = plain;
    s.scaling = RSD_ROPE_LINEAR;
    CHECK_FAILS(rsd_rotary_alloc(&s, &r), RSD_EARG, "scaling factor 0");
    llama.high_freq = 1;
    CHECK_FAILS(rsd_rotary_alloc(&llama, &r), RSD_EARG, "low_freq 1, high_freq 1");
    s = plain;
    s.context = SIZE_MAX / 8;
    CHECK_FAILS(rsd_rotary_alloc(&s, &r), RSD_ENOMEM, "");
    rsd_rotary_free(NULL);
}

/* ---- attention ---- */

/* Head h of window b by the definition; magnitudes for the tolerance of o. */
static void naive(const rsd_attention *a, rsd_heads q, rsd_heads k, rsd_heads v, size_t m, size_t h,
                  double *o, double *size, double *lse)
{
    const size_t t = m % a->T, base = m - t, kv = h / (a->H / a->KV);
    const size_t from = a->window && t + 1 > a->window ? t + 1 - a->window : 0;
    double top = -INFINITY, sum = 0, *s = malloc(a->T * sizeof *s);
    for (size_t j = from; j <= t; j++) {
        s[j] = 0;
        for (size_t i = 0; i < a->D; i++)
            s[j] += (double)q.x[m * q.row + h * q.head + i] *
                    (double)k.x[(base + j) * k.row + kv * k.head + i];
        s[j] *= a->scale;
        top = fmax(top, s[j]);
    }
    for (size_t j = from; j <= t; j++)
        sum += exp(s[j] - top);
    *lse = top + log(sum);
    for (size_t i = 0; i < a->D; i++)
        o[i] = size[i] = 0;
    for (size_t j = from; j <= t; j++)
        for (size_t i = 0; i < a->D; i++) {
            const float x = v.x[(base + j) * v.row + kv * v.head + i];
            const double term = exp(s[j] - *lse) * (double)x;
            o[i] += term;
            size[i] += fabs(term);
        }
    free(s);
}

/* q, k, v interleaved per head when H = KV, else one after the other in a row; o with gaps. */
static void check_attention(rsd_attention a, double magnitude, size_t step)
{
    const size_t M = a.B * a.T, Q = a.H * a.D, K = a.KV * a.D, gap = 3, D = a.D;
    const bool inter = a.H == a.KV;
    const size_t row = Q + 2 * K, head = inter ? 3 * D : D;
    float *qkv = fill(M * row, 1), *o = constant(M * (Q + gap), 7), *lse = constant(M * a.H, NAN);
    const rsd_heads q = { qkv, row, head }, k = { qkv + (inter ? D : Q), row, head };
    const rsd_heads v = { qkv + (inter ? 2 * D : Q + K), row, head };
    double want[128], size[128], want_lse;
    void *work = aligned_alloc(64, (rsd_attention_work(&a) + 63) / 64 * 64);
    a.scale *= magnitude;
    CHECK_OK(rsd_attention_check(&a));
    CHECK_OK(rsd_attention_forward(&a, q, k, v, (rsd_heads){ o, Q + gap, D }, lse, work));
    for (size_t m = 0; m < M; m++) {
        for (size_t h = 0; h < a.H && m % step == 0; h++) {
            naive(&a, q, k, v, m, h, want, size, &want_lse);
            /* a score is off by c D eps scale |q||k|, and so is the logarithm of each p */
            const double score = 4 * (double)D * eps * (1 + fabs(a.scale) * 2.25 * (double)D);
            CHECK_CLOSE(lse[(m / a.T * a.H + h) * a.T + m % a.T], want_lse,
                        score + 2 * eps * fabs(want_lse));
            for (size_t i = 0; i < D; i++)
                CHECK_CLOSE(o[m * (Q + gap) + h * D + i], want[i],
                            (2 * score + 64 * eps) * size[i]);
        }
        for (size_t i = Q; i < Q + gap; i++)
            CHECK_CLOSE(o[m * (Q + gap) + i], 7, 0);
    }
    free(qkv);
    free(o);
    free(lse);
    free(work);
}

static void test_attention(void **state)
{
    (void)state;
    const size_t lengths[] = { 1, 2, 63, 64, 65, 255, 257, 400 };
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const size_t T = lengths[i];
        check_attention((rsd_attention){ 2, T, 2, 2, 16, 0.25, 0 }, 1, 1 + T / 20);
        check_attention((rsd_attention){ 1, T, 6, 2, 5, 0.4, 0 }, 1, 1 + T / 20);
        check_attention((rsd_attention){ 1, T, 2, 2, 16, 1, 7 }, 1, 1 + T / 20);
        check_attention((rsd_attention){ 1, T, 2, 1, 16, 1, 100 }, 1, 1 + T / 20);
    }
    check_attention((rsd_attention){ 1, 1100, 1, 1, 64, 0.125, 0 }, 1, 51);
    check_attention((rsd_attention){ 1, 300, 2, 2, 16, 0.25, 0 }, 1000, 7);  /* one key takes all */
    check_attention((rsd_attention){ 1, 300, 2, 2, 16, 0.25, 0 }, 1e-30, 7); /* all keys alike */
}

static void test_attention_errors(void **state)
{
    (void)state;
    rsd_attention a = { 1, 1, 3, 2, 4, 1, 0 };
    CHECK_FAILS(rsd_attention_check(&a), RSD_EARG, "3 heads of 4 channels on 2 key heads");
    a.KV = 0;
    CHECK_FAILS(rsd_attention_check(&a), RSD_EARG, "on 0 key heads");
    a = (rsd_attention){ 1, 1, 1, 1, 0, 1, 0 };
    CHECK_FAILS(rsd_attention_check(&a), RSD_EARG, "of 0 channels");
    a = (rsd_attention){ 1, 1, 1, 1, 4, NAN, 0 };
    CHECK_FAILS(rsd_attention_check(&a), RSD_EARG, "scale nan");
}

/* ---- loss ---- */

typedef struct {
    double loss, kl, log_sum, log_sum_t;
    size_t top, top_t;
    double *z, *zt; /* V */
} answer;

static double logits(const rsd_head *head, size_t m, double *z, size_t *top)
{
    const size_t V = head->W.rows, C = head->W.cols;
    double most = -INFINITY, sum = 0;
    for (size_t v = 0; v < V; v++) {
        z[v] = 0;
        for (size_t c = 0; c < C; c++)
            z[v] += (double)head->h[m * C + c] * (double)head->W.x[v * C + c];
        if (z[v] > most)
            *top = v;
        most = fmax(most, z[v]);
    }
    for (size_t v = 0; v < V; v++)
        sum += exp(z[v] - most);
    return most + log(sum);
}

static void definition(const rsd_loss *l, size_t m, int32_t target, answer *a)
{
    const size_t V = l->model.W.rows;
    a->log_sum = logits(&l->model, m, a->z, &a->top);
    a->log_sum_t = logits(&l->teacher, m, a->zt, &a->top_t);
    a->loss = a->log_sum - a->z[target];
    a->kl = 0;
    for (size_t v = 0; v < V; v++)
        a->kl +=
            exp(a->zt[v] - a->log_sum_t) * ((a->zt[v] - a->log_sum_t) - (a->z[v] - a->log_sum));
}

/* Several chunks of rows when V is large. */
static void check_loss(size_t M, size_t V, bool draw)
{
    enum { C = 3, CT = 2 };
    float *h = fill(M * C, 1), *W = fill(V * C, 2), *ht = fill(M * CT, 3), *Wt = fill(V * CT, 4);
    float *dh = constant(M * C, NAN), *dW = constant(V * C, 0.5f);
    double *loss = malloc(M * sizeof *loss), *kl = malloc(M * sizeof *kl);
    double *dW_want = calloc(V * C, sizeof *dW_want), *dW_size = calloc(V * C, sizeof *dW_size);
    unsigned char *agree = malloc(M);
    int32_t *target = malloc(M * sizeof *target), *drawn = malloc(M * sizeof *drawn);
    answer a = { .z = malloc(V * sizeof(double)), .zt = malloc(V * sizeof(double)) };
    for (size_t m = 0; m < M; m++)
        target[m] = m % 5 == 1 ? -1 : (int32_t)(m * 7919 % V);
    rsd_loss l = { .M = M,
                   .model = { h, rsd_dense(W, V, C) },
                   .teacher = { ht, rsd_dense(Wt, V, CT) },
                   .target = target,
                   .ce_weight = 0.5,
                   .kl_weight = 2,
                   .loss = loss,
                   .kl = kl,
                   .agree = agree,
                   .drawn = drawn,
                   .dh = dh,
                   .dW = dW };
    rsd_rng *same = NULL;
    if (draw) {
        CHECK_OK(rsd_rng_alloc(11, "draw", &l.rng));
        CHECK_OK(rsd_rng_alloc(11, "draw", &same));
    }
    void *work = aligned_alloc(64, (rsd_loss_work(&l) + 63) / 64 * 64);
    rsd_matmul *mm = products(RSD_PRECISION_F32);
    CHECK_OK(rsd_loss_run(mm, &l, work));
    for (size_t m = 0; m < M; m++) {
        double want[C] = { 0 }, size[C] = { 0 };
        if (target[m] < 0) {
            CHECK_CLOSE(loss[m], 0, 0);
            CHECK_CLOSE(kl[m], 0, 0);
            assert_int_equal(agree[m], 0);
            assert_int_equal(drawn[m], -1);
        } else {
            if (!draw)
                assert_int_equal(drawn[m], target[m]);
            assert_in_range(drawn[m], 0, V - 1);
            definition(&l, m, drawn[m], &a);
            /* logits are right to c C eps |h||W| = 1e-6, sums over words to eps of themselves */
            CHECK_CLOSE(loss[m], a.loss, 2e-6);
            CHECK_CLOSE(kl[m], a.kl, 2e-6);
            assert_int_equal(agree[m], a.top == a.top_t);
            if (draw) { /* u lies in the word's step of the distribution function */
                const double u = rsd_rng_uniform(same);
                double below = 0;
                for (size_t v = 0; v < (size_t)drawn[m]; v++)
                    below += exp(a.z[v] - a.log_sum);
                const double step = exp(a.z[drawn[m]] - a.log_sum);
                assert_true(below <= u + 2e-6 && u <= below + step + 2e-6);
            }
            for (size_t v = 0; v < V; v++) {
                const double p = exp(a.z[v] - a.log_sum), pt = exp(a.zt[v] - a.log_sum_t);
                const double dz = 0.5 * (p - (v == (size_t)drawn[m])) + 2 * (p - pt);
                for (size_t c = 0; c < C; c++) {
                    want[c] += dz * (double)W[v * C + c];
                    size[c] += fabs(dz * (double)W[v * C + c]);
                    dW_want[v * C + c] += dz * (double)h[m * C + c];
                    dW_size[v * C + c] += fabs(dz * (double)h[m * C + c]);
                }
            }
        }
        for (size_t c = 0; c < C; c++)
            CHECK_CLOSE(dh[m * C + c], want[c], 8e-6 * size[c]);
    }
    for (size_t i = 0; i < V * C; i++)
        CHECK_CLOSE(dW[i], 0.5 + dW_want[i], 8e-6 * dW_size[i] + 2 * eps * (1 + fabs(dW_want[i])));
    rsd_matmul_free(mm);
    rsd_rng_free(l.rng);
    rsd_rng_free(same);
    free(h), free(W), free(ht), free(Wt), free(dh), free(dW), free(dW_want), free(dW_size);
    free(loss), free(kl), free(agree), free(target), free(drawn), free(a.z), free(a.zt), free(work);
}

static void test_loss(void **state)
{
    (void)state;
    check_loss(6, 1, false);
    check_loss(9, 11, false);
    check_loss(40, 1537, false);
    check_loss(300, 70, true);
    check_loss(20, 3001, true);
    check_loss(18, 500009, false); /* 16 rows at a time */
}

static void test_loss_chunks(void **state)
{
    (void)state;
    rsd_loss l = { .M = 2048, .model = { NULL, { .rows = 50304, .cols = 768 } } };
    assert_true(rsd_loss_rows(&l) % 16 == 0 && rsd_loss_rows(&l) >= 128);
    assert_true(rsd_loss_work(&l) < (size_t)64 << 20); /* of 393 MiB of logits */
    l.M = 3;
    assert_int_equal(rsd_loss_rows(&l), 3);
    l.M = 100;
    l.model.W.rows = (size_t)1 << 27;
    assert_int_equal(rsd_loss_rows(&l), 16);
}

static void test_loss_errors(void **state)
{
    (void)state;
    enum { M = 20, V = 30, C = 2 };
    float *h = fill(M * C, 1), *W = fill(V * C, 2);
    int32_t target[M] = { 0 };
    double loss[M];
    rsd_loss l = { .M = M, .model = { h, rsd_dense(W, V, C) }, .target = target, .loss = loss };
    void *work = aligned_alloc(64, 1 << 16);
    rsd_matmul *mm = products(RSD_PRECISION_F32);
    assert_true(rsd_loss_work(&l) <= 1 << 16);
    target[7] = V;
    CHECK_FAILS(rsd_loss_run(mm, &l, work), RSD_EDOM, "target 7 is 30, outside");
    target[7] = V - 1;
    h[11 * C] = NAN;
    CHECK_FAILS(rsd_loss_run(mm, &l, work), RSD_EDOM, "loss of row 11 is nan");
    h[11 * C] = INFINITY;
    CHECK_FAILS(rsd_loss_run(mm, &l, work), RSD_EDOM, "loss of row 11");
    target[11] = -1; /* what does not count is not looked at */
    CHECK_OK(rsd_loss_run(mm, &l, work));
    l.teacher = (rsd_head){ h, rsd_dense(W, V - 1, C) };
    CHECK_FAILS(rsd_loss_run(mm, &l, work), RSD_EARG, "vocabularies of 30 and 29 words");
    rsd_matmul_free(mm);
    free(h);
    free(W);
    free(work);
}

/* A teacher that is the model itself: no divergence, no gradient, full agreement. */
static void test_self_teacher(void **state)
{
    (void)state;
    enum { M = 9, V = 1000, C = 8 };
    float *h = fill(M * C, 1), *W = fill(V * C, 2), *dh = constant(M * C, NAN);
    double kl[M];
    unsigned char agree[M];
    rsd_matmul *mm = products(RSD_PRECISION_F32);
    rsd_loss l = { .M = M,
                   .model = { h, rsd_dense(W, V, C) },
                   .kl_weight = 1,
                   .kl = kl,
                   .agree = agree,
                   .dh = dh };
    l.teacher = l.model;
    void *work = aligned_alloc(64, (rsd_loss_work(&l) + 63) / 64 * 64);
    CHECK_OK(rsd_loss_run(mm, &l, work));
    for (size_t m = 0; m < M; m++) {
        CHECK_CLOSE(kl[m], 0, 0);
        assert_int_equal(agree[m], 1);
        for (size_t c = 0; c < C; c++)
            CHECK_CLOSE(dh[m * C + c], 0, 0);
    }
    rsd_matmul_free(mm);
    free(h);
    free(W);
    free(dh);
    free(work);
}

/* ---- threads ---- */

/* Attention forward and backward, norms, column sums: the same bits from 1, 2 and 3 threads. */
static void run_all(float *out, const float *x)
{
    enum { T = 150, H = 4, KV = 2, D = 8, Q = H * D, K = KV * D, ROW = Q + 2 * K };
    const rsd_attention a = { 1, T, H, KV, D, 0.3, 0 };
    float *qkv = out, *o = qkv + T * ROW, *lse = o + T * Q, *d = lse + T * H;
    float *y = d + T * ROW, *stats = y + T * ROW, *dw = stats + 2 * T;
    memcpy(qkv, x, T * ROW * sizeof *x);
    memset(y, 0, (size_t)(T * ROW + 2 * T + 2 * ROW) * sizeof *y);
    const rsd_attention_gradient g = { .q = { qkv, ROW, D },
                                       .k = { qkv + Q, ROW, D },
                                       .v = { qkv + Q + K, ROW, D },
                                       .o = { o, Q, D },
                                       .d_o = { o, Q, D },
                                       .lse = lse,
                                       .dq = { d, ROW, D },
                                       .dk = { d + Q, ROW, D },
                                       .dv = { d + Q + K, ROW, D } };
    void *work = aligned_alloc(64, (rsd_attention_work(&a) + 63) / 64 * 64);
    CHECK_OK(rsd_attention_forward(&a, g.q, g.k, g.v, g.o, lse, work));
    CHECK_OK(rsd_attention_backward(&a, &g, work));
    const rsd_norm norm = { ROW, x, NULL, 1e-5 };
    rsd_layernorm_forward(&norm, qkv, T, y, stats, stats + T);
    rsd_layernorm_backward(&norm, d, qkv, stats, stats + T, T, y, dw, dw + ROW);
    free(work);
}

static void test_threads(void **state)
{
    (void)state;
    const size_t n = 150 * (64 * 3 + 32 + 4 + 2) + 2 * 64;
    float *x = fill(n, 1), *one = constant(n, 0), *many = constant(n, 0);
    rsd_par_init(1);
    run_all(one, x);
    for (size_t threads = 2; threads <= 3; threads++) {
        rsd_par_init(threads);
        run_all(many, x);
        assert_memory_equal(one, many, n * sizeof *one);
    }
    rsd_par_init(2);
    free(x);
    free(one);
    free(many);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_activation_ends),
        cmocka_unit_test(test_products_f32),
        cmocka_unit_test(test_half_round),
        cmocka_unit_test(test_products_bf16),
        cmocka_unit_test(test_auto),
        cmocka_unit_test(test_without_bf16),
        cmocka_unit_test(test_many_shapes),
        cmocka_unit_test(test_inside_threads),
        cmocka_unit_test(test_linear_bias),
        cmocka_unit_test(test_norms),
        cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_rotary),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_attention_errors),
        cmocka_unit_test(test_loss),
        cmocka_unit_test(test_loss_chunks),
        cmocka_unit_test(test_loss_errors),
        cmocka_unit_test(test_self_teacher),
        cmocka_unit_test(test_threads),
    };
    rsd_par_init(2);
    if (argc > 1 && !strcmp(argv[1], "bf16")) { /* what test_without_bf16 starts */
        const struct CMUnitTest again[] = { cmocka_unit_test(test_products_bf16),
                                            cmocka_unit_test(test_auto) };
        if (rsd_bf16_native() || !freopen("/dev/null", "w", stdout))
            return 1;
        return cmocka_run_group_tests(again, NULL, NULL);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
