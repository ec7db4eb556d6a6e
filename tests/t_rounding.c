/* Round-off is no data: matrices of a known rank, stored in float32, float16 and bfloat16, and what
 * the metrics make of the values that rounding added. */
#include "dense.h"
#include "fp.h"
#include "io/dtype.h"
#include "linalg/spectrum.h"
#include "spectra/metrics.h"
#include "test.h"

#include <cblas.h>

static const rsd_dtype stores[] = { RSD_F32, RSD_F16, RSD_BF16 };

/* What a file of this type would give back. */
static void store(rsd_dtype t, rsd_mat A)
{
    const rsd_fp *format = t == RSD_F16 ? &rsd_fp16 : t == RSD_BF16 ? &rsd_bf16 : NULL;
    for (size_t i = 0; format && i < A.m * A.n; i++)
        A.x[i] = rsd_fp_decode(format, rsd_fp_encode(format, A.x[i], true));
}

typedef enum { RANDOM, PATTERN, TILED, KINDS } kind;

/* rank orthonormal vectors of length d, one behind the other: random, signs, or 16 numbers over and
 * over. */
static double *directions(kind how, size_t d, size_t rank, uint64_t seed)
{
    rsd_mat noise = dense_noise(rank, d, seed);
    double *x = malloc(rank * d * sizeof *x);
    assert_non_null(x);
    for (size_t k = 0; k < rank; k++) {
        double *a = x + k * d;
        for (size_t i = 0; i < d; i++)
            a[i] = how == PATTERN ? (__builtin_parityll(i & (k + 1)) ? -1 : 1)
                                  : (double)noise.x[k * d + (how == TILED ? i % 16 : i)];
        for (size_t l = 0; l < 2 * k; l++) /* Gram-Schmidt, twice */
            cblas_daxpy((int)d, -cblas_ddot((int)d, a, 1, x + l % k * d, 1), x + l % k * d, 1, a,
                        1);
        cblas_dscal((int)d, 1 / cblas_dnrm2((int)d, a, 1), a, 1);
    }
    rsd_mat_free(&noise);
    return x;
}

/* sum_k s_k u_k v_k', rounded to float32 once. */
static rsd_mat low_rank(kind how, size_t m, size_t n, size_t rank, const double *s)
{
    rsd_mat A;
    CHECK_OK(rsd_mat_alloc(m, n, &A));
    double *u = directions(how, m, rank, 1), *v = directions(how, n, rank, 2);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t k = 0; k < rank; k++)
                sum += s[k] * u[k * m + i] * v[k * n + j];
            A.x[i * n + j] = (float)sum;
        }
    free(v);
    free(u);
    return A;
}

static rsd_metrics metrics_of(rsd_mat A, rsd_dtype t, rsd_method method)
{
    rsd_spectrum s;
    rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    rsd_metrics m;
    opts.method = method;
    opts.rounding = rsd_dtype_rounding(t);
    CHECK_OK(rsd_spectrum_compute(A, &opts, &s));
    CHECK_OK(rsd_metrics_compute(&s, &m));
    rsd_spectrum_free(&s);
    return m;
}

static void check_rank(const char *what, const rsd_metrics *m, size_t d, size_t rank)
{
    if (m->numerical_rank != (double)rank || m->mp_spikes != (double)rank ||
        m->gavish_donoho_rank != (double)rank || !isnan(m->alpha) || !isnan(m->alpha_two_sided))
        fail_msg("%s of rank %zu: rank %g, spikes %g, Gavish-Donoho rank %g, alpha %g, %g", what,
                 rank, m->numerical_rank, m->mp_spikes, m->gavish_donoho_rank, m->alpha,
                 m->alpha_two_sided);
    assert_true(m->rank_loss == (double)(d - rank) && m->detx_count >= (double)rank);
    assert_true(m->effective_rank < 1.0001 * (double)rank && m->matrix_entropy < 1.0001);
}

static void low_ranks_are_low(void **state)
{
    (void)state;
    static const char *const names[KINDS] = { "random", "pattern", "tiled" };
    static const size_t shapes[][2] = { { 256, 256 }, { 96, 160 }, { 300, 64 } };
    for (size_t h = 0; h < 3; h++)
        for (kind how = 0; how < KINDS; how++)
            for (int equal = 0; equal < 2; equal++)
                for (size_t b = 0; b < sizeof stores / sizeof *stores; b++)
                    for (size_t rank = 1; rank <= 4; rank += 3) {
                        const double s[4] = { 3, equal ? 3 : 2.4, equal ? 3 : 2, equal ? 3 : 1.3 };
                        const size_t m = shapes[h][0], n = shapes[h][1], d = m < n ? m : n;
                        char what[64];
                        snprintf(what, sizeof what, "%s %zu x %zu in %s", names[how], m, n,
                                 rsd_dtype_name(stores[b]));
                        rsd_mat A = low_rank(how, m, n, rank, s);
                        store(stores[b], A);
                        for (rsd_method k = RSD_METHOD_GRAM; k <= RSD_METHOD_GESDD; k++) {
                            const rsd_metrics o = metrics_of(A, stores[b], k);
                            check_rank(what, &o, d, rank);
                        }
                        rsd_mat_free(&A);
                    }
}

/* All values equal, but for rounding: full rank, no power law, no spikes. */
static void equal_values_are_equal(void **state)
{
    (void)state;
    enum { D = 64 };
    double s[D];
    for (int k = 0; k < D; k++)
        s[k] = 1.7;
    for (kind how = RANDOM; how <= PATTERN; how++)
        for (size_t b = 0; b < sizeof stores / sizeof *stores; b++) {
            rsd_mat A = low_rank(how, D, 200, D - 1, s); /* patterns 1 .. 63 */
            store(stores[b], A);
            const rsd_metrics o = metrics_of(A, stores[b], RSD_METHOD_GESDD);
            assert_true(o.numerical_rank == D - 1 && o.mp_spikes == 0);
            assert_true(isnan(o.alpha) && isnan(o.alpha_two_sided));
            CHECK_CLOSE(o.matrix_entropy, 1, 1e-4);
            rsd_mat_free(&A);
        }
}

/* Noise, and weights with a decaying spectrum, keep what they have: of bfloat16, whose steps are
 * coarse, all but a few of a square matrix' least values. */
static void full_ranks_stay_full(void **state)
{
    (void)state;
    for (size_t b = 0; b < sizeof stores / sizeof *stores; b++) {
        rsd_mat A = dense_noise(200, 200, 9), B = dense_noise(120, 300, 9);
        const rsd_metrics before = metrics_of(B, RSD_F32, RSD_METHOD_GESDD);
        store(stores[b], A);
        store(stores[b], B);
        const rsd_metrics square = metrics_of(A, stores[b], RSD_METHOD_GESDD);
        const rsd_metrics wide = metrics_of(B, stores[b], RSD_METHOD_GESDD);
        assert_true(square.numerical_rank >= (stores[b] == RSD_BF16 ? 190 : 199));
        assert_true(wide.numerical_rank == 120);
        CHECK_CLOSE(wide.alpha, before.alpha, 0.02 * before.alpha);
        CHECK_CLOSE(wide.effective_rank, before.effective_rank, 1e-3 * before.effective_rank);
        rsd_mat_free(&B);
        rsd_mat_free(&A);
    }
}

/* The bound holds: no value moves by more than `most`, nor, of independent errors, than `likely`.
 */
static void the_levels_bound_what_rounding_does(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++)
        for (size_t b = 1; b < sizeof stores / sizeof *stores; b++) {
            rsd_mat A = dense_noise(40 + seed, 60, seed), E = dense_noise(40 + seed, 60, seed);
            rsd_rounding noise;
            for (size_t i = 0; i < A.m * A.n; i++) /* rows and columns of unequal size */
                A.x[i] = E.x[i] *= (float)exp(0.05 * (double)(i % 60) - 0.03 * (double)(i / 60));
            store(stores[b], E);
            CHECK_OK(rsd_rounding_of(E, rsd_dtype_rounding(stores[b]), &noise));
            for (size_t i = 0; i < A.m * A.n; i++)
                E.x[i] -= A.x[i];
            double *s = dense_singular_values(E);
            assert_true(s[0] < noise.likely && noise.likely < 5 * s[0] && s[0] < noise.most);
            free(s);
            rsd_mat_free(&E);
            rsd_mat_free(&A);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(low_ranks_are_low),
        cmocka_unit_test(equal_values_are_equal),
        cmocka_unit_test(full_ranks_stay_full),
        cmocka_unit_test(the_levels_bound_what_rounding_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
