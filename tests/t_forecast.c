/* Ranks, shares and forecasts of spectra that are worked out by hand. */
#include "spectra/curves.h"
#include "spectra/forecast.h"

#include "test.h"

#include <float.h>

/* diag(3, 2, 1): energies 9, 4, 1 of 14. */
static const double s321[] = { 3, 2, 1 };

static void effective_ranks(void **state)
{
    (void)state;
    const double equal[] = { 5, 5, 5 }, one[] = { 7, 0, 0 }, zero[] = { 0, 0, 0 };
    CHECK_CLOSE(rsd_effective_rank(equal, 3), 3, 8 * DBL_EPSILON);
    CHECK_CLOSE(rsd_effective_rank(one, 3), 1, DBL_EPSILON);
    assert_true(isnan(rsd_effective_rank(zero, 3)) && isnan(rsd_effective_rank(NULL, 0)));
    /* p = 1/2, 1/3, 1/6: exp(H) = 2^(1/2) 3^(1/3) 6^(1/6) */
    CHECK_CLOSE(rsd_effective_rank(s321, 3), sqrt(2) * cbrt(3) * pow(6, 1.0 / 6), 1e-14);
    const double tiny[] = { 3e-200, 2e-200, 1e-200 };
    CHECK_CLOSE(rsd_effective_rank(tiny, 3), rsd_effective_rank(s321, 3), 1e-14);

    CHECK_CLOSE(rsd_participation_ratio(equal, 3), 3, 8 * DBL_EPSILON);
    CHECK_CLOSE(rsd_participation_ratio(s321, 3), 14.0 * 14 / (81 + 16 + 1), 1e-14);
    CHECK_CLOSE(rsd_participation_ratio(tiny, 3), 2, 1e-14);
    assert_true(isnan(rsd_participation_ratio(zero, 3)));
}

static void values_come_back_from_their_curve(void **state)
{
    (void)state;
    double curve[3];
    rsd_cumulative_energy(s321, 3, 14, curve);
    rsd_values_of_energy(curve, 3, curve);
    for (int k = 0; k < 3; k++)
        CHECK_CLOSE(curve[k], s321[k] / sqrt(14), 8 * DBL_EPSILON);
    CHECK_CLOSE(rsd_effective_rank(curve, 3), rsd_effective_rank(s321, 3), 1e-13);
}

static void what_remains(void **state)
{
    (void)state;
    const double curve[] = { 9.0 / 14, 13.0 / 14 }; /* two of three values held */
    assert_true(rsd_remaining(curve, 2, 3, 0) == 1);
    CHECK_CLOSE(rsd_remaining(curve, 2, 3, 1), 5.0 / 14, DBL_EPSILON);
    CHECK_CLOSE(rsd_remaining(curve, 2, 3, 2), 1.0 / 14, DBL_EPSILON);
    assert_true(rsd_remaining(curve, 2, 3, 3) == 0 && rsd_remaining(curve, 2, 3, 100) == 0);
    assert_true(isnan(rsd_remaining(curve, 1, 3, 2))); /* beyond what is held */
}

static void beyond_the_null(void **state)
{
    (void)state;
    const double null[] = { 0.5, 0.8, 1 };
    CHECK_CLOSE(rsd_excess(s321, 3, 14, null, 1), 9.0 / 14 - 0.5, DBL_EPSILON);
    CHECK_CLOSE(rsd_excess(s321, 3, 14, null, 2), 13.0 / 14 - 0.8, DBL_EPSILON);
    CHECK_CLOSE(rsd_excess(s321, 3, 14, null, 9), 0, DBL_EPSILON);
    assert_true(isnan(rsd_excess(s321, 3, 14, null, 0)) && isnan(rsd_excess(s321, 3, 0, null, 1)));
}

/* Two layers: energy 14 corrected at rank 1 (5/14 is left), energy 6 left alone. */
static void layers_add_up(void **state)
{
    (void)state;
    rsd_forecast f = { 0 };
    assert_true(isnan(rsd_forecast_remaining(&f)));
    rsd_forecast_add(&f, 14, 5.0 / 14);
    rsd_forecast_add(&f, 6, 1);
    CHECK_CLOSE(rsd_forecast_remaining(&f), 11.0 / 20, 4 * DBL_EPSILON);
    CHECK_CLOSE(rsd_forecast_loss(&f), 5.5, 8 * DBL_EPSILON);
    assert_true(rsd_loss_of_energy(3) == 1.5 && rsd_loss_of_energy(-1e-20) == 0);
    assert_true(isnan(rsd_loss_of_energy(NAN)));
    rsd_forecast_add(&f, NAN, 1);
    assert_true(isnan(rsd_forecast_remaining(&f)) && isnan(rsd_forecast_loss(&f)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(effective_ranks), cmocka_unit_test(values_come_back_from_their_curve),
        cmocka_unit_test(what_remains),    cmocka_unit_test(beyond_the_null),
        cmocka_unit_test(layers_add_up),
    };
    return cmocka_run_group_tests_name("forecast", tests, NULL, NULL);
}
