/* Options under a budget: against all choices there are, and against the bound. */
#include "rng.h"
#include "spectra/allocate.h"

#include "test.h"

enum { LAYERS = 5, OPTIONS = 4 };

/* The least loss of all OPTIONS^LAYERS choices. */
static double brute_force(const rsd_options *layer, double budget)
{
    double best = INFINITY;
    for (size_t code = 0; code < 1024; code++) {
        double cost = 0, loss = 0;
        size_t rest = code;
        for (size_t i = 0; i < LAYERS; i++, rest /= OPTIONS) {
            cost += layer[i].option[rest % OPTIONS].cost;
            loss += layer[i].option[rest % OPTIONS].loss;
        }
        if (cost <= budget && loss < best)
            best = loss;
    }
    return best;
}

static void near_the_best_of_all_choices(void **state)
{
    (void)state;
    rsd_rng *rng;
    double ratio = 0;
    CHECK_OK(rsd_rng_alloc(5, "t_allocate", &rng));
    for (int round = 0; round < 300; round++) {
        rsd_option option[LAYERS][OPTIONS];
        rsd_options layer[LAYERS];
        double least = 0, most = 0, largest = 0;
        for (size_t i = 0; i < LAYERS; i++) {
            double low = INFINITY, high = 0, worst = 0;
            layer[i] = (rsd_options){ OPTIONS, option[i] };
            for (size_t k = 0; k < OPTIONS; k++) {
                option[i][k] = (rsd_option){ rsd_rng_uniform(rng), rsd_rng_uniform(rng) };
                low = fmin(low, option[i][k].cost);
                high = fmax(high, option[i][k].cost);
                worst = fmax(worst, option[i][k].loss);
            }
            least += low;
            most += high;
            largest = fmax(largest, worst);
        }
        const double budget = least + (most - least) * rsd_rng_uniform(rng);
        size_t chosen[LAYERS];
        rsd_allocation a;
        CHECK_OK(rsd_allocate(layer, LAYERS, budget, chosen, &a));
        double cost = 0, loss = 0;
        for (size_t i = 0; i < LAYERS; i++) {
            cost += option[i][chosen[i]].cost;
            loss += option[i][chosen[i]].loss;
        }
        const double best = brute_force(layer, budget);
        CHECK_CLOSE(a.cost, cost, 1e-12);
        CHECK_CLOSE(a.loss, loss, 1e-12);
        assert_true(cost <= budget + 1e-12);
        assert_true(a.bound <= best + 1e-12 && best <= loss + 1e-12);
        assert_true(loss <= a.bound + largest + 1e-12);
        ratio += loss / best / 300;
    }
    assert_true(ratio < 1.05); /* on average within 5 % of the best */
    rsd_rng_free(rng);
}

/* Convex options of equal cost steps: taking the steepest first is exact. */
static void exact_where_steps_are_equal_and_convex(void **state)
{
    (void)state;
    rsd_option option[LAYERS][OPTIONS];
    rsd_options layer[LAYERS];
    for (size_t i = 0; i < LAYERS; i++) {
        layer[i] = (rsd_options){ OPTIONS, option[i] };
        for (size_t k = 0; k < OPTIONS; k++)
            option[i][k] = (rsd_option){ (double)k, (double)(i + 1) / (double)(1 << k) };
    }
    for (double budget = 0; budget <= LAYERS * (OPTIONS - 1); budget++) {
        size_t chosen[LAYERS];
        rsd_allocation a;
        CHECK_OK(rsd_allocate(layer, LAYERS, budget, chosen, &a));
        CHECK_CLOSE(a.loss, brute_force(layer, budget), 1e-12);
        CHECK_CLOSE(a.bound, a.loss, 1e-12);
        CHECK_CLOSE(a.cost, budget, 0);
    }
}

/* The chord from (0,10) to (4,0) lies below (2,9): the middle option never pays, unless it is all
 * that fits. */
static void an_option_above_the_hull_only_fills(void **state)
{
    (void)state;
    const rsd_option option[] = { { 0, 10 }, { 2, 9 }, { 4, 0 } };
    const rsd_options layer = { 3, option };
    const size_t want[] = { 0, 0, 1, 1, 2, 2 };
    for (size_t budget = 0; budget < 6; budget++) {
        size_t chosen;
        rsd_allocation a;
        CHECK_OK(rsd_allocate(&layer, 1, (double)budget, &chosen, &a));
        assert_int_equal(chosen, want[budget]);
    }
}

static void what_cannot_be_is_said(void **state)
{
    (void)state;
    const rsd_option option[] = { { 3, 1 }, { 5, 0 } }, bad[] = { { 1, NAN } };
    const rsd_options layer[] = { { 2, option }, { 2, option } }, broken = { 1, bad },
                      none = { 0, NULL };
    size_t chosen[2];
    rsd_allocation a;
    CHECK_FAILS(rsd_allocate(layer, 2, 5.5, chosen, &a), RSD_EARG, "cost 6");
    CHECK_FAILS(rsd_allocate(&broken, 1, 5, chosen, &a), RSD_EARG, "layer 0, option 0");
    CHECK_FAILS(rsd_allocate(&none, 1, 5, chosen, &a), RSD_EARG, "no option");
    CHECK_OK(rsd_allocate(layer, 0, 0, chosen, &a));
    CHECK_CLOSE(a.loss, 0, 0);
}

/* Two layers, three quantizers: 2, 4, 8 bits a layer; the second layer likes the middle one best.
 */
static void one_for_all(void **state)
{
    (void)state;
    const rsd_option first[] = { { 2, 9 }, { 4, 5 }, { 8, 1 } };
    const rsd_option second[] = { { 2, 9 }, { 4, 0 }, { 8, 5 } };
    const rsd_options layer[] = { { 3, first }, { 3, second } };
    double cost, loss;
    assert_int_equal(rsd_allocate_uniform(layer, 2, 100, &cost, &loss), 1);
    assert_true(cost == 8 && loss == 5);
    assert_int_equal(rsd_allocate_uniform(layer, 2, 7, &cost, &loss), 0);
    assert_true(cost == 4 && loss == 18);
    assert_true(rsd_allocate_uniform(layer, 2, 3, &cost, &loss) == SIZE_MAX && isnan(loss));
    assert_true(rsd_allocate_uniform(layer, 0, 3, &cost, &loss) == SIZE_MAX && isnan(cost));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_the_best_of_all_choices),
        cmocka_unit_test(exact_where_steps_are_equal_and_convex),
        cmocka_unit_test(an_option_above_the_hull_only_fills),
        cmocka_unit_test(what_cannot_be_is_said),
        cmocka_unit_test(one_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
