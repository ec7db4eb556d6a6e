/* The curve that is expected of a residual that is not there, against residuals that are made. */
#include "linalg/roots.h"
#include "linalg/spectrum.h"
#include "mat.h"
#include "rng.h"
#include "spectra/a_priori.h"
#include "spectra/curves.h"
#include "spectra/variance_profile.h"

#include "test.h"

enum { M = 96, N = 128, LEAST = M };

/* E[x x'] of x = sum_k k^(-decay/2) z_k a_k, damped as the curve is. */
static double *moment(rsd_rng *rng, size_t n, double decay)
{
    double *H = calloc(n * n, sizeof *H);
    for (size_t k = 0; k < n; k++) {
        float a[N];
        rsd_rng_normals(rng, a, n);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                H[i * n + j] += pow((double)(k + 1), -decay) * (double)a[i] * (double)a[j];
    }
    return H;
}

static double *root_of(const double *H, size_t n, double damping)
{
    double *root = malloc(n * n * sizeof *root);
    size_t clamped;
    memcpy(root, H, n * n * sizeof *root);
    CHECK_OK(rsd_root(root, n, damping, &clamped));
    return root;
}

/* Cumulative energies of G^(1/2) A H^(1/2); returns the energy. */
static double curve_of(rsd_mat A, const double *g, const double *h, double *curve)
{
    const rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    rsd_spectrum s;
    rsd_mat seen;
    CHECK_OK(rsd_mat_alloc(A.m, A.n, &seen));
    CHECK_OK(rsd_between(g, A, h, seen));
    CHECK_OK(rsd_spectrum_compute(seen, &opts, &s));
    rsd_cumulative_energy(s.s, s.count, s.sumsq, curve);
    const double energy = s.sumsq;
    rsd_spectrum_free(&s);
    rsd_mat_free(&seen);
    return energy;
}

typedef struct {
    double *H, *G, *h, *g;
    rsd_profile_weight in_G, in_H;
    rsd_mat W, V;
} problem;

static double mean_of_diagonal(const double *A, size_t n)
{
    double trace = 0;
    for (size_t i = 0; i < n; i++)
        trace += A[i * n + i];
    return trace / (double)n;
}

static problem make(rsd_rng *rng)
{
    static const double damping = 1e-3;
    double rows[M], cols[N];
    problem p = { .H = moment(rng, N, 1), .G = moment(rng, M, 0.5) };
    p.h = root_of(p.H, N, damping);
    p.g = root_of(p.G, M, damping);
    p.in_G = (rsd_profile_weight){ p.G, damping * mean_of_diagonal(p.G, M) };
    p.in_H = (rsd_profile_weight){ p.H, damping * mean_of_diagonal(p.H, N) };
    for (size_t i = 0; i < M; i++)
        rows[i] = exp(rsd_rng_normal(rng) / 2);
    for (size_t j = 0; j < N; j++)
        cols[j] = exp(rsd_rng_normal(rng) / 2);
    CHECK_OK(rsd_mat_alloc(M, N, &p.W));
    CHECK_OK(rsd_mat_alloc(M, N, &p.V));
    rsd_rng_normals(rng, p.W.x, M * N);
    for (size_t i = 0; i < M; i++)
        for (size_t j = 0; j < N; j++)
            p.V.x[i * N + j] = (float)(rows[i] * cols[j]);
    return p;
}

static void problem_free(problem *p)
{
    free(p->H);
    free(p->G);
    free(p->h);
    free(p->g);
    rsd_mat_free(&p->W);
    rsd_mat_free(&p->V);
}

/* Mean curve of draws of leak W + V z against the one that is expected of them, energy and all. */
static void expect(double leak, double tolerance)
{
    enum { DRAWS = 20 };
    double want[LEAST], mean[LEAST] = { 0 }, curve[LEAST], of_W[LEAST], energy = 0, expected;
    rsd_rng *rng;
    rsd_mat R;
    CHECK_OK(rsd_rng_alloc(2, "a priori", &rng));
    CHECK_OK(rsd_mat_alloc(M, N, &R));
    problem p = make(rng);
    const double leaked = leak * leak * curve_of(p.W, p.g, p.h, of_W);
    CHECK_OK(rsd_variance_profile_curves(p.V, p.in_G, p.in_H, NULL, NULL, want, &expected));
    rsd_a_priori_leak(want, LEAST, leaked, of_W, &expected);
    for (int d = 0; d < DRAWS; d++) {
        rsd_rng_normals(rng, R.x, M * N);
        for (size_t i = 0; i < M * N; i++)
            R.x[i] = p.V.x[i] * R.x[i] + (float)leak * p.W.x[i];
        energy += curve_of(R, p.g, p.h, curve) / DRAWS;
        for (size_t k = 0; k < LEAST; k++)
            mean[k] += curve[k] / DRAWS;
    }
    CHECK_CLOSE(energy / expected, 1, 0.03);
    for (size_t r = 2; r <= 64; r *= 2)
        CHECK_CLOSE(mean[r - 1], want[r - 1], tolerance);
    CHECK_CLOSE(want[LEAST - 1], 1, 1e-6);
    problem_free(&p);
    rsd_mat_free(&R);
    rsd_rng_free(rng);
}

static void noise_alone(void **state)
{
    (void)state;
    expect(0, 0.01);
}

/* A leak of a tenth and of two fifths of the energy; the mixture is the most that is possible. */
static void with_a_leak(void **state)
{
    (void)state;
    expect(0.6, 0.02);
    expect(1.5, 0.04);
}

/* No noise: what leaks.  No leak: the noise.  Neither: nothing. */
static void limits(void **state)
{
    (void)state;
    const double leak[] = { 0.5, 1 };
    double share[] = { 0.8, 1 }, energy = 3;
    rsd_a_priori_leak(share, 2, 0, leak, &energy);
    CHECK_CLOSE(share[0], 0.8, 1e-15);
    assert_true(share[1] == 1 && energy == 3);
    rsd_a_priori_leak(share, 2, 1, leak, &energy);
    CHECK_CLOSE(share[0], (3 * 0.8 + 0.5) / 4, 1e-15);
    assert_true(share[1] == 1 && energy == 4);
    share[0] = share[1] = energy = 0;
    rsd_a_priori_leak(share, 2, 2, leak, &energy);
    assert_true(share[0] == 0.5 && share[1] == 1 && energy == 2);
    share[0] = share[1] = energy = 0;
    rsd_a_priori_leak(share, 2, 0, leak, &energy);
    assert_true(share[0] == 0 && energy == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(noise_alone),
        cmocka_unit_test(with_a_leak),
        cmocka_unit_test(limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
