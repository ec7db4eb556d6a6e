/* Roots of second moments: the root squared is the moment, the two extremes of damping, and a
 * residual between two roots. */
#include "linalg/roots.h"
#include "par.h"
#include "rng.h"
#include "test.h"

#include <float.h>
#include <stdbool.h>

/* A'A / rows of a rows x n matrix of normals. */
static double *moment(size_t rows, size_t n, const char *key)
{
    rsd_rng *rng;
    double *M;
    float *x;
    CHECK_OK(rsd_array_alloc(n, n, sizeof *M, &M));
    CHECK_OK(rsd_array_alloc(rows, n, sizeof *x, &x));
    CHECK_OK(rsd_rng_alloc(9, key, &rng));
    rsd_rng_normals(rng, x, rows * n);
    rsd_rng_free(rng);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t r = 0; r < rows; r++)
                sum += (double)x[r * n + i] * (double)x[r * n + j];
            M[i * n + j] = sum / (double)rows;
        }
    free(x);
    return M;
}

static double trace(const double *M, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += M[i * n + i];
    return sum;
}

/* root root' = M + delta tr(M)/n I; eigenvalues are right to some n eps of the largest, <= trace.
 */
static void squares_back(void **state)
{
    (void)state;
    const size_t sizes[] = { 1, 2, 33, 130 };
    const double damping[] = { 0, 1e-3, 1 };
    for (size_t s = 0; s < 4; s++)
        for (size_t d = 0; d < 3; d++)
            for (int full = 0; full < 2; full++) {
                const size_t n = sizes[s], rows = full ? 2 * n : n / 2 + 1;
                double *M = moment(rows, n, "moment"), *root = moment(rows, n, "moment");
                const double tol = 8 * (double)n * DBL_EPSILON * trace(M, n) + 1e-300;
                size_t clamped;
                CHECK_OK(rsd_root(root, n, damping[d], &clamped));
                assert_true(clamped <= n - (rows < n ? rows : n));
                for (size_t i = 0; i < n; i++)
                    for (size_t j = 0; j < n; j++) {
                        double sum = 0;
                        for (size_t k = 0; k < n; k++)
                            sum += root[i * n + k] * root[j * n + k];
                        const double damp = i == j ? damping[d] * trace(M, n) / (double)n : 0;
                        CHECK_CLOSE(sum, M[i * n + j] + damp, tol);
                        CHECK_CLOSE(root[i * n + j], root[j * n + i], 0);
                    }
                free(M);
                free(root);
            }
}

static void exact_roots(void **state)
{
    (void)state;
    double D[9] = { 4, 0, 0, 0, 9, 0, 0, 0, 0 }, N[4] = { 1, 0, 0, -1e-20 }, Z[4] = { 0 };
    const double want[9] = { 2, 0, 0, 0, 3, 0, 0, 0, 0 };
    size_t clamped;
    CHECK_OK(rsd_root(D, 3, 0, &clamped));
    for (size_t i = 0; i < 9; i++)
        CHECK_CLOSE(D[i], want[i], 1e-15);
    assert_true(clamped <= 1); /* its 0, to rounding */
    CHECK_OK(rsd_root(N, 2, 0, &clamped));
    CHECK_CLOSE(N[3], 0, 0);
    assert_int_equal(clamped, 1);
    CHECK_OK(rsd_root(Z, 2, 0.5, &clamped)); /* a dead layer: nothing to damp with either */
    for (size_t i = 0; i < 4; i++)
        CHECK_CLOSE(Z[i], 0, 0);
}

static void refusals(void **state)
{
    (void)state;
    double bad[4] = { 1, NAN, 0, 1 }, infinite[1] = { INFINITY }, negative[1] = { -1 };
    size_t clamped;
    CHECK_FAILS(rsd_root(bad, 2, 0, &clamped), RSD_EDOM, "(0, 1)");
    CHECK_FAILS(rsd_root(infinite, 1, 0, &clamped), RSD_EDOM, "inf");
    CHECK_FAILS(rsd_root(negative, 1, 0, &clamped), RSD_EDOM, "trace -1");
}

/* Against plain loops, with a view that is wider than its columns; out may be R. */
/* F' F = M + delta tr(M)/n I, whether Cholesky finds F or, where M is singular, it is the root. */
static void any_root(void **state)
{
    (void)state;
    const size_t sizes[] = { 1, 2, 33, 130 };
    const double damping[] = { 0, 1e-3, 1 };
    for (size_t s = 0; s < 4; s++)
        for (size_t d = 0; d < 3; d++)
            for (int full = 0; full < 2; full++) {
                const size_t n = sizes[s], rows = full ? 2 * n : n / 2 + 1;
                double *M = moment(rows, n, "any"), *F = moment(rows, n, "any");
                const double tol = 8 * (double)n * DBL_EPSILON * trace(M, n) + 1e-300;
                CHECK_OK(rsd_any_root(F, n, damping[d]));
                for (size_t i = 0; i < n; i++)
                    for (size_t j = 0; j < n; j++) {
                        double sum = 0;
                        for (size_t k = 0; k < n; k++)
                            sum += F[k * n + i] * F[k * n + j];
                        const double damp = i == j ? damping[d] * trace(M, n) / (double)n : 0;
                        CHECK_CLOSE(sum, M[i * n + j] + damp, tol);
                    }
                free(M);
                free(F);
            }
    double D[4] = { 4, 2, 2, 10 }, S[4] = { 4, 2, 2, 1 }, N[4] = { 4, 0, 0, -1e-3 },
           bad[1] = { NAN };
    CHECK_OK(rsd_any_root(D, 2, 0));
    CHECK_CLOSE(D[0], 2, 1e-15); /* the upper factor, 0 below */
    CHECK_CLOSE(D[1], 1, 1e-15);
    CHECK_CLOSE(D[3], 3, 1e-15);
    assert_true(D[2] == 0);
    CHECK_OK(rsd_any_root(S, 2, 0)); /* singular */
    CHECK_CLOSE(S[0] * S[0] + S[2] * S[2], 4, 1e-14);
    CHECK_CLOSE(S[0] * S[1] + S[2] * S[3], 2, 1e-14);
    CHECK_OK(rsd_any_root(N, 2, 0)); /* below 0 by rounding: counts as 0 */
    CHECK_CLOSE(N[0], 2, 1e-15);
    CHECK_CLOSE(N[3], 0, 1e-15);
    CHECK_FAILS(rsd_any_root(bad, 1, 0), RSD_EDOM, "nan");
}

static void between_two_matrices(void **state)
{
    (void)state;
    const size_t shapes[][2] = { { 1, 1 }, { 1, 7 }, { 200, 3 }, { 193, 40 } };
    for (size_t s = 0; s < 4; s++)
        for (int with_g = 0; with_g < 2; with_g++) {
            const size_t m = shapes[s][0], n = shapes[s][1], ld = n + 3;
            double *G = moment(m + 1, m, "G"), *H = moment(n + 1, n, "H");
            rsd_rng *rng;
            rsd_mat wide, out;
            CHECK_OK(rsd_mat_alloc(m, ld, &wide));
            CHECK_OK(rsd_mat_alloc(m, n, &out));
            CHECK_OK(rsd_rng_alloc(1, "R", &rng));
            rsd_rng_normals(rng, wide.x, m * ld);
            rsd_rng_free(rng);
            const rsd_mat R = { wide.x, m, n, ld };
            CHECK_OK(rsd_between(with_g ? G : NULL, R, H, out));
            for (size_t i = 0; i < m; i++)
                for (size_t j = 0; j < n; j++) {
                    double want = 0, size = 0;
                    for (size_t a = with_g ? 0 : i; a < (with_g ? m : i + 1); a++)
                        for (size_t b = 0; b < n; b++) {
                            const double g = with_g ? G[i * m + a] : 1;
                            const double term = g * (double)R.x[a * ld + b] * H[b * n + j];
                            want += term;
                            size += fabs(term);
                        }
                    /* one rounding to float32, and one of double a term */
                    CHECK_CLOSE(out.x[i * n + j], want, FLT_EPSILON * fabs(want) + 1e-12 * size);
                }
            CHECK_OK(rsd_between(with_g ? G : NULL, R, H, R));
            for (size_t i = 0; i < m; i++)
                assert_memory_equal(R.x + i * ld, out.x + i * n, n * sizeof(float));
            rsd_mat_free(&out);
            rsd_mat_free(&wide);
            free(G);
            free(H);
        }
}

static void columns(void **state)
{
    (void)state;
    float x[] = { 1, 2, 3, -4, 5, 6 };
    const double d[] = { 4, 0, 2 };
    const rsd_mat R = { x, 2, 3, 3 };
    rsd_scale_columns(R, d, R);
    const float want[] = { 2, 0, (float)(3 * M_SQRT2), -8, 0, (float)(6 * M_SQRT2) };
    assert_memory_equal(x, want, sizeof want);
}

int main(void)
{
    rsd_par_init(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squares_back), cmocka_unit_test(exact_roots),
        cmocka_unit_test(refusals),     cmocka_unit_test(between_two_matrices),
        cmocka_unit_test(columns),      cmocka_unit_test(any_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
