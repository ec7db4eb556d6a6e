/* The expected spectrum of separable noise: against the Marchenko-Pastur law, exact limits, and
 * matrices of random signs. */
#include "dense.h"
#include "spectra/curves.h"
#include "spectra/marchenko_pastur.h"
#include "spectra/separable.h"
#include "test.h"

#include <float.h>
#include <gsl/gsl_errno.h>

enum { MOST = 400 };

typedef struct {
    double s[MOST], sum[MOST], energy[MOST], total;
} expected;

static void compute(const double *g, size_t m, const double *h, size_t n, expected *out)
{
    CHECK_OK(rsd_separable_curves(g, m, h, n, out->s, out->sum, out->energy, &out->total));
}

static void power(double *x, size_t n, double exponent)
{
    for (size_t i = 0; i < n; i++)
        x[i] = pow((double)(i + 1), -exponent);
}

/* 1e-5 is what the tabulation is held to. */
static void noise_without_a_profile_is_marchenko_pasturs(void **state)
{
    (void)state;
    static const size_t shape[][2] = { { 1, 7 },    { 2, 2 },     { 17, 16 },  { 64, 64 },
                                       { 64, 172 }, { 256, 192 }, { 100, 400 } };
    static double g[MOST], h[MOST], sum[MOST], energy[MOST];
    static expected e;
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        const size_t m = shape[i][0], n = shape[i][1], d = m < n ? m : n;
        for (size_t k = 0; k < MOST; k++) {
            g[k] = 4;
            h[k] = 2.25;
        }
        compute(g, m, h, n, &e);
        CHECK_OK(rsd_mp_curves(m, n, sum, energy));
        CHECK_CLOSE(e.total, 9. * (double)(m * n), 1e-12 * e.total);
        double nuclear = 0;
        for (size_t k = 0; k < d; k++) {
            CHECK_CLOSE(e.energy[k], energy[k], 1e-5);
            CHECK_CLOSE(e.sum[k], sum[k], 1e-5);
            nuclear += e.s[k];
        }
        for (size_t k = 1; k < d; k++)
            CHECK_CLOSE(e.s[k] / nuclear, sum[k] - sum[k - 1], 1e-5);
        if (m == n) /* the quarter circle's mean is 8/(3 pi) of its root mean square */
            CHECK_CLOSE(nuclear, 8 / (3 * M_PI) * 3 * pow((double)d, 1.5), 1e-5 * nuclear);
    }
}

/* What a number of draws of random signs hold at r, with the standard error of the mean. */
typedef struct {
    double mean[MOST], error[MOST], value[MOST];
} drawn;

static void draw_signs(const double *g, size_t m, const double *h, size_t n, size_t draws,
                       drawn *out)
{
    const size_t d = m < n ? m : n;
    double curve[MOST];
    rsd_rng *rng;
    rsd_mat Y;
    CHECK_OK(rsd_rng_alloc(11, "signs", &rng));
    CHECK_OK(rsd_mat_alloc(m, n, &Y));
    memset(out, 0, sizeof *out);
    for (size_t k = 0; k < draws; k++) {
        for (size_t e = 0; e < m * n; e++) {
            const double size = sqrt(g[e / n]) * sqrt(h[e % n]);
            Y.x[e] = (float)(rsd_rng_bits(rng) & 1 ? size : -size);
        }
        double *s = dense_singular_values(Y);
        rsd_cumulative_energy(s, d, rsd_mat_sumsq(Y), curve);
        for (size_t r = 0; r < d; r++) {
            out->mean[r] += curve[r] / (double)draws;
            out->error[r] += curve[r] * curve[r] / (double)draws;
            out->value[r] += s[r] / (double)draws;
        }
        free(s);
    }
    for (size_t r = 0; r < d; r++) {
        const double variance = fmax(0, out->error[r] - out->mean[r] * out->mean[r]);
        out->error[r] = sqrt(variance / (double)(draws - 1));
    }
    rsd_rng_free(rng);
    rsd_mat_free(&Y);
}

/* Within four standard errors of the draws and the bound of the header at their size. */
static void agrees_with_random_signs(void **state)
{
    (void)state;
    static const struct {
        size_t m, n, draws;
        double g, h;
    } cases[] = {
        { 256, 192, 6, .8, 1 },  { 64, 172, 24, .3, 1.5 }, { 64, 64, 24, 0, .5 },
        { 192, 64, 24, 1.2, 0 }, { 128, 128, 12, .4, .4 },
    };
    static double g[MOST], h[MOST];
    static expected e;
    static drawn signs;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t m = cases[i].m, n = cases[i].n, d = m < n ? m : n;
        power(g, m, cases[i].g);
        power(h, n, cases[i].h);
        compute(g, m, h, n, &e);
        draw_signs(g, m, h, n, cases[i].draws, &signs);
        for (size_t r = 2; r <= d; r *= 2)
            CHECK_CLOSE(e.energy[r - 1], signs.mean[r - 1],
                        4 * signs.error[r - 1] + .25 / (double)d);
        for (size_t r = 2; r <= d / 2; r *= 2)
            CHECK_CLOSE(e.s[r - 1], signs.value[r - 1], .02 * signs.value[0]);
    }
}

/* Zeros are as if they were not there; order, sides and scale do not matter. */
static void what_does_not_matter(void **state)
{
    (void)state;
    static double g[MOST], h[MOST], more_g[MOST], more_h[MOST];
    static expected plain, other;
    enum { M = 40, N = 60 };
    power(g, M, .7);
    power(h, N, .2);
    compute(g, M, h, N, &plain);

    compute(h, N, g, M, &other);
    for (size_t k = 0; k < M; k++) {
        CHECK_CLOSE(other.energy[k], plain.energy[k], 2e-5);
        CHECK_CLOSE(other.s[k], plain.s[k], 1e-4 * plain.s[0]);
    }

    for (size_t i = 0; i < M; i++)
        more_g[i] = 1e-200 * g[M - 1 - i];
    for (size_t j = 0; j < N; j++)
        more_h[j] = 1e150 * h[(j * 7) % N];
    compute(more_g, M, more_h, N, &other);
    for (size_t k = 0; k < M; k++) {
        CHECK_CLOSE(other.energy[k], plain.energy[k], 1e-12);
        CHECK_CLOSE(other.s[k] * 1e25, plain.s[k], 1e-12 * plain.s[0]);
    }

    memset(more_g, 0, sizeof more_g);
    memset(more_h, 0, sizeof more_h);
    for (size_t i = 0; i < M; i++)
        more_g[3 * i] = g[i];
    for (size_t j = 0; j < N; j++)
        more_h[3 + j] = h[j];
    compute(more_g, 3 * M, more_h, 2 * N, &other);
    for (size_t k = 0; k < 2 * N; k++) {
        CHECK_CLOSE(other.energy[k], k < M ? plain.energy[k] : 1, 1e-14);
        CHECK_CLOSE(other.sum[k], k < M ? plain.sum[k] : 1, 1e-14);
        CHECK_CLOSE(other.s[k], k < M ? plain.s[k] : 0, 1e-14 * plain.s[0]);
    }
}

/* One direction, on either side, is all there is; none is nothing. */
static void one_value_or_none(void **state)
{
    (void)state;
    static double g[MOST], h[MOST];
    static expected e;
    power(h, 50, .5);
    g[3] = 2;
    compute(g, 10, h, 50, &e);
    for (size_t k = 0; k < 10; k++) {
        assert_true(e.energy[k] == 1 && e.sum[k] == 1);
        CHECK_CLOSE(e.s[k], k ? 0 : sqrt(e.total), 1e-12);
    }
    compute(h, 50, g + 3, 1, &e);
    assert_true(e.energy[0] == 1);
    CHECK_CLOSE(e.s[0], sqrt(e.total), 1e-12);
    memset(g, 0, sizeof g);
    compute(g, 10, h, 50, &e);
    assert_true(e.total == 0);
    for (size_t k = 0; k < 10; k++)
        assert_true(e.energy[k] == 0 && e.sum[k] == 0 && e.s[k] == 0);
}

/* A row 1 + l among rows of ones detaches at l > sqrt(m/n), at lambda = (1 + l)(n + m/l).
 * Source: Baik & Silverstein, J. Multivariate Anal. 97 (2006) 1382. */
static void a_spike_stands_where_it_should(void **state)
{
    (void)state;
    static double g[MOST], h[MOST];
    static expected e;
    static const double strength[] = { 3, 30, 1e12 };
    enum { M = 100, N = 300 };
    for (size_t i = 0; i < sizeof strength / sizeof *strength; i++) {
        const double l = strength[i], lambda = (1 + l) * (N + M / l);
        power(g, M, 0);
        power(h, N, 0);
        g[42] = 1 + l;
        compute(g, M, h, N, &e);
        CHECK_CLOSE(e.s[0], sqrt(lambda), .01 * sqrt(lambda));
        CHECK_CLOSE(e.energy[0], lambda / e.total, .01);
        CHECK_CLOSE(e.s[1], rsd_mp_edge(M, N, 1), .04 * e.s[1]);
    }
}

/* Twelve decades on both sides, groups far apart, equal numbers of large ones on both (a square
 * block over another): curves that rise to 1, and values that add up to them. */
static void far_apart(void **state)
{
    (void)state;
    static double g[MOST], h[MOST];
    static expected e;
    enum { M = 60, N = 90 };
    for (int kind = 0; kind < 4; kind++) {
        for (size_t i = 0; i < N; i++) {
            g[i] = kind == 0 ? pow(10, -12. * (double)i / M) : i < 3 ? 1e12 : 1;
            h[i] = kind == 1 ? 1 : kind == 2 ? (i < 3 ? 1e9 : 1) : i % 2 ? 1 : 1e-12;
        }
        compute(g, M, h, N, &e);
        double sum = 0, energy = 0;
        for (size_t k = 0; k < M; k++) {
            sum += e.s[k];
            energy += e.s[k] * e.s[k];
            assert_true(isfinite(e.s[k]) && e.s[k] >= 0);
            assert_true(k == 0 || (e.s[k] <= e.s[k - 1] && e.energy[k] >= e.energy[k - 1]));
            assert_true(e.energy[k] <= 1 && e.sum[k] <= 1);
        }
        CHECK_CLOSE(e.s[0] / sum, e.sum[0], 1e-12);
        /* a mean squared is less than the mean square: the spread of one value */
        assert_true(energy < e.total * (1 + 1e-5) && energy > .8 * e.total);
    }
}

static void refusals(void **state)
{
    (void)state;
    const double one[2] = { 1, 1 }, bad[2] = { 1, -1e-9 }, nan[2] = { NAN, 1 };
    const double large[2] = { 1e300, 1 };
    double s[2];
    CHECK_FAILS(rsd_separable_curves(one, 0, one, 2, s, NULL, NULL, NULL), RSD_EARG,
                "no variances");
    CHECK_FAILS(rsd_separable_curves(one, 2, one, 0, s, NULL, NULL, NULL), RSD_EARG,
                "no variances");
    CHECK_FAILS(rsd_separable_curves(one, 2, bad, 2, s, NULL, NULL, NULL), RSD_EDOM, "1 of 2");
    CHECK_FAILS(rsd_separable_curves(nan, 2, one, 2, s, NULL, NULL, NULL), RSD_EDOM, "0 of 2");
    CHECK_FAILS(rsd_separable_curves(large, 2, large, 2, s, NULL, NULL, NULL), RSD_EDOM,
                "too large");
    CHECK_OK(rsd_separable_curves(one, 2, one, 2, NULL, NULL, NULL, NULL));
}

int main(void)
{
    gsl_set_error_handler_off();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_without_a_profile_is_marchenko_pasturs),
        cmocka_unit_test(agrees_with_random_signs),
        cmocka_unit_test(what_does_not_matter),
        cmocka_unit_test(one_value_or_none),
        cmocka_unit_test(a_spike_stands_where_it_should),
        cmocka_unit_test(far_apart),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
