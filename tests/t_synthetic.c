/* Synthetic matrices have the spectra that their parameters say. */
#include "test.h"

#include "io/model/synthetic.h"

#include <lapacke.h>

static rsd_mat synthetic(const char *text, size_t i)
{
    rsd_synthetic p;
    rsd_mat A;
    CHECK_OK(rsd_synthetic_parse(text, &p));
    CHECK_OK(rsd_mat_alloc(p.rows, p.cols, &A));
    CHECK_OK(rsd_synthetic_fill(&p, i, A));
    return A;
}

/* Singular values in double.  LAPACK sees row-major A as its transpose, which has the same. */
static double *singular_values(rsd_mat A)
{
    const size_t k = A.m < A.n ? A.m : A.n;
    double *a = malloc(A.m * A.n * sizeof *a), *s = malloc(k * sizeof *s), *nothing = NULL;
    for (size_t i = 0; i < A.m * A.n; i++)
        a[i] = (double)A.x[i];
    assert_int_equal(LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', (lapack_int)A.n, (lapack_int)A.m, a,
                                    (lapack_int)A.n, s, nothing, 1, nothing, 1),
                     0);
    free(a);
    return s;
}

static void synthetic_refuses(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const bad[][2] = {
        { "", "nothing but zeros" },
        { "rank=0,noise=0", "nothing but zeros" },
        { "rank=9,rows=8,cols=20", "rank=9 of a 8 x 20" },
        { "rank=9,rows=20,cols=8", "rank=9 of a 20 x 8" },
        { "spikes=9,rows=8,cols=20,noise=1", "spikes=9 in a 8 x 20" },
        { "noise=1,student=2", "student=2" },
        { "power=1,noise=1", "rank=0 asks for none" },
        { "rank=3,spikes=2", "noise=0" },
        { "rows=0,rank=1", "rows=0: it must be at least 1" },
        { "rank=1,rank=2", "rank is given twice" },
        { "rank=four", "not a whole number" },
        { "ranks=4", "unknown key 'ranks'; known: rows, cols, rank" },
    };
    /* clang-format on */
    for (size_t c = 0; c < sizeof bad / sizeof *bad; c++) {
        rsd_synthetic p;
        CHECK_FAILS(rsd_synthetic_parse(bad[c][0], &p), RSD_EUSAGE, bad[c][1]);
    }
}

/* Exactly rank values above 1e-12 s_1, and every entry on the grid of the factors' product. */
static void control_has_exact_rank(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t rank, side;
    } cases[] = { { "rows=96,cols=120,rank=4", 4, 96 },
                  { "rows=61,cols=33,rank=1", 1, 33 },
                  { "rows=40,cols=64,rank=40", 40, 40 },
                  { "rows=1,cols=1,rank=1", 1, 1 },
                  { "rows=1,cols=50,rank=1", 1, 1 } };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rsd_mat A = synthetic(cases[c].text, 0);
        double *s = singular_values(A);
        size_t above = 0;
        for (size_t k = 0; k < cases[c].side; k++)
            above += s[k] > 1e-12 * s[0];
        assert_int_equal(above, cases[c].rank);
        /* unit-variance factors: entries of variance rank, within 5 standard errors of a sum of
         * rank rank-1 terms */
        const double size = (double)(A.m * A.n), r = (double)cases[c].rank;
        const double deviations = 5 * r * sqrt(2 / r * (double)(A.m + A.n) / size);
        if (size > 1000)
            CHECK_CLOSE(rsd_mat_sumsq(A) / size, r, deviations);
        free(s);
        rsd_mat_free(&A);
    }
}

static void power_law_is_exact(void **state)
{
    (void)state;
    rsd_mat A = synthetic("rows=60,cols=90,rank=60,power=0.75,strength=3.5", 0);
    double *s = singular_values(A);
    /* entries are rounded: ||E||_2 <= 2^-24 ||A||_F < 4 2^-24 s_1 */
    for (size_t k = 0; k < 60; k++)
        CHECK_CLOSE(s[k], 3.5 * pow((double)(k + 1), -0.75), 4 * 3.5 * 0x1p-24);
    free(s);
    rsd_mat_free(&A);
    A = synthetic("rows=1,cols=1,rank=1,power=2,strength=0.1", 0);
    assert_true(fabsf(A.x[0]) == 0.1f);
    rsd_mat_free(&A);
}

/* The noise is the same with and without them, so the difference is the planted terms alone. */
static void spikes_have_their_size(void **state)
{
    (void)state;
    rsd_mat with = synthetic("rows=80,cols=50,noise=0.5,spikes=1,spike=3", 0);
    rsd_mat without = synthetic("rows=80,cols=50,noise=0.5", 0);
    double *noise = singular_values(without);
    const double edge = 0.5 * (sqrt(80) + sqrt(50));
    CHECK_CLOSE(noise[0], edge, 0.1 * edge); /* fluctuates by edge * n^(-2/3) */
    rsd_mat_sub(with, without, with);
    double *s = singular_values(with);
    /* both are rounded to float32: 4000 errors of 2^-24 of an entry below 4 */
    CHECK_CLOSE(s[0], 3 * edge, 1e-5 * edge);
    assert_true(s[1] < 1e-5 * edge);
    free(s);
    free(noise);
    rsd_mat_free(&with);
    rsd_mat_free(&without);
}

static void noise_has_its_deviation(void **state)
{
    (void)state;
    static const char *const texts[] = { "rows=300,cols=400,noise=0.02",
                                         "rows=300,cols=400,noise=0.02,student=5" };
    for (size_t c = 0; c < 2; c++) {
        rsd_mat A = synthetic(texts[c], 0);
        const double n = 120000, kurtosis = c ? 9 : 3; /* of t_5: 3 + 6/(5-4) */
        double mean = 0;
        for (size_t i = 0; i < 120000; i++)
            mean += (double)A.x[i] / n;
        CHECK_CLOSE(mean, 0, 5 * 0.02 / sqrt(n));
        CHECK_CLOSE(rsd_mat_sumsq(A) / n, 4e-4, 5 * 4e-4 * sqrt((kurtosis - 1) / n));
        rsd_mat_free(&A);
    }
}

static bool equal(rsd_mat A, rsd_mat B) { return memcmp(A.x, B.x, A.m * A.n * sizeof *A.x) == 0; }

static void synthetic_is_reproducible(void **state)
{
    (void)state;
    static const char text[] = "rows=20,cols=30,rank=2,noise=0.1,spikes=1,count=3";
    rsd_mat A = synthetic(text, 1), same = synthetic(text, 1), other = synthetic(text, 2);
    rsd_mat seeded = synthetic("rows=20,cols=30,rank=2,noise=0.1,spikes=1,count=3,seed=1", 1);
    assert_true(equal(A, same));
    assert_false(equal(A, other) || equal(A, seeded));
    rsd_mat_free(&A);
    rsd_mat_free(&same);
    rsd_mat_free(&other);
    rsd_mat_free(&seeded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synthetic_refuses),       cmocka_unit_test(control_has_exact_rank),
        cmocka_unit_test(power_law_is_exact),      cmocka_unit_test(spikes_have_their_size),
        cmocka_unit_test(noise_has_its_deviation), cmocka_unit_test(synthetic_is_reproducible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
