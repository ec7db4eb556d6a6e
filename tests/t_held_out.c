/* What a training may not see: rates from what is known before it, windows that are held out, and
 * how many of them there are. */
#include "rng.h"
#include "scratch.h"
#include "train/held_out.h"
#include "train/rates.h"
#include "train/windows.h"
#include "transformer/evaluate.h"

#include <stdbool.h>

/* ---- rates ---- */

static void rates_are_chosen(void **state)
{
    (void)state;
    /* base: 1e-3 sqrt(8/8) sqrt(128/128), twice that, and half */
    rsd_rate_layer l[] = {
        { 8, 128, 1, NAN }, { 2, 128, 1, NAN }, { 8, 512, 1, NAN }, { 8, 128, 1, NAN }
    };
    rsd_rate r;
    CHECK_OK(rsd_rate_choose(l, 4, true, &r)); /* nothing is known: the base, corrected or not */
    assert_true(r.rate == 1e-3 && isnan(r.displacement) && r.known == 0);
    CHECK_OK(rsd_rate_choose(l, 1, false, &r));
    assert_true(r.rate == 1e-3);
    CHECK_OK(rsd_rate_choose(l + 1, 1, false, &r));
    assert_true(r.rate == 2e-3);
    CHECK_OK(rsd_rate_choose(l + 2, 1, false, &r));
    assert_true(r.rate == 5e-4);
    CHECK_OK(rsd_rate_choose(l + 1, 2, false, &r)); /* an even count */
    assert_true(r.rate == 1.25e-3);
    l[0].scale = 4; /* C moves four times as far */
    CHECK_OK(rsd_rate_choose(l, 1, false, &r));
    assert_true(r.rate == 2.5e-4);

    l[0].displacement = 100;
    l[1].displacement = 40;
    l[2].displacement = 10;
    CHECK_OK(rsd_rate_choose(l, 4, true, &r)); /* the median of three, the fourth is not known */
    CHECK_CLOSE(r.rate, RSD_HARMLESS / 40, 0.005 * r.rate);
    CHECK_CLOSE(r.displacement, RSD_HARMLESS, 0.005 * RSD_HARMLESS);
    assert_int_equal(r.known, 3);
    l[1].displacement = 1;
    l[2].displacement = 2;
    l[3].displacement = 3;
    CHECK_OK(rsd_rate_choose(l, 4, true, &r)); /* more than the base, for a start that corrects */
    CHECK_CLOSE(r.rate, RSD_HARMLESS / 2.5, 0.005 * r.rate);
    CHECK_OK(rsd_rate_choose(l, 4, false, &r)); /* not for another */
    CHECK_CLOSE(r.rate, 7.5e-4, 1e-12);
    CHECK_CLOSE(r.displacement, 7.5e-4 * 2.5, 1e-12);
    CHECK_OK(rsd_rate_given(l, 4, 0.1, &r));
    assert_true(r.rate == 0.1);
    CHECK_CLOSE(r.displacement, 0.25, 1e-12);
}

/* Roundings of other machines and threads choose the same. */
static void rates_are_rounded(void **state)
{
    (void)state;
    const rsd_rate_layer a = { 8, 128, 1, 37.01 }, b = { 8, 128, 1, 37.01 * (1 + 1e-12) };
    rsd_rate x, y;
    char text[32];
    CHECK_OK(rsd_rate_choose(&a, 1, true, &x));
    CHECK_OK(rsd_rate_choose(&b, 1, true, &y));
    assert_true(x.rate == y.rate);
    snprintf(text, sizeof text, "%.2e", x.rate);
    assert_true(strtod(text, NULL) == x.rate);
}

static void probes_fall(void **state)
{
    (void)state;
    const double want[] = { 6e-3, 2e-3, 6e-4, 2e-4, 6e-5 };
    for (size_t k = 0; k < 5; k++)
        CHECK_CLOSE(rsd_rate_probe(6e-3, k), want[k], 1e-15);
}

/* ---- which windows ---- */

enum { CONTEXT = 3, WINDOWS = 40 };

static rsd_tokens *open_stream(void)
{
    unsigned char bytes[2 * (CONTEXT * WINDOWS + 1)];
    rsd_tokens *tokens;
    for (size_t i = 0; i < sizeof bytes; i += 2) {
        bytes[i] = (unsigned char)(i / 2);
        bytes[i + 1] = 0;
    }
    put_file("counting.u16", bytes, sizeof bytes);
    CHECK_OK(rsd_tokens_open(in_scratch("counting.u16"), NULL, &tokens));
    return tokens;
}

/* How often each window is drawn in some epochs. */
static void count_draws(const rsd_tokens *tokens, size_t held, size_t epochs, size_t *drawn)
{
    rsd_window_reader r;
    int32_t input[CONTEXT], target[CONTEXT];
    CHECK_OK(rsd_window_reader_alloc(tokens, CONTEXT, held, 5, &r));
    assert_int_equal(r.count, WINDOWS - held);
    memset(drawn, 0, WINDOWS * sizeof *drawn);
    for (size_t k = 0; k < epochs * r.count; k++) {
        CHECK_OK(rsd_window_reader_read(&r, k, 1, input, target));
        assert_int_equal(input[0] % CONTEXT, 0);
        assert_int_equal(target[0], input[0] + 1);
        drawn[input[0] / CONTEXT]++;
    }
    rsd_window_reader_free(&r);
}

static void held_out_is_never_drawn(void **state)
{
    (void)state;
    rsd_tokens *tokens = open_stream();
    rsd_window_reader r;
    for (size_t held = 0; held < WINDOWS; held += held < 3 ? 1 : 9) {
        size_t drawn[WINDOWS], expected[WINDOWS];
        count_draws(tokens, held, 3, drawn);
        for (size_t i = 0; i < WINDOWS; i++)
            expected[i] = 3;
        for (size_t i = 0; i < held; i++)
            expected[rsd_window_at(i, held, WINDOWS)] = 0;
        assert_memory_equal(drawn, expected, sizeof drawn);
    }
    CHECK_FAILS(rsd_window_reader_alloc(tokens, CONTEXT, WINDOWS, 5, &r), RSD_EARG,
                "40 of 40 windows held out");
    rsd_window_reader_free(&r);
    rsd_tokens_close(tokens);
}

/* ---- how many, and when ---- */

static size_t looks_of(const rsd_held_out *h)
{
    size_t looks = 0;
    for (size_t k = 0; k < h->evaluations; k++)
        looks += rsd_held_out_looks(h, k);
    return looks;
}

static void looks_are_few(void **state)
{
    (void)state;
    const size_t steps[] = { 1, 8, 40, 200, 5000 }, batch[] = { 1, 4, 32 },
                 scored[] = { 1, 32, 4000 };
    for (size_t i = 0; i < 5 * 3 * 3; i++)
        for (size_t every = 1; every <= steps[i % 5]; every *= 5) {
            const rsd_held_out_task t = { .steps = steps[i % 5],
                                          .batch = batch[i / 5 % 3],
                                          .evaluations = 2 + (steps[i % 5] - 1) / every,
                                          .scored = scored[i / 15],
                                          .windows = 10000 };
            const rsd_held_out h = rsd_held_out_plan(&t);
            const double cost = (double)(h.windows * h.looks);
            const double training =
                2.5 * (double)(t.steps * t.batch) + (double)(t.scored * t.evaluations);
            assert_true(h.windows >= 4 && h.windows <= 64 && h.looks >= 2);
            assert_true(h.looks <= t.evaluations);
            assert_int_equal(looks_of(&h), h.looks);
            assert_true(rsd_held_out_looks(&h, 0) && rsd_held_out_looks(&h, t.evaluations - 1));
            if (!(cost <= training / 25 || (h.windows == 4 && h.looks == 2)))
                fail_msg("%zu looks at %zu windows in a training of %g", h.looks, h.windows,
                         training);
        }
}

static void short_streams(void **state)
{
    (void)state;
    rsd_held_out_task t = { .steps = 200, .batch = 8, .evaluations = 5, .scored = 32 };
    const size_t windows[] = { 8, 15, 16, 24, 100, 100000 }, want[] = { 0, 0, 1, 2, 11, 33 };
    for (size_t i = 0; i < 6; i++) {
        t.windows = windows[i];
        const rsd_held_out h = rsd_held_out_plan(&t);
        assert_int_equal(h.windows, want[i]);
        if (!h.windows)
            assert_int_equal(looks_of(&h), 0);
    }
    t.steps = 0;
    assert_int_equal(rsd_held_out_plan(&t).windows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_chosen), cmocka_unit_test(rates_are_rounded),
        cmocka_unit_test(probes_fall),      cmocka_unit_test(held_out_is_never_drawn),
        cmocka_unit_test(looks_are_few),    cmocka_unit_test(short_streams),
    };
    return cmocka_run_group_tests_name("held_out", tests, scratch_make, scratch_remove);
}
