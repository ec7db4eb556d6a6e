/* Small float formats: every code there and back, and rounding, against ml_dtypes. */
#include "fp.h"
#include "rng.h"

#include "read_npy.h"
#include "test.h"

/* The finite-only formats of OCP's microscaling specification: no quantizer here uses them yet. */
static const rsd_fp e2m1 = { "e2m1", 2, 1, 1, RSD_FP_NONE, 6 };
static const rsd_fp e3m2 = { "e3m2", 3, 2, 3, RSD_FP_NONE, 28 };
static const rsd_fp e2m3 = { "e2m3", 2, 3, 1, RSD_FP_NONE, 7.5f };

static const struct {
    const rsd_fp *fp;
    const char *upstream; /* ml_dtypes' name, in fixtures' names */
} formats[] = {
    { &rsd_e4m3, "e4m3fn" }, { &rsd_e5m2, "e5m2" }, { &e2m1, "e2m1fn" }, { &e3m2, "e3m2fn" },
    { &e2m3, "e2m3fn" },     { &rsd_fp16, NULL },   { &rsd_bf16, NULL },
};
enum { FORMATS = sizeof formats / sizeof *formats };

static uint32_t code_count(const rsd_fp *f)
{
    return UINT32_C(1) << (1 + f->exponent_bits + f->mantissa_bits);
}

static uint32_t bits_of(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return u;
}

/* Code by code against ml_dtypes, bit by bit where it is a number. */
static void test_tables(void **state)
{
    (void)state;
    for (int k = 0; k < FORMATS; k++) {
        if (!formats[k].upstream)
            continue;
        char name[64];
        snprintf(name, sizeof name, "quantizers/table_%s.npy", formats[k].upstream);
        rsd_npy head;
        float *want = read_npy(fixture(name), RSD_F32, &head);
        assert_int_equal(head.count, code_count(formats[k].fp));
        for (uint32_t c = 0; c < head.count; c++) {
            const float got = rsd_fp_decode(formats[k].fp, c);
            if (isnan(want[c]) ? !isnan(got) : bits_of(got) != bits_of(want[c]))
                fail_msg("%s code %u: got %g, want %g", name, c, (double)got, (double)want[c]);
        }
        free(want);
    }
}

/* Casts of hard cases, NaN and Inf beyond the range where the format has them. */
static void test_casts(void **state)
{
    (void)state;
    rsd_npy head;
    float *x = read_npy(fixture("quantizers/edge_32x512.npy"), RSD_F32, &head);
    uint8_t *got = malloc(head.count);
    for (int k = 0; k < FORMATS; k++) {
        if (!formats[k].upstream)
            continue;
        char name[64];
        snprintf(name, sizeof name, "quantizers/cast_%s.edge_32x512.npy", formats[k].upstream);
        uint8_t *want = read_npy(fixture(name), RSD_U8, &head);
        rsd_fp_encode_array(formats[k].fp, x, got, head.count, false);
        for (size_t i = 0; i < head.count; i++)
            if (got[i] != want[i])
                fail_msg("%s element %zu = %.9g: got %#x, want %#x", name, i, (double)x[i], got[i],
                         want[i]);
        free(want);
    }
    free(got);
    free(x);
}

/* max is what the fields say, and every code that is a number encodes to itself. */
static void test_every_code(void **state)
{
    (void)state;
    for (int k = 0; k < FORMATS; k++) {
        const rsd_fp *f = formats[k].fp;
        float largest = 0;
        for (uint32_t c = 0; c < code_count(f); c++) {
            const float x = rsd_fp_decode(f, c);
            if (isnan(x)) {
                assert_true(isnan(rsd_fp_decode(f, rsd_fp_encode(f, x, true))));
                continue;
            }
            if (rsd_fp_encode(f, x, false) != c)
                fail_msg("%s code %#x = %g encodes to %#x", f->name, c, (double)x,
                         rsd_fp_encode(f, x, false));
            largest = isfinite(x) && x > largest ? x : largest;
        }
        CHECK_CLOSE(largest, f->max, 0);
    }
}

/* Between neighbouring codes: the midpoint goes to the even one, its neighbours in float32 to the
 * nearer one.  Midpoints are exact in float32 but for the least bf16 ones. */
static void test_midpoints(void **state)
{
    (void)state;
    for (int k = 0; k < FORMATS; k++) {
        const rsd_fp *f = formats[k].fp;
        const uint32_t sign = code_count(f) / 2;
        for (uint32_t c = 0; rsd_fp_decode(f, c) < f->max; c++) {
            const double low = rsd_fp_decode(f, c), high = rsd_fp_decode(f, c + 1);
            const float mid = (float)((low + high) / 2);
            const uint32_t even = c + c % 2;
            if (rsd_fp_encode(f, mid, true) != even ||
                rsd_fp_encode(f, nextafterf(mid, 0), true) != c ||
                rsd_fp_encode(f, nextafterf(mid, INFINITY), true) != c + 1 ||
                rsd_fp_encode(f, -mid, true) != (sign | even))
                fail_msg("%s near %.9g, between codes %#x and %#x", f->name, (double)mid, c, c + 1);
        }
    }
}

static void test_beyond(void **state)
{
    (void)state;
    static const struct {
        const rsd_fp *fp;
        float x;
        uint32_t saturated, other;
    } cases[] = {
        { &rsd_fp16, 65519.996f, 0x7bff, 0x7bff },
        { &rsd_fp16, 65520.0f, 0x7bff, 0x7c00 },
        { &rsd_fp16, -1e30f, 0xfbff, 0xfc00 },
        { &rsd_fp16, INFINITY, 0x7bff, 0x7c00 },
        { &rsd_bf16, 0x1.fffffep127f, 0x7f7f, 0x7f80 },
        { &rsd_bf16, -INFINITY, 0xff7f, 0xff80 },
        { &rsd_e4m3, 464, 0x7e, 0x7e },
        { &rsd_e4m3, 464.00003f, 0x7e, 0x7f },
        { &rsd_e4m3, -INFINITY, 0xfe, 0xff },
        { &rsd_e5m2, 61440, 0x7b, 0x7c },
        { &rsd_e5m2, 61439.996f, 0x7b, 0x7b },
        { &e2m1, 1e9f, 0x7, 0x7 },
        { &e2m1, -7, 0xf, 0xf },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(rsd_fp_encode(cases[i].fp, cases[i].x, true), cases[i].saturated);
        assert_int_equal(rsd_fp_encode(cases[i].fp, cases[i].x, false), cases[i].other);
    }
    assert_int_equal(rsd_fp_encode(&rsd_fp16, NAN, true) & 0x7fff, 0x7e00);
    assert_int_equal(rsd_fp_encode(&rsd_e4m3, NAN, false) & 0x7f, 0x7f);
    assert_true(isinf(rsd_fp_decode(&rsd_fp16, 0x7c00)));
    assert_true(isinf(rsd_fp_decode(&rsd_bf16, 0xff80)));
    assert_true(isnan(rsd_fp_decode(&rsd_e4m3, 0xff)));
    assert_true(isnan(rsd_fp_decode(&rsd_e5m2, 0x7d)));
    assert_true(signbit(rsd_fp_decode(&rsd_fp16, 0x8000)));
    assert_int_equal(rsd_fp_encode(&rsd_bf16, -0.0f, true), 0x8000);
    assert_int_equal(rsd_fp_encode(&rsd_fp16, 0x1p-25f, true), 0);
    assert_int_equal(rsd_fp_encode(&rsd_fp16, 0x1.000002p-25f, true), 1);
    assert_int_equal(rsd_fp_encode(&rsd_bf16, 0x1p-149f, true), 0);
}

/* Arrays answer what single calls do, for every length and alignment of the vector loops. */
static void test_arrays(void **state)
{
    (void)state;
    enum { N = 67 };
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(3, "fp", &rng));
    float x[N], back[N + 1];
    for (int i = 0; i < N; i++)
        x[i] = ldexpf((float)rsd_rng_normal(rng), (int)(rsd_rng_bits(rng) % 60) - 40);
    rsd_rng_free(rng);
    for (int k = 0; k < FORMATS; k++) {
        const rsd_fp *f = formats[k].fp;
        for (size_t n = 0; n <= N; n++) {
            uint16_t codes[N + 1];
            memset(codes, 0xa5, sizeof codes);
            back[n] = 1234;
            rsd_fp_encode_array(f, x, codes, n, true);
            rsd_fp_decode_array(f, codes, back, n);
            const size_t size = code_count(f) > 256 ? 2 : 1;
            assert_int_equal(((uint8_t *)codes)[n * size], 0xa5);
            assert_true(back[n] == 1234);
            for (size_t i = 0; i < n; i++)
                assert_true(back[i] == rsd_fp_decode(f, rsd_fp_encode(f, x[i], true)));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),     cmocka_unit_test(test_casts),
        cmocka_unit_test(test_every_code), cmocka_unit_test(test_midpoints),
        cmocka_unit_test(test_beyond),     cmocka_unit_test(test_arrays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
