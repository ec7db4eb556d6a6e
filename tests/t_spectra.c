/* Cumulative curves and metrics: exact cases, identities, sampled matrices, and golden values that
 * NumPy and SciPy computed (golden/spectra/make_spectra.py). */
#include "dense.h"
#include "spectra/curves.h"
#include "spectra/marchenko_pastur.h"
#include "spectra/metrics.h"
#include "test.h"

#include <float.h>
#include <gsl/gsl_errno.h>

/* A complete spectrum of an m x n matrix with these values. */
static rsd_spectrum complete(size_t m, size_t n, double *s)
{
    const size_t d = m < n ? m : n;
    double sumsq = 0;
    for (size_t k = 0; k < d; k++)
        sumsq += s[k] * s[k];
    return (rsd_spectrum){ .m = m, .n = n, .count = d, .s = s, .complete = true, .sumsq = sumsq };
}

static rsd_metrics metrics_of(rsd_spectrum s)
{
    rsd_metrics m;
    CHECK_OK(rsd_metrics_compute(&s, &m));
    return m;
}

/* ---- curves ---- */

static void curves_of_four_values(void **state)
{
    (void)state;
    double s[4] = { 4, 3, 2, 1 }, e[4];
    rsd_cumulative_energy(s, 4, 30, e);
    CHECK_CLOSE(e[0], 16. / 30, DBL_EPSILON);
    CHECK_CLOSE(e[1], 25. / 30, DBL_EPSILON);
    CHECK_CLOSE(e[2], 29. / 30, DBL_EPSILON);
    assert_true(e[3] == 1);
    rsd_cumulative_sum(s, 4, 10, s); /* in place */
    static const double want[4] = { .4, .7, .9, 1 };
    for (int k = 0; k < 4; k++)
        CHECK_CLOSE(s[k], want[k], DBL_EPSILON);
    CHECK_CLOSE(rsd_curve_mean(s, 4), .75, DBL_EPSILON);
    double t[2] = { 4, 3 };
    rsd_cumulative_energy(t, 2, 30, t); /* truncated and in place */
    CHECK_CLOSE(t[1], 25. / 30, DBL_EPSILON);
}

static void curves_without_a_total(void **state)
{
    (void)state;
    double s[3] = { 2, 1, 0 }, zero[3] = { 0, 0, 0 }, out[3];
    rsd_cumulative_sum(s, 3, NAN, out);
    assert_true(isnan(out[0]) && isnan(out[2]));
    assert_int_equal(rsd_rank_at_share(out, 3, .5), 0);
    rsd_cumulative_energy(s, 3, NAN, out);
    assert_true(isnan(out[0]) && isnan(out[2]));
    rsd_cumulative_sum(zero, 3, 0, out);
    assert_true(out[0] == 0 && out[2] == 0);
    rsd_cumulative_energy(zero, 3, 0, out);
    assert_true(out[0] == 0 && out[2] == 0);
    assert_int_equal(rsd_rank_at_share(out, 3, .5), 0);
}

/* A total summed in another order may be smaller by roundoff: no share above 1.  A total that is
 * wrong is not hidden. */
static void shares_above_one_only_if_the_total_is_wrong(void **state)
{
    (void)state;
    double s[50], out[50], sum = 0;
    for (int k = 0; k < 50; k++)
        sum += s[k] = 1 / (1. + k);
    rsd_cumulative_sum(s, 50, sum, out);
    assert_true(out[49] == 1);
    rsd_cumulative_sum(s, 50, sum * (1 - 50 * DBL_EPSILON), out);
    assert_true(out[49] == 1);
    rsd_cumulative_sum(s, 50, sum * .999, out);
    CHECK_CLOSE(out[49], 1 / .999, 1e-14);
}

static void ranks_at_a_share(void **state)
{
    (void)state;
    static const double curve[] = { .5, .75, .9, .9, 1 - 1e-13 };
    assert_int_equal(rsd_rank_at_share(curve, 5, 0), 1);
    assert_int_equal(rsd_rank_at_share(curve, 5, .5), 1);
    assert_int_equal(rsd_rank_at_share(curve, 5, .5 + 1e-9), 2);
    assert_int_equal(rsd_rank_at_share(curve, 5, .9), 3);
    assert_int_equal(rsd_rank_at_share(curve, 5, .91), 5);
    assert_int_equal(rsd_rank_at_share(curve, 5, 1), 5); /* to a relative 1e-12 */
    assert_int_equal(rsd_rank_at_share(curve, 4, 1), 0);
    assert_int_equal(rsd_rank_at_share(curve, 0, .1), 0);
}

static void error_of_a_rank(void **state)
{
    (void)state;
    assert_true(rsd_rank_error(0) == 1 && rsd_rank_error(1) == 0 && rsd_rank_error(.75) == .5);
    assert_true(rsd_rank_error(1 + 1e-15) == 0 && isnan(rsd_rank_error(NAN)));
}

/* ---- metrics ---- */

static void table_names_every_metric_once(void **state)
{
    (void)state;
    rsd_metrics m;
    size_t count = 0;
    for (const rsd_metric_info *a = rsd_metric_table; a->name; a++, count++) {
        assert_true(*a->name && *a->units && *a->description);
        *(double *)((char *)&m + a->offset) = (double)count;
        for (const rsd_metric_info *b = rsd_metric_table; b < a; b++)
            assert_string_not_equal(a->name, b->name);
    }
    assert_int_equal(count, sizeof m / sizeof(double));
    for (size_t i = 0; i < count; i++)
        assert_true(rsd_metric(&m, &rsd_metric_table[i]) == (double)i);
    assert_true(rsd_metric(&m, &rsd_metric_table[0]) == m.frobenius);
}

static const rsd_metric_info *find_metric(const char *name)
{
    const rsd_metric_info *i = rsd_metric_table;
    while (i->name && strcmp(i->name, name))
        i++;
    return i->name ? i : NULL;
}

/* Reads one case: the spectrum, then every metric, NaN where NaN is wanted.  1e-9: SciPy's
 * quadrature and root finding; what needs neither differs by roundoff. */
static bool golden_case(FILE *f, char name[64])
{
    size_t m, n, count;
    double sumsq, value;
    int whole;
    if (fscanf(f, " case %63s %zu %zu %zu %d %lf", name, &m, &n, &count, &whole, &sumsq) != 6)
        return false;
    double *s = malloc(count * sizeof *s);
    assert_non_null(s);
    for (size_t k = 0; k < count; k++)
        assert_int_equal(fscanf(f, "%lf", &s[k]), 1);
    const rsd_metrics got = metrics_of((rsd_spectrum){
        .m = m, .n = n, .count = count, .s = s, .complete = whole, .sumsq = sumsq });
    size_t lines = 0;
    char key[64];
    while (fscanf(f, "%63s", key) == 1 && strcmp(key, "end")) {
        const rsd_metric_info *info = find_metric(key);
        assert_non_null(info);
        assert_int_equal(fscanf(f, "%lf", &value), 1);
        const double have = rsd_metric(&got, info);
        const bool right =
            isnan(value) ? isnan(have) : fabs(have - value) <= 1e-9 * fmax(fabs(value), 1e-3);
        if (!right)
            fail_msg("case %s: %s = %.17g, want %.17g", name, key, have, value);
        lines++;
    }
    assert_int_equal(lines, sizeof got / sizeof(double));
    free(s);
    return true;
}

static void metrics_agree_with_numpy(void **state)
{
    (void)state;
    FILE *f = fopen(fixture("spectra/metrics.txt"), "r");
    assert_non_null(f);
    char name[64];
    size_t cases = 0;
    while (golden_case(f, name))
        cases++;
    assert_true(feof(f));
    assert_int_equal(cases, 14);
    fclose(f);
}

/* Stable rank, effective rank and participation ratio of noise, as one sampled matrix has them:
 * 1 % for the largest value's fluctuation. */
static void ranks_of_noise_are_the_known_ones(void **state)
{
    (void)state;
    static const double known[][5] = { { 768, 768, 195, 618, 383 },
                                       { 2304, 768, 312, 732, 576 },
                                       { 3072, 768, 343, 742, 615 } };
    double s[768];
    for (int i = 0; i < 3; i++) {
        const size_t m = (size_t)known[i][0], n = (size_t)known[i][1];
        CHECK_OK(rsd_mp_quantiles(m, n, .01, s));
        const rsd_metrics o = metrics_of(complete(m, n, s));
        CHECK_CLOSE(o.stable_rank, known[i][2], .01 * known[i][2]);
        CHECK_CLOSE(o.effective_rank, known[i][3], 1);
        CHECK_CLOSE(o.participation_ratio, known[i][4], 1.5);
        CHECK_CLOSE(o.mp_variance, .01, 1e-5);
        CHECK_CLOSE(o.mp_variance_robust, .01, 1e-5);
        CHECK_CLOSE(o.sum_excess, 0, 1e-5);
        CHECK_CLOSE(o.energy_excess, 0, 1e-5);
        rsd_cumulative_sum(s, 768, o.nuclear, s);
        assert_true(s[767] == 1);
        assert_true(o.mp_spikes == 0 && o.gavish_donoho_rank == 0 && o.numerical_rank == 768);
    }
}

/* A matrix with orthonormal rows. */
static void equal_values(void **state)
{
    (void)state;
    double s[64];
    for (int k = 0; k < 64; k++)
        s[k] = .3;
    const rsd_metrics o = metrics_of(complete(64, 200, s));
    CHECK_CLOSE(o.stable_rank, 64, 64 * 64 * DBL_EPSILON);
    CHECK_CLOSE(o.effective_rank, 64, 64 * 64 * DBL_EPSILON);
    CHECK_CLOSE(o.participation_ratio, 64, 64 * 64 * DBL_EPSILON);
    CHECK_CLOSE(o.matrix_entropy, 1, 64 * DBL_EPSILON);
    CHECK_CLOSE(o.sum_mean, 65. / 128, 64 * DBL_EPSILON);
    assert_true(o.sum_r50 == 32 && o.energy_r90 == 58 && o.energy_r99 == 64);
    assert_true(o.detx_count == 64 && o.numerical_rank == 64 && o.rank_loss == 0);
    assert_true(isnan(o.alpha) && isnan(o.alpha_two_sided) && isnan(o.log_alpha_norm));
    for (size_t d = 1; d <= 64; d++) { /* a product of ones stays one, whatever the rounding */
        for (size_t k = 0; k < d; k++)
            s[k] = .1 * (double)d;
        assert_true(metrics_of(complete(d, d, s)).detx_count == (double)d);
    }
}

/* Scaling by a power of two moves nothing but the scale, far outside float's range too: the power
 * laws alone know an absolute size. */
static void metrics_scale_with_the_matrix(void **state)
{
    (void)state;
    double s[40], t[40];
    for (int k = 0; k < 40; k++)
        s[k] = 3 * pow(k + 1, -.8);
    const rsd_metrics a = metrics_of(complete(40, 70, s));
    static const int shifts[] = { -150, -20, 8, 150 };
    for (int i = 0; i < 4; i++) {
        const double c = ldexp(1, shifts[i]);
        for (int k = 0; k < 40; k++)
            t[k] = c * s[k];
        const rsd_metrics b = metrics_of(complete(40, 70, t));
        assert_true(b.frobenius == c * a.frobenius && b.spectral == c * a.spectral);
        assert_true(b.stable_rank == a.stable_rank && b.effective_rank == a.effective_rank);
        assert_true(b.participation_ratio == a.participation_ratio);
        assert_true(b.numerical_rank == a.numerical_rank && b.sum_r90 == a.sum_r90);
        assert_true(b.energy_mean == a.energy_mean && b.matrix_entropy == a.matrix_entropy);
        assert_true(b.mp_spikes == a.mp_spikes && b.gavish_donoho_rank == a.gavish_donoho_rank);
        assert_true(b.detx_count == a.detx_count);
        CHECK_CLOSE(b.mp_softrank, a.mp_softrank, 16 * DBL_EPSILON * a.mp_softrank);
        CHECK_CLOSE(b.mp_edge, c * a.mp_edge, 16 * DBL_EPSILON * b.mp_edge);
        CHECK_CLOSE(b.log_norm, a.log_norm + 2 * log10(c), 1e-13 * 100);
        if (shifts[i] > 0) {
            CHECK_CLOSE(b.alpha, a.alpha, 1e-11);
            CHECK_CLOSE(b.alpha_xmin, c * c * a.alpha_xmin, 1e-12 * b.alpha_xmin);
            CHECK_CLOSE(b.log_alpha_norm, a.log_alpha_norm + 2 * a.alpha * log10(c), 1e-8);
        }
    }
}

/* What a truncated spectrum tells is what the full one told, the rest is NaN. */
static void truncation_hides_but_never_changes(void **state)
{
    (void)state;
    double s[80];
    for (int k = 0; k < 80; k++)
        s[k] = 5 * exp(-.11 * k) + .001;
    const rsd_spectrum full = complete(80, 300, s);
    const rsd_metrics a = metrics_of(full);
    size_t told[2] = { 0, 0 };
    for (size_t count = 1; count < 80; count++) {
        rsd_spectrum cut = full;
        cut.count = count;
        cut.complete = false;
        const rsd_metrics b = metrics_of(cut);
        for (const rsd_metric_info *i = rsd_metric_table; i->name; i++) {
            const double x = rsd_metric(&b, i), y = rsd_metric(&a, i);
            if (!isnan(x) && x != y)
                fail_msg("%zu of 80 values: %s = %.17g, all: %.17g", count, i->name, x, y);
            told[count > 40] += !isnan(x);
        }
        assert_true(b.stable_rank == a.stable_rank && b.mp_edge == a.mp_edge);
        assert_true(isnan(b.nuclear) && isnan(b.effective_rank) && isnan(b.alpha));
        assert_true(isnan(b.energy_r90) == (a.energy_r90 > (double)count));
        assert_true(isnan(b.gavish_donoho_threshold) == (count <= 40));
    }
    assert_true(told[0] > 40 * 6 && told[1] > 39 * 14); /* it does tell something */
}

/* Three planted directions in noise are counted, robustly, whatever they do to the variance. */
static void spikes_in_sampled_noise_are_counted(void **state)
{
    (void)state;
    static const size_t shapes[][2] = { { 192, 192 }, { 150, 400 } };
    for (int i = 0; i < 2; i++) {
        const size_t m = shapes[i][0], n = shapes[i][1];
        rsd_mat A = dense_noise(m, n, 11);
        double *s = dense_singular_values(A);
        rsd_metrics o = metrics_of(complete(m, n, s));
        assert_true(o.mp_spikes == 0 && o.gavish_donoho_rank == 0);
        CHECK_CLOSE(o.mp_variance, 1, .03); /* sd sqrt(2/mn) = .0074 */
        CHECK_CLOSE(o.mp_variance_robust, 1, .05);
        CHECK_CLOSE(o.mp_softrank, 1, .1);
        free(s);
        const double edge = rsd_mp_edge(m, n, 1);
        for (unsigned key = 1; key <= 4; key *= 2)
            dense_add_spike(A, (3 + key) * edge, key);
        s = dense_singular_values(A);
        o = metrics_of(complete(m, n, s));
        assert_true(o.mp_spikes == 3 && o.gavish_donoho_rank == 3);
        assert_true(o.mp_variance > 1.5);
        CHECK_CLOSE(o.mp_variance_robust, 1, .05);
        free(s);
        rsd_mat_free(&A);
    }
}

int main(void)
{
    gsl_set_error_handler_off();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(curves_of_four_values),
        cmocka_unit_test(curves_without_a_total),
        cmocka_unit_test(shares_above_one_only_if_the_total_is_wrong),
        cmocka_unit_test(ranks_at_a_share),
        cmocka_unit_test(error_of_a_rank),
        cmocka_unit_test(table_names_every_metric_once),
        cmocka_unit_test(metrics_agree_with_numpy),
        cmocka_unit_test(ranks_of_noise_are_the_known_ones),
        cmocka_unit_test(equal_values),
        cmocka_unit_test(metrics_scale_with_the_matrix),
        cmocka_unit_test(truncation_hides_but_never_changes),
        cmocka_unit_test(spikes_in_sampled_noise_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
