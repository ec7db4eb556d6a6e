/* Which prediction is off by least, and the interval that few clusters do not have. */
#include "rng.h"
#include "spectra/contest.h"

#include "test.h"

enum { N = 12 };

/* Guesses off by .1 in sign turns, by .2, and one that is not known. */
static void errors_by_hand(void **state)
{
    (void)state;
    double measured[N], close[N], wide[N], none[N];
    for (size_t i = 0; i < N; i++) {
        measured[i] = (double)i;
        close[i] = measured[i] + (i % 2 ? 0.1 : -0.1);
        wide[i] = measured[i] + 0.2;
        none[i] = NAN;
    }
    const double *const guess[] = { wide, none, close };
    const rsd_contest_job job = { .predictions = 3, .guess = guess, .measured = measured, .n = N };
    rsd_contest c;
    CHECK_OK(rsd_contest_hold(&job, &c));
    assert_true(c.n == N && c.clusters == N && c.best == 2);
    CHECK_CLOSE(c.error[0].value, 0.2, 1e-12);
    CHECK_CLOSE(c.error[2].value, 0.1, 1e-12);
    CHECK_CLOSE(c.behind[0].value, 0.1, 1e-12);
    assert_true(isnan(c.error[1].value) && !rsd_contest_loses(&c, 1));
    /* the constant: the mean of the 11 others, off by (66 - i)/11 - i */
    double squares = 0;
    for (size_t i = 0; i < N; i++)
        squares += pow((66 - (double)i) / 11 - (double)i, 2);
    CHECK_CLOSE(c.error[3].value, sqrt(squares / N), 1e-12);
    assert_true(rsd_contest_loses(&c, 0) && rsd_contest_loses(&c, 3) && !rsd_contest_loses(&c, 2));
}

/* A prediction that is no better than a constant does not beat it. */
static void a_constant_takes_part(void **state)
{
    (void)state;
    double measured[40], guess[40];
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(2, "constant", &rng));
    for (size_t i = 0; i < 40; i++) {
        measured[i] = 0.8 + 0.02 * rsd_rng_normal(rng);
        guess[i] = 0.5 + 0.1 * rsd_rng_normal(rng);
    }
    rsd_rng_free(rng);
    const double *const only[] = { guess };
    const rsd_contest_job job = { .predictions = 1, .guess = only, .measured = measured, .n = 40 };
    rsd_contest c;
    CHECK_OK(rsd_contest_hold(&job, &c));
    assert_true(c.best == 1 && rsd_contest_loses(&c, 0));
}

/* Three or four runs, however well they are predicted, tell nothing apart. */
static void few_runs_are_no_certainty(void **state)
{
    (void)state;
    const double measured[] = { 0.1, 0.2, 0.3, 0.4 }, right[] = { 0.1, 0.2, 0.3, 0.4 },
                 wrong[] = { 0.9, 0.9, 0.9, 0.9 };
    const double *const guess[] = { right, wrong };
    const rsd_contest_job job = { .predictions = 2, .guess = guess, .measured = measured, .n = 4 };
    rsd_contest c;
    CHECK_OK(rsd_contest_hold(&job, &c));
    assert_true(c.best == 0 && c.error[0].value == 0 && isnan(c.error[0].low));
    assert_true(!rsd_contest_loses(&c, 1) && !rsd_contest_loses(&c, 2));
    const rsd_contest_job nothing = { .predictions = 2, .guess = guess, .measured = measured };
    CHECK_OK(rsd_contest_hold(&nothing, &c));
    assert_true(c.n == 0 && c.best == SIZE_MAX);
}

/* Twenty runs that are five looks at four things are four things. */
static void copies_add_nothing(void **state)
{
    (void)state;
    double measured[20], x[20];
    size_t cluster[20];
    for (size_t i = 0; i < 20; i++) {
        measured[i] = 0.1 * (double)(i % 4);
        x[i] = measured[i] + 0.01;
        cluster[i] = i % 4;
    }
    const double *const guess[] = { x };
    const rsd_contest_job job = {
        .predictions = 1, .guess = guess, .measured = measured, .cluster = cluster, .n = 20
    };
    rsd_contest c;
    CHECK_OK(rsd_contest_hold(&job, &c));
    assert_true(c.n == 20 && c.clusters == 4 && c.best == 0 && !rsd_contest_loses(&c, 1));
}

/* The interval of a mean of eight holds it in about 95 of 100 cases. */
static void eight_are_enough(void **state)
{
    (void)state;
    enum { CASES = 300 };
    rsd_rng *rng;
    size_t held = 0;
    CHECK_OK(rsd_rng_alloc(9, "eight", &rng));
    for (uint64_t c = 0; c < CASES; c++) {
        double x[RSD_FEWEST_CLUSTERS];
        rsd_interval m;
        for (size_t i = 0; i < RSD_FEWEST_CLUSTERS; i++)
            x[i] = rsd_rng_normal(rng);
        CHECK_OK(rsd_mean_interval(x, NULL, RSD_FEWEST_CLUSTERS, c, &m, NULL));
        held += m.low < 0 && m.high > 0;
    }
    assert_in_range(held, CASES * 90 / 100, CASES * 99 / 100);
    rsd_rng_free(rng);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_by_hand),
        cmocka_unit_test(a_constant_takes_part),
        cmocka_unit_test(few_runs_are_no_certainty),
        cmocka_unit_test(copies_add_nothing),
        cmocka_unit_test(eight_are_enough),
    };
    return cmocka_run_group_tests_name("contest", tests, NULL, NULL);
}
