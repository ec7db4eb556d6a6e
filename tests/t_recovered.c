/* The recovered share of a loss with its error, and the decomposition of a product of factors. */
#include "test.h"

#include "boot.h"
#include "linalg/product.h"
#include "linalg/spectrum.h"
#include "rng.h"
#include "train/recovered.h"

#include <float.h>

enum { N = 40 };

/* Losses of N windows: a level each, and a part that all models share. */
static void losses(double level, const char *key, double noise, double *x)
{
    rsd_rng *common, *own;
    assert_int_equal(rsd_rng_alloc(7, "windows", &common), RSD_OK);
    assert_int_equal(rsd_rng_alloc(7, key, &own), RSD_OK);
    for (size_t i = 0; i < N; i++)
        x[i] = level + 0.3 * rsd_rng_normal(common) + noise * rsd_rng_normal(own);
    rsd_rng_free(common);
    rsd_rng_free(own);
}

/* Without noise of its own the share is exact and its error is 0, however much windows differ. */
static void exact_share(void **state)
{
    (void)state;
    double fp[N], q[N], rec[N];
    rsd_recovered r;
    losses(1.5, "fp", 0, fp);
    losses(2.75, "q", 0, q);
    losses(1.8125, "rec", 0, rec);
    assert_int_equal(rsd_recovered_fraction(fp, q, rec, N, &r), RSD_OK);
    CHECK_CLOSE(r.gap, 1.25, 1e-14);
    CHECK_CLOSE(r.gap_se, 0, 1e-14);
    CHECK_CLOSE(r.fraction, 0.75, 1e-13);
    CHECK_CLOSE(r.se, 0, 1e-13);
    /* all is back; nothing is; more than all */
    assert_int_equal(rsd_recovered_fraction(fp, q, fp, N, &r), RSD_OK);
    CHECK_CLOSE(r.fraction, 1, 1e-14);
    assert_int_equal(rsd_recovered_fraction(fp, q, q, N, &r), RSD_OK);
    CHECK_CLOSE(r.fraction, 0, 1e-14);
    losses(1.25, "rec", 0, rec);
    assert_int_equal(rsd_recovered_fraction(fp, q, rec, N, &r), RSD_OK);
    CHECK_CLOSE(r.fraction, 1.2, 1e-13);
}

/* The error is that of the ratio: windows drawn anew 4000 times, the ratio taken each time. */
static void error_of_the_ratio(void **state)
{
    (void)state;
    double fp[N], q[N], rec[N], sum = 0, squares = 0;
    rsd_recovered r;
    rsd_rng *rng;
    enum { DRAWS = 4000 };
    losses(1.5, "fp", 0.05, fp);
    losses(2.0, "q", 0.1, q);
    losses(1.7, "rec", 0.08, rec);
    assert_int_equal(rsd_recovered_fraction(fp, q, rec, N, &r), RSD_OK);
    assert_int_equal(rsd_rng_alloc(11, "draws", &rng), RSD_OK);
    for (int d = 0; d < DRAWS; d++) {
        double gap = 0, back = 0;
        for (size_t k = 0; k < N; k++) {
            const size_t i = (size_t)(rsd_rng_uniform(rng) * N);
            gap += q[i] - fp[i];
            back += q[i] - rec[i];
        }
        sum += back / gap;
        squares += back / gap * (back / gap);
    }
    rsd_rng_free(rng);
    const double sd = sqrt(squares / DRAWS - sum / DRAWS * (sum / DRAWS));
    /* windows that are independent: blocks of one or two of them, unbiased, against draws of one
     * that are not (N - 1 for N: 1.3 %), of which 4000 agree to 1.1 %; blocks of two to 1/sqrt(N)
     */
    assert_true(r.block <= 2);
    CHECK_CLOSE(r.se, sd, 0.16 * sd);
    assert_true(r.se > 0.005);
}

static void undefined_share(void **state)
{
    (void)state;
    double fp[N], q[N];
    rsd_recovered r;
    losses(1.5, "fp", 0.1, fp);
    losses(1.5001, "q", 0.1, q);
    assert_int_equal(rsd_recovered_fraction(fp, q, fp, N, &r), RSD_OK);
    assert_true(isfinite(r.gap) && r.gap_se > 0.01);
    assert_true(isnan(r.fraction) && isnan(r.se));
    losses(1.0, "q", 0, q); /* quantizing helped: no share of a negative loss */
    assert_int_equal(rsd_recovered_fraction(fp, q, fp, N, &r), RSD_OK);
    assert_true(r.gap < 0 && isnan(r.fraction));
    assert_int_equal(rsd_recovered_fraction(fp, q, fp, 1, &r), RSD_OK);
    assert_true(isnan(r.gap_se) && isnan(r.fraction)); /* one window has no error */
    assert_int_equal(rsd_recovered_fraction(fp, q, fp, 0, &r), RSD_OK);
    assert_true(isnan(r.gap) && isnan(r.fraction));
}

/* ---- products ---- */

static rsd_mat random_matrix(size_t m, size_t n, const char *key)
{
    rsd_mat A;
    rsd_rng *rng;
    assert_int_equal(rsd_mat_alloc(m, n, &A), RSD_OK);
    assert_int_equal(rsd_rng_alloc(5, key, &rng), RSD_OK);
    rsd_rng_normals(rng, A.x, m * n);
    rsd_rng_free(rng);
    return A;
}

static void check_orthonormal(const double *v, size_t r, size_t d)
{
    for (size_t i = 0; i < r; i++)
        for (size_t j = 0; j <= i; j++) {
            double dot = 0;
            for (size_t k = 0; k < d; k++)
                dot += v[i * d + k] * v[j * d + k];
            CHECK_CLOSE(dot, i == j, 20 * (double)r * DBL_EPSILON);
        }
}

/* U diag(s) V' is B A, and s are the singular values that the full decomposition finds. */
static void check_product(rsd_mat B, rsd_mat A)
{
    const size_t m = B.m, n = A.n, r = B.n;
    double *s = malloc(r * sizeof *s);
    double *u = malloc(r * m * sizeof *u), *v = malloc(r * n * sizeof *v);
    rsd_mat C;
    rsd_spectrum full;
    rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    opts.method = RSD_METHOD_GESDD;
    assert_int_equal(rsd_mat_alloc(m, n, &C), RSD_OK);
    assert_int_equal(rsd_product_svd(B, A, s, u, v), RSD_OK);
    check_orthonormal(u, r, m);
    check_orthonormal(v, r, n);
    double scale = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double want = 0, got = 0;
            for (size_t k = 0; k < r; k++) {
                want += (double)B.x[i * B.ld + k] * (double)A.x[k * A.ld + j];
                got += s[k] * u[k * m + i] * v[k * n + j];
            }
            CHECK_CLOSE(got, want, 50 * (double)r * DBL_EPSILON * (s[0] + DBL_MIN));
            C.x[i * C.ld + j] = (float)want;
            scale = fmax(scale, fabs(want));
        }
    assert_int_equal(rsd_spectrum_compute(C, &opts, &full), RSD_OK);
    for (size_t k = 0; k < r; k++) { /* C was rounded to float32 */
        CHECK_CLOSE(s[k], full.s[k], 2 * FLT_EPSILON * scale * sqrt((double)(m * n)));
        assert_true(k == 0 || s[k] <= s[k - 1]);
    }
    rsd_spectrum_free(&full);
    rsd_mat_free(&C);
    free(s);
    free(u);
    free(v);
}

static void products(void **state)
{
    (void)state;
    static const size_t shapes[][3] = { { 1, 1, 1 },   { 7, 1, 1 },   { 1, 9, 1 },   { 5, 5, 5 },
                                        { 33, 20, 4 }, { 20, 33, 7 }, { 64, 64, 64 } };
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        rsd_mat B = random_matrix(shapes[i][0], shapes[i][2], "B");
        rsd_mat A = random_matrix(shapes[i][2], shapes[i][1], "A");
        check_product(B, A);
        if (shapes[i][2] > 1) { /* rank deficient: two equal columns, a row of zeros */
            for (size_t k = 0; k < B.m; k++)
                B.x[k * B.ld + 1] = B.x[k * B.ld];
            memset(A.x, 0, A.n * sizeof *A.x);
            check_product(B, A);
        }
        rsd_mat_free(&B);
        rsd_mat_free(&A);
    }
}

static void product_errors(void **state)
{
    (void)state;
    double s[4], u[40], v[40];
    rsd_mat B = random_matrix(3, 4, "B"), A = random_matrix(4, 8, "A");
    assert_int_equal(rsd_product_svd(B, A, s, u, v), RSD_EARG); /* rank above the rows */
    const rsd_mat none = { B.x, 3, 0, 4 }, no_rows = { A.x, 0, 8, 8 };
    assert_int_equal(rsd_product_svd(none, no_rows, s, u, v), RSD_EARG);
    const rsd_mat narrow = { B.x, 3, 2, 4 }, low = { A.x, 2, 8, 8 };
    assert_int_equal(rsd_product_svd(narrow, low, s, u, v), RSD_OK); /* views with ld */
    A.x[9] = NAN;
    assert_int_equal(rsd_product_svd(narrow, low, s, u, v), RSD_EDOM);
    A.x[9] = 1;
    B.x[5] = INFINITY;
    assert_int_equal(rsd_product_svd(narrow, low, s, u, v), RSD_EDOM);
    rsd_mat_free(&B);
    rsd_mat_free(&A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_share),     cmocka_unit_test(error_of_the_ratio),
        cmocka_unit_test(undefined_share), cmocka_unit_test(products),
        cmocka_unit_test(product_errors),
    };
    return cmocka_run_group_tests_name("recovered", tests, NULL, NULL);
}
