/* The Marchenko-Pastur law against its closed form, against quadrature of its density, against
 * published shares, and against sampled matrices. */
#include "dense.h"
#include "spectra/marchenko_pastur.h"
#include "test.h"

#include <float.h>
#include <gsl/gsl_errno.h>
#include <gsl/gsl_integration.h>

enum { MOST = 8192 };

/* Shares of the r largest of noise, energy and sum; four printed digits. */
static void null_shares_are_the_known_ones(void **state)
{
    (void)state;
    static const struct {
        size_t m, n, r;
        double energy, sum;
    } known[] = {
        { 768, 768, 4, .0202, .0121 },    { 768, 768, 8, .0396, .0239 },
        { 768, 768, 16, .0768, .0471 },   { 768, 768, 32, .1460, .0919 },
        { 768, 768, 64, .2691, .1762 },   { 768, 768, 128, .4692, .3282 },
        { 2304, 768, 8, .0250, .0169 },   { 2304, 768, 16, .0490, .0334 },
        { 2304, 768, 32, .0949, .0657 },  { 2304, 768, 64, .1798, .1279 },
        { 2304, 768, 128, .3288, .2444 }, { 3072, 768, 8, .0227, .0159 },
        { 3072, 768, 16, .0446, .0315 },  { 3072, 768, 32, .0866, .0621 },
        { 3072, 768, 64, .1651, .1212 },  { 3072, 768, 128, .3049, .2327 },
    };
    static double sum[768], energy[768];
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        CHECK_OK(rsd_mp_curves(known[i].m, known[i].n, sum, energy));
        CHECK_CLOSE(energy[known[i].r - 1], known[i].energy, .5001e-4);
        CHECK_CLOSE(sum[known[i].r - 1], known[i].sum, .5001e-4);
    }
}

/* Square noise: s/sqrt(v D) = 2 sin(t/2) follows the quarter circle.  Above t lie 1 - (t + sin
 * t)/pi of the values, cos^3(t/2) of their sum, 1 - (t - sin t cos t)/pi of the energy. */
static void square_case_is_the_quarter_circle(void **state)
{
    (void)state;
    static double sum[MOST], energy[MOST];
    static const size_t sizes[] = { 1, 2, 3, 17, 768, MOST };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const size_t d = sizes[i];
        CHECK_OK(rsd_mp_curves(d, d, sum, energy));
        for (size_t r = 1; r < d; r++) {
            const double t = 2 * acos(cbrt(sum[r - 1]));
            CHECK_CLOSE(1 - (t + sin(t)) / M_PI, (double)r / (double)d, 1e-12);
            CHECK_CLOSE(1 - (t - sin(t) * cos(t)) / M_PI, energy[r - 1], 1e-12);
        }
        assert_true(sum[d - 1] == 1 && energy[d - 1] == 1);
    }
}

typedef struct {
    double gamma;
    int power;
} moment;

/* y^power times the density of y = sqrt x. */
static double density(double y, void *context)
{
    const moment *p = context;
    const double q = sqrt(p->gamma), a = (1 - q) * (1 - q), b = (1 + q) * (1 + q);
    const double inside = fmax((b - y * y) * (y * y - a), 0);
    return pow(y, p->power) * sqrt(inside) / (M_PI * p->gamma * y);
}

/* Integral of y^power over the law above y, by adaptive quadrature of the density itself. */
static double above(double gamma, double y, int power)
{
    moment p = { gamma, power };
    gsl_function f = { density, &p };
    double value = 0, error;
    gsl_integration_workspace *w = gsl_integration_workspace_alloc(1000);
    assert_non_null(w);
    const int status =
        gsl_integration_qags(&f, y, 1 + sqrt(gamma), 1e-13, 1e-12, 1000, w, &value, &error);
    assert_true(status == 0 || (status == GSL_EROUND && error < 1e-11));
    gsl_integration_workspace_free(w);
    return value;
}

/* Quantile k of m x n lies where rank 2k+1 of 2m x 2n is cut, gamma being the same. */
static void curves_and_quantiles_integrate_the_density(void **state)
{
    (void)state;
    static const size_t shapes[][2] = { { 1, 2 },   { 2, 3 },      { 3, 2 },    { 40, 41 },
                                        { 30, 70 }, { 500, 7 },    { 65, 64 },  { 768, 2304 },
                                        { 5, 6 },   { 1, 100000 }, { 511, 512 } };
    static double s[768], sum[1536], energy[1536];
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const size_t m = shapes[i][0], n = shapes[i][1];
        const size_t d = m < n ? m : n, D = m < n ? n : m, stride = d / 8 + 1;
        const double gamma = (double)d / (double)D, least = 1 - sqrt(gamma);
        const double total = above(gamma, least, 1);
        CHECK_OK(rsd_mp_quantiles(m, n, 1 / (double)D, s));
        CHECK_OK(rsd_mp_curves(2 * m, 2 * n, sum, energy));
        for (size_t k = 0; k < d; k += stride) {
            /* roundoff of a quantile, eps, times the density, which is up to 1/sqrt(gamma) */
            const double tol = 3e-11 + 64 * DBL_EPSILON / sqrt(gamma);
            CHECK_CLOSE(above(gamma, s[k], 0), ((double)k + .5) / (double)d, tol);
            CHECK_CLOSE(sum[2 * k], above(gamma, s[k], 1) / total, tol);
            CHECK_CLOSE(energy[2 * k], above(gamma, s[k], 2), tol);
        }
    }
}

/* What holds for every shape, up to the most oblong that memory would bear. */
static void curves_rise_and_are_concave(void **state)
{
    (void)state;
    static const size_t shapes[][2] = { { 1, 1 },       { 1, 1000000 }, { 2, 1 },
                                        { 3, 4194304 }, { 100, 101 },   { 4096, 11008 },
                                        { 8192, 8191 } };
    static double sum[MOST], energy[MOST], s[MOST], t[MOST];
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        const size_t m = shapes[i][0], n = shapes[i][1], d = m < n ? m : n;
        CHECK_OK(rsd_mp_curves(m, n, sum, energy));
        CHECK_OK(rsd_mp_quantiles(m, n, 2, s));
        CHECK_OK(rsd_mp_quantiles(n, m, 2, t)); /* the transpose: the same bits */
        assert_memory_equal(s, t, d * sizeof *s);
        double before[2] = { 0, 0 }, slope[2] = { 1, 1 };
        for (size_t k = 0; k < d; k++) {
            const double rise[2] = { sum[k] - before[0], energy[k] - before[1] };
            for (int c = 0; c < 2; c++)
                assert_true(rise[c] > 0 && rise[c] <= slope[c] + 1e-12);
            assert_true(energy[k] >= sum[k] - 1e-12);
            before[0] = sum[k], before[1] = energy[k];
            slope[0] = rise[0], slope[1] = rise[1];
            assert_true(s[k] > 0 && s[k] < rsd_mp_edge(m, n, 2) && (!k || s[k] < s[k - 1]));
        }
        assert_true(sum[d - 1] == 1 && energy[d - 1] == 1);
    }
}

static void either_curve_may_be_left_out(void **state)
{
    (void)state;
    double both[2][9], alone[2][9];
    CHECK_OK(rsd_mp_curves(9, 20, both[0], both[1]));
    CHECK_OK(rsd_mp_curves(9, 20, alone[0], NULL));
    CHECK_OK(rsd_mp_curves(20, 9, NULL, alone[1]));
    assert_memory_equal(both, alone, sizeof both);
}

static void empty_shapes_are_refused(void **state)
{
    (void)state;
    double x[1] = { 7 };
    CHECK_FAILS(rsd_mp_curves(0, 5, x, x), RSD_EARG, "0 x 5");
    CHECK_FAILS(rsd_mp_curves(5, 0, x, x), RSD_EARG, "5 x 0");
    CHECK_FAILS(rsd_mp_quantiles(0, 3, 1, x), RSD_EARG, "0 x 3");
    assert_true(x[0] == 7);
}

static void threads_get_the_same_bits(void **state)
{
    (void)state;
    enum { RUNS = 8, D = 300 };
    static double sum[RUNS][D], energy[RUNS][D];
    int failed = 0;
#pragma omp parallel for num_threads(4) reduction(+ : failed)
    for (int i = 0; i < RUNS; i++)
        failed += rsd_mp_curves(D, 400, sum[i], energy[i]) != RSD_OK;
    assert_int_equal(failed, 0);
    for (int i = 1; i < RUNS; i++) {
        assert_memory_equal(sum[i], sum[0], sizeof sum[0]);
        assert_memory_equal(energy[i], energy[0], sizeof energy[0]);
    }
}

static void gavish_donoho_constants(void **state)
{
    (void)state;
    CHECK_CLOSE(rsd_gavish_donoho_lambda(1), 4 / sqrt(3), 4 * DBL_EPSILON);
    CHECK_CLOSE(rsd_gavish_donoho_omega(1), 2.858, .5e-3);
    CHECK_CLOSE(rsd_gavish_donoho_lambda(1e-12), sqrt(2), 1e-9); /* edge 1, and a tall spike */
    for (int i = 1; i <= 20; i++) {
        const double b = i / 20.0;
        const double cubic = .56 * b * b * b - .95 * b * b + 1.82 * b + 1.43;
        CHECK_CLOSE(rsd_gavish_donoho_omega(b), cubic, .02); /* the paper's bound on its fit */
        CHECK_CLOSE(above(b, sqrt(rsd_mp_median(b)), 0), .5, 1e-11);
    }
}

static void spikes_leave_the_bulk_at_the_fourth_root(void **state)
{
    (void)state;
    for (double g = .1; g <= 1; g += .1) {
        const double at = pow(g, .25), edge = 1 + sqrt(g);
        CHECK_CLOSE(rsd_mp_spike(g, .9 * at), edge, 4 * DBL_EPSILON);
        CHECK_CLOSE(rsd_mp_spike(g, at * (1 + 1e-7)), edge, 1e-12); /* it leaves quadratically */
        assert_true(rsd_mp_spike(g, 1.1 * at) > edge);
        CHECK_CLOSE(rsd_mp_spike(g, 1e6), 1e6, 2e-6); /* theta + (1 + g)/(2 theta) */
    }
}

static void edges_scale(void **state)
{
    (void)state;
    CHECK_CLOSE(rsd_mp_edge(100, 400, 4), 2 * (10 + 20), 1e-13);
    CHECK_CLOSE(rsd_mp_edge(400, 100, 4), 60, 1e-13);
    CHECK_CLOSE(rsd_mp_tracy_widom(64, 64, 3), 3 * 16 * cbrt(.25), 1e-13);
    CHECK_CLOSE(rsd_mp_tracy_widom(100, 400, 1), rsd_mp_tracy_widom(400, 100, 1), 1e-13);
}

/* The largest of 100 x 200 noise: mean -1.38 and deviation 1.24 Tracy-Widom units from the edge,
 * the limits being -1.21 and 1.27.  Bounds are four standard errors of 100 draws. */
static void largest_value_of_noise_fluctuates_as_tracy_widom(void **state)
{
    (void)state;
    enum { DRAWS = 100 };
    const double edge = rsd_mp_edge(100, 200, 1), unit = rsd_mp_tracy_widom(100, 200, 1);
    double mean = 0, square = 0;
    for (int i = 0; i < DRAWS; i++) {
        rsd_mat A = dense_noise(100, 200, (uint64_t)i);
        double *s = dense_singular_values(A);
        const double x = (s[0] * s[0] - edge * edge) / unit;
        mean += x / DRAWS;
        square += x * x / DRAWS;
        free(s);
        rsd_mat_free(&A);
    }
    CHECK_CLOSE(mean, -1.38, 4 * 1.24 / sqrt(DRAWS));
    CHECK_CLOSE(sqrt(square - mean * mean), 1.24, 4 * 1.24 / sqrt(2 * DRAWS));
}

/* One sampled matrix with one spike: bulk at its quantiles, spike where it is predicted. */
static void sampled_noise_lies_at_the_quantiles(void **state)
{
    (void)state;
    enum { M = 200, N = 320 };
    static double want[M];
    const double scale = sqrt(N), theta = 2;
    rsd_mat A = dense_noise(M, N, 5);
    dense_add_spike(A, theta * scale, 5);
    double *s = dense_singular_values(A);
    CHECK_OK(rsd_mp_quantiles(M, N, 1, want));
    /* a spike's value has standard deviation of about sqrt(v) */
    CHECK_CLOSE(s[0], scale * rsd_mp_spike((double)M / N, theta), 3);
    /* values of noise are rigid: none strays further than those at the edge, by some
     * Tracy-Widom units of s^2 */
    const double stray = 3 * rsd_mp_tracy_widom(M, N, 1) / (2 * rsd_mp_edge(M, N, 1));
    for (size_t k = 1; k < M; k++)
        CHECK_CLOSE(s[k], want[k], stray);
    free(s);
    rsd_mat_free(&A);
}

int main(void)
{
    gsl_set_error_handler_off();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(null_shares_are_the_known_ones),
        cmocka_unit_test(square_case_is_the_quarter_circle),
        cmocka_unit_test(curves_and_quantiles_integrate_the_density),
        cmocka_unit_test(curves_rise_and_are_concave),
        cmocka_unit_test(either_curve_may_be_left_out),
        cmocka_unit_test(empty_shapes_are_refused),
        cmocka_unit_test(threads_get_the_same_bits),
        cmocka_unit_test(gavish_donoho_constants),
        cmocka_unit_test(spikes_leave_the_bulk_at_the_fourth_root),
        cmocka_unit_test(edges_scale),
        cmocka_unit_test(largest_value_of_noise_fluctuates_as_tracy_widom),
        cmocka_unit_test(sampled_noise_lies_at_the_quantiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
