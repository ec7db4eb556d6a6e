/* Errors of means over windows that resemble their neighbours. */
#include "rng.h"
#include "spectra/serial.h"

#include "test.h"

#include <float.h>

/* By hand: 1 2 3 4, mean 2.5, off by -1.5 -.5 .5 1.5. */
static void blocks_by_hand(void **state)
{
    (void)state;
    const double x[] = { 1, 2, 3, 4 };
    /* blocks of one: s^2/n = (5/3)/4 */
    CHECK_CLOSE(rsd_series_se(x, 4, 1), sqrt(5.0 / 12), 4 * DBL_EPSILON);
    /* of two, on a circle: means off by -1, 0, 1, 0; v = 1/2; 2 blocks, over 1 - 2/4 */
    CHECK_CLOSE(rsd_series_se(x, 4, 2), sqrt(0.5), 4 * DBL_EPSILON);
    /* of three and one: v_3 = (.25 + .25 + 1/36 * 2 ...): means off -.5 .5 1/6 -1/6 */
    const double v3 = (0.25 + 0.25 + 1.0 / 36 + 1.0 / 36) / 4, v1 = 5.0 / 4;
    CHECK_CLOSE(rsd_series_se(x, 4, 3), sqrt((9 * v3 + v1) / 16 / 0.25), 8 * DBL_EPSILON);
    assert_true(isnan(rsd_series_se(x, 1, 1)));
}

static void few_or_equal_windows(void **state)
{
    (void)state;
    const double x[12] = { 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2 };
    rsd_series_mean m = rsd_series_mean_of(x, 12);
    assert_true(m.mean == 2 && m.se == 0 && m.block == 1);
    m = rsd_series_mean_of(x, 1);
    assert_true(m.mean == 2 && isnan(m.se) && m.block == 1);
    m = rsd_series_mean_of(x, 0);
    assert_true(isnan(m.mean) && isnan(m.se));
}

/* x_i = rho x_{i-1} + e_i, stationary. */
static void autoregression(rsd_rng *rng, double rho, double *x, size_t n)
{
    x[0] = rsd_rng_normal(rng) / sqrt(1 - rho * rho);
    for (size_t i = 1; i < n; i++)
        x[i] = rho * x[i - 1] + rsd_rng_normal(rng);
}

/* The best length for an autoregression is known: (2 G^2/D)^(1/3) n^(1/3) with
 * G = 2 rho/(1 - rho)^2, g = 1/(1 - rho)^2, D = 4/3 g^2 (both over sigma^2): b = (6 rho^2 n /
 * (1 - rho^2)^2)^(1/3). */
static void length_follows_the_dependence(void **state)
{
    (void)state;
    enum { N = 4000, CASES = 20 };
    static double x[N];
    static const double rhos[] = { 0.3, 0.54, 0.8 };
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(5, "lengths", &rng));
    for (size_t k = 0; k < 3; k++) {
        const double rho = rhos[k];
        const double best = cbrt(6 * rho * rho * N / ((1 - rho * rho) * (1 - rho * rho)));
        double sum = 0;
        for (int c = 0; c < CASES; c++) {
            autoregression(rng, rho, x, N);
            sum += (double)rsd_block_length(x, N);
        }
        CHECK_CLOSE(sum / CASES, best, 0.3 * best);
    }
    rsd_rng_free(rng);
}

/* What is said of n windows with a lag-1 autocorrelation of .54 is what their means really do; a
 * bootstrap of single windows says 1.8 times too little. */
static void errors_are_those_of_the_mean(void **state)
{
    (void)state;
    enum { N = 156, CASES = 400 };
    double x[N], said = 0, single = 0, squares = 0;
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(6, "errors", &rng));
    for (int c = 0; c < CASES; c++) {
        autoregression(rng, 0.54, x, N);
        const rsd_series_mean m = rsd_series_mean_of(x, N);
        said += m.se;
        single += rsd_series_se(x, N, 1);
        squares += m.mean * m.mean;
    }
    const double real = sqrt(squares / CASES);
    assert_true(said / CASES > 0.8 * real && said / CASES < 1.15 * real);
    assert_true(single / CASES < 0.65 * real);
    rsd_rng_free(rng);
}

/* Independent windows lose little by it. */
static void independent_windows(void **state)
{
    (void)state;
    enum { N = 32, CASES = 400 };
    double x[N], said = 0;
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(7, "white", &rng));
    for (int c = 0; c < CASES; c++) {
        for (size_t i = 0; i < N; i++)
            x[i] = rsd_rng_normal(rng);
        said += rsd_series_mean_of(x, N).se;
    }
    CHECK_CLOSE(said / CASES, 1 / sqrt(N), 0.08 / sqrt(N));
    rsd_rng_free(rng);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_by_hand),
        cmocka_unit_test(few_or_equal_windows),
        cmocka_unit_test(length_follows_the_dependence),
        cmocka_unit_test(errors_are_those_of_the_mean),
        cmocka_unit_test(independent_windows),
    };
    return cmocka_run_group_tests_name("serial", tests, NULL, NULL);
}
