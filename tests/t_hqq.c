/* Half-quadratic quantization: by hand, its laws, and upstream's answers where a power's last bit
 * keeps them from being identical (the others are in t_golden_quantizers). */
#include "quantizers/quantizer.h"

#include "golden_data.h"
#include "quantizer_data.h"
#include "test.h"

static void packed_of(const char *text, rsd_mat W, rsd_packed *p)
{
    rsd_spec spec;
    CHECK_OK(rsd_spec_parse(text, &spec));
    CHECK_OK(rsd_pack(&spec, W, NULL, p));
}

/* Scale and zero of the range, no solver: w ~ (q - z) s. */
static void test_range(void **state)
{
    (void)state;
    float w[] = { -1, 14, 0.4f, 3.5f, 4.5f, 13, 2, 7.7f, /* */ 5, 5, 5, 5, 5, 5, 5, 5 }, q[16];
    const float want[] = { -1, 14, 0, 3, 5, 13, 2, 8, 5, 5, 5, 5, 5, 5, 5, 5 };
    rsd_quant_stats stats;
    quantize("hqq:group=8,solver=none", (rsd_mat){ w, 1, 16, 16 }, (rsd_mat){ q, 1, 16, 16 },
             &stats);
    for (int i = 0; i < 16; i++) /* q = rint(w + 1): halves to even after the zero is added */
        CHECK_CLOSE(q[i], want[i], 1e-6);

    /* a group of range 1e-4 or less keeps its least weight, and by a solver its mean */
    for (int i = 0; i < 16; i++)
        w[i] = 0.25f + (float)(i % 2) * 5e-5f;
    quantize("hqq:group=8,solver=none,scale=f32", (rsd_mat){ w, 1, 16, 16 },
             (rsd_mat){ q, 1, 16, 16 }, &stats);
    CHECK_CLOSE(stats.max_abs_error, 5e-5, 1e-7);
    quantize("hqq:group=8,scale=f32", (rsd_mat){ w, 1, 16, 16 }, (rsd_mat){ q, 1, 16, 16 }, &stats);
    CHECK_CLOSE(stats.max_abs_error, 2.5e-5, 1e-7);

    /* scales end at 2e4, so that their inverse is a number in fp16 */
    for (int i = 0; i < 16; i++)
        w[i] = (float)(i % 8) * 2e-5f;
    rsd_packed p;
    packed_of("hqq:group=8,solver=none,scale=f32", (rsd_mat){ w, 1, 16, 16 }, &p);
    CHECK_CLOSE(*(const float *)rsd_packed_get(&p, "scales")->data, 1 / 2e4f, 0);
    rsd_packed_free(&p);
}

/* Usual weights lie below the shrinkage: then a solver's z is the mean of q - w s of its group, and
 * the error has mean 0 in every group up to what the last rounding changed. */
static void test_zero_is_the_mean(void **state)
{
    (void)state;
    enum { GROUP = 64, GROUPS = 32 };
    rsd_mat W = make(NORMAL, 16, 128), Wq = like(W);
    rsd_quant_stats none, legacy, v2;
    rsd_packed p;
    quantize("hqq:solver=none,scale=f32", W, Wq, &none);
    quantize("hqq:solver=v2,scale=f32", W, Wq, &v2);
    quantize("hqq:scale=f32", W, Wq, &legacy);
    assert_true(legacy.relative_error < none.relative_error);
    assert_true(v2.relative_error < none.relative_error);
    packed_of("hqq:scale=f32", W, &p);
    const float *scale = rsd_packed_get(&p, "scales")->data;
    for (int g = 0; g < GROUPS; g++) {
        double sum = 0;
        for (int i = 0; i < GROUP; i++)
            sum += (double)W.x[g * GROUP + i] - (double)Wq.x[g * GROUP + i];
        /* the last round moves z by less than a code's worth in a few elements */
        CHECK_CLOSE(sum / GROUP / (double)scale[g], 0, 0.05);
    }
    rsd_packed_free(&p);
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

/* axis=0 groups every G-th weight: quantizing the transposed arrangement by rows is the same. */
static void test_axes(void **state)
{
    (void)state;
    enum { ROWS = 8, COLUMNS = 24 };
    rsd_mat W = make(NORMAL, ROWS, COLUMNS), T, A = like(W), B;
    CHECK_OK(rsd_mat_alloc(COLUMNS, ROWS, &T));
    CHECK_OK(rsd_mat_alloc(COLUMNS, ROWS, &B));
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            T.x[j * ROWS + i] = W.x[i * COLUMNS + j];
    rsd_quant_stats stats;
    quantize("hqq:group=8,axis=0,solver=none", W, A, &stats);
    quantize("hqq:group=8,axis=1,solver=none", T, B, &stats);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLUMNS; j++)
            CHECK_CLOSE(A.x[i * COLUMNS + j], B.x[j * ROWS + i], 0);
    rsd_mat_free(&A);
    rsd_mat_free(&B);
    rsd_mat_free(&T);
    rsd_mat_free(&W);
}

/* Bytes: rows of the flat matrix in 8/bits equal parts, the first in the high bits; other widths
 * one code after the other.  Scales and zeros take 16 bits each. */
static void test_bytes(void **state)
{
    (void)state;
    float w[32];
    for (int i = 0; i < 32; i++)
        w[i] = (float)(i % 16); /* groups of 16: code i is i */
    rsd_packed p;
    packed_of("hqq:group=16", (rsd_mat){ w, 1, 32, 32 }, &p);
    const uint8_t *byte = rsd_packed_get(&p, "codes")->data;
    assert_int_equal(rsd_packed_get(&p, "codes")->bytes, 16);
    for (int i = 0; i < 16; i++)
        assert_int_equal(byte[i], i << 4 | i);
    assert_int_equal(rsd_packed_bytes(&p), 16 + 2 * (2 + 2));
    rsd_packed_free(&p);

    static const struct {
        const char *text;
        double bits;
    } cases[] = {
        { "hqq", 4.5 },
        { "hqq3", 3.5 },
        { "hqq2:group=16", 4 },
        { "hqq:bits=8,scale=f32", 9 },
        { "hqq:bits=5,group=128,axis=0", 5.25 },
    };
    rsd_mat W = make(NORMAL, 64, 256), Wq = like(W);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rsd_quant_stats stats;
        quantize(cases[i].text, W, Wq, &stats);
        CHECK_CLOSE(stats.bits_per_weight, cases[i].bits, 1e-12);
    }
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
    rsd_spec spec;
    CHECK_FAILS(rsd_spec_parse("hqq:bits=1", &spec), RSD_EUSAGE, "2 to 8");
    CHECK_FAILS(rsd_spec_parse("hqq:axis=2", &spec), RSD_EUSAGE, "0|1");
    CHECK_FAILS(rsd_spec_parse("hqq:solver=fast", &spec), RSD_EUSAGE, "legacy|v2|slow|none");
}

/* Zeros within a unit in the last place of the codes that they are means of, where upstream's power
 * rounds otherwise (5 of 2560 do). */
static void test_upstreams_zeros(void **state)
{
    (void)state;
    static const struct {
        const char *text, *zeros;
    } cases[] = {
        { "hqq:bits=2,group=16,scale=f32", "hqq/b2_zeros.npy" },
        { "hqq:bits=4,group=64,scale=f32", "hqq/b4_zeros.npy" },
    };
    rsd_mat W;
    if (!load_input("big_128x256", false, &W))
        skip();
    for (int i = 0; i < 2; i++) {
        rsd_npy head;
        rsd_packed p;
        float *want = read_npy(fixture(cases[i].zeros), RSD_F32, &head);
        packed_of(cases[i].text, W, &p);
        const float *got = rsd_packed_get(&p, "zeros")->data;
        size_t differ = 0;
        for (size_t g = 0; g < head.count; g++) {
            CHECK_CLOSE(got[g], want[g], 0x1p-20);
            differ += got[g] != want[g];
        }
        assert_true(differ <= head.count / 100);
        rsd_packed_free(&p);
        free(want);
    }
    free(W.x);
}

/* Upstream's ||W - Wq||_F of the same runs. */
static void test_upstreams_errors(void **state)
{
    (void)state;
    static const struct {
        const char *input, *text;
        double error;
    } cases[] = {
        { "big_128x256", "hqq:axis=0,scale=f32", 89.50147677939177 },
        { "big_128x256", "hqq:axis=0,scale=f32,solver=none", 92.42701627757458 },
        { "big_128x256", "hqq:scale=f32", 89.43758325830511 },
        { "big_128x256", "hqq:scale=f32,solver=none", 91.97609500629396 },
        { "big_128x256", "hqq:bits=2,group=16,axis=0,scale=f32", 273.9520023515246 },
        { "big_128x256", "hqq:bits=2,group=16,axis=0,scale=f32,solver=none", 281.159138068774 },
        { "big_128x256", "hqq:bits=2,group=16,scale=f32", 274.61475628979065 },
        { "big_128x256", "hqq:bits=2,group=16,scale=f32,solver=none", 282.31142649093965 },
        { "big_128x256", "hqq:scale=f32,solver=v2", 89.57299424771696 },
        { "big_128x256", "hqq:scale=f32,solver=slow", 88.23611963756902 },
        { "gauss_256x512", "hqq:bits=2,group=16,axis=0,scale=f32", 2.191546812310284 },
        { "gauss_256x512", "hqq:bits=2,group=16,scale=f32", 2.190987021591867 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rsd_mat W;
        if (!load_input(cases[i].input, false, &W))
            skip();
        rsd_mat Wq = like(W);
        rsd_quant_stats stats;
        quantize(cases[i].text, W, Wq, &stats);
        /* theirs is summed in float32 or of zeros a unit off */
        CHECK_CLOSE(stats.relative_error * sqrt(rsd_mat_sumsq(W)), cases[i].error,
                    1e-6 * cases[i].error);
        rsd_mat_free(&Wq);
        free(W.x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_range),
        cmocka_unit_test(test_zero_is_the_mean),
        cmocka_unit_test(test_axes),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_upstreams_zeros),
        cmocka_unit_test(test_upstreams_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
