/* The error that a quantizer is expected to make: its constants against published ones, its sums
 * by hand, and what comes of it on weights that are neither normal nor even. */
#include "quantizers/expected_error.h"
#include "rng.h"

#include "test.h"

/* ---- sums by hand ---- */

static rsd_error_model made(rsd_runs_over over, rsd_run_size size, size_t length, double c0,
                            double c1, double c2)
{
    return (rsd_error_model){ .runs = { .over = over, .size = size, .length = length },
                              .c = { c0, c1, c2 } };
}

/* Sums of squares over rows of [1 -2 3; 4 0 -6]. */
static void check_rows(rsd_error_model m, double first, double second)
{
    float x[] = { 1, -2, 3, 9, 4, 0, -6, 9 }, v[6];
    const rsd_mat W = { x, 2, 3, 4 }, V = { v, 2, 3, 3 }; /* nines are not W's */
    const double want[] = { first, second };
    CHECK_OK(rsd_expect_error(&m, W, NULL, V));
    for (size_t i = 0; i < 2; i++) {
        double sum = 0;
        for (size_t j = 0; j < 3; j++)
            sum += (double)v[3 * i + j] * (double)v[3 * i + j];
        CHECK_CLOSE(sum, want[i], 1e-6 * (1 + want[i]));
    }
}

static void sizes_of_runs(void **state)
{
    (void)state;
    /* {1 -2} {3} {4 0} {-6};  {1 -2} {3 4} {0 -6};  rows; all */
    check_rows(made(RSD_RUNS_OF_ROW, RSD_SIZE_LARGEST, 2, 1, 0, 0), 4 + 4 + 9, 16 + 16 + 36);
    check_rows(made(RSD_RUNS_FLAT, RSD_SIZE_LARGEST, 2, 1, 0, 0), 4 + 4 + 16, 16 + 36 + 36);
    check_rows(made(RSD_RUNS_OF_ROW, RSD_SIZE_LARGEST, SIZE_MAX, 1, 0, 0), 27, 3 * 36);
    check_rows(made(RSD_RUNS_OF_ROWS, RSD_SIZE_LARGEST, 1, 1, 0, 0), 27, 3 * 36);
    check_rows(made(RSD_RUNS_OF_ROWS, RSD_SIZE_LARGEST, SIZE_MAX, 1, 0, 0), 3 * 36, 3 * 36);
    /* ranges hold 0: {3} is 3 wide */
    check_rows(made(RSD_RUNS_OF_ROW, RSD_SIZE_RANGE, 2, 1, 0, 0), 9 + 9 + 9, 16 + 16 + 36);
    /* single weights, and the terms of their own sizes: s^2 + 2 s |w| + 3 w^2 */
    check_rows(made(RSD_RUNS_OF_ROW, RSD_SIZE_LARGEST, 1, 0, 0, 1), 14, 52);
    check_rows(made(RSD_RUNS_OF_ROWS, RSD_SIZE_LARGEST, 1, 1, 2, 3), 27 + 2 * 3 * 6 + 3 * 14,
               108 + 2 * 6 * 10 + 3 * 52);
    check_rows(made(RSD_RUNS_OF_ROWS, RSD_SIZE_LARGEST, 1, -1, 0, 1), 0, 0); /* no less than 0 */
}

/* ---- constants ---- */

/* Root mean square error on N(0,1), expected of weights that the constants were not measured on. */
static double expected_on_normals(const char *text, rsd_error_model *m)
{
    enum { M = 64, N = 1024 };
    rsd_rng *rng;
    rsd_spec spec;
    rsd_mat W, V;
    CHECK_OK(rsd_spec_parse(text, &spec));
    CHECK_OK(rsd_error_model_make(&spec, false, m));
    CHECK_OK(rsd_rng_alloc(4, "normals", &rng));
    CHECK_OK(rsd_mat_alloc(M, N, &W));
    CHECK_OK(rsd_mat_alloc(M, N, &V));
    rsd_rng_normals(rng, W.x, M * N);
    CHECK_OK(rsd_expect_error(m, W, NULL, V));
    const double square = rsd_mat_sumsq(V) + m->leak * m->leak * rsd_mat_sumsq(W);
    rsd_mat_free(&V);
    rsd_mat_free(&W);
    rsd_rng_free(rng);
    return sqrt(square / (M * N));
}

/* As published by bitsandbytes and computed with ggml's own code, and for even levels. */
static void published_errors(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        double rmse;
    } known[] = {
        { "nf4", 0.09192 },
        { "nf4:block=32", 0.08725 },
        { "nf4:block=256", 0.09865 },
        { "fp4", 0.12197 },
        { "af4", 0.0956 },
        { "nf3", 0.2016 },
        { "nf2", 0.5630 },
        { "int4:group=64", 0.1077 },
        { "int3:group=64", 0.2514 },
        { "int2:group=64", 0.718 },
        { "int2:group=64,scheme=affine", 0.4567 },
        { "int3:group=64,scheme=affine", 0.1952 },
        { "int4:group=64,scheme=affine", 0.0911 },
        { "int4:group=32,scheme=affine", 0.0808 },
        { "int8:group=64,scheme=affine", 0.00535 },
        { "q4_0", 0.08595 },
        { "q4_1", 0.07832 },
        { "q5_0", 0.04274 },
        { "q5_1", 0.03783 },
        { "q8_0", 0.00536 },
        { "q2_k", 0.29678 },
        { "q3_k", 0.15092 },
        { "q4_k", 0.07144 },
        { "q5_k", 0.03615 },
        { "q6_k", 0.01774 },
        { "iq4_nl", 0.07614 },
        { "iq4_xs", 0.07672 },
        { "tq2_0", 0.808 },
    };
    rsd_error_model m;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const double rmse = expected_on_normals(known[i].spec, &m);
        if (!(fabs(rmse / known[i].rmse - 1) < 0.02))
            fail_msg("%s: %.5f, published %.5f", known[i].spec, rmse, known[i].rmse);
    }
}

static void leaks(void **state)
{
    (void)state;
    rsd_error_model m;
    expected_on_normals("nf4", &m);
    CHECK_CLOSE(m.leak, 0.0046, 0.001);
    expected_on_normals("nf2", &m);
    CHECK_CLOSE(m.leak, 0.082, 0.005);
    expected_on_normals("int2:group=64", &m);
    CHECK_CLOSE(m.leak, 0.115, 0.01);
    for (int bits = 2; bits <= 4; bits++) {
        char text[64];
        snprintf(text, sizeof text, "int:bits=%d,group=64,scheme=affine", bits);
        expected_on_normals(text, &m);
        CHECK_CLOSE(m.leak, 0, 0.005);
    }
}

static void what_depends_on_more_is_refused(void **state)
{
    (void)state;
    static const char *const text[] = {
        "gptq", "awq", "llmint8", "lowrank", "kmeans", "hqq:axis=0"
    };
    rsd_error_model m;
    rsd_spec spec;
    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        CHECK_OK(rsd_spec_parse(text[i], &spec));
        assert_false(rsd_error_is_expected(&spec));
        CHECK_FAILS(rsd_error_model_make(&spec, false, &m), RSD_EUSAGE, "depends on more");
    }
}

/* ---- on weights that are not normal ---- */

/* Tails heavier than normal, rows and columns of their own sizes. */
static rsd_mat uneven(size_t m, size_t n)
{
    rsd_rng *rng;
    rsd_mat W;
    double col[512];
    CHECK_OK(rsd_rng_alloc(7, "uneven", &rng));
    CHECK_OK(rsd_mat_alloc(m, n, &W));
    for (size_t j = 0; j < n; j++)
        col[j] = 0.3 * rsd_rng_normal(rng);
    for (size_t i = 0; i < m; i++) {
        const double row = 0.3 * rsd_rng_normal(rng);
        for (size_t j = 0; j < n; j++) {
            const double size = exp(row + col[j] + 0.3 * rsd_rng_normal(rng));
            W.x[i * n + j] = (float)(0.02 * size * rsd_rng_normal(rng));
        }
    }
    rsd_rng_free(rng);
    return W;
}

/* Root mean square of log(expected/made), less its mean. */
static double apart(const double *expected, const double *found, size_t n)
{
    double sum = 0, square = 0;
    for (size_t i = 0; i < n; i++) {
        const double d = log(expected[i] / found[i]);
        sum += d / (double)n;
        square += d * d / (double)n;
    }
    return sqrt(square - sum * sum);
}

/* Every quantizer whose error can be foreseen: the energy within 15 %, rows and columns as far off
 * as sums of some hundred squares are. */
static void every_quantizer(void **state)
{
    (void)state;
    enum { M = 192, N = 512 };
    static double rows[M], cols[N], made_rows[M], made_cols[N];
    rsd_mat W = uneven(M, N), Q, V;
    size_t count = 0;
    CHECK_OK(rsd_mat_alloc(M, N, &Q));
    CHECK_OK(rsd_mat_alloc(M, N, &V));
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        rsd_spec spec;
        rsd_error_model m;
        rsd_quant_stats stats;
        double seen = 0, all = 0;
        CHECK_OK(rsd_spec_parse((*q)->name, &spec));
        if (!rsd_error_is_expected(&spec))
            continue;
        CHECK_OK(rsd_error_model_make(&spec, false, &m));
        CHECK_OK(rsd_expect_error(&m, W, NULL, V));
        CHECK_OK(rsd_quantize(&spec, W, NULL, Q, &stats, NULL));
        memset(rows, 0, sizeof rows);
        memset(cols, 0, sizeof cols);
        memset(made_rows, 0, sizeof made_rows);
        memset(made_cols, 0, sizeof made_cols);
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < N; j++) {
                const double w = (double)W.x[i * N + j];
                const double e = w - (double)Q.x[i * N + j] - m.leak * w;
                const double v = (double)V.x[i * N + j];
                rows[i] += v * v;
                cols[j] += v * v;
                seen += v * v;
                made_rows[i] += e * e;
                made_cols[j] += e * e;
                all += e * e;
            }
        const double most = strcmp((*q)->name, "tq2_0") ? 0.15 : 0.2; /* three levels alone */
        if (!(fabs(log(seen / all)) < most && apart(rows, made_rows, M) < 0.2 &&
              apart(cols, made_cols, N) < 0.27))
            fail_msg("%s: energy %.3f of what is made, rows off by %.3f, columns by %.3f",
                     spec.text, seen / all, apart(rows, made_rows, M), apart(cols, made_cols, N));
        count++;
    }
    assert_true(count >= 20);
    rsd_mat_free(&V);
    rsd_mat_free(&Q);
    rsd_mat_free(&W);
}

/* Inputs that count for more are left with less: what is expected of columns of a type that
 * searches for its scales, against what it makes of them. */
static void importances(void **state)
{
    (void)state;
    enum { M = 256, N = 512 };
    static double square[N], expected[N], found[N];
    static const char *const text[] = { "q4_0", "q4_k", "q2_k" };
    rsd_rng *rng;
    rsd_mat W, Q, V;
    CHECK_OK(rsd_rng_alloc(12, "importances", &rng));
    CHECK_OK(rsd_mat_alloc(M, N, &W));
    CHECK_OK(rsd_mat_alloc(M, N, &Q));
    CHECK_OK(rsd_mat_alloc(M, N, &V));
    rsd_rng_normals(rng, W.x, M * N);
    for (size_t j = 0; j < N; j++)
        square[j] = exp(rsd_rng_normal(rng));
    const rsd_calibration c = { .m = M, .n = N, .square = square };
    for (size_t k = 0; k < sizeof text / sizeof *text; k++) {
        rsd_error_model plain, m;
        rsd_quant_stats stats;
        rsd_spec spec;
        CHECK_OK(rsd_spec_parse(text[k], &spec));
        CHECK_OK(rsd_error_model_make(&spec, false, &plain));
        CHECK_OK(rsd_error_model_make(&spec, true, &m));
        assert_true(plain.by_importance == 0 && m.by_importance > 0.1);
        CHECK_OK(rsd_expect_error(&m, W, square, V));
        CHECK_OK(rsd_quantize(&spec, W, &c, Q, &stats, NULL));
        for (size_t j = 0; j < N; j++) {
            expected[j] = found[j] = 0;
            for (size_t i = 0; i < M; i++) {
                const double e = (double)W.x[i * N + j] * (1 - m.leak) - (double)Q.x[i * N + j];
                found[j] += e * e;
                expected[j] += (double)V.x[i * N + j] * (double)V.x[i * N + j];
            }
        }
        const double with = apart(expected, found, N);
        CHECK_OK(rsd_expect_error(&m, W, NULL, V));
        for (size_t j = 0; j < N; j++) {
            expected[j] = 0;
            for (size_t i = 0; i < M; i++)
                expected[j] += (double)V.x[i * N + j] * (double)V.x[i * N + j];
        }
        if (!(with < 0.2 && with < 0.7 * apart(expected, found, N)))
            fail_msg("%s: columns off by %.3f, without importances %.3f", text[k], with,
                     apart(expected, found, N));
    }
    rsd_mat_free(&V);
    rsd_mat_free(&Q);
    rsd_mat_free(&W);
    rsd_rng_free(rng);
}

static void bits(void **state)
{
    (void)state;
    rsd_error_model m;
    expected_on_normals("q4_0", &m);
    CHECK_CLOSE(m.bits_per_weight, 4.5, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_of_runs),
        cmocka_unit_test(published_errors),
        cmocka_unit_test(leaks),
        cmocka_unit_test(what_depends_on_more_is_refused),
        cmocka_unit_test(every_quantizer),
        cmocka_unit_test(importances),
        cmocka_unit_test(bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
