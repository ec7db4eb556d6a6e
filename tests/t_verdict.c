/* Predictions against measurements, and the verdict on planted cases whose answer is known. */
#include "linalg/roots.h"
#include "linalg/spectrum.h"
#include "mat.h"
#include "rng.h"
#include "spectra/association.h"
#include "spectra/nulls.h"
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

/* ---- planted layers ---- */

enum { ROWS = 96, COLS = 64, RANK = 6, LAYERS = 10 };

static double share(rsd_mat A)
{
    const rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    rsd_spectrum s;
    double held = 0;
    CHECK_OK(rsd_spectrum_compute(A, &opts, &s));
    for (size_t k = 0; k < RANK; k++)
        held += s.s[k] * s.s[k];
    held /= s.sumsq;
    rsd_spectrum_free(&s);
    return held;
}

/* White noise, with `spikes` directions whose energy is `strength` times the noise's. */
static rsd_mat residual(rsd_rng *rng, size_t spikes, double strength)
{
    rsd_mat R;
    CHECK_OK(rsd_mat_alloc(ROWS, COLS, &R));
    rsd_rng_normals(rng, R.x, ROWS * COLS);
    for (size_t k = 0; k < spikes; k++) {
        float u[ROWS], v[COLS];
        rsd_rng_normals(rng, u, ROWS);
        rsd_rng_normals(rng, v, COLS);
        const float size = (float)sqrt(strength / (double)spikes);
        for (size_t i = 0; i < ROWS; i++)
            for (size_t j = 0; j < COLS; j++)
                R.x[i * COLS + j] += size * u[i] * v[j];
    }
    return R;
}

/* The second moment of inputs x = sum_k z_k a_k over `dims` directions, isotropic for dims = n. */
static double *moment(rsd_rng *rng, size_t n, size_t dims)
{
    double *H = calloc(n * n, sizeof *H);
    for (size_t k = 0; k < dims; k++) {
        float a[ROWS];
        rsd_rng_normals(rng, a, n);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                H[i * n + j] += dims < n ? (double)a[i] * (double)a[j] : i == k && j == k;
    }
    return H;
}

static rsd_capture_shares shares_of(rsd_rng *rng, rsd_mat R, double *H, double *G)
{
    rsd_mat M;
    rsd_capture_shares s;
    size_t clamped;
    CHECK_OK(rsd_mat_alloc(ROWS, COLS, &M));
    s.R = share(R);
    rsd_null_draw(RSD_NULL_SIGN_FLIP, R, rng, M);
    s.null = share(M);
    CHECK_OK(rsd_root(H, COLS, 0, &clamped));
    CHECK_OK(rsd_root(G, ROWS, 0, &clamped));
    CHECK_OK(rsd_between(NULL, R, H, M));
    s.RH = share(M);
    CHECK_OK(rsd_between(G, R, NULL, M));
    s.GR = share(M);
    CHECK_OK(rsd_between(G, R, H, M));
    s.GRH = share(M);
    rsd_mat_free(&M);
    return s;
}

static rsd_verdict planted(size_t spikes, double strength, size_t inputs, size_t outputs)
{
    rsd_rng *rng;
    rsd_capture_shares layer[LAYERS];
    rsd_verdict v;
    CHECK_OK(rsd_rng_alloc(8, "planted", &rng));
    for (size_t i = 0; i < LAYERS; i++) {
        rsd_mat R = residual(rng, spikes, strength);
        double *H = moment(rng, COLS, inputs), *G = moment(rng, ROWS, outputs);
        layer[i] = shares_of(rng, R, H, G);
        free(H);
        free(G);
        rsd_mat_free(&R);
    }
    CHECK_OK(rsd_verdict_reach(layer, NULL, LAYERS, 0.05, 1, &v));
    rsd_rng_free(rng);
    return v;
}

static void inputs_in_a_subspace_are_data(void **state)
{
    (void)state;
    const rsd_verdict v = planted(0, 0, RANK, ROWS);
    assert_string_equal(rsd_source_name(v.source), "data");
    assert_true(v.sure);
    CHECK_CLOSE(v.model.value, 0, 0.01);                /* white: as its null */
    CHECK_CLOSE(v.noise.value + v.data.value, 1, 0.02); /* rank 6 holds all that inputs reach */
    CHECK_CLOSE(v.loss.value, 0, 1e-6);
}

static void a_spiked_residual_is_model(void **state)
{
    (void)state;
    const rsd_verdict v = planted(RANK, 2, COLS, ROWS);
    assert_string_equal(rsd_source_name(v.source), "model");
    assert_true(v.sure);
    CHECK_CLOSE(v.data.value, 0, 1e-6);
    /* two thirds of the energy is planted; noise holds its share of the rest */
    assert_true(v.model.value > 0.4 && v.model.value < 0.7);
}

static void few_outputs_that_matter_are_loss(void **state)
{
    (void)state;
    const rsd_verdict v = planted(0, 0, COLS, RANK);
    assert_string_equal(rsd_source_name(v.source), "loss");
    assert_true(v.sure);
    CHECK_CLOSE(v.noise.value + v.loss.value, 1, 0.02);
}

static void white_noise_is_nothing(void **state)
{
    (void)state;
    const rsd_verdict v = planted(0, 0, COLS, ROWS);
    assert_string_equal(rsd_source_name(v.source), "nothing");
    assert_true(v.sure);
}

static void layers_that_disagree_are_not_sure(void **state)
{
    (void)state;
    const rsd_capture_shares layer[] = {
        { 0.2, 0.6, 0.7, NAN, NAN }, { 0.2, 0.25, 0.9, NAN, NAN }, { 0.2, 0.5, 0.6, NAN, NAN },
        { 0.2, 0.3, 0.7, NAN, NAN }, { NAN, 0.3, 0.7, NAN, NAN },  { 0.2, 0.3, NAN, NAN, NAN },
    };
    rsd_verdict v;
    CHECK_OK(rsd_verdict_reach(layer, NULL, 6, 0.05, 1, &v));
    assert_int_equal(v.layers, 4);
    assert_string_equal(rsd_source_name(v.source), "data");
    assert_false(v.sure);
    assert_true(isnan(v.loss.value));
    CHECK_OK(rsd_verdict_reach(layer + 4, NULL, 2, 0.05, 1, &v));
    assert_true(v.layers == 0 && v.source == RSD_VERDICT_NONE && !v.sure);
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
            layer[s * TENSORS + t] = (rsd_capture_shares){ 0.35, R, RH, NAN, NAN };
            cluster[s * TENSORS + t] = t;
        }
    }
    rsd_rng_free(rng);
    CHECK_OK(rsd_verdict_reach(layer, NULL, TENSORS, 0.03, 1, &once));
    CHECK_OK(rsd_verdict_reach(layer, cluster, N, 0.03, 1, &clustered));
    CHECK_OK(rsd_verdict_reach(layer, NULL, N, 0.03, 1, &alone));
    assert_true(clustered.layers == N && clustered.clusters == TENSORS);
    const double width = once.data.high - once.data.low;
    CHECK_CLOSE(clustered.data.high - clustered.data.low, width, 0.1 * width);
    assert_true(alone.data.high - alone.data.low < 0.6 * width);
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
        layer[i] = (rsd_capture_shares){ 0.40, 0.41, 0.55, 0.53, 0.57 };
    CHECK_OK(rsd_verdict_reach(layer, NULL, N, 0.03, 1, &v));
    assert_true(v.symmetric);
    CHECK_CLOSE(v.data.value, 0.09, 1e-12);
    CHECK_CLOSE(v.loss.value, 0.07, 1e-12);
    CHECK_CLOSE(v.inputs_first.data.value, 0.14, 1e-12);
    CHECK_CLOSE(v.inputs_first.loss.value, 0.02, 1e-12);
    CHECK_CLOSE(v.gradients_first.data.value, 0.04, 1e-12);
    CHECK_CLOSE(v.gradients_first.loss.value, 0.12, 1e-12);
    assert_true(v.source == RSD_VERDICT_DATA && !v.sure);
    for (size_t i = 0; i < N; i++)
        layer[i].GR = 0.42; /* gradients alone add nothing: both orders say data */
    CHECK_OK(rsd_verdict_reach(layer, NULL, N, 0.03, 1, &v));
    assert_true(v.source == RSD_VERDICT_DATA && v.sure);
    layer[3].GR = NAN; /* one layer without: all are told inputs first, and that is not sure */
    CHECK_OK(rsd_verdict_reach(layer, NULL, N, 0.03, 1, &v));
    CHECK_CLOSE(v.data.value, 0.14, 1e-12);
    assert_true(!v.symmetric && !v.sure && isnan(v.gradients_first.data.value));
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
        cmocka_unit_test(inputs_in_a_subspace_are_data),
        cmocka_unit_test(a_spiked_residual_is_model),
        cmocka_unit_test(few_outputs_that_matter_are_loss),
        cmocka_unit_test(white_noise_is_nothing),
        cmocka_unit_test(layers_that_disagree_are_not_sure),
        cmocka_unit_test(quantizers_of_one_layer_are_not_four_layers),
        cmocka_unit_test(neither_order_decides),
        cmocka_unit_test(within_and_pooled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
