/* Inputs that the data never reached: no quantizer that takes a calibration may spoil their
 * weights, nor those of their neighbours. */
#include "quantizer_data.h"
#include "quantizers/importance.h"

#include "adapters/init.h"

enum { M = 24, N = 512, PATTERNS = 9 };

/* Which inputs were not seen. */
typedef bool pattern(size_t j);

static bool none(size_t j) { return j >= N; }
static bool one(size_t j) { return j == 70; }
static bool every_third(size_t j) { return j % 3 == 1; }
static bool a_block(size_t j) { return j >= 64 && j < 96; }
static bool a_super_block(size_t j) { return j >= 256 && j < 512; }
static bool half_of_a_sub_block(size_t j) { return j >= 104 && j < 112; }
static bool all_but_one_in_each_block(size_t j) { return j % 32 != 11; }
static bool all_but_one(size_t j) { return j != 300; }
static bool all(size_t j) { return j < N; }

static const struct {
    const char *name;
    pattern *unseen;
} patterns[PATTERNS] = {
    { "none", none },
    { "one", one },
    { "every third", every_third },
    { "a block", a_block },
    { "a super-block", a_super_block },
    { "half of a sub-block", half_of_a_sub_block },
    { "all but one in each block", all_but_one_in_each_block },
    { "all but one", all_but_one },
    { "all", all },
};

typedef struct {
    rsd_calibration c;
    double *H, *G, *square, *mean_abs, *max_abs;
} layer;

static double *numbers(size_t n)
{
    double *x = calloc(n, sizeof *x);
    assert_non_null(x);
    return x;
}

/* Correlated inputs of unequal size; those not seen have `left` of their mean square, and what
 * correlates with them as much. */
static layer make_layer(pattern *unseen, double left)
{
    layer l = { { 0 }, numbers(N * N), numbers(M * M), numbers(N), numbers(N), numbers(N) };
    for (size_t j = 0; j < N; j++) {
        const double usual = j % 97 == 5 ? 20 : 1 + (double)(j * 7 % 11) / 5;
        const double size = usual * (unseen(j) ? sqrt(left) : 1);
        l.square[j] = size * size;
        l.mean_abs[j] = 0.8 * size;
        l.max_abs[j] = 3 * size;
    }
    for (size_t d = 0; d < N; d++) {
        const double correlation = pow(0.6, (double)d);
        for (size_t i = 0; i + d < N; i++)
            l.H[i * N + i + d] = l.H[(i + d) * N + i] =
                sqrt(l.square[i] * l.square[i + d]) * correlation;
    }
    for (size_t i = 0; i < M; i++)
        l.G[i * (M + 1)] = 1 + (double)i / M;
    l.c = (rsd_calibration){ M, N, l.H, l.G, l.square, l.mean_abs, l.max_abs, 1000 };
    return l;
}

static void layer_free(layer *l)
{
    free(l->H);
    free(l->G);
    free(l->square);
    free(l->mean_abs);
    free(l->max_abs);
}

static double error_with(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c)
{
    rsd_mat Wq = like(W);
    rsd_quant_stats stats;
    CHECK_OK(rsd_quantize(spec, W, c, Wq, &stats, NULL));
    CHECK_OK(rsd_mat_check_finite(Wq));
    rsd_mat_free(&Wq);
    return stats.relative_error;
}

/* As far from W as without calibration, or as with one that saw every input. */
static void check_quantizer(const char *text, rsd_mat W)
{
    rsd_spec spec;
    CHECK_OK(rsd_spec_parse(text, &spec));
    if (spec.quantizer->calibration == RSD_CALIBRATION_NONE)
        return;
    double most = 0;
    if (spec.quantizer->calibration == RSD_CALIBRATION_TAKES)
        most = error_with(&spec, W, NULL);
    for (size_t p = 0; p < PATTERNS; p++)
        for (int tiny = 0; tiny < 2; tiny++) {
            layer l = make_layer(patterns[p].unseen, tiny ? 1e-30 : 0);
            const double error = error_with(&spec, W, &l.c);
            layer_free(&l);
            most = p == 0 ? fmax(most, error) : most;
            if (!(error <= 1.05 * most))
                fail_msg("%s: relative error %g with inputs not seen (%s, %s), else %g", text,
                         error, patterns[p].name, tiny ? "tiny" : "zero", most);
        }
}

static void test_quantizers(void **state)
{
    (void)state;
    static const char *const more[] = { "q4_0:weights=none",   "iq4_nl:trials=0",
                                        "gptq:act_order",      "gptq:metric=GH",
                                        "gptq:group=row",      "gptq:scheme=nf",
                                        "awq:group=row",       "awq:no_clip",
                                        "kmeans:group=tensor", "llmint8:threshold=0.5" };
    rsd_mat W = make(NORMAL, M, N);
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        check_quantizer((*q)->name, W);
        for (const rsd_alias *a = (*q)->aliases; a && a->alias; a++)
            check_quantizer(a->alias, W);
    }
    for (size_t i = 0; i < sizeof more / sizeof *more; i++)
        check_quantizer(more[i], W);
    rsd_mat_free(&W);
}

/* A row that does not fill its last block: the padding is no input, and decides nothing. */
static void test_short_rows(void **state)
{
    (void)state;
    rsd_mat W = make(NORMAL, M, N);
    layer l = make_layer(every_third, 0);
    W.n = l.c.n = 300;
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        rsd_spec spec;
        CHECK_OK(rsd_spec_parse((*q)->name, &spec));
        if ((*q)->calibration != RSD_CALIBRATION_TAKES)
            continue;
        rsd_calibration c = { .m = M, .n = 300, .square = l.square };
        assert_true(error_with(&spec, W, &c) <= 1.1 * error_with(&spec, W, NULL));
    }
    layer_free(&l);
    rsd_mat_free(&W);
}

/* Nothing seen is nothing known: the same bits as without. */
static void test_none_seen(void **state)
{
    (void)state;
    rsd_mat W = make(NORMAL, M, N), with = like(W), without = like(W);
    layer l = make_layer(all, 0);
    rsd_quant_stats stats;
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        rsd_spec spec;
        CHECK_OK(rsd_spec_parse((*q)->name, &spec));
        if ((*q)->calibration != RSD_CALIBRATION_TAKES || strcmp((*q)->name, "llmint8") == 0)
            continue;
        CHECK_OK(rsd_quantize(&spec, W, &l.c, with, &stats, NULL));
        assert_int_equal(stats.unseen_inputs, N);
        CHECK_OK(rsd_quantize(&spec, W, NULL, without, &stats, NULL));
        assert_int_equal(stats.unseen_inputs, 0);
        assert_memory_equal(with.x, without.x, M * N * sizeof(float));
    }
    layer_free(&l);
    rsd_mat_free(&without);
    rsd_mat_free(&with);
    rsd_mat_free(&W);
}

/* ggml's own arithmetic stays to be had, zeros and all. */
static void test_as_ggml(void **state)
{
    (void)state;
    static const char *const specs[] = {
        "q4_0:zeros=ggml", "q5_0:zeros=ggml",   "q3_k:zeros=ggml",
        "q6_k:zeros=ggml", "iq4_nl:zeros=ggml", "iq4_xs:zeros=ggml"
    };
    rsd_mat W = make(NORMAL, M, N);
    layer l = make_layer(all, 0);
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        rsd_spec spec;
        CHECK_OK(rsd_spec_parse(specs[i], &spec));
        CHECK_CLOSE(error_with(&spec, W, &l.c), 1, 1e-6);
    }
    layer_free(&l);
    rsd_mat_free(&W);
}

static void test_fill(void **state)
{
    (void)state;
    const double from[10] = { 0, 4, 1, 0, 0, 0, 0, 0, 1e-30, 2 };
    const double want[10] = { 2, 4, 1, 2, 2, 2, 2, 2, 2, 2 };
    double out[10];
    size_t unseen;
    CHECK_OK(rsd_importance_fill(from, 10, 4, out, &unseen));
    assert_int_equal(unseen, 7);
    for (size_t j = 0; j < 10; j++)
        CHECK_CLOSE(out[j], want[j], 1e-14 * want[j]);
    const double nothing[3] = { 0 };
    CHECK_OK(rsd_importance_fill(nothing, 3, 2, out, &unseen));
    assert_int_equal(unseen, 3);
    for (size_t j = 0; j < 3; j++)
        CHECK_CLOSE(out[j], 1, 0);
    const double bad[2][2] = { { 1, -2 }, { NAN, 1 } };
    CHECK_FAILS(rsd_importance_fill(bad[0], 2, 2, out, NULL), RSD_EDOM, "-2 of input 1 of 2");
    CHECK_FAILS(rsd_importance_fill(bad[1], 2, 2, out, NULL), RSD_EDOM, "input 0");
}

/* No start either: what it adds never makes things worse than W_q alone, and is finite. */
static void check_start(const rsd_init *init, rsd_mat W, pattern *unseen)
{
    layer l = make_layer(unseen, 0);
    rsd_spec quantizer;
    rsd_init_spec spec;
    CHECK_OK(rsd_spec_parse("int4", &quantizer));
    CHECK_OK(rsd_init_parse(init->name, &spec));
    const rsd_init_task task = {
        .W = W, .quantizer = &quantizer, .calibration = &l.c, .rank = 4, .damping = 1e-3
    };
    rsd_init_result out = { .Wq = like(W) };
    CHECK_OK(rsd_mat_alloc(M, 4, &out.B));
    CHECK_OK(rsd_mat_alloc(4, N, &out.A));
    CHECK_OK(rsd_init_start(&spec, &task, &out));
    double error = 0;
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            double c = out.Wq.x[i * N + j];
            for (size_t k = 0; k < 4; k++)
                c += (double)out.B.x[i * 4 + k] * (double)out.A.x[k * N + j];
            error += pow((double)W.x[i * N + j] - c, 2);
        }
    const double relative = sqrt(error / rsd_mat_sumsq(W));
    if (!(relative <= 1.05 * error_with(&quantizer, W, NULL)))
        fail_msg("%s: relative error %g", init->name, relative);
    rsd_packed_free(&out.packed);
    rsd_mat_free(&out.A);
    rsd_mat_free(&out.B);
    rsd_mat_free(&out.Wq);
    layer_free(&l);
}

static void test_starts(void **state)
{
    (void)state;
    static pattern *const some[] = { every_third, a_super_block, all };
    rsd_mat W = make(NORMAL, M, N);
    for (const rsd_init *const *init = rsd_inits; *init; init++)
        for (size_t p = 0; p < sizeof some / sizeof *some; p++)
            if ((*init)->calibration != RSD_CALIBRATION_NONE)
                check_start(*init, W, some[p]);
    rsd_mat_free(&W);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill),       cmocka_unit_test(test_quantizers),
        cmocka_unit_test(test_short_rows), cmocka_unit_test(test_none_seen),
        cmocka_unit_test(test_as_ggml),    cmocka_unit_test(test_starts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
