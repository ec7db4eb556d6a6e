/* What each family of quantizers answers: by hand, and as laws. */
#include "quantizers/quantizer.h"

#include "quantizer_data.h"
#include "test.h"

/* Bits per weight, by hand. */
static void test_bits_per_weight(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t m, n;
        double bits;
    } cases[] = {
        { "nf4", 256, 512, 4 + 32.0 / 64 },
        { "nf4:double", 256, 512, 4 + 8.0 / 64 + 32.0 / (64 * 256) + 32.0 / (256 * 512) },
        { "nf3", 256, 512, 3 + 32.0 / 64 },
        { "nf2:block=32", 256, 512, 2 + 32.0 / 32 },
        { "nf4", 37, 53, 8 * (981 + 4 * 31) / (37.0 * 53) },
        { "nf3", 37, 53, 8 * (736 + 4 * 31) / (37.0 * 53) },
        { "fp4:block=4096", 256, 512, 4 + 32.0 / 4096 },
        { "int4", 256, 512, 4.125 },
        { "int4:scheme=affine", 256, 512, 4 + 20.0 / 128 },
        { "int3:group=64,scale=f32", 256, 512, 3.5 },
        { "int8:group=row", 256, 512, 8 + 16.0 / 512 },
        { "int2:group=tensor,scheme=affine", 256, 512, 2 + (16 + 8) / (256.0 * 512) },
        { "int4", 37, 53, 8 * (27 + 2) / 53.0 },
        { "int5:group=7", 3, 16, 8 * (10 + 3 * 2) / 16.0 },
        { "fp16", 256, 512, 16 },
        { "fp8", 256, 512, 8 + 32 / (256.0 * 512) },
        { "fp8:scale=row", 256, 512, 8 + 32 / 512.0 },
        { "fp8:scale=none", 37, 53, 8 },
        { "lowrank:rank=8", 256, 512, 16 * 8 * (256 + 512) / (256.0 * 512) },
        { "lowrank:store=f32", 6, 64, 32 * 6 * (6 + 64) / (6.0 * 64) },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rsd_mat W = make(NORMAL, cases[i].m, cases[i].n), Wq = like(W);
        rsd_quant_stats stats;
        quantize(cases[i].text, W, Wq, &stats);
        CHECK_CLOSE(stats.bits_per_weight, cases[i].bits, 1e-12);
        rsd_mat_free(&Wq);
        rsd_mat_free(&W);
    }
}

static void test_exact(void **state)
{
    (void)state;
    enum { N = 8 };
    static const struct {
        const char *text;
        float w[N], q[N];
    } cases[] = {
        /* scale 1; halves to even */
        { "int4", { 7, -3.4f, 0.5f, 1.5f, -2.5f, -7, 0, 6.6f }, { 7, -3, 0, 2, -2, -7, 0, 7 } },
        /* scale 2, ternary; one half and less goes to 0 */
        { "int2", { -2, 1, 1.01f, -1, -1.01f, 0, 2, 0.5f }, { -2, 0, 2, 0, -2, 0, 2, 0 } },
        /* -1..14 in 16 levels: scale 1, zero point 1 */
        { "int4:scheme=affine",
          { -1, 14, 0.4f, 3.5f, 4.5f, 13, 2, 7.7f },
          { -1, 14, 0, 4, 4, 13, 2, 8 } },
        /* all positive: the range goes down to 0, and the group is not lost */
        { "int2:scheme=affine", { 9, 6, 9, 7, 8, 9, 7.4f, 9 }, { 9, 6, 9, 6, 9, 9, 6, 9 } },
        { "int2:scheme=affine",
          { -9, -6, -9, -7, -8, 0, -1, -2 },
          { -9, -6, -9, -6, -9, 0, 0, -3 } },
        /* two groups in a row; the second is short */
        { "int3:group=5", { 3, 1, -2, 0, 0.4f, 30, 11, -26 }, { 3, 1, -2, 0, 0, 30, 10, -30 } },
        /* e4m3: 448 is the largest, 1/64 the least normal; steps of 2^-9 below */
        { "fp8:scale=none",
          { 449, -1e30f, 17, 19, 0x1p-10f, 0x1.8p-9f, 0.3f, 1 },
          { 448, -448, 16, 20, 0, 0x1p-8f, 0.3125f, 1 } },
        { "fp8", { 896, 34, 38, 2, 0, -896, 1, -4 }, { 896, 32, 40, 2, 0, -896, 1, -4 } },
        { "fp16",
          { 2049, 2051, 1e6f, -1e-9f, 1, 0, 0.1f, -2 },
          { 2048, 2052, 65504, 0, 1, 0, 0x1.998p-4f, -2 } },
        { "bf16",
          { 257, 259, 1e30f, 1e-30f, 1, 0, 3, -2 },
          { 256, 260, 0x1.94p99f, 0x1.44p-100f, 1, 0, 3, -2 } },
        /* midpoints of 0, .33791524 and 1 go down */
        { "nf2:block=8",
          { -1, 1, 0.16895762f, 0.17f, 0.66895765f, 0.6689575f, -0.5f, -0.51f },
          { -1, 1, 0, 0.33791524f, 1, 0.33791524f, -1, -1 } },
        { "fp4:block=8",
          { 12, -8, 6.9f, 5.1f, 3.4f, 2.6f, 1.0f, 0.03f },
          { 12, -8, 6, 6, 3, 3, 0.0625f, 0 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float w[N], q[N];
        memcpy(w, cases[i].w, sizeof w);
        rsd_quant_stats stats;
        quantize(cases[i].text, (rsd_mat){ w, 1, N, N }, (rsd_mat){ q, 1, N, N }, &stats);
        for (int j = 0; j < N; j++)
            if (fabs((double)q[j] - (double)cases[i].q[j]) > 2e-7 * fabs((double)q[j]))
                fail_msg("%s of %.9g: got %.9g, want %.9g", cases[i].text, (double)w[j],
                         (double)q[j], (double)cases[i].q[j]);
    }
}

/* Blocks of full length multiply by 1/absmax, a short last one divides: near a midpoint that is
 * the difference between two levels.  The golden inputs happen not to show it. */
static void test_short_blocks_divide(void **state)
{
    (void)state;
    const float bound = 0.33791524f / 2, level = 0.33791524f;
    int differ = 0;
    for (int i = 1; i <= 2000; i++) {
        const float a = 1 + (float)i * 0x1p-11f, x = bound * a;
        const float whole = x * (1 / a) > bound ? level * a : 0;
        const float cut = x / a > bound ? level * a : 0;
        float w[8] = { a, x }, q[8];
        rsd_quant_stats stats;
        quantize("nf2:block=8", (rsd_mat){ w, 1, 8, 8 }, (rsd_mat){ q, 1, 8, 8 }, &stats);
        CHECK_CLOSE(q[1], whole, 0);
        quantize("nf2:block=8", (rsd_mat){ w, 1, 7, 7 }, (rsd_mat){ q, 1, 7, 7 }, &stats);
        CHECK_CLOSE(q[1], cut, 0);
        differ += whole != cut;
    }
    assert_true(differ > 10);

    /* and its absmax is at least 1e-38, which the mean of double quantization sees */
    float zeros[9] = { 0 };
    rsd_spec spec;
    rsd_packed packed;
    CHECK_OK(rsd_spec_parse("nf4:block=8", &spec));
    CHECK_OK(rsd_pack(&spec, (rsd_mat){ zeros, 1, 9, 9 }, NULL, &packed));
    const float *absmax = rsd_packed_get(&packed, "absmax")->data;
    CHECK_CLOSE(absmax[0], 0, 0);
    CHECK_CLOSE(absmax[1], 1e-38f, 0);
    rsd_packed_free(&packed);
}

static void test_measures(void **state)
{
    (void)state;
    float w[] = { 3, -3.4f, 0.25f, 3 }, q[4];
    rsd_quant_stats stats;
    quantize("int3", (rsd_mat){ w, 2, 2, 2 }, (rsd_mat){ q, 2, 2, 2 }, &stats);
    /* row {3,-3.4}: scale 3.4/3 in fp16 = 1161/1024, codes 3 and -3; {.25,3}: scale 1, 0 and 3 */
    const double a = 3 - 3 * 1161.0 / 1024, b = (double)3.4f - 3 * 1161.0 / 1024, c = 0.25;
    const double error = a * a + b * b + c * c;
    const double energy = 9 + (double)3.4f * (double)3.4f + 0.0625 + 9;
    CHECK_CLOSE(stats.relative_error, sqrt(error / energy), 1e-15);
    CHECK_CLOSE(stats.sqnr_db, 10 * log10(energy / error), 1e-12);
    CHECK_CLOSE(stats.max_abs_error, -a, 1e-15);
    assert_int_equal(stats.packed_bytes, 2 * 1 + 2 * 2);
}

/* Multiplying W by a power of two multiplies Wq by it, to the bit. */
static void test_scale_invariance(void **state)
{
    (void)state;
    static const char *const texts[] = { "nf4",
                                         "nf3:block=32",
                                         "nf4:double",
                                         "fp4",
                                         "int4",
                                         "int8:scheme=affine,scale=f32",
                                         "int3:group=row",
                                         "fp8" };
    rsd_mat W = make(NORMAL, 37, 64), V = like(W), Wq = like(W), Vq = like(W);
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
        for (int e = -4; e <= 12; e += 4) { /* fp16 scales stay normal */
            rsd_quant_stats a, b;
            for (size_t i = 0; i < W.m * W.n; i++)
                V.x[i] = ldexpf(W.x[i], e);
            quantize(texts[t], W, Wq, &a);
            quantize(texts[t], V, Vq, &b);
            for (size_t i = 0; i < W.m * W.n; i++)
                assert_true(Vq.x[i] == ldexpf(Wq.x[i], e));
            CHECK_CLOSE(a.relative_error, b.relative_error, 1e-14);
        }
    rsd_mat_free(&Vq);
    rsd_mat_free(&Wq);
    rsd_mat_free(&V);
    rsd_mat_free(&W);
}

/* 16-bit scales lose nothing that matters at the ends of float32: fp16 gives way to bf16. */
static void test_extreme_scales(void **state)
{
    (void)state;
    const kind kinds[] = { TINY, LARGE };
    rsd_mat W = make(NORMAL, 37, 128), Wq = like(W);
    rsd_quant_stats usual, extreme;
    quantize("int4", W, Wq, &usual);
    for (int k = 0; k < 2; k++) {
        rsd_mat V = make(kinds[k], 37, 128);
        rsd_spec spec;
        rsd_packed packed;
        CHECK_OK(rsd_spec_parse("int4", &spec));
        CHECK_OK(rsd_pack(&spec, V, NULL, &packed));
        assert_string_equal(rsd_packed_get(&packed, "scales")->dtype, "BF16");
        rsd_packed_free(&packed);
        quantize("int4", V, Wq, &extreme);
        CHECK_CLOSE(extreme.relative_error, usual.relative_error, 0.01 * usual.relative_error);
        CHECK_CLOSE(extreme.bits_per_weight, usual.bits_per_weight, 0);
        quantize("lowrank:rank=full", V, Wq, &extreme);
        assert_true(extreme.relative_error < 0x1p-7);
        rsd_mat_free(&V);
    }
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);

    /* the least bf16: a scale of 1.4 quanta is stored as 1, and codes end at 7 on both sides */
    float w[] = { -9.8f * 0x1p-133f, 9.8f * 0x1p-133f, 3 * 0x1p-133f }, q[3];
    quantize("int4", (rsd_mat){ w, 1, 3, 3 }, (rsd_mat){ q, 1, 3, 3 }, &extreme);
    CHECK_CLOSE(q[0], -7 * 0x1p-133f, 0);
    CHECK_CLOSE(q[1], 7 * 0x1p-133f, 0);
    CHECK_CLOSE(q[2], 3 * 0x1p-133f, 0);
}

static void expect_rising(const char *const *texts, size_t count)
{
    rsd_mat W = make(NORMAL, 64, 512), Wq = like(W);
    double before = 0;
    for (size_t i = 0; i < count; i++) {
        rsd_quant_stats stats;
        quantize(texts[i], W, Wq, &stats);
        assert_true(stats.relative_error > before);
        before = stats.relative_error;
    }
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

static void test_orderings(void **state)
{
    (void)state;
    static const char *const bits[] = { "int8", "int7", "int6", "int5", "nf4",
                                        "int4", "nf3",  "int3", "nf2",  "int2" };
    static const char *const groups[] = { "int4:group=16", "int4:group=64", "int4:group=256",
                                          "int4:group=row", "int4:group=tensor" };
    static const char *const blocks[] = { "nf4:block=16", "nf4:block=64", "nf4:block=256",
                                          "nf4:block=4096" };
    static const char *const floats[] = { "fp16", "bf16", "float:format=e4m3,scale=row",
                                          "float:format=e5m2,scale=row" };
    static const char *const ranks[] = { "lowrank:rank=full", "lowrank:rank=60", "lowrank:rank=30",
                                         "lowrank:rank=1" };
    /* affine beats NF4 up to blocks of 64, even on normal weights; NF4 wins from 128 on */
    static const char *const families[] = { "int4:group=64,scheme=affine", "nf4:block=64",
                                            "nf4:block=128", "int4:group=128,scheme=affine" };
    expect_rising(bits, 10);
    expect_rising(groups, 5);
    expect_rising(blocks, 4);
    expect_rising(floats, 4);
    expect_rising(ranks, 4);
    expect_rising(families, 4);
}

static void test_lowrank(void **state)
{
    (void)state;
    /* sigma 4, 2, 1: shares 16/21, 20/21, 1 */
    float w[] = { 4, 0, 0, 0, 0, -2, 0, 0, 0, 0, 1, 0 }, q[12];
    static const struct {
        const char *text;
        size_t rank;
    } cases[] = {
        { "lowrank:energy=0", 1 },
        { "lowrank:energy=0.76", 1 },
        { "lowrank:energy=0.77", 2 },
        { "lowrank:energy=0.96", 3 },
        { "lowrank:rank=2", 2 },
        { "lowrank:rank=2,energy=0.96", 2 },
        { "lowrank", 3 },
    };
    const double kept[] = { 16, 20, 21 };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rsd_quant_stats stats;
        quantize(cases[i].text, (rsd_mat){ w, 3, 4, 4 }, (rsd_mat){ q, 3, 4, 4 }, &stats);
        assert_int_equal(stats.packed_bytes, 2 * cases[i].rank * 7);
        /* two factors rounded to 2^-11 each */
        CHECK_CLOSE(stats.relative_error, sqrt(1 - kept[cases[i].rank - 1] / 21), 3 * 0x1p-11);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits_per_weight),     cmocka_unit_test(test_exact),
        cmocka_unit_test(test_short_blocks_divide), cmocka_unit_test(test_measures),
        cmocka_unit_test(test_scale_invariance),    cmocka_unit_test(test_extreme_scales),
        cmocka_unit_test(test_orderings),           cmocka_unit_test(test_lowrank),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
