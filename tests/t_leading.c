/* What error_bound says of singular values holds, whatever the matrix: values that repeat, crowd or
 * fall off, and one that the start of the iteration cannot see. */
#include "dense.h"
#include "linalg/leading.h"
#include "linalg/spectrum.h"
#include "test.h"

#include <cblas.h>

enum { M = 260, N = 200, TOP = 20 };

typedef enum { FLAT_BELOW, GEOMETRIC, CROWDED, SHAPES } shape;

/* `times` equal values, then what the shape says. */
static void spectrum_of(shape how, size_t times, double s[N])
{
    for (size_t k = 0; k < N; k++) {
        const double after = k < times ? 0 : (double)(k - times + 1);
        s[k] = how == FLAT_BELOW  ? (k < times ? 1 : 1e-3 / after)
               : how == GEOMETRIC ? pow(0.8, after)
                                  : (k < times ? 1 - 1e-9 * (double)k : 0.75 * pow(after, -0.3));
    }
}

static double *orthonormal(size_t k, size_t d, uint64_t seed)
{
    rsd_mat noise = dense_noise(k, d, seed);
    double *x = malloc(k * d * sizeof *x);
    assert_non_null(x);
    for (size_t i = 0; i < k; i++) {
        double *a = x + i * d;
        for (size_t j = 0; j < d; j++)
            a[j] = (double)noise.x[i * d + j];
        for (size_t l = 0; l < 2 * i; l++)
            cblas_daxpy((int)d, -cblas_ddot((int)d, a, 1, x + l % i * d, 1), x + l % i * d, 1, a,
                        1);
        cblas_dscal((int)d, 1 / cblas_dnrm2((int)d, a, 1), a, 1);
    }
    rsd_mat_free(&noise);
    return x;
}

static rsd_mat with_values(const double s[N], bool wide)
{
    rsd_mat A;
    const size_t m = wide ? N : M, n = wide ? M : N;
    double *u = orthonormal(N, m, 1), *v = orthonormal(N, n, 2), *exact = calloc(m * n, sizeof *u);
    assert_non_null(exact);
    for (size_t k = 0; k < N; k++)
        cblas_dger(CblasRowMajor, (int)m, (int)n, s[k], u + k * m, 1, v + k * n, 1, exact, (int)n);
    CHECK_OK(rsd_mat_alloc(m, n, &A));
    for (size_t i = 0; i < m * n; i++)
        A.x[i] = (float)exact[i];
    free(exact);
    free(v);
    free(u);
    return A;
}

/* want: right to 1e-13 s_1.  Returns the method that found the values. */
static rsd_method check_bound(rsd_mat A, const double *want, const rsd_spectrum_opts *opts,
                              const char *what)
{
    rsd_spectrum s;
    CHECK_OK(rsd_spectrum_compute(A, opts, &s));
    assert_true(s.proved);
    for (size_t k = 0; k < s.count; k++)
        if (!(fabs(s.s[k] - want[k]) <= s.error_bound + 1e-13 * want[0]))
            fail_msg("%s by %s, tolerance %g: value %zu is %.12g, not %.12g, bound %g", what,
                     rsd_method_name(s.method), opts->tolerance, k, s.s[k], want[k], s.error_bound);
    if (s.method == RSD_METHOD_KRYLOV)
        assert_true(s.error_bound <= opts->tolerance * s.s[0]);
    const rsd_method method = s.method;
    rsd_spectrum_free(&s);
    return method;
}

/* How many of these were krylov's own. */
static size_t check_tolerances(rsd_mat A, const double *want, const char *what)
{
    size_t own = 0;
    for (double tolerance = 1e-1; tolerance > 5e-8; tolerance /= 10) {
        rsd_spectrum s;
        rsd_spectrum_opts opts = { .method = RSD_METHOD_KRYLOV,
                                   .top = TOP,
                                   .vectors = TOP,
                                   .tolerance = tolerance,
                                   .seed = 3 };
        own += check_bound(A, want, &opts, what) == RSD_METHOD_KRYLOV;
        opts.quick = true; /* not proved, but right where nothing hides from the start */
        CHECK_OK(rsd_spectrum_compute(A, &opts, &s));
        assert_int_equal(s.proved, s.method != RSD_METHOD_KRYLOV);
        for (size_t k = 0; k < TOP; k++)
            CHECK_CLOSE(s.s[k], want[k], 1.01 * tolerance * want[0]);
        rsd_spectrum_free(&s);
    }
    return own;
}

static void repeated_values(void **state)
{
    (void)state;
    static const size_t times[] = { 1, 2, 9, 15, 16, 17, 33, 64 };
    size_t own = 0;
    for (shape how = 0; how < SHAPES; how++)
        for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
            char what[64];
            double s[N];
            spectrum_of(how, times[i], s);
            snprintf(what, sizeof what, "shape %d, %zu times", (int)how, times[i]);
            rsd_mat A = with_values(s, i % 2);
            double *want = dense_singular_values(A);
            own += check_tolerances(A, want, what);
            for (rsd_method method = RSD_METHOD_GRAM; method <= RSD_METHOD_GESDD; method++) {
                const rsd_spectrum_opts opts = { .method = method, .tolerance = 1e-6 };
                check_bound(A, want, &opts, what);
            }
            free(want);
            rsd_mat_free(&A);
        }
    assert_true(own > 60); /* it does prove things */
}

/* A large value whose right vector is orthogonal to the start, and whose left vector nothing else
 * touches: the iteration never meets it, but for rounding, which the others leave no time. */
static void hidden_from_the_start(void **state)
{
    (void)state;
    enum { BLOCK = 16, SEED = 3 };
    double s[N], start[BLOCK + 1][N];
    rsd_rng *rng;
    for (size_t k = 0; k < N; k++)
        s[k] = k < TOP ? 1 - 0.02 * (double)k : 0.03 * (1 - (double)k / N);
    rsd_mat A = with_values(s, false);
    CHECK_OK(rsd_rng_alloc(SEED, "krylov", &rng));
    for (size_t i = 0; i <= BLOCK; i++)
        for (size_t j = 0; j < N; j++)
            start[i][j] = rsd_rng_normal(rng);
    rsd_rng_free(rng);
    for (size_t i = 0; i <= BLOCK; i++) {
        for (size_t l = 0; l < 2 * i; l++)
            cblas_daxpy(N, -cblas_ddot(N, start[i], 1, start[l % i], 1), start[l % i], 1, start[i],
                        1);
        cblas_dscal(N, 1 / cblas_dnrm2(N, start[i], 1), start[i], 1);
    }
    const double *v = start[BLOCK];
    for (size_t i = 0; i < M; i++) {
        double along = 0;
        for (size_t j = 0; j < N; j++)
            along += (double)A.x[i * N + j] * v[j];
        for (size_t j = 0; j < N; j++)
            A.x[i * N + j] =
                (float)(i + 1 < M ? (double)A.x[i * N + j] - along * v[j] : 0.9 * v[j]);
    }
    double *want = dense_singular_values(A);
    bool missed = false;
    for (double tolerance = 1e-1; tolerance > 5e-8; tolerance /= 10) {
        rsd_spectrum fast;
        rsd_spectrum_opts opts = {
            .method = RSD_METHOD_KRYLOV, .top = TOP, .tolerance = tolerance, .seed = SEED
        };
        check_bound(A, want, &opts, "a hidden value");
        opts.quick = true;
        CHECK_OK(rsd_spectrum_compute(A, &opts, &fast));
        missed = missed || fabs(fast.s[TOP - 1] - want[TOP - 1]) > fast.error_bound;
        rsd_spectrum_free(&fast);
    }
    assert_true(missed); /* without the proof: it is hidden indeed */
    free(want);
    rsd_mat_free(&A);
}

/* The proof itself: the leading triplets are proved so; others, or too few, are not. */
static void only_the_leading_ones(void **state)
{
    (void)state;
    double s[N], norm, bound;
    spectrum_of(GEOMETRIC, 5, s);
    rsd_mat A = with_values(s, false);
    rsd_spectrum full;
    const rsd_spectrum_opts opts = { .method = RSD_METHOD_GESDD, .vectors = 40, .tolerance = 1e-6 };
    CHECK_OK(rsd_spectrum_compute(A, &opts, &full));
    for (size_t first = 0; first < 8; first++)
        for (size_t k = 1; k < 30; k += 7) {
            const rsd_triplets t = { k, full.v + first * N, full.u + first * M, full.s + first };
            CHECK_OK(rsd_triplets_residual(A, &t, full.sumsq, &norm));
            assert_true(norm < 1e-9);
            CHECK_OK(rsd_prove_leading(A, &t, full.sumsq, norm, 1e-6, &bound));
            /* five values are equal: within them it does not matter which */
            const bool leading = full.s[0] - full.s[first] < 1e-6 &&
                                 (first == 0 || full.s[first + k - 1] > full.s[0] - 1e-6);
            if (leading != isfinite(bound) || (leading && !(bound <= 1e-6)))
                fail_msg("triplets %zu to %zu: bound %g", first, first + k, bound);
            CHECK_OK(rsd_prove_leading(A, &t, full.sumsq, norm, norm / 2, &bound));
            assert_true(isinf(bound)); /* no room */
        }
    rsd_spectrum_free(&full);
    rsd_mat_free(&A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(repeated_values),
        cmocka_unit_test(hidden_from_the_start),
        cmocka_unit_test(only_the_leading_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
