/* What tests of initialisations share: calibrations made of random inputs, and one call. */
#ifndef RSD_TEST_INIT_DATA_H
#define RSD_TEST_INIT_DATA_H

#include "adapters/init.h"
#include "linalg/lowrank.h"
#include "rng.h"

#include "dense.h"
#include "test.h"

#include <cblas.h>

/* A calibration that owns what it shows. */
typedef struct {
    double *H, *G, *square, *mean_abs, *max_abs;
    rsd_calibration view;
} known;

/* E[x x'] of rows x[rows][n]. */
static inline double *second_moment(const float *x, size_t rows, size_t n)
{
    double *M = calloc(n * n, sizeof *M);
    assert_non_null(M);
    for (size_t t = 0; t < rows; t++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                M[i * n + j] += (double)x[t * n + i] * (double)x[t * n + j] / (double)rows;
    return M;
}

/* From inputs x[rows][n] and output gradients g[rows][m]; free with known_free. */
static inline known known_from(const float *x, const float *g, size_t rows, size_t m, size_t n)
{
    known k = { .H = second_moment(x, rows, n),
                .G = second_moment(g, rows, m),
                .square = calloc(n, sizeof(double)),
                .mean_abs = calloc(n, sizeof(double)),
                .max_abs = calloc(n, sizeof(double)) };
    for (size_t j = 0; j < n; j++) {
        k.square[j] = k.H[j * n + j];
        for (size_t t = 0; t < rows; t++) {
            k.mean_abs[j] += fabs((double)x[t * n + j]) / (double)rows;
            k.max_abs[j] = fmax(k.max_abs[j], fabs((double)x[t * n + j]));
        }
    }
    k.view = (rsd_calibration){ m, n, k.H, k.G, k.square, k.mean_abs, k.max_abs, rows };
    return k;
}

/* Inputs that correlate (each channel also takes half of the one before) with scales from 1 to 1/n,
 * likewise gradients. */
static inline void correlate(float *x, size_t rows, size_t n)
{
    for (size_t t = 0; t < rows; t++)
        for (size_t j = 0; j < n; j++)
            x[t * n + j] = (j ? 0.5f * x[t * n + j - 1] : 0) + x[t * n + j] / (float)(j + 1);
}

static inline known known_random(size_t rows, size_t m, size_t n, uint64_t seed)
{
    rsd_mat x = dense_noise(rows, n, seed), g = dense_noise(rows, m, seed + 1);
    correlate(x.x, rows, n);
    correlate(g.x, rows, m);
    const known k = known_from(x.x, g.x, rows, m, n);
    rsd_mat_free(&x);
    rsd_mat_free(&g);
    return k;
}

static inline void known_free(known *k)
{
    free(k->H);
    free(k->G);
    free(k->square);
    free(k->mean_abs);
    free(k->max_abs);
    *k = (known){ 0 };
}

/* Results as a caller holds them; free with result_free. */
static inline rsd_init_result result_alloc(size_t m, size_t n, size_t r)
{
    rsd_init_result out = { 0 };
    CHECK_OK(rsd_mat_alloc(m, n, &out.Wq));
    CHECK_OK(rsd_mat_alloc(m, r, &out.B));
    CHECK_OK(rsd_mat_alloc(r, n, &out.A));
    return out;
}

static inline void result_free(rsd_init_result *out)
{
    rsd_mat_free(&out->Wq);
    rsd_mat_free(&out->B);
    rsd_mat_free(&out->A);
    rsd_packed_free(&out->packed);
}

/* The one call; quantizer NULL: none. */
static inline rsd_init_result start(const char *text, rsd_mat W, const char *quantizer, size_t rank,
                                    double damping, const rsd_calibration *c)
{
    rsd_init_spec spec;
    rsd_spec q;
    rsd_init_result out = result_alloc(W.m, W.n, rank);
    CHECK_OK(rsd_init_parse(text, &spec));
    if (quantizer)
        CHECK_OK(rsd_spec_parse(quantizer, &q));
    const rsd_init_task task = { .W = W,
                                 .quantizer = quantizer ? &q : NULL,
                                 .calibration = c,
                                 .rank = rank,
                                 .damping = damping,
                                 .seed = 3 };
    CHECK_OK(rsd_init_start(&spec, &task, &out));
    return out;
}

/* E = W - Wq - B A; free it. */
static inline rsd_mat remainder_of(rsd_mat W, const rsd_init_result *out)
{
    rsd_mat E;
    CHECK_OK(rsd_mat_alloc(W.m, W.n, &E));
    rsd_mat_mul(out->B, out->A, E);
    for (size_t i = 0; i < W.m; i++)
        for (size_t j = 0; j < W.n; j++)
            E.x[i * W.n + j] = W.x[i * W.ld + j] - out->Wq.x[i * out->Wq.ld + j] - E.x[i * W.n + j];
    return E;
}

/* ||W - Wq - B A||_F / ||W||_F */
static inline double relative_error(rsd_mat W, const rsd_init_result *out)
{
    rsd_mat E = remainder_of(W, out);
    const double error = sqrt(rsd_mat_sumsq(E) / rsd_mat_sumsq(W));
    rsd_mat_free(&E);
    return error;
}

/* tr(G E H E'), G NULL: the identity. */
static inline double weighted(const double *G, rsd_mat E, const double *H)
{
    const int m = (int)E.m, n = (int)E.n;
    double sum = 0, *e = malloc(E.m * E.n * sizeof *e), *EH = malloc(E.m * E.n * sizeof *EH);
    assert_true(e && EH);
    for (size_t i = 0; i < E.m * E.n; i++)
        e[i] = (double)E.x[i / E.n * E.ld + i % E.n];
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, m, n, n, 1, e, n, H, n, 0, EH, n);
    for (size_t i = 0; i < E.m; i++)
        for (size_t k = G ? 0 : i; k < (G ? E.m : i + 1); k++)
            sum += (G ? G[i * E.m + k] : 1) * cblas_ddot(n, EH + i * E.n, 1, e + k * E.n, 1);
    free(EH);
    free(e);
    return sum;
}

#endif
