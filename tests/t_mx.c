/* Microscaling: mx, mxint and nvfp4 by hand and as laws.  Upstream's answers are in
 * t_golden_quantizers. */
#include "fp.h"
#include "quantizers/microscale.h"
#include "quantizers/quantizer.h"

#include "quantizer_data.h"
#include "read_npy.h"
#include "test.h"

enum { N = 16 };

typedef struct {
    const char *text;
    float w[N], q[N];
} example;

static void check_examples(const example *e, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float w[N], q[N];
        rsd_quant_stats stats;
        memcpy(w, e[i].w, sizeof w);
        quantize(e[i].text, (rsd_mat){ w, 1, N, N }, (rsd_mat){ q, 1, N, N }, &stats);
        for (int j = 0; j < N; j++)
            if (q[j] != e[i].q[j])
                fail_msg("%s of %.9g: got %.9g, want %.9g", e[i].text, (double)w[j], (double)q[j],
                         (double)e[i].q[j]);
    }
}

/* With a largest weight whose exponent is the format's own the scale is 1: numbers stand for
 * themselves. */
static void test_elements(void **state)
{
    (void)state;
    static const example examples[] = {
        { "mx", /* 0 .5 1 1.5 2 3 4 6; ties to even mantissas; beyond 6 clips */
          { 7.9f, -7, 5, -5, 3.5f, 2.5f, 1.75f, 1.25f, 0.75f, 0.25f, -0.25f, 0.26f, 5.1f, 2.4f, 0,
            -6 },
          { 6, -6, 4, -4, 4, 2, 2, 1, 1, 0, 0, 0.5f, 6, 2, 0, -6 } },
        { "mx:rounding=nearest",
          { 7.9f, -7, 5, -5, 3.5f, 2.5f, 1.75f, 1.25f, 0.75f, 0.25f, -0.25f, 0.24f, 4.9f, 2.4f, 0,
            -6 },
          { 6, -6, 6, -6, 4, 3, 2, 1.5f, 1, 0.5f, -0.5f, 0, 4, 2, 0, -6 } },
        { "mx:format=e2m3", /* steps 1/8 below 2, 1/4, 1/2 */
          { 7.8f, 7.25f, -7.25f, 2.125f, 1.0625f, 1.1875f, 0.0625f, 0.1875f, 4, 5.2f, 0, 0, 0, 0, 0,
            0 },
          { 7.5f, 7, -7, 2, 1, 1.25f, 0, 0.25f, 4, 5, 0, 0, 0, 0, 0, 0 } },
        { "mx:format=e2m3,rounding=nearest",
          { 7.8f, 7.25f, -7.25f, 2.125f, 1.0625f, 1.1875f, 0.0625f, 0.1875f, 4, 5.2f, 0, 0, 0, 0, 0,
            0 },
          { 7.5f, 7.5f, -7.5f, 2.25f, 1.125f, 1.25f, 0.125f, 0.25f, 4, 5, 0, 0, 0, 0, 0, 0 } },
        { "mx:format=e3m2", /* 28 is the largest, 1/16 the least */
          { 31, -26, 18, 22, 0.03125f, 0.09375f, 0.5625f, 16, 0.04f, 0, 0, 0, 0, 0, 0, 0 },
          { 28, -24, 16, 24, 0, 0.125f, 0.5f, 16, 0.0625f, 0, 0, 0, 0, 0, 0, 0 } },
        { "mx:format=e4m3", /* 448; least 2^-9 */
          { 500, -464, 17, 19, 0x1p-10f, 0x1.8p-9f, 0.3f, 256, 0x1.2p-10f, 0, 0, 0, 0, 0, 0, 0 },
          { 448, -448, 16, 20, 0, 0x1p-8f, 0.3125f, 256, 0x1p-9f, 0, 0, 0, 0, 0, 0, 0 } },
        { "mx:format=e5m2", /* 57344; least 2^-16 */
          { 65000, 9, -11, 0x1p-17f, 0x1.8p-16f, 40000, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 },
          { 57344, 8, -12, 0, 0x1p-15f, 40960, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 } },
        { "mx:format=int8", /* 64ths, 127 at most on either side */
          { 1.999f, -1.999f, 0.5f / 64, 1.5f / 64, 2.5f / 64, -0.5f / 64, 1, 0.3f, 0, 0, 0, 0, 0, 0,
            0, 0 },
          { 127.0f / 64, -127.0f / 64, 0, 2.0f / 64, 2.0f / 64, 0, 1, 19.0f / 64, 0, 0, 0, 0, 0, 0,
            0, 0 } },
        { "mx:format=int8,rounding=nearest",
          { 1.999f, -1.999f, 0.5f / 64, 1.5f / 64, 2.5f / 64, -0.5f / 64, 1, 0.3f, 0, 0, 0, 0, 0, 0,
            0, 0 },
          { 127.0f / 64, -127.0f / 64, 1.0f / 64, 2.0f / 64, 3.0f / 64, -1.0f / 64, 1, 19.0f / 64,
            0, 0, 0, 0, 0, 0, 0, 0 } },
        { "mxint:bits=4,block=8", /* quarters of 2^floor(log2 max), 7 at most; two blocks */
          { 1.9f, -1.9f, 0.125f, 0.375f, -0.875f, 0.13f, 1, 0, 15, -4, 1, 3, 5, -7, 2, 0.9f },
          { 1.75f, -1.75f, 0, 0.5f, -1, 0.25f, 1, 0, 14, -4, 0, 4, 4, -8, 2, 0 } },
        { "mxint:bits=2,block=16", /* -1 0 1 */
          { 3.9f, -2, 1, 1.01f, -1, -1.01f, 0.9f, 0, 0, 0, 0, 0, 0, 0, 0, 2.5f },
          { 2, -2, 0, 2, 0, -2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 } },
        { "nvfp4:scale=none", /* scale 1; ties to the smaller */
          { 6, -5, 3.5f, 2.5f, 1.75f, 1.25f, 0.75f, 0.25f, 5.1f, -3.6f, 0, -0.25f, 4, 3, 2, 1 },
          { 6, -4, 3, 2, 1.5f, 1, 0.5f, 0, 6, -4, 0, 0, 4, 3, 2, 1 } },
        { "nvfp4", /* tensor's scale 1/448, the block's 448; ties to even */
          { 6, -5, 3.5f, 2.5f, 1.75f, 1.25f, 0.75f, 0.25f, 5.1f, -3.6f, 0, -0.25f, 4, 3, 2, 1 },
          { 6, -4, 4, 2, 2, 1, 1, 0, 6, -4, 0, 0, 4, 3, 2, 1 } },
    };
    check_examples(examples, sizeof examples / sizeof *examples);
}

/* ggml's scales: halves up, subnormals that never reach the least normal number, none beyond 448.
 */
static void test_ggml_scales(void **state)
{
    (void)state;
    static const struct {
        float want, stored;
    } scales[] = {
        { 0x1p-11f, 0 },
        { 0x1p-10f, 0x1p-9f },
        { 0x1.7p-8f, 0x1.8p-8f },
        { 0x1.fp-7f, 0x1.cp-7f },
        { 0x1p-6f, 0x1p-6f },
        { 1.0625f, 1.125f },
        { 1.1875f, 1.25f },
        { 1.05f, 1 },
        { 1.97f, 2 },
        { 448, 448 },
        { 1e6f, 448 },
    };
    rsd_spec spec;
    rsd_packed p;
    CHECK_OK(rsd_spec_parse("nvfp4:scale=none", &spec));
    for (size_t i = 0; i < sizeof scales / sizeof *scales; i++) {
        float w = 6 * scales[i].want;
        CHECK_OK(rsd_pack(&spec, (rsd_mat){ &w, 1, 1, 1 }, NULL, &p));
        const uint8_t *block = rsd_packed_get(&p, "blocks")->data;
        CHECK_CLOSE(rsd_fp_decode(&rsd_e4m3, block[0]), scales[i].stored, 0);
        assert_int_equal(rsd_packed_bytes(&p), 36); /* of 64, whatever the row's length */
        rsd_packed_free(&p);
    }
}

/* Bits per weight, scales counted. */
static void test_bits_per_weight(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double bits, odd; /* of 256 x 512, and of 37 x 53 times 53 */
    } cases[] = {
        { "mx", 4.25, 8 * (27 + 2) },
        { "mxfp6", 6.25, 8 * (40 + 2) },
        { "mxfp8", 8.25, 8 * (53 + 2) },
        { "mxint8", 8.25, 8 * (53 + 2) },
        { "mxint3", 3.25, 8 * (20 + 2) },
        { "mxint2", 2.5, 8 * (14 + 4) },
        { "nvfp4:scale=none", 4.5, 8 * 36 },
        { "nvfp4", 4.5 + 32 / (256.0 * 512), 8 * (27 + 4) + 32 / 37.0 },
    };
    rsd_mat W = make(NORMAL, 256, 512), Wq = like(W), V = make(NORMAL, 37, 53), Vq = like(V);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rsd_quant_stats stats;
        quantize(cases[i].text, W, Wq, &stats);
        CHECK_CLOSE(stats.bits_per_weight, cases[i].bits, 1e-12);
        quantize(cases[i].text, V, Vq, &stats);
        CHECK_CLOSE(stats.bits_per_weight * 53, cases[i].odd, 1e-9);
    }
    rsd_mat_free(&Vq);
    rsd_mat_free(&V);
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

/* Times a power of two, to the bit, as long as scales have room; and at the ends of float32 nothing
 * is lost but what the format cannot say. */
static void test_powers_of_two(void **state)
{
    (void)state;
    static const char *const texts[] = { "mx",     "mx:format=e3m2", "mxfp6",          "mxfp8",
                                         "mxint8", "mxint4",         "mx:format=e5m2", "nvfp4" };
    static const int shifts[] = { -90, -7, 1, 120 };
    rsd_mat W = make(NORMAL, 9, 100), V = like(W), Wq = like(W), Vq = like(W);
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++)
        for (size_t s = 0; s < sizeof shifts / sizeof *shifts; s++) {
            rsd_quant_stats a, b;
            for (size_t i = 0; i < W.m * W.n; i++)
                V.x[i] = ldexpf(W.x[i], shifts[s]);
            quantize(texts[t], W, Wq, &a);
            quantize(texts[t], V, Vq, &b);
            for (size_t i = 0; i < W.m * W.n; i++)
                if (Vq.x[i] != ldexpf(Wq.x[i], shifts[s]))
                    fail_msg("%s, 2^%d: %g of %g", texts[t], shifts[s], (double)Vq.x[i],
                             (double)V.x[i]);
        }
    rsd_mat_free(&Vq);
    rsd_mat_free(&Wq);
    rsd_mat_free(&V);
    rsd_mat_free(&W);
}

/* The shared exponent is exact, also just below a power of two, where a logarithm in float32 rounds
 * up; E8M0 ends at 2^-127. */
static void test_shared_exponents(void **state)
{
    (void)state;
    for (int e = -126; e <= 127; e++) {
        const float x = rsd_power_of_2(e), below = nextafterf(x, 0);
        assert_int_equal(rsd_block_exponent(&x, 1), e);
        assert_int_equal(rsd_block_exponent(&below, 1), e - 1);
    }
    float zero[2] = { 0, -0.0f }, least = 0x1p-149f;
    assert_int_equal(rsd_block_exponent(&least, 1), -149);
    assert_int_equal(rsd_block_exponent(zero, 2), -150);

    static const struct {
        const char *text;
        float w;
        uint8_t scale;
    } cases[] = {
        { "mx", 0, 0 },
        { "mx", 0x1p-149f, 0 },
        { "mx", 0x1p-125f, 0 },
        { "mx", 0x1p-124f, 1 },
        { "mx", 1, 125 },
        { "mx", FLT_MAX, 252 },
        { "mxint8", FLT_MAX, 254 },
        { "mx:format=e5m2", 1, 112 },
        { "mxint4", 3.99f, 128 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rsd_spec spec;
        rsd_packed p;
        float w = cases[i].w;
        CHECK_OK(rsd_spec_parse(cases[i].text, &spec));
        CHECK_OK(rsd_pack(&spec, (rsd_mat){ &w, 1, 1, 1 }, NULL, &p));
        assert_int_equal(*(const uint8_t *)rsd_packed_get(&p, "scales")->data, cases[i].scale);
        rsd_packed_free(&p);
    }
}

/* Element formats without scales, and E8M0, as ml_dtypes has them. */
static void test_casts(void **state)
{
    (void)state;
    static const struct {
        const char *upstream;
        rsd_fp fp;
    } formats[] = {
        { "e2m1fn", { "e2m1", 2, 1, 1, RSD_FP_NONE, 6 } },
        { "e2m3fn", { "e2m3", 2, 3, 1, RSD_FP_NONE, 7.5f } },
        { "e3m2fn", { "e3m2", 3, 2, 3, RSD_FP_NONE, 28 } },
    };
    rsd_npy head;
    float *x = read_npy(fixture("quantizers/odd_37x53.npy"), RSD_F32, &head);
    for (size_t k = 0; k < sizeof formats / sizeof *formats; k++) {
        char name[64];
        snprintf(name, sizeof name, "quantizers/cast_%s.odd_37x53.npy", formats[k].upstream);
        uint8_t *want = read_npy(fixture(name), RSD_U8, &head);
        for (size_t i = 0; i < head.count; i++)
            assert_int_equal(rsd_fp_encode(&formats[k].fp, x[i], true), want[i]);
        free(want);
    }
    free(x);
    float *power = read_npy(fixture("quantizers/table_e8m0fnu.npy"), RSD_F32, &head);
    for (int code = 0; code < 255; code++)
        CHECK_CLOSE(rsd_power_of_2(code - RSD_E8M0_BIAS), power[code], 0);
    assert_true(isnan(power[255])); /* never written */
    free(power);
}

/* The two families' 8-bit integers are one format, and more bits are never worse. */
static void test_orderings(void **state)
{
    (void)state;
    rsd_mat W = make(NORMAL, 64, 512), A = like(W), B = like(W);
    rsd_quant_stats a, b;
    quantize("mxint8", W, A, &a);
    quantize("mxint:bits=8,block=32", W, B, &b);
    assert_memory_equal(A.x, B.x, W.m * W.n * sizeof(float));
    static const char *const rising[] = { "mxint8", "mxfp6",  "mxfp8",  "mx:format=e3m2", "nvfp4",
                                          "mx",     "mxint4", "mxint3", "mxint2" };
    double before = 0;
    for (size_t i = 0; i < sizeof rising / sizeof *rising; i++) {
        quantize(rising[i], W, A, &a);
        if (!(a.relative_error > before))
            fail_msg("%s: error %g, not above %g", rising[i], a.relative_error, before);
        before = a.relative_error;
    }
    /* scales relative to the tensor's reach weights that E4M3 alone cannot */
    for (size_t i = 0; i < W.m * W.n; i++)
        W.x[i] *= 0x1p-20f;
    quantize("nvfp4", W, A, &a);
    quantize("nvfp4:scale=none", W, A, &b);
    assert_true(a.relative_error < 0.11);
    CHECK_CLOSE(b.relative_error, 1, 1e-9);
    rsd_mat_free(&B);
    rsd_mat_free(&A);
    rsd_mat_free(&W);
}

static void test_refused(void **state)
{
    (void)state;
    rsd_spec spec;
    CHECK_FAILS(rsd_spec_parse("mx:format=e4m2", &spec), RSD_EUSAGE, "e2m1|e2m3");
    CHECK_FAILS(rsd_spec_parse("mx:rounding=up", &spec), RSD_EUSAGE, "even|nearest");
    CHECK_FAILS(rsd_spec_parse("mxint:bits=1", &spec), RSD_EUSAGE, "2 to 8");
    CHECK_FAILS(rsd_spec_parse("mxint:block=1", &spec), RSD_EUSAGE, "2 to 65536");
    CHECK_FAILS(rsd_spec_parse("nvfp4:scale=row", &spec), RSD_EUSAGE, "tensor|none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_elements),      cmocka_unit_test(test_casts),
        cmocka_unit_test(test_ggml_scales),   cmocka_unit_test(test_bits_per_weight),
        cmocka_unit_test(test_powers_of_two), cmocka_unit_test(test_shared_exponents),
        cmocka_unit_test(test_orderings),     cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
