/* Predictions against measurements, what may be claimed, and the verdict out of known shares. */
#include "rng.h"
#include "spectra/association.h"
#include "spectra/claims.h"
#include "spectra/verdict.h"

#include "test.h"

static int associate(const double *x, const double *y, const size_t *cluster, size_t n,
                     uint64_t seed, rsd_association *out)
{
    const rsd_association_job job = {
        .predicted = x, .measured = y, .cluster = cluster, .n = n, .seed = seed
    };
    return rsd_associate(&job, out);
}

static void perfect_agreement(void **state)
{
    (void)state;
    double x[20], y[20];
    for (size_t i = 0; i < 20; i++) {
        x[i] = (double)(i * i);
        y[i] = 3 + 2 * x[i];
    }
    rsd_association a;
    CHECK_OK(associate(x, y, NULL, 20, 1, &a));
    assert_int_equal(a.n, 20);
    CHECK_CLOSE(a.spearman.value, 1, 1e-12);
    CHECK_CLOSE(a.pearson.value, 1, 1e-12);
    CHECK_CLOSE(a.slope.value, 2, 1e-12);
    CHECK_CLOSE(a.intercept.value, 3, 1e-9);
    /* twenty pairs in perfect order leave doubt: Fisher's z at 1 - 6/(20 * 399) */
    CHECK_CLOSE(a.spearman.low, tanh(atanh(1 - 6 / 7980.0) - 1.959964 * sqrt(1.5 / 17)), 1e-3);
    assert_true(a.spearman.low < 0.999 && a.spearman.high > 0.999);
    CHECK_CLOSE(a.slope.low, 2, 1e-10);
    CHECK_CLOSE(a.slope.high, 2, 1e-10);
    double squares = 0;
    for (size_t i = 0; i < 20; i++)
        squares += (3 + x[i]) * (3 + x[i]);
    CHECK_CLOSE(a.error.value, sqrt(squares / 20), 1e-9);
}

/* A hand-made case: ranks 1 2 3 4 5 against 2 1 4 3 5: rho = 1 - 6*4/(5*24). */
static void ranks_by_hand(void **state)
{
    (void)state;
    const double x[] = { 1, 2, 3, NAN, 4, 5 }, y[] = { 2, 1, 4, 9, 3, 50 };
    rsd_association a;
    CHECK_OK(associate(x, y, NULL, 6, 1, &a));
    assert_int_equal(a.n, 5);
    CHECK_CLOSE(a.spearman.value, 0.8, 1e-12);
    assert_true(a.clusters == 5 && isnan(a.spearman.low)); /* too few for an interval */
}

static void too_few_pairs_have_no_correlation(void **state)
{
    (void)state;
    const double x[] = { 1, 2, 3 }, y[] = { 5, 5, 5 };
    rsd_association a;
    CHECK_OK(associate(x, y, NULL, 2, 1, &a));
    assert_true(isnan(a.spearman.value) && isnan(a.spearman.low) && a.n == 2);
    CHECK_OK(associate(x, y, NULL, 3, 1, &a));
    assert_true(isnan(a.pearson.value) && isnan(a.slope.value));
    CHECK_OK(associate(NULL, NULL, NULL, 0, 1, &a));
    assert_true(a.n == 0 && isnan(a.error.value));
}

/* Independent pairs: the interval of a correlation of 0 holds it in about 95 % of the cases, and is
 * about 4/sqrt(n) wide.  Pairs that are copies in clusters are as good as one of each. */
static void intervals_are_honest(void **state)
{
    (void)state;
    enum { N = 60, COPIES = 4, CASES = 20 };
    rsd_rng *rng;
    size_t held = 0, cluster[N * COPIES];
    double x[N * COPIES], y[N * COPIES], width = 0, wide = 0;
    CHECK_OK(rsd_rng_alloc(3, "t_verdict", &rng));
    for (size_t c = 0; c < CASES; c++) {
        rsd_association one, many;
        for (size_t i = 0; i < N; i++) {
            x[i] = rsd_rng_normal(rng);
            y[i] = rsd_rng_normal(rng);
            for (size_t k = 0; k < COPIES; k++) {
                x[k * N + i] = x[i];
                y[k * N + i] = y[i];
                cluster[k * N + i] = i;
            }
        }
        CHECK_OK(associate(x, y, NULL, N, c, &one));
        CHECK_OK(associate(x, y, cluster, N * COPIES, c, &many));
        CHECK_CLOSE(many.pearson.value, one.pearson.value, 1e-12);
        held += one.pearson.low < 0 && one.pearson.high > 0;
        width += one.pearson.high - one.pearson.low;
        wide += many.pearson.high - many.pearson.low;
    }
    assert_in_range(held, CASES * 8 / 10, CASES);
    CHECK_CLOSE(width / CASES, 4 / sqrt(N), 0.1);
    CHECK_CLOSE(wide / width, 1, 0.05);
    rsd_rng_free(rng);
}

static void means_and_intervals(void **state)
{
    (void)state;
    const double x[] = { 2, 2, 2, NAN, 2, 2, 2, 2, 2 };
    rsd_interval m;
    size_t clusters;
    CHECK_OK(rsd_mean_interval(x, NULL, 9, 1, &m, &clusters));
    assert_true(m.value == 2 && m.low == 2 && m.high == 2 && clusters == 8);
    CHECK_OK(rsd_mean_interval(x, NULL, 8, 1, &m, &clusters));
    assert_true(m.value == 2 && isnan(m.low) && clusters == 7);
    CHECK_OK(rsd_mean_interval(x, NULL, 0, 1, &m, NULL));
    assert_true(isnan(m.value));
}

/* ---- claims ---- */

static void p_values_go_with_intervals(void **state)
{
    (void)state;
    const rsd_interval x = { 0.3, 0.1, 0.6 };
    CHECK_CLOSE(rsd_p_value(x, 12, 0.1), 0.05, 1e-9);
    CHECK_CLOSE(rsd_p_value(x, 12, 0.6), 0.05, 1e-9);
    assert_true(rsd_p_value(x, 12, 0) < 0.05 && rsd_p_value(x, 12, 0.2) > 0.05);
    CHECK_CLOSE(rsd_p_value(x, 12, 0.3), 1, 1e-12);
    /* t(.975; 11) = 2.2010; three standard errors of .2/2.2010 away: P(|T| > 3) = .0120798 */
    CHECK_CLOSE(rsd_p_value(x, 12, 0.3 - 3 * 0.2 / 2.200985), 0.0120798, 1e-7);
    CHECK_CLOSE(rsd_p_beyond(x, 12, 0.1), 0.05, 1e-9);
    CHECK_CLOSE(rsd_p_beyond((rsd_interval){ -0.3, -0.6, -0.1 }, 12, 0.1), 0.05, 1e-9);
    assert_true(rsd_p_beyond(x, 12, 0.35) == 1);
    assert_true(isnan(rsd_p_beyond((rsd_interval){ 0.3, NAN, NAN }, 3, 0)));
    const rsd_interval certain = { 0.3, 0.3, 0.3 };
    assert_true(rsd_p_value(certain, 9, 0) == 0 && rsd_p_value(certain, 9, 0.3) == 1);
}

/* Holm's example by hand: .01 x 4, .02 x 3, .03 x 2 = .06, .04 raised to .06. */
static void step_down(void **state)
{
    (void)state;
    const double p[] = { 0.04, 0.01, NAN, 0.03, 0.02 }, want[] = { 0.06, 0.04, 0, 0.06, 0.06 };
    double out[5];
    rsd_holm(p, 5, out);
    for (size_t i = 0; i < 5; i++)
        if (i == 2)
            assert_true(isnan(out[i]));
        else
            CHECK_CLOSE(out[i], want[i], 1e-12);
    const double equal[] = { 0.02, 0.02, 0.9 };
    rsd_holm(equal, 3, out);
    CHECK_CLOSE(out[0], 0.06, 1e-12);
    CHECK_CLOSE(out[1], 0.06, 1e-12);
    CHECK_CLOSE(out[2], 0.9, 1e-12);
    rsd_holm(NULL, 0, out);
}

/* ---- the parts ---- */

/* Shares of a null in R, RH, GR and GRH, and of R in the last; iid noise holds .2. */
static rsd_capture_shares made(double R, double RH, double GR, double GRH, double own)
{
    const double energy[RSD_WEIGHTINGS] = { 1, NAN, 1, 1, 0.5 };
    rsd_capture_shares s = { .noise = 0.2 };
    const double null[RSD_WEIGHTINGS] = { R, NAN, RH, GR, GRH };
    for (int k = 0; k < RSD_WEIGHTINGS; k++) {
        s.null[k] = s.share[k] = null[k];
        s.energy[k] = energy[k];
    }
    s.share[RSD_WEIGHTING_GH] += own;
    return s;
}

static void few_layers_have_no_cause(void **state)
{
    (void)state;
    const rsd_capture_shares layer[] = {
        made(0.2, 0.6, 0.3, 0.7, 0), made(0.2, 0.5, 0.3, 0.6, 0), made(NAN, 0.6, 0.3, 0.7, 0),
        made(0.2, 0.6, NAN, 0.7, 0), made(0.2, NAN, 0.3, 0.7, 0), made(0.2, 0.6, 0.3, NAN, 0),
    };
    rsd_verdict v;
    CHECK_OK(rsd_verdict_reach(layer, NULL, 6, 0.01, 1, &v));
    assert_true(v.layers == 2 && v.lesser == 3 && v.in == RSD_WEIGHTING_GH);
    CHECK_CLOSE(v.part[RSD_PART_DATA].value, 0.35, 1e-12);
    assert_string_equal(rsd_cause_name(v.cause), "nothing");
    assert_false(v.sure || rsd_verdict_names(&v, RSD_PART_DATA));
    CHECK_OK(rsd_verdict_reach(layer + 2, NULL, 1, 0.01, 1, &v));
    assert_true(v.layers == 0 && v.cause == RSD_PART_NOISE && !v.sure);
    CHECK_OK(rsd_verdict_reach(NULL, NULL, 0, 0.01, 1, &v));
    assert_true(v.layers == 0 && isnan(v.held.value));
}

/* Of what is not known nothing is claimed: with R's null alone neither data nor loss, without
 * gradients no loss. */
static void nulls_that_are_missing(void **state)
{
    (void)state;
    enum { N = 10 };
    rsd_capture_shares layer[N];
    rsd_verdict v;
    for (size_t i = 0; i < N; i++) {
        layer[i] = made(0.3, NAN, NAN, NAN, 0);
        layer[i].share[RSD_WEIGHTING_NONE] = 0.35;
        layer[i].share[RSD_WEIGHTING_H] = layer[i].share[RSD_WEIGHTING_GH] = 0.8;
    }
    CHECK_OK(rsd_verdict_reach(layer, NULL, N, 0.01, 1, &v));
    assert_true(v.in == RSD_WEIGHTING_NONE && v.layers == N && isnan(v.energy.value));
    assert_true(isnan(v.part[RSD_PART_DATA].value) && isnan(v.part[RSD_PART_LOSS].value));
    CHECK_CLOSE(v.part[RSD_PART_SCALES].value, 0.1, 1e-12);
    CHECK_CLOSE(v.part[RSD_PART_OWN].value, 0.05, 1e-12);
    CHECK_CLOSE(v.held.value, 0.35, 1e-12);
    assert_string_equal(rsd_cause_name(v.cause), "scales");
    for (size_t i = 0; i < N; i++)
        layer[i].null[RSD_WEIGHTING_H] = 0.7;
    CHECK_OK(rsd_verdict_reach(layer, NULL, N, 0.01, 1, &v));
    assert_true(v.in == RSD_WEIGHTING_H && isnan(v.part[RSD_PART_LOSS].value));
    CHECK_CLOSE(v.part[RSD_PART_DATA].value, 0.4, 1e-12);
    CHECK_CLOSE(v.part[RSD_PART_OWN].value, 0.1, 1e-12);
    CHECK_CLOSE(v.energy.value, 1, 1e-12);
    assert_string_equal(rsd_cause_name(v.cause), "data");
}

/* One matrix under four quantizers is one matrix: its interval is as wide as from one of them, and
 * not half of that. */
static void quantizers_of_one_layer_are_not_four_layers(void **state)
{
    (void)state;
    enum { TENSORS = 35, SPECS = 4, N = TENSORS * SPECS };
    rsd_capture_shares layer[N];
    size_t cluster[N];
    rsd_rng *rng;
    rsd_verdict once, clustered, alone;
    CHECK_OK(rsd_rng_alloc(4, "layers", &rng));
    for (size_t t = 0; t < TENSORS; t++) {
        const double R = 0.4 + 0.05 * rsd_rng_normal(rng),
                     RH = R + 0.1 + 0.03 * rsd_rng_normal(rng);
        for (size_t s = 0; s < SPECS; s++) {
            layer[s * TENSORS + t] = made(R, RH, NAN, NAN, 0);
            cluster[s * TENSORS + t] = t;
        }
    }
    rsd_rng_free(rng);
    CHECK_OK(rsd_verdict_reach(layer, NULL, TENSORS, 0.01, 1, &once));
    CHECK_OK(rsd_verdict_reach(layer, cluster, N, 0.01, 1, &clustered));
    CHECK_OK(rsd_verdict_reach(layer, NULL, N, 0.01, 1, &alone));
    assert_true(clustered.layers == N && clustered.clusters == TENSORS);
    const rsd_interval *data = &once.part[RSD_PART_DATA];
    const double width = data->high - data->low;
    data = &clustered.part[RSD_PART_DATA];
    CHECK_CLOSE(data->high - data->low, width, 0.1 * width);
    data = &alone.part[RSD_PART_DATA];
    assert_true(data->high - data->low < 0.6 * width);
}

/* Inputs first +.14 and +.02, gradients first +.04 and +.12: each gets the mean of both orders, and
 * what only one order says is not sure. */
static void neither_order_decides(void **state)
{
    (void)state;
    enum { N = 12 };
    rsd_capture_shares layer[N];
    rsd_verdict v;
    for (size_t i = 0; i < N; i++)
        layer[i] = made(0.21, 0.35, 0.33, 0.37, -0.05);
    CHECK_OK(rsd_verdict_reach(layer, NULL, N, 0.01, 1, &v));
    CHECK_CLOSE(v.part[RSD_PART_DATA].value, 0.09, 1e-12);
    CHECK_CLOSE(v.part[RSD_PART_LOSS].value, 0.07, 1e-12);
    CHECK_CLOSE(v.inputs_first.data.value, 0.14, 1e-12);
    CHECK_CLOSE(v.inputs_first.loss.value, 0.02, 1e-12);
    CHECK_CLOSE(v.gradients_first.data.value, 0.04, 1e-12);
    CHECK_CLOSE(v.gradients_first.loss.value, 0.12, 1e-12);
    assert_true(v.cause == RSD_PART_DATA && !v.sure);
    /* below its null: named, and no cause of low rank */
    assert_true(rsd_verdict_names(&v, RSD_PART_OWN));
    CHECK_CLOSE(v.held.value, 0.32, 1e-12);
    CHECK_CLOSE(v.energy.value, 0.5, 1e-12);
    for (size_t i = 0; i < N; i++)
        layer[i].null[RSD_WEIGHTING_G] = 0.22; /* gradients alone add nothing: both say data */
    CHECK_OK(rsd_verdict_reach(layer, NULL, N, 0.01, 1, &v));
    assert_true(v.cause == RSD_PART_DATA && v.sure);
}

/* Twelve layers of +.025 +- .015 a layer: of one verdict that is named, of one among twenty it is
 * not. */
static void looking_often_finds_less(void **state)
{
    (void)state;
    enum { N = 12, MANY = 20 };
    rsd_capture_shares layer[N];
    rsd_verdict v[MANY];
    for (size_t i = 0; i < N; i++)
        layer[i] = made(0.2, 0.3, 0.3, 0.4, 0.025 + (i % 2 ? 0.015 : -0.015));
    CHECK_OK(rsd_verdict_measure(layer, NULL, N, 1, &v[0]));
    for (size_t i = 1; i < MANY; i++) {
        v[i] = v[0];
        v[i].part[RSD_PART_OWN] = (rsd_interval){ 0, -0.01, 0.01 };
        v[i].part[RSD_PART_DATA] = v[i].part[RSD_PART_LOSS] = v[i].part[RSD_PART_OWN];
    }
    CHECK_OK(rsd_verdict_decide(v, 1, 0.01));
    assert_true(rsd_verdict_names(&v[0], RSD_PART_OWN));
    const double alone = v[0].p[RSD_PART_OWN];
    CHECK_OK(rsd_verdict_decide(v, MANY, 0.01));
    assert_true(v[0].p[RSD_PART_OWN] > 10 * alone);
    assert_false(rsd_verdict_names(&v[0], RSD_PART_OWN));
    assert_true(rsd_verdict_names(&v[0], RSD_PART_DATA)); /* no doubt, however often one looks */
    assert_true(v[1].sure && v[1].cause == RSD_PART_NOISE);
}

/* Two quantizers, each in perfect order but with levels apart that the prediction has the wrong way
 * round: pooled the order is bad, within each it is right.  A loss that fell has a rank. */
static void within_and_pooled(void **state)
{
    (void)state;
    enum { TENSORS = 10, N = 2 * TENSORS };
    double x[N], y[N];
    size_t group[N], cluster[N];
    for (size_t i = 0; i < TENSORS; i++) {
        x[i] = 1 + 0.01 * (double)i;
        y[i] = 100 + (double)i;
        x[TENSORS + i] = 10 + 0.01 * (double)i;
        y[TENSORS + i] = (double)i - 0.5; /* the first one fell */
        group[i] = 77;
        group[TENSORS + i] = 5;
        cluster[i] = cluster[TENSORS + i] = i;
    }
    const rsd_association_job job = { .predicted = x,
                                      .measured = y,
                                      .cluster = cluster,
                                      .group = group,
                                      .n = N,
                                      .logarithms = true };
    rsd_association a;
    CHECK_OK(rsd_associate(&job, &a));
    assert_true(a.n == N && a.line == N - 1 && a.groups == 2 && a.clusters == TENSORS);
    CHECK_CLOSE(a.within.value, 1, 1e-12);
    assert_true(a.within.low < 0.99); /* ten layers in order are not certainty */
    /* pooled: sum d^2 = 20 * 10^2 */
    CHECK_CLOSE(a.spearman.value, 1 - 6.0 * 2000 / (20 * 399), 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(perfect_agreement),
        cmocka_unit_test(ranks_by_hand),
        cmocka_unit_test(too_few_pairs_have_no_correlation),
        cmocka_unit_test(intervals_are_honest),
        cmocka_unit_test(means_and_intervals),
        cmocka_unit_test(p_values_go_with_intervals),
        cmocka_unit_test(step_down),
        cmocka_unit_test(few_layers_have_no_cause),
        cmocka_unit_test(nulls_that_are_missing),
        cmocka_unit_test(quantizers_of_one_layer_are_not_four_layers),
        cmocka_unit_test(neither_order_decides),
        cmocka_unit_test(looking_often_finds_less),
        cmocka_unit_test(within_and_pooled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
