/* Block Golub-Kahan-Lanczos.  Let K be A or A', whichever has the short side d first.  From a
 * random block Q_1 (d x b), b columns a step,
 *
 *   K' Q_j - P_{j-1} C_{j-1}' = P_j R_j,     K P_j - Q_j R_j' = Q_{j+1} C_j    (two QRs),
 *
 * so K' Q = P B with B block bidiagonal: on span(Q) the Ritz values are the singular values of B,
 * the roots of the eigenvalues of T = B'B, and with T's eigenvectors y the residuals are
 * Q_{j+1} C_j R_j (last block of y) / s.
 *
 * - Only Q, on the short side, is kept and made orthogonal in full: P is then as orthogonal as it
 *   must be (Simon & Zha, SIAM J. Sci. Comput. 21 (2000) 2257), at a third of the cost.
 * - A narrow block needs the fewest columns in all: for 200 values of a power law at 4096 x 11008,
 *   16 take 450 to 750, 32 take 540 to 930.  It is as wide as rsd_apply_single's vectors.
 * - Products are in float32 where their noise, about 1e-7 sigma_1, leaves room in the tolerance;
 *   what is reported is computed from A in double afterwards.
 * - Values converge from the top at a steady rate, so two looks at the residuals tell how many more
 *   columns it will take.  A flat spectrum has none converged by then, and is given up. */
#include "linalg/krylov.h"

#include "linalg/apply.h"
#include "linalg/eigen.h"
#include "linalg/leading.h"
#include "linalg/ritz.h"
#include "rng.h"

#include <assert.h>
#include <cblas.h>
#include <float.h>
#include <lapacke.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- what it costs, in multiplications of a double dgemm --- */

static size_t block_of(size_t count) { return count <= 8 ? 8 : RSD_LANES; }

/* The reduction of the Gram matrix is half matrix-vector products, bound by memory. */
static double full_cost(double d, double length) { return d * d * length / 2 + 1.5 * d * d * d; }

/* Products, orthogonalisation and residuals. */
static double cost(double d, double length, double count, double columns)
{
    return 2 * d * length * (columns + count) + 2 * d * columns * columns;
}

/* The Gram matrix and its Cholesky factor. */
static double proof_cost(double d, double length) { return d * d * length / 2 + d * d * d / 6; }

/* The most columns that are cheaper than the full spectrum. */
static size_t affordable(size_t m, size_t n, size_t count, bool quick)
{
    const double d = (double)(m < n ? m : n), length = (double)(m < n ? n : m);
    const double most = full_cost(d, length) - (quick ? 0 : proof_cost(d, length));
    double columns = 0;
    while (columns + 8 < d && cost(d, length, (double)count, columns + 8) < most)
        columns += 8;
    return (size_t)columns;
}

/* Power laws from k^-1 to k^-1/4 take 2.5 to 4.5 columns for each value. */
bool rsd_krylov_pays(size_t m, size_t n, size_t count, bool quick)
{
    return 4 * count + 4 * block_of(count) <= affordable(m, n, count, quick);
}

/* --- the basis --- */

typedef struct {
    rsd_mat A;
    bool tall, single;        /* d = n; products in float32 */
    size_t d, length, b;      /* short side, long side, block */
    size_t columns, most;     /* of Q: now, at most */
    double *q;                /* [most + b][d]; Q_{j+1} follows the first `columns` */
    double *p, *p_before;     /* [b][length] */
    double *r, *c, *cr, *old; /* [b][b], column-major: R_j, C_j, C_j R_j, room */
    double *t, *t_copy;       /* [most][most], lower triangle, column-major */
    double *lambda, *y;       /* [most], [count][most]: T's eigenvalues and eigenvectors */
    double *w;                /* [most + b][b], room */
    double *memory;
} krylov;

/* Hand out the doubles behind *at; with memory NULL, only count them. */
static double *carve(double *memory, size_t *at, size_t a, size_t b)
{
    double *const here = memory ? memory + *at : NULL;
    *at += a * b;
    return here;
}

/* Doubles that a basis takes, pointed to if k->memory is there. */
static size_t lay_out(krylov *k, size_t count)
{
    const size_t b = k->b, d = k->d, length = k->length, most = k->most;
    double *const memory = k->memory;
    size_t at = 0;
    k->q = carve(memory, &at, most + b, d);
    k->p = carve(memory, &at, b, length);
    k->p_before = carve(memory, &at, b, length);
    k->r = carve(memory, &at, b, b);
    k->c = carve(memory, &at, b, b);
    k->cr = carve(memory, &at, b, b);
    k->old = carve(memory, &at, b, b);
    k->t = carve(memory, &at, most, most);
    k->t_copy = carve(memory, &at, most, most);
    k->lambda = carve(memory, &at, most, 1);
    k->y = carve(memory, &at, most, count);
    k->w = carve(memory, &at, most + b, b);
    return at;
}

static krylov plan(size_t m, size_t n, size_t count)
{
    krylov k = { .tall = m >= n, .d = m < n ? m : n, .length = m < n ? n : m };
    k.b = block_of(count);
    k.most = affordable(m, n, count, true);
    if (k.most + k.b > k.d)
        k.most = k.d > k.b ? k.d - k.b : 0;
    return k;
}

size_t rsd_krylov_bytes(size_t m, size_t n, size_t count)
{
    krylov k = plan(m, n, count);
    const size_t basis = sizeof(double) * (lay_out(&k, count) + 8 * (m + n));
    const size_t proof = rsd_prove_leading_bytes(m, n, count);
    const size_t triplets = count * (2 * k.d + k.length + 8 * count) + RSD_PANEL * n;
    return sizeof(double) * triplets + (basis > proof ? basis : proof);
}

/* x = x R: x becomes orthonormal, R goes to r (upper triangle, the rest 0).  Householder, so that a
 * block of deficient rank gives orthonormal columns too. */
static void qr(const krylov *k, double *x, size_t rows, double *r)
{
    const size_t b = k->b;
    const lapack_int M = (lapack_int)rows, B = (lapack_int)b;
    double *const tau = k->w, *const work = k->w + b;
    lapack_int info = LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, M, B, x, M, tau, work, B);
    assert(info == 0);
    for (size_t j = 0; j < b; j++)
        for (size_t i = 0; i < b; i++)
            r[j * b + i] = i <= j ? x[j * rows + i] : 0;
    info = LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, M, B, B, x, M, tau, work, B);
    assert(info == 0);
}

/* y = A x or A' x for one block. */
static int multiply(const krylov *k, bool transposed, const double *x, double *y)
{
    return k->single ? rsd_apply_single(k->A, transposed, x, k->b, y)
                     : rsd_apply(k->A, transposed, x, k->b, y);
}

/* x = x - Q Q' x, over the first `columns` of Q. */
static void project_out(const krylov *k, size_t columns, double *x)
{
    const int d = (int)k->d, b = (int)k->b, c = (int)columns;
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, c, b, d, 1, k->q, d, x, d, 0, k->w, c);
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, d, b, c, -1, k->q, d, k->w, c, 1, x, d);
}

static void gemm(const krylov *k, CBLAS_TRANSPOSE ta, const double *a, CBLAS_TRANSPOSE tb,
                 const double *x, double beta, double *out)
{
    const int b = (int)k->b;
    cblas_dgemm(CblasColMajor, ta, tb, b, b, b, 1, a, b, x, b, beta, out, b);
}

/* Block row j of T = B'B: C_{j-1} R_{j-1} and R_j' R_j + C_{j-1} C_{j-1}'. */
static void extend_t(krylov *k)
{
    const size_t b = k->b, at = k->columns;
    gemm(k, CblasTrans, k->r, CblasNoTrans, k->r, 0, k->old);
    if (at)
        gemm(k, CblasNoTrans, k->c, CblasTrans, k->c, 1, k->old);
    for (size_t j = 0; j < at + b; j++)
        for (size_t i = 0; i < b; i++)
            k->t[j * k->most + at + i] = j >= at       ? k->old[(j - at) * b + i]
                                         : j + b >= at ? k->cr[(j + b - at) * b + i]
                                                       : 0;
}

/* From Q_j, P_{j-1}, C_{j-1} to P_j, Q_{j+1}, C_j. */
static int step(krylov *k)
{
    const size_t b = k->b;
    const int length = (int)k->length, B = (int)b;
    double *const q = k->q + k->columns * k->d, *const next = q + b * k->d;
    double *const swap = k->p;
    k->p = k->p_before;
    k->p_before = swap;
    RSD_TRY(multiply(k, !k->tall, q, k->p));
    if (k->columns)
        cblas_dgemm(CblasColMajor, CblasNoTrans, CblasTrans, length, B, B, -1, k->p_before, length,
                    k->c, B, 1, k->p, length);
    qr(k, k->p, k->length, k->r);
    extend_t(k);
    k->columns += b;

    /* Once before and once after scaling to norm 1: where the block is nearly exhausted, what is
     * left of it after the first pass is no longer orthogonal. */
    RSD_TRY(multiply(k, k->tall, k->p, next));
    project_out(k, k->columns, next);
    qr(k, next, k->d, k->c);
    project_out(k, k->columns, next);
    qr(k, next, k->d, k->old);
    cblas_dtrmm(CblasColMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, B, B, 1, k->old,
                B, k->c, B);
    gemm(k, CblasNoTrans, k->c, CblasNoTrans, k->r, 0, k->cr);
    return RSD_OK;
}

/* --- how far it is --- */

typedef struct {
    size_t converged; /* of `count` values, those with a residual within the tolerance */
    double norm;      /* ||R||_2 / sigma_1, the products' rounding left out */
} outlook;

static int look(krylov *k, size_t count, double tolerance, outlook *now)
{
    const size_t b = k->b, columns = k->columns;
    for (size_t j = 0; j < columns; j++)
        memcpy(k->t_copy + j * columns + j, k->t + j * k->most + j, (columns - j) * sizeof *k->t);
    RSD_TRY(rsd_eigen(k->t_copy, columns, count, k->lambda, k->y));
    double *const r = k->w; /* [count][b]: C_j R_j (last block of y_i) / s_i */
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)b, (int)count, (int)b, 1, k->cr,
                (int)b, k->y + columns - b, (int)columns, 0, r, (int)b);
    const double largest = sqrt(fmax(k->lambda[0], 0));
    *now = (outlook){ 0 };
    for (size_t i = 0; i < count; i++) {
        const double s = fmax(sqrt(fmax(k->lambda[i], 0)), 1e-8 * largest);
        cblas_dscal((int)b, 1 / (s * largest), r + i * b, 1);
        now->converged += cblas_dnrm2((int)b, r + i * b, 1) <= tolerance;
    }
    cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, (int)b, (int)count, 1, r, (int)b, 0,
                k->old, (int)b);
    RSD_TRY(rsd_eigen(k->old, b, 0, k->lambda, NULL));
    now->norm = sqrt(fmax(k->lambda[0], 0));
    return RSD_OK;
}

/* Columns still to come, from two looks: at the rate at which values converge, which still grows,
 * so that a third of it is not needed; or, for few values, at that at which the norm falls. */
static double forecast(outlook before, outlook now, double between, size_t count, double target)
{
    const double values = ((double)now.converged - (double)before.converged) / between;
    const double digits = log(before.norm / now.norm) / between;
    const double by_values = values > 0 ? 0.7 * (double)(count - now.converged) / values : INFINITY;
    const double by_norm = digits > 0 ? log(now.norm / target) / digits : INFINITY;
    return fmin(by_values, by_norm);
}

/* Step until the residuals of T say that it is done; *done is false if that would cost more than
 * the full spectrum. */
static int iterate(krylov *k, size_t count, double tolerance, bool *done)
{
    const double target = 0.7 * tolerance; /* for ||R||; the rest is for the products' rounding */
    outlook before = { .norm = 0 }, now;
    size_t seen = 0, at = count + k->b; /* columns at the last look and the next */
    *done = false;
    while (k->columns + k->b <= k->most) {
        RSD_TRY(step(k));
        if (k->columns < at)
            continue;
        RSD_TRY(look(k, count, tolerance, &now));
        *done = now.norm <= target;
        if (*done)
            return RSD_OK;
        at = k->columns + 2 * k->b;
        if (seen) {
            const double more = forecast(before, now, (double)(k->columns - seen), count, target);
            if ((double)k->columns + more > (double)k->most)
                return RSD_OK;
            at = k->columns + (size_t)(0.8 * more);
        }
        before = now;
        seen = k->columns;
    }
    return RSD_OK;
}

static int start(krylov *k, uint64_t seed)
{
    rsd_rng *rng;
    RSD_TRY(rsd_rng_alloc(seed, "krylov", &rng));
    for (size_t i = 0; i < k->b * k->d; i++)
        k->q[i] = rsd_rng_normal(rng);
    rsd_rng_free(rng);
    qr(k, k->q, k->d, k->r);
    return RSD_OK;
}

/* --- triplets of A from the basis --- */

typedef struct {
    double *x, *y; /* [count][d], [count][length] */
} vectors;

static int extract(const krylov *k, rsd_spectrum *out, vectors *v)
{
    const size_t count = out->count;
    RSD_TRY(rsd_array_alloc(count, k->d, sizeof *v->x, &v->x));
    RSD_TRY(rsd_array_alloc(count, k->length, sizeof *v->y, &v->y));
    cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, (int)k->d, (int)count, (int)k->columns,
                1, k->q, (int)k->d, k->y, (int)k->columns, 0, v->x, (int)k->d);
    return rsd_ritz(k->A, count, v->x, v->y, out->s);
}

/* Are there as many values within the tolerance of one another as the block has columns?  Of a
 * value that is repeated more often, so many are found. */
static bool crowded(const rsd_spectrum *s, size_t block, double tolerance)
{
    for (size_t i = 0; i + block <= s->count; i++)
        if (s->s[i] - s->s[i + block - 1] <= 2 * tolerance * s->s[0])
            return true;
    return false;
}

/* Vectors and error_bound; *done: is that within the tolerance? */
static int finish(rsd_mat A, const rsd_spectrum_opts *opts, const vectors *v, rsd_spectrum *out,
                  bool *done)
{
    const rsd_triplets t = { out->count, v->x, v->y, out->s };
    const double allowed = opts->tolerance * out->s[0];
    double norm;
    RSD_TRY(rsd_triplets_residual(A, &t, out->sumsq, &norm));
    out->error_bound = norm;
    if (opts->quick && crowded(out, block_of(out->count), opts->tolerance))
        out->error_bound = INFINITY;
    if (!opts->quick)
        RSD_TRY(rsd_prove_leading(A, &t, out->sumsq, norm, allowed, &out->error_bound));
    *done = out->error_bound <= allowed;
    out->proved = !opts->quick;
    if (out->vectors) {
        const bool tall = A.m >= A.n;
        memcpy(tall ? out->v : out->u, v->x, out->vectors * (tall ? A.n : A.m) * sizeof *v->x);
        memcpy(tall ? out->u : out->v, v->y, out->vectors * (tall ? A.m : A.n) * sizeof *v->y);
    }
    return RSD_OK;
}

int rsd_krylov_spectrum(rsd_mat A, const rsd_spectrum_opts *opts, rsd_spectrum *out, bool *done)
{
    int err = RSD_OK;
    krylov k = plan(A.m, A.n, out->count);
    vectors v = { NULL, NULL };
    *done = false;
    if (k.most < out->count + 3 * k.b || out->sumsq == 0)
        return RSD_OK;
    k.A = A;
    k.single =
        opts->tolerance >= 5e-7 && out->sumsq < 1e70 && out->sumsq > 1e-60; /* no float overflow */
    RSD_TRY_DONE(rsd_array_alloc(lay_out(&k, out->count), 1, sizeof(double), &k.memory));
    lay_out(&k, out->count);
    RSD_TRY_DONE(start(&k, opts->seed));
    RSD_TRY_DONE(iterate(&k, out->count, opts->tolerance, done));
    if (!*done)
        goto done;
    RSD_TRY_DONE(extract(&k, out, &v));
    free(k.memory); /* the proof needs room */
    k.memory = NULL;
    RSD_TRY_DONE(finish(A, opts, &v, out, done));
done:
    free(v.x);
    free(v.y);
    free(k.memory);
    return err;
}
