/* Power-law fits: exact and sampled Pareto values, an independent brute force, fingers. */
#include "rng.h"
#include "spectra/marchenko_pastur.h"
#include "spectra/powerlaw.h"
#include "test.h"

#include <gsl/gsl_errno.h>

static const rsd_powerlaw_rule ww = RSD_POWERLAW_WEIGHTWATCHER;

static int falling(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* Exact Pareto quantiles x = u^(-1/(alpha-1)): everything is the tail, and alpha is found. */
static void exact_pareto_values(void **state)
{
    (void)state;
    enum { N = 1000 };
    double x[N];
    rsd_powerlaw fit;
    for (double alpha = 1.5; alpha < 7; alpha += 1.25) {
        for (int k = 0; k < N; k++)
            x[k] = pow((k + .5) / N, -1 / (alpha - 1));
        for (rsd_powerlaw_rule rule = 0; rule <= RSD_POWERLAW_TWO_SIDED; rule++) {
            CHECK_OK(rsd_powerlaw_fit(x, N, rule, 0, &fit));
            CHECK_CLOSE(fit.alpha, alpha, .01 * (alpha - 1));
            CHECK_CLOSE(fit.error, (fit.alpha - 1) / sqrt((double)fit.tail), 1e-13);
            assert_true(fit.ks < 2. / N && fit.tail > N / 2 && fit.xmin == x[fit.tail - 1]);
        }
    }
}

/* Sampled: the estimate scatters by its standard error, (alpha-1)/sqrt(tail). */
static void sampled_pareto_values(void **state)
{
    (void)state;
    enum { N = 600, SAMPLES = 40 };
    double x[N], square = 0;
    rsd_rng *rng;
    rsd_powerlaw fit;
    CHECK_OK(rsd_rng_alloc(3, "pareto", &rng));
    for (int i = 0; i < SAMPLES; i++) {
        double logs = 0;
        for (int k = 0; k < N; k++) {
            x[k] = pow(1 - rsd_rng_uniform(rng), -1 / 1.5);
            logs += log(x[k]);
        }
        CHECK_CLOSE(1 + N / logs, 2.5, 4.5 * 1.5 / sqrt(N)); /* the whole sample, xmin known */
        qsort(x, N, sizeof *x, falling);
        CHECK_OK(rsd_powerlaw_fit(x, N, (rsd_powerlaw_rule)(i % 2), 0, &fit));
        square += pow((fit.alpha - 2.5) / fit.error, 2) / SAMPLES;
    }
    /* choosing xmin adds scatter: more than 1, but no other order of magnitude */
    assert_true(square > .5 && square < 4);
    rsd_rng_free(rng);
}

/* Every cut-off in full, in the order and form of the definition. */
static rsd_powerlaw brute_force(const double *x, size_t n, rsd_powerlaw_rule rule)
{
    const bool one_sided = rule == RSD_POWERLAW_WEIGHTWATCHER, small = one_sided && n < 20;
    rsd_powerlaw best = { NAN, NAN, INFINITY, NAN, 0 };
    for (size_t tail = n; tail >= (small ? 8 : 2); tail--) {
        const double xmin = x[tail - 1];
        if (!one_sided && tail < n && x[tail] == xmin)
            continue;
        double logs = 0, worst = 0;
        for (size_t i = 0; i < tail; i++)
            logs += log(x[i] / xmin);
        if (logs == 0)
            continue;
        const double N = (double)tail, alpha = 1 + (small ? N - 1 : N) / logs;
        for (size_t k = 0; k < tail; k++) {
            const double c = 1 - pow(x[tail - 1 - k] / xmin, 1 - alpha);
            worst = fmax(worst, fabs(c - (double)k / N));
            if (!one_sided)
                worst = fmax(worst, fabs(c - (double)(k + 1) / N));
        }
        if (worst < best.ks)
            best = (rsd_powerlaw){ alpha, (alpha - 1) / sqrt(N), worst, xmin, tail };
    }
    return best;
}

static void same_fit(const double *x, size_t n)
{
    for (rsd_powerlaw_rule rule = 0; rule <= RSD_POWERLAW_TWO_SIDED; rule++) {
        rsd_powerlaw got;
        const rsd_powerlaw want = brute_force(x, n, rule);
        CHECK_OK(rsd_powerlaw_fit(x, n, rule, 0, &got));
        assert_int_equal(got.tail, want.tail);
        assert_true(got.xmin == want.xmin);
        CHECK_CLOSE(got.alpha, want.alpha, 1e-10 * want.alpha);
        CHECK_CLOSE(got.error, want.error, 1e-10 * want.error);
        CHECK_CLOSE(got.ks, want.ks, 1e-12);
    }
}

/* The pruned search finds what the full one finds: noise, tails, mixtures, ties, tiny samples. */
static void pruning_changes_nothing(void **state)
{
    (void)state;
    enum { MOST = 500 };
    double x[MOST];
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(1, "spectra", &rng));
    static const size_t sizes[] = { 8, 9, 20, 63, 64, 65, 130, MOST };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t n = sizes[i];
        for (int kind = 0; kind < 5; kind++) {
            for (size_t k = 0; k < n; k++) {
                const double u = rsd_rng_uniform(rng), g = rsd_rng_normal(rng);
                x[k] = kind == 0   ? g * g + 1e-5
                       : kind == 1 ? exp(2 * g)
                       : kind == 2 ? u + 1e-3
                       : kind == 3 ? (u < .2 ? pow(u, -.8) : 1 + u)
                                   : 1 + floor(12 * u); /* ties */
            }
            qsort(x, n, sizeof *x, falling);
            same_fit(x, n);
        }
        CHECK_OK(rsd_mp_quantiles(n, 2 * n, 1, x));
        same_fit(x, n);
    }
    rsd_rng_free(rng);
}

static void no_fit_without_a_tail(void **state)
{
    (void)state;
    double x[9] = { 9, 8, 7, 6, 5, 4, 3, 2, 1 };
    rsd_powerlaw fit, clipped;
    size_t fingers = 99;
    CHECK_OK(rsd_powerlaw_fit(x, 7, RSD_POWERLAW_TWO_SIDED, 0, &fit));
    assert_true(isnan(fit.alpha) && isnan(fit.ks) && isnan(fit.xmin) && isnan(fit.error));
    assert_int_equal(fit.tail, 0);
    CHECK_OK(rsd_powerlaw_clip(x, 7, 0, &fit, &clipped, &fingers));
    assert_true(isnan(clipped.alpha) && fingers == 0);
    CHECK_OK(rsd_powerlaw_fit(x, 1, ww, 0, &fit));
    assert_int_equal(fit.tail, 0);
    CHECK_OK(rsd_powerlaw_fit(x, 0, ww, 0, &fit));
    assert_int_equal(fit.tail, 0);
    CHECK_OK(rsd_powerlaw_fit(x, 8, ww, 0, &fit));
    assert_true(fit.tail >= 2 && isfinite(fit.alpha));
    for (int k = 0; k < 9; k++)
        x[k] = 3;
    CHECK_OK(rsd_powerlaw_fit(x, 9, ww, 0, &fit));
    assert_true(isnan(fit.alpha) && fit.tail == 0);
    CHECK_FAILS(rsd_powerlaw_fit(x, SIZE_MAX / 8, ww, 0, &fit), RSD_ENOMEM, "address space");
    CHECK_FAILS(rsd_powerlaw_clip(x, SIZE_MAX / 8, 0, &fit, &clipped, &fingers), RSD_ENOMEM,
                "address space");
}

/* One value a little outside a bulk of noise: alpha falls from 6.28 to 3.65 without it and the
 * next, as that of a published layer does (6.88 to 3.0). */
static void a_finger_is_clipped(void **state)
{
    (void)state;
    double x[65];
    rsd_powerlaw first, clipped;
    size_t fingers;
    CHECK_OK(rsd_mp_quantiles(64, 64, 1, x + 1));
    x[0] = x[1] * sqrt(1.3);
    for (int k = 0; k < 65; k++)
        x[k] *= x[k];
    CHECK_OK(rsd_powerlaw_fit(x, 65, ww, 0, &first));
    CHECK_OK(rsd_powerlaw_clip(x, 65, 0, &first, &clipped, &fingers));
    assert_int_equal(fingers, 1);
    CHECK_CLOSE(first.alpha, 6.28, .01);
    CHECK_CLOSE(clipped.alpha, 3.65, .01);
    for (int k = 0; k < 65; k++) /* a clean tail keeps its values */
        x[k] = pow((k + .5) / 65, -.5);
    CHECK_OK(rsd_powerlaw_fit(x, 65, ww, 0, &first));
    CHECK_OK(rsd_powerlaw_clip(x, 65, 0, &first, &clipped, &fingers));
    assert_true(fingers == 0 && clipped.alpha == first.alpha && clipped.tail == first.tail);
}

/* Values that rounding may have parted: no slope, however steep the one that fits best. */
static void equal_values_have_no_slope(void **state)
{
    (void)state;
    enum { N = 256 };
    double x[N];
    rsd_rng *rng;
    rsd_powerlaw fit;
    CHECK_OK(rsd_rng_alloc(2, "equal", &rng));
    for (int equal = 8; equal <= N; equal *= 2) {
        for (int k = 0; k < N; k++) {
            const double s = k < equal ? 2 : k < N / 2 + equal / 2 ? 1 : 0.5;
            x[k] = pow(s + 1e-7 * (rsd_rng_uniform(rng) - 0.5), 2);
        }
        qsort(x, N, sizeof *x, falling);
        for (rsd_powerlaw_rule rule = 0; rule <= RSD_POWERLAW_TWO_SIDED; rule++) {
            CHECK_OK(rsd_powerlaw_fit(x, N, rule, 1e-7, &fit));
            assert_true(equal == N ? isnan(fit.alpha) && fit.tail == 0 : fit.alpha < 100);
            CHECK_OK(rsd_powerlaw_fit(x, (size_t)equal, rule, 1e-7, &fit));
            assert_true(isnan(fit.alpha));
        }
    }
    rsd_rng_free(rng);
}

int main(void)
{
    gsl_set_error_handler_off();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_pareto_values),     cmocka_unit_test(sampled_pareto_values),
        cmocka_unit_test(pruning_changes_nothing), cmocka_unit_test(no_fit_without_a_tail),
        cmocka_unit_test(a_finger_is_clipped),     cmocka_unit_test(equal_values_have_no_slope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
