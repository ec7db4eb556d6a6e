/* Null models, their bands, and the leak of W into its residual. */
#include "dense.h"
#include "spectra/curves.h"
#include "spectra/leak.h"
#include "spectra/marchenko_pastur.h"
#include "spectra/nulls.h"
#include "test.h"

#include <float.h>
#include <gsl/gsl_errno.h>

static rsd_rng *stream(uint64_t seed)
{
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(seed, "null", &rng));
    return rng;
}

/* ---- draws ---- */

static void names_are_those_of_the_result_file(void **state)
{
    (void)state;
    assert_string_equal(rsd_null_name(RSD_NULL_SIGN_FLIP), "sign_flip");
    assert_string_equal(rsd_null_name(RSD_NULL_VARIANCE_PROFILE), "variance_profile");
    assert_string_equal(rsd_null_name(RSD_NULL_PERMUTED), "permuted");
    assert_string_equal(rsd_null_name(RSD_NULL_MARCHENKO_PASTUR), "marchenko_pastur");
}

static void signs_flip_and_nothing_else(void **state)
{
    (void)state;
    rsd_mat A = dense_noise(101, 67, 1), N;
    rsd_rng *rng = stream(1);
    CHECK_OK(rsd_mat_alloc(101, 67, &N));
    rsd_null_draw(RSD_NULL_SIGN_FLIP, A, rng, N);
    size_t flipped = 0;
    for (size_t e = 0; e < 101 * 67; e++) {
        assert_true(fabsf(N.x[e]) == fabsf(A.x[e]));
        flipped += N.x[e] != A.x[e];
    }
    CHECK_CLOSE((double)flipped, 101 * 67 / 2., 4 * .5 * sqrt(101 * 67));
    rsd_rng_free(rng);
    rsd_mat_free(&A);
    rsd_mat_free(&N);
}

/* Entry e takes bit e mod 32 of draw e/32, lowest first, whatever the row ends: 5 x 7 entries take
 * two draws. */
static void one_bit_an_entry(void **state)
{
    (void)state;
    rsd_mat A, N;
    CHECK_OK(rsd_mat_alloc(5, 7, &A));
    CHECK_OK(rsd_mat_alloc(5, 7, &N));
    for (size_t e = 0; e < 35; e++)
        A.x[e] = (float)(e + 1);
    rsd_rng *used = stream(9), *fresh = stream(9);
    rsd_null_draw(RSD_NULL_SIGN_FLIP, A, used, N);
    uint32_t bits = 0;
    for (size_t e = 0; e < 35; e++) {
        bits = e % 32 == 0 ? rsd_rng_bits(fresh) : bits >> 1;
        assert_true(N.x[e] == (bits & 1 ? -A.x[e] : A.x[e]));
    }
    assert_int_equal(rsd_rng_bits(used), rsd_rng_bits(fresh));
    rsd_rng_free(used);
    rsd_rng_free(fresh);
    rsd_mat_free(&A);
    rsd_mat_free(&N);
}

/* The library's own shuffle of the entries in row order. */
static void permutation_is_the_shuffle_of_all_entries(void **state)
{
    (void)state;
    rsd_mat A = dense_noise(31, 50, 2), N, S;
    CHECK_OK(rsd_mat_alloc(31, 50, &N));
    CHECK_OK(rsd_mat_alloc(31, 50, &S));
    rsd_mat_copy(A, S);
    rsd_rng *a = stream(4), *b = stream(4);
    rsd_null_draw(RSD_NULL_PERMUTED, A, a, N);
    rsd_rng_shuffle(b, S.x, 31 * 50);
    assert_memory_equal(N.x, S.x, 31 * 50 * sizeof(float));
    size_t kept = 0, kept_row = 0;
    for (size_t e = 0; e < 31 * 50; e++) {
        kept += N.x[e] == A.x[e];
        for (size_t j = 0; j < 50; j++)
            kept_row += N.x[e] == A.x[e / 50 * 50 + j];
    }
    assert_true(kept < 10);                          /* 1 expected */
    CHECK_CLOSE((double)kept_row, 50, 4 * sqrt(50)); /* 31*50/31 */
    rsd_rng_free(a);
    rsd_rng_free(b);
    rsd_mat_free(&A);
    rsd_mat_free(&N);
    rsd_mat_free(&S);
}

/* In place, out of place, and in views with gaps: the same draw, and the gaps untouched. */
static void draws_do_not_depend_on_where_the_matrix_lies(void **state)
{
    (void)state;
    enum { M = 13, K = 9, LD = 12 };
    for (int null = 0; null < RSD_NULLS; null++) {
        if (!rsd_null_is_drawn((rsd_null)null))
            continue;
        rsd_mat A = dense_noise(M, K, 3), N, G;
        CHECK_OK(rsd_mat_alloc(M, K, &N));
        CHECK_OK(rsd_mat_alloc(M, LD, &G));
        for (size_t e = 0; e < M * LD; e++)
            G.x[e] = 1234;
        const rsd_mat view = { G.x, M, K, LD };
        rsd_rng *a = stream(5), *b = stream(5), *c = stream(5);
        rsd_null_draw((rsd_null)null, A, a, N);
        rsd_null_draw((rsd_null)null, A, b, view);
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < LD; j++)
                assert_true(G.x[i * LD + j] == (j < K ? N.x[i * K + j] : 1234));
        rsd_null_draw((rsd_null)null, A, c, A);
        assert_memory_equal(A.x, N.x, M * K * sizeof(float));
        rsd_null_draw((rsd_null)null, A, c, N); /* the stream goes on: another draw */
        assert_memory_not_equal(A.x, N.x, M * K * sizeof(float));
        rsd_rng_free(a);
        rsd_rng_free(b);
        rsd_rng_free(c);
        rsd_mat_free(&A);
        rsd_mat_free(&N);
        rsd_mat_free(&G);
    }
}

static void one_entry(void **state)
{
    (void)state;
    float x = 2, y = 0;
    const rsd_mat A = { &x, 1, 1, 1 }, N = { &y, 1, 1, 1 };
    rsd_rng *rng = stream(6);
    rsd_null_draw(RSD_NULL_PERMUTED, A, rng, N);
    assert_true(y == 2);
    rsd_null_draw(RSD_NULL_SIGN_FLIP, A, rng, N);
    assert_true(y == 2 || y == -2);
    rsd_rng_free(rng);
}

static void band_of_draws(void **state)
{
    (void)state;
    double a[3] = { 1, 5, 2 }, b[3] = { 3, 4, NAN }, c[3] = { 2, 0, 1 }, low[3], high[3];
    const double *draws[3] = { a, b, c };
    rsd_band(draws, 3, 3, a, low, high); /* mean over draws[0] */
    CHECK_CLOSE(a[0], 2, DBL_EPSILON);
    CHECK_CLOSE(a[1], 3, DBL_EPSILON);
    assert_true(low[0] == 1 && high[0] == 3 && low[1] == 0 && high[1] == 5);
    assert_true(isnan(a[2]) && isnan(low[2]) && isnan(high[2]));
    const double *one[1] = { c };
    rsd_band(one, 1, 3, a, low, high);
    assert_memory_equal(a, c, sizeof a);
    assert_memory_equal(low, c, sizeof c);
    assert_memory_equal(high, c, sizeof c);
}

/* ---- which null ---- */

enum { SIDE = 192, TOP = 8 };

/* Energy share of the TOP largest singular values. */
static double top_share(rsd_mat A)
{
    double *s = dense_singular_values(A), curve[SIDE];
    rsd_cumulative_energy(s, SIDE, rsd_mat_sumsq(A), curve);
    free(s);
    return curve[TOP - 1];
}

/* Mean and half width of the same share in three draws of a null. */
static double null_share(rsd_null null, rsd_mat R, double *half_width)
{
    double share[3], mean, low, high;
    const double *draws[3] = { &share[0], &share[1], &share[2] };
    rsd_mat N;
    rsd_rng *rng = stream(7);
    CHECK_OK(rsd_mat_alloc(SIDE, SIDE, &N));
    for (int i = 0; i < 3; i++) {
        rsd_null_draw(null, R, rng, N);
        share[i] = top_share(N);
    }
    rsd_band(draws, 3, 1, &mean, &low, &high);
    *half_width = (high - low) / 2;
    rsd_rng_free(rng);
    rsd_mat_free(&N);
    return mean;
}

/* A variance profile over rows and columns and nothing of low rank: the sign flip keeps the profile
 * and sees none, permutation and the Marchenko-Pastur law report an excess that is not there.  A
 * planted direction is seen by all. */
static void sign_flips_absorb_a_variance_profile(void **state)
{
    (void)state;
    double sum[SIDE], energy[SIDE], width;
    CHECK_OK(rsd_mp_curves(SIDE, SIDE, sum, energy));
    rsd_mat R = dense_noise(SIDE, SIDE, 8);
    const double plain = top_share(R);
    CHECK_CLOSE(plain, energy[TOP - 1], .03 * plain); /* noise is what the law says */
    for (size_t i = 0; i < SIDE; i++)
        for (size_t j = 0; j < SIDE; j++)
            R.x[i * SIDE + j] *= (1 + .5f * sinf((float)i)) * (1 + .5f * cosf(3 * (float)j));

    const double profile = top_share(R);
    const double flipped = null_share(RSD_NULL_SIGN_FLIP, R, &width);
    CHECK_CLOSE(profile, flipped, .03 * profile);
    assert_true(width < .03 * profile);
    const double permuted = null_share(RSD_NULL_PERMUTED, R, &width);
    CHECK_CLOSE(permuted, energy[TOP - 1], .03 * permuted);
    assert_true(profile > 1.15 * permuted && profile > 1.15 * energy[TOP - 1]);

    dense_add_spike(R, 2 * rsd_mp_edge(SIDE, SIDE, 1.3), 3);
    assert_true(top_share(R) > 1.15 * null_share(RSD_NULL_SIGN_FLIP, R, &width));
    rsd_mat_free(&R);
}

/* ---- leak ---- */

/* Four levels by Lloyd's iteration over all entries: each level the mean of those it stands for. */
static void lloyd_four_levels(rsd_mat W, rsd_mat R)
{
    double level[4] = { -1.5, -.5, .5, 1.5 };
    const size_t n = W.m * W.n;
    for (int round = 0; round < 60; round++) {
        double sum[4] = { 0 }, count[4] = { 0 };
        for (size_t e = 0; e < n; e++) {
            int best = 0;
            for (int l = 1; l < 4; l++)
                if (fabs(W.x[e] - level[l]) < fabs(W.x[e] - level[best]))
                    best = l;
            sum[best] += (double)W.x[e];
            count[best]++;
            R.x[e] = (float)(W.x[e] - level[best]);
        }
        if (round == 59)
            return; /* R belongs to the levels of this round */
        for (int l = 0; l < 4; l++)
            level[l] = sum[l] / count[l];
    }
}

/* A codebook of centroids leaves R orthogonal to W_q, so <R,W> = ||R||^2: for N(0,1) and four
 * levels both are .1175 ||W||^2.  A planted direction then detaches in R where |rho| s_1 passes R's
 * edge. */
static void centroids_leak_what_they_lose(void **state)
{
    (void)state;
    rsd_mat W = dense_noise(SIDE, SIDE, 9), R;
    CHECK_OK(rsd_mat_alloc(SIDE, SIDE, &R));
    lloyd_four_levels(W, R);
    double rho = rsd_leak(R, W);
    /* what Lloyd's iteration leaves after 60 rounds, and float32 in R */
    CHECK_CLOSE(rho, rsd_mat_sumsq(R) / rsd_mat_sumsq(W), 1e-5);
    CHECK_CLOSE(rho, .1175, .003);

    dense_add_spike(W, 8 * rsd_mp_edge(SIDE, SIDE, 1), 5);
    lloyd_four_levels(W, R);
    rho = rsd_leak(R, W);
    CHECK_CLOSE(rho, rsd_mat_sumsq(R) / rsd_mat_sumsq(W), 1e-5);
    double *s = dense_singular_values(W), *t = dense_singular_values(R), strength;
    const double edge = rsd_mp_edge(SIDE, SIDE, rsd_mat_sumsq(R) / (SIDE * SIDE));
    assert_int_equal(rsd_leak_directions(rho, s, SIDE, edge, &strength), 1);
    CHECK_CLOSE(strength, rho * s[0] / edge, 4 * DBL_EPSILON * strength);
    assert_true(t[0] > 1.1 * edge && t[1] < 1.1 * edge); /* and so it does */
    free(s);
    free(t);
    rsd_mat_free(&W);
    rsd_mat_free(&R);
}

static void leak_of_a_multiple(void **state)
{
    (void)state;
    rsd_mat W = dense_noise(20, 30, 10), R;
    CHECK_OK(rsd_mat_alloc(20, 30, &R));
    for (size_t e = 0; e < 600; e++)
        R.x[e] = -.25f * W.x[e];
    CHECK_CLOSE(rsd_leak(R, W), -.25, 4 * DBL_EPSILON);
    for (size_t e = 0; e < 600; e++)
        R.x[e] = W.x[e ^ 1] * (e & 1 ? -1.f : 1.f); /* orthogonal: pairs (a,b) against (b,-a) */
    CHECK_CLOSE(rsd_leak(R, W), 0, 600 * DBL_EPSILON);
    memset(W.x, 0, 600 * sizeof(float));
    assert_true(rsd_leak(R, W) == 0);
    rsd_mat_free(&W);
    rsd_mat_free(&R);
}

static void directions_above_the_edge(void **state)
{
    (void)state;
    static const double s[] = { 10, 5, 4, 1 };
    double strength;
    assert_int_equal(rsd_leak_directions(.5, s, 4, 2, &strength), 2); /* .5*4 is not above 2 */
    assert_true(strength == 2.5);
    assert_int_equal(rsd_leak_directions(-.5, s, 4, 2, &strength), 2);
    assert_true(strength == 2.5);
    assert_int_equal(rsd_leak_directions(.1, s, 4, 2, &strength), 0);
    assert_true(strength == .5);
    assert_int_equal(rsd_leak_directions(.1, s, 4, 0, &strength), 4);
    assert_true(isnan(strength));
    assert_int_equal(rsd_leak_directions(0, s, 4, 0, &strength), 0);
    assert_int_equal(rsd_leak_directions(1, s, 4, NAN, &strength), 0);
    assert_true(isnan(strength));
    assert_int_equal(rsd_leak_directions(1, s, 0, 2, &strength), 0);
    assert_true(isnan(strength));
}

int main(void)
{
    gsl_set_error_handler_off();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_result_file),
        cmocka_unit_test(signs_flip_and_nothing_else),
        cmocka_unit_test(one_bit_an_entry),
        cmocka_unit_test(permutation_is_the_shuffle_of_all_entries),
        cmocka_unit_test(draws_do_not_depend_on_where_the_matrix_lies),
        cmocka_unit_test(one_entry),
        cmocka_unit_test(band_of_draws),
        cmocka_unit_test(sign_flips_absorb_a_variance_profile),
        cmocka_unit_test(centroids_leak_what_they_lose),
        cmocka_unit_test(leak_of_a_multiple),
        cmocka_unit_test(directions_above_the_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
