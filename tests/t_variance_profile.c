/* The sign-flip null in closed form against draws of it, in every weighting, and exact cases. */
#include "dense.h"
#include "linalg/roots.h"
#include "spectra/curves.h"
#include "spectra/marchenko_pastur.h"
#include "spectra/nulls.h"
#include "spectra/variance_profile.h"
#include "test.h"

#include <cblas.h>
#include <gsl/gsl_errno.h>

enum { MOST = 256 };

static const rsd_profile_weight none = { NULL, 0 };

typedef struct {
    double s[MOST], sum[MOST], energy[MOST], total;
} expected;

static void compute(rsd_mat R, rsd_profile_weight G, rsd_profile_weight H, expected *out)
{
    CHECK_OK(rsd_variance_profile_curves(R, G, H, out->s, out->sum, out->energy, &out->total));
}

/* A second moment of n channels whose samples fall off as k^-fall; free it. */
static double *moment(size_t n, double fall, uint64_t seed)
{
    rsd_mat X = dense_noise(2 * n, n, seed);
    double *wide = malloc(2 * n * n * sizeof *wide), *M = malloc(n * n * sizeof *M);
    assert_non_null(wide);
    assert_non_null(M);
    for (size_t k = 0; k < 2 * n; k++)
        for (size_t j = 0; j < n; j++)
            wide[k * n + j] = (double)X.x[k * n + j] * pow((double)(k + 1), -fall);
    const int N = (int)n;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, N, N, 2 * N, 1, wide, N, wide, N, 0, M, N);
    free(wide);
    rsd_mat_free(&X);
    return M;
}

/* A residual: errors of quantizing to levels whose step is a row's, times a block of 32 columns',
 * so that its scales are no product. */
static rsd_mat residual(size_t m, size_t n, double rows, double blocks, uint64_t seed)
{
    rsd_mat R;
    rsd_rng *rng;
    CHECK_OK(rsd_mat_alloc(m, n, &R));
    CHECK_OK(rsd_rng_alloc(seed, "residual", &rng));
    for (size_t i = 0; i < m; i++) {
        const double row = exp(rows * rsd_rng_normal(rng));
        double step = row;
        for (size_t j = 0; j < n; j++) {
            step = j % 32 == 0 ? row * exp(blocks * rsd_rng_normal(rng)) : step;
            R.x[i * n + j] = (float)(step * (rsd_rng_uniform(rng) - .5));
        }
    }
    rsd_rng_free(rng);
    return R;
}

/* What draws hold of their own energy in r directions, its standard error, and their energy. */
typedef struct {
    double mean[MOST], error[MOST], value[MOST], total;
} drawn;

static void draw(rsd_mat R, const double *G, const double *H, size_t draws, drawn *out)
{
    const size_t d = R.m < R.n ? R.m : R.n;
    double curve[MOST];
    rsd_mat N, Y;
    rsd_rng *rng;
    CHECK_OK(rsd_mat_alloc(R.m, R.n, &N));
    CHECK_OK(rsd_mat_alloc(R.m, R.n, &Y));
    CHECK_OK(rsd_rng_alloc(3, "draws", &rng));
    memset(out, 0, sizeof *out);
    for (size_t k = 0; k < draws; k++) {
        rsd_null_draw(RSD_NULL_SIGN_FLIP, R, rng, N);
        CHECK_OK(rsd_between(G, N, H, Y));
        double *s = dense_singular_values(Y);
        const double total = rsd_mat_sumsq(Y);
        rsd_cumulative_energy(s, d, total, curve);
        out->total += total / (double)draws;
        for (size_t r = 0; r < d; r++) {
            out->mean[r] += curve[r] / (double)draws;
            out->error[r] += curve[r] * curve[r] / (double)draws;
            out->value[r] += s[r] / (double)draws;
        }
        free(s);
    }
    for (size_t r = 0; r < d; r++) {
        const double variance = fmax(0, out->error[r] - out->mean[r] * out->mean[r]);
        out->error[r] = sqrt(variance / (double)(draws - 1));
    }
    rsd_rng_free(rng);
    rsd_mat_free(&N);
    rsd_mat_free(&Y);
}

static double *root_of(const double *M, size_t n, double damping)
{
    size_t clamped;
    double *root = malloc(n * n * sizeof *root);
    assert_non_null(root);
    memcpy(root, M, n * n * sizeof *root);
    CHECK_OK(rsd_root(root, n, damping, &clamped));
    return root;
}

/* tr(G V H V') of variances, and their own damping. */
static double energy_of(rsd_mat R, rsd_profile_weight G, rsd_profile_weight H)
{
    double total = 0;
    for (size_t i = 0; i < R.m; i++)
        for (size_t j = 0; j < R.n; j++) {
            const double x = (double)R.x[i * R.ld + j];
            total += x * x * (G.M ? G.M[i * R.m + i] + G.shift : 1) *
                     (H.M ? H.M[j * R.n + j] + H.shift : 1);
        }
    return total;
}

/* Four standard errors of the draws, and what is allowed: .25/d of the size, .002 where no scales
 * are a product.  Energies are exact: only the draws' are not, by half as much as single values
 * are in the worst case of one direction that has all. */
static void agrees_with_draws_in_every_weighting(void **state)
{
    (void)state;
    static const struct {
        size_t m, n, draws;
        double rows, blocks;
        bool g, h;
    } cases[] = {
        { 64, 64, 40, 0, 0, false, false },   { 64, 160, 40, .4, .3, false, false },
        { 64, 128, 40, .3, .2, false, true }, { 128, 64, 40, .3, .2, true, false },
        { 96, 128, 40, .2, .2, true, true },  { 64, 64, 40, .3, 0, true, true },
        { 128, 192, 20, .3, .5, true, true },
    };
    static expected e;
    static drawn signs;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const size_t m = cases[i].m, n = cases[i].n, d = m < n ? m : n;
        rsd_mat R = residual(m, n, cases[i].rows, cases[i].blocks, i);
        double *G = moment(m, .5, 100 + i), *H = moment(n, .7, 200 + i);
        double *g = root_of(G, m, .01), *h = root_of(H, n, .02);
        double trace_g = 0, trace_h = 0;
        for (size_t k = 0; k < m; k++)
            trace_g += G[k * m + k];
        for (size_t k = 0; k < n; k++)
            trace_h += H[k * n + k];
        const rsd_profile_weight wg = { G, .01 * trace_g / (double)m };
        const rsd_profile_weight wh = { H, .02 * trace_h / (double)n };
        const rsd_profile_weight left = cases[i].g ? wg : none, right = cases[i].h ? wh : none;
        compute(R, left, right, &e);
        draw(R, cases[i].g ? g : NULL, cases[i].h ? h : NULL, cases[i].draws, &signs);
        CHECK_CLOSE(e.total, energy_of(R, left, right), 1e-9 * e.total);
        CHECK_CLOSE(signs.total, e.total, .1 * e.total);
        for (size_t r = 4; r <= d; r *= 2) {
            CHECK_CLOSE(e.energy[r - 1], signs.mean[r - 1],
                        4 * signs.error[r - 1] + .25 / (double)d + .002 * (cases[i].blocks > 0));
            CHECK_CLOSE(e.s[r - 1], signs.value[r - 1], .02 * signs.value[0]);
        }
        assert_true(e.energy[d - 1] == 1 && e.sum[d - 1] == 1);
        free(G);
        free(H);
        free(g);
        free(h);
        rsd_mat_free(&R);
    }
}

/* Noise of one variance has no scales but those of its own sums, which are not taken for any. */
static void noise_is_marchenko_pasturs(void **state)
{
    (void)state;
    static const size_t shape[][2] = { { 64, 64 }, { 96, 200 }, { 256, 128 } };
    static expected e;
    double energy[MOST], sum[MOST];
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
        const size_t m = shape[i][0], n = shape[i][1], d = m < n ? m : n;
        rsd_mat normal = dense_noise(m, n, i), uniform = residual(m, n, 0, 0, i);
        CHECK_OK(rsd_mp_curves(m, n, sum, energy));
        for (int k = 0; k < 2; k++) {
            compute(k ? uniform : normal, none, none, &e);
            for (size_t r = 0; r < d; r++) {
                CHECK_CLOSE(e.energy[r], energy[r], .3 / (double)d);
                CHECK_CLOSE(e.sum[r], sum[r], .3 / (double)d);
            }
        }
        rsd_mat_free(&normal);
        rsd_mat_free(&uniform);
    }
}

/* A weight of one direction leaves one; a single row or column is one; nothing is nothing. */
static void one_direction_or_none(void **state)
{
    (void)state;
    static expected e;
    enum { M = 20, N = 30 };
    double G[M * M], zero[N * N] = { 0 };
    rsd_mat R = dense_noise(M, N, 4);
    for (size_t i = 0; i < M; i++)
        for (size_t k = 0; k < M; k++)
            G[i * M + k] = (1 + (double)i) * (1 + (double)k);
    compute(R, (rsd_profile_weight){ G, 0 }, none, &e);
    for (size_t r = 0; r < M; r++)
        CHECK_CLOSE(e.energy[r], 1, 1e-6);
    CHECK_CLOSE(e.s[0], sqrt(e.total), .01 * e.s[0]); /* a mean, and a root mean square */

    const rsd_mat row = { R.x, 1, N, N }, column = { R.x, M, 1, N };
    compute(row, none, none, &e);
    CHECK_CLOSE(e.s[0], sqrt(rsd_mat_sumsq(row)), 1e-12 * e.s[0]);
    assert_true(e.energy[0] == 1);
    compute(column, (rsd_profile_weight){ G, 1 }, none, &e);
    CHECK_CLOSE(e.total, energy_of(column, (rsd_profile_weight){ G, 1 }, none), 1e-12 * e.total);
    assert_true(e.energy[0] == 1);

    compute(R, none, (rsd_profile_weight){ zero, 0 }, &e);
    assert_true(e.total == 0 && e.energy[M - 1] == 0 && e.s[0] == 0);
    memset(R.x, 0, M * N * sizeof *R.x);
    compute(R, (rsd_profile_weight){ G, 0 }, none, &e);
    assert_true(e.total == 0 && e.energy[M - 1] == 0 && e.s[0] == 0);
    rsd_mat_free(&R);
}

/* Scales of R, G and H do not matter; sides change places; a diagonal H is scaled columns. */
static void what_does_not_matter(void **state)
{
    (void)state;
    static expected plain, other;
    enum { M = 40, N = 60 };
    rsd_mat R = residual(M, N, .3, .3, 5), T, S;
    CHECK_OK(rsd_mat_alloc(N, M, &T));
    CHECK_OK(rsd_mat_alloc(M, N, &S));
    double *G = moment(M, .5, 6), *H = moment(N, .5, 7), diagonal[N], dense[N * N] = { 0 };
    const rsd_profile_weight wg = { G, 0 }, wh = { H, .1 };
    compute(R, wg, wh, &plain);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++) {
            T.x[j * M + i] = R.x[i * N + j];
            S.x[i * N + j] = -1e15f * R.x[i * N + j];
        }
    compute(T, wh, wg, &other);
    for (size_t r = 0; r < M; r++)
        CHECK_CLOSE(other.energy[r], plain.energy[r], 2e-5);

    for (size_t j = 0; j < N; j++) {
        diagonal[j] = H[j * N + j];
        dense[j * N + j] = diagonal[j];
    }
    for (size_t e = 0; e < M * M; e++)
        G[e] *= 1e150;
    compute(S, wg, wh, &other);
    for (size_t r = 0; r < M; r++)
        CHECK_CLOSE(other.energy[r], plain.energy[r], 1e-6);
    CHECK_CLOSE(other.total / 1e180, plain.total, 1e-5 * plain.total);

    rsd_scale_columns(R, diagonal, S);
    compute(S, none, none, &plain);
    compute(R, none, (rsd_profile_weight){ dense, 0 }, &other);
    for (size_t r = 0; r < M; r++)
        CHECK_CLOSE(other.energy[r], plain.energy[r], 2e-5);
    free(G);
    free(H);
    rsd_mat_free(&R);
    rsd_mat_free(&T);
    rsd_mat_free(&S);
}

static void refusals(void **state)
{
    (void)state;
    static expected e;
    double M[4] = { 1, 0, 0, -1 };
    rsd_mat R = dense_noise(2, 3, 1);
    CHECK_FAILS(rsd_variance_profile_curves(R, (rsd_profile_weight){ M, 0 }, none, e.s, e.sum,
                                            e.energy, &e.total),
                RSD_EDOM, "-1 on its diagonal");
    R.x[4] = NAN;
    CHECK_FAILS(rsd_variance_profile_curves(R, none, none, e.s, e.sum, e.energy, &e.total),
                RSD_EDOM, "");
    rsd_mat_free(&R);
}

int main(void)
{
    gsl_set_error_handler_off();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_draws_in_every_weighting),
        cmocka_unit_test(noise_is_marchenko_pasturs),
        cmocka_unit_test(one_direction_or_none),
        cmocka_unit_test(what_does_not_matter),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
