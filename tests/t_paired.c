/* Two models on the same windows: tests against scipy 1.17, intervals against what means do. */
#include "spectra/paired.h"

#include "rng.h"
#include "spectra/serial.h"

#include "test.h"

#include <float.h>

/* Nine pairs of Hollander & Wolfe, Nonparametric Statistical Methods, 1999, table 3.1. */
static const double before[] = { 1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30 };
static const double after[] = { 0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29 };

/* d_i = ((37 i) mod m - c) / 8, exact in binary. */
static void sawtooth(double *d, size_t n, size_t m, double c)
{
    for (size_t i = 0; i < n; i++)
        d[i] = ((double)(37 * i % m) - c) / 8;
}

static double wilcoxon(const double *d, size_t n)
{
    double p = -1;
    CHECK_OK(rsd_wilcoxon(d, n, &p));
    return p;
}

static void known_pairs(void **state)
{
    (void)state;
    rsd_paired p;
    CHECK_OK(rsd_paired_test(before, after, 9, &p));
    assert_true(p.n == 9 && p.above == 7 && p.below == 2);
    CHECK_CLOSE(p.wilcoxon, 0.0390625, 8 * DBL_EPSILON);
    CHECK_CLOSE(p.t, 0.016176627434908088, 1e-14);
    CHECK_CLOSE(p.sign, 0.1796875, 8 * DBL_EPSILON);
    CHECK_CLOSE(p.mean, 0.43188888888888888, 1e-15);
}

/* Ties: 78 of the 2048 signs of these ranks, counted by going through them all. */
static void ties_are_counted(void **state)
{
    (void)state;
    const double d[] = { 2, -1, 1, 3, 3, -3, 4, 5, 0, -2, 2, 6 };
    CHECK_CLOSE(wilcoxon(d, 12), 2 * 78.0 / 2048, 8 * DBL_EPSILON);
}

static void exact_up_to_fifty(void **state)
{
    (void)state;
    double d[51];
    sawtooth(d, 51, 101, 43.25);
    CHECK_CLOSE(wilcoxon(d, 50), 0.14601836144972324, 1e-13);
    CHECK_CLOSE(rsd_t_test(d, 50), 0.11600887082077725, 1e-13);
    CHECK_CLOSE(wilcoxon(d, 51), 0.163934562531024, 1e-13);
}

/* Zeros, ties in great number, both ends of the tail. */
static void normal_above(void **state)
{
    (void)state;
    double d[200];
    sawtooth(d, 60, 61, 25);
    CHECK_CLOSE(wilcoxon(d, 60), 0.03968629824713282, 1e-14);
    CHECK_CLOSE(rsd_t_test(d, 60), 0.031088625961415466, 1e-14);
    sawtooth(d, 200, 17, 6);
    CHECK_CLOSE(wilcoxon(d, 200), 3.201898499845273e-07, 1e-19);
    CHECK_CLOSE(rsd_t_test(d, 200), 5.5485728360762275e-08, 1e-19);
    CHECK_CLOSE(rsd_sign_test(117, 71), 0.0009790560536514442, 1e-16);
    CHECK_CLOSE(rsd_sign_test(71, 117), 0.0009790560536514442, 1e-16);
    for (size_t i = 0; i < 200; i++)
        d[i] = -d[i];
    CHECK_CLOSE(wilcoxon(d, 200), 3.201898499845273e-07, 1e-19);
}

static void sign_tests(void **state)
{
    (void)state;
    CHECK_CLOSE(rsd_sign_test(430, 470), 0.19357254103462265, 1e-12);
    CHECK_CLOSE(rsd_sign_test(3, 7), 0.34375, 1e-14);
    assert_true(rsd_sign_test(5, 5) == 1 && rsd_sign_test(0, 0) == 1);
    CHECK_CLOSE(rsd_sign_test(0, 3), 0.25, 1e-15);
}

static void nothing_to_tell(void **state)
{
    (void)state;
    const double a[] = { 1, 2, 3, 4, 5 }, b[] = { 0.5, 1.5, 2.5, 3.5, 4.5 };
    rsd_paired p;
    CHECK_OK(rsd_paired_test(a, a, 5, &p));
    assert_true(p.mean == 0 && p.se == 0 && p.t == 1 && p.sign == 1 && p.wilcoxon == 1);
    assert_int_equal(rsd_paired_sign(&p), 0);
    CHECK_OK(rsd_paired_test(a, b, 5, &p)); /* always by the same */
    assert_true(p.mean == 0.5 && p.se == 0 && p.t == 0 && p.low == 0.5);
    assert_int_equal(rsd_paired_sign(&p), 1);
    CHECK_CLOSE(p.wilcoxon, 2.0 / 32, 4 * DBL_EPSILON);
    CHECK_OK(rsd_paired_test(a, b, 1, &p));
    assert_true(p.n == 1 && p.mean == 0.5 && isnan(p.se) && isnan(p.low) && isnan(p.t));
    assert_int_equal(rsd_paired_sign(&p), 0);
    CHECK_OK(rsd_paired_test(a, b, 0, &p));
    assert_true(isnan(p.mean) && isnan(p.low) && p.wilcoxon == 1);
    assert_int_equal(rsd_paired_sign(&p), 0);
}

/* Models that are as good as each other on windows that resemble their neighbours (lag 1: .6) are
 * told apart in no more than a tenth of the cases; the tests that take windows as independent do it
 * in a quarter. */
static void dependent_windows(void **state)
{
    (void)state;
    enum { N = 156, CASES = 400 };
    static const double zero[N];
    double d[N];
    size_t blocks = 0, t = 0, w = 0;
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(8, "pairs", &rng));
    for (int c = 0; c < CASES; c++) {
        rsd_paired p;
        d[0] = rsd_rng_normal(rng) / 0.8;
        for (size_t i = 1; i < N; i++)
            d[i] = 0.6 * d[i - 1] + rsd_rng_normal(rng);
        CHECK_OK(rsd_paired_test(d, zero, N, &p));
        blocks += rsd_paired_sign(&p) != 0;
        t += p.t < 0.05;
        w += p.wilcoxon < 0.05;
    }
    rsd_rng_free(rng);
    assert_in_range(blocks, 4, CASES / 10);
    assert_in_range(t, CASES / 4, CASES / 2);
    assert_in_range(w, CASES / 4, CASES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_pairs),       cmocka_unit_test(ties_are_counted),
        cmocka_unit_test(exact_up_to_fifty), cmocka_unit_test(normal_above),
        cmocka_unit_test(sign_tests),        cmocka_unit_test(nothing_to_tell),
        cmocka_unit_test(dependent_windows),
    };
    return cmocka_run_group_tests_name("paired", tests, NULL, NULL);
}
