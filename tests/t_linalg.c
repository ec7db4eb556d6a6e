/* Spectra against LAPACK and against matrices whose answer is known. */
#include "test.h"

#include "linalg/gram.h"
#include "linalg/krylov.h"
#include "linalg/ritz.h"
#include "linalg/tridiag.h"
#include "rsd.h"

#include <float.h>
#include <lapacke.h>
#include <stdbool.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const double eps = DBL_EPSILON;

static size_t least(size_t a, size_t b) { return a < b ? a : b; }

static void *room(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size);
    assert_non_null(p);
    return p;
}

static rsd_mat zeros(size_t m, size_t n)
{
    rsd_mat A;
    CHECK_OK(rsd_mat_alloc(m, n, &A));
    memset(A.x, 0, m * n * sizeof *A.x);
    return A;
}

static rsd_mat gaussian(size_t m, size_t n, uint64_t seed)
{
    rsd_mat A = zeros(m, n);
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(seed, "t_linalg", &rng));
    rsd_rng_normals(rng, A.x, m * n);
    rsd_rng_free(rng);
    return A;
}

/* Rows of x[k][n] reflected: x := x (I - 2 w w' / w'w). */
static void reflect_rows(double *x, size_t k, size_t n, const float *w)
{
    double square = 0;
    for (size_t j = 0; j < n; j++)
        square += (double)w[j] * w[j];
    for (size_t i = 0; i < k; i++) {
        double dot = 0;
        for (size_t j = 0; j < n; j++)
            dot += x[i * n + j] * w[j];
        for (size_t j = 0; j < n; j++)
            x[i * n + j] -= 2 * dot / square * w[j];
    }
}

static void transpose(const double *x, size_t m, size_t n, double *out)
{
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            out[j * m + i] = x[i * n + j];
}

/* Orthogonal times diag(s) times orthogonal, rounded to float32: sigma is s to about 1e-7 s[0]. */
static rsd_mat with_spectrum(size_t m, size_t n, const double *s, uint64_t seed)
{
    rsd_mat A = zeros(m, n), w = gaussian(1, m + n, seed);
    double *x = room(m * n, sizeof *x), *y = room(m * n, sizeof *y);
    for (size_t i = 0; i < least(m, n); i++)
        x[i * n + i] = s[i];
    reflect_rows(x, m, n, w.x);
    transpose(x, m, n, y);
    reflect_rows(y, n, m, w.x + n);
    transpose(y, n, m, x);
    for (size_t i = 0; i < m * n; i++)
        A.x[i] = (float)x[i];
    free(x);
    free(y);
    rsd_mat_free(&w);
    return A;
}

static rsd_mat power_law(size_t m, size_t n, double exponent)
{
    double *s = room(least(m, n), sizeof *s);
    for (size_t i = 0; i < least(m, n); i++)
        s[i] = pow((double)(i + 1), -exponent);
    rsd_mat A = with_spectrum(m, n, s, 5);
    free(s);
    return A;
}

/* LAPACK's own answer; the caller frees it. */
static double *reference(rsd_mat A)
{
    double *a = room(A.m * A.n, sizeof *a), *s = room(least(A.m, A.n), sizeof *s);
    rsd_widen(A, 0, A.m, 0, A.n, a);
    assert_int_equal(LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', (lapack_int)A.n, (lapack_int)A.m, a,
                                    (lapack_int)A.n, s, NULL, 1, NULL, 1),
                     0);
    free(a);
    return s;
}

static rsd_spectrum compute(rsd_mat A, rsd_method method, size_t top, size_t vectors)
{
    rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    opts.method = method;
    opts.top = top;
    opts.vectors = vectors;
    rsd_spectrum s;
    CHECK_OK(rsd_spectrum_compute(A, &opts, &s));
    return s;
}

/* Shape, order, and values within the bound that the spectrum itself states. */
static void check_values(rsd_mat A, const rsd_spectrum *got)
{
    const size_t d = least(A.m, A.n);
    double *want = reference(A);
    const double lapack = 10 * sqrt((double)d) * eps * want[0]; /* the reference's own error */
    assert_int_equal(got->m, A.m);
    assert_int_equal(got->n, A.n);
    assert_int_equal(got->complete, got->count == d);
    for (size_t k = 0; k < got->count; k++) {
        CHECK_CLOSE(got->s[k], want[k], got->error_bound + lapack);
        assert_true(got->s[k] >= 0 && (k == 0 || got->s[k] <= got->s[k - 1]));
    }
    free(want);
}

static double dot(const double *x, const double *y, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

static void check_orthonormal(const double *x, size_t k, size_t n, double tol)
{
    for (size_t i = 0; i < k; i++)
        for (size_t j = 0; j <= i; j++)
            CHECK_CLOSE(dot(x + i * n, x + j * n, n), i == j, tol);
}

/* A v = s u and A' u = s v, each within tol s[0]. */
static void check_vectors(rsd_mat A, const rsd_spectrum *s, double tol)
{
    check_orthonormal(s->u, s->vectors, A.m, 1e-12);
    check_orthonormal(s->v, s->vectors, A.n, 1e-12);
    double *Av = room(s->vectors * A.m, sizeof *Av), *Au = room(s->vectors * A.n, sizeof *Au);
    CHECK_OK(rsd_apply(A, false, s->v, s->vectors, Av));
    CHECK_OK(rsd_apply(A, true, s->u, s->vectors, Au));
    for (size_t k = 0; k < s->vectors; k++) {
        for (size_t i = 0; i < A.m; i++)
            CHECK_CLOSE(Av[k * A.m + i], s->s[k] * s->u[k * A.m + i], tol * s->s[0]);
        for (size_t j = 0; j < A.n; j++)
            CHECK_CLOSE(Au[k * A.n + j], s->s[k] * s->v[k * A.n + j], tol * s->s[0]);
    }
    free(Av);
    free(Au);
}

static const size_t shapes[][2] = { { 1, 1 },     { 1, 7 },     { 7, 1 },     { 2, 3 },
                                    { 3, 2 },     { 33, 33 },   { 64, 17 },   { 17, 64 },
                                    { 129, 257 }, { 300, 100 }, { 100, 300 }, { 193, 192 },
                                    { 191, 193 } };

/* --- full spectra --- */

static void gram_and_gesdd_agree_with_lapack(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(shapes); i++) {
        rsd_mat A = gaussian(shapes[i][0], shapes[i][1], i);
        rsd_spectrum gram = compute(A, RSD_METHOD_GRAM, 0, 0);
        rsd_spectrum gesdd = compute(A, RSD_METHOD_GESDD, 0, 0);
        assert_int_equal(gram.method, RSD_METHOD_GRAM);
        assert_int_equal(gesdd.method, RSD_METHOD_GESDD);
        assert_true(gram.error_bound <= 1.5e-8 * gram.s[0]);
        assert_true(gesdd.error_bound <= 2e-13 * gesdd.s[0]);
        check_values(A, &gram);
        check_values(A, &gesdd);
        CHECK_CLOSE(dot(gram.s, gram.s, gram.count), gram.sumsq, 1e-13 * gram.sumsq);
        rsd_spectrum_free(&gram);
        rsd_spectrum_free(&gesdd);
        rsd_mat_free(&A);
    }
}

static void views_with_a_stride_are_read_right(void **state)
{
    (void)state;
    rsd_mat all = gaussian(60, 90, 1);
    for (size_t i = 0; i < 60 * 90; i++)
        if (i % 90 < 10 || i % 90 >= 50 || i / 90 < 5)
            all.x[i] = NAN; /* whoever reads beside the view fails */
    const rsd_mat view = { all.x + 5 * 90 + 10, 55, 40, 90 };
    for (rsd_method method = RSD_METHOD_GRAM; method <= RSD_METHOD_GESDD; method++) {
        rsd_spectrum s = compute(view, method, 0, 7);
        check_values(view, &s);
        check_vectors(view, &s, 1e-13);
        rsd_spectrum_free(&s);
    }
    rsd_mat_free(&all);
}

static void diagonals_give_their_entries(void **state)
{
    (void)state;
    static const float diagonal[] = { 0.5F, -2.385F, 1e-3F, 7.25F, 0.5F };
    static const double want[] = { 7.25, 2.385F, 0.5, 0.5, 1e-3F };
    rsd_mat A = zeros(5, 9);
    for (size_t i = 0; i < 5; i++)
        A.x[i * 9 + (i * 2)] = diagonal[i];
    for (rsd_method method = RSD_METHOD_AUTO; method <= RSD_METHOD_GESDD; method++) {
        rsd_spectrum s = compute(A, method, 0, 0);
        for (size_t k = 0; k < 5; k++)
            CHECK_CLOSE(s.s[k], want[k], 1e-11 * want[0]);
        rsd_spectrum_free(&s);
    }
    rsd_mat_free(&A);
}

/* Rounding to float32 moves a spectrum by at most ||dA||_F <= 2^-24 ||A||_F. */
static void planted_spectra_are_found(void **state)
{
    (void)state;
    enum { D = 90 };
    double s[D];
    for (size_t i = 0; i < D; i++) /* one far above, a cluster, a repeated value, a tail */
        s[i] = i == 0 ? 100 : i < 20 ? 10 + 1e-9 * (20.0 - (double)i) : i < 60 ? 3 : 0.01;
    double sumsq = dot(s, s, D);
    rsd_mat A = with_spectrum(150, D, s, 3);
    for (rsd_method method = RSD_METHOD_GRAM; method <= RSD_METHOD_GESDD; method++) {
        rsd_spectrum got = compute(A, method, 0, D);
        assert_int_equal(got.method, method);
        for (size_t k = 0; k < D; k++)
            CHECK_CLOSE(got.s[k], s[k], ldexp(sqrt(sumsq), -24));
        check_vectors(A, &got, 1e-12);
        rsd_spectrum_free(&got);
    }
    rsd_mat_free(&A);
}

/* Factors of small integers: the product is exact in float32. */
static rsd_mat rank_four(size_t m, size_t n)
{
    rsd_mat A = zeros(m, n);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++)
            for (size_t k = 0; k < 4; k++)
                A.x[i * n + j] += (float)((int)((i * (7 + 4 * k) + k * i * i) % 13) - 6) *
                                  (float)((int)((j * (5 + 6 * k) + 3 * k * j * j) % 17) - 8);
    return A;
}

static void low_rank_shows_as_zeros(void **state)
{
    (void)state;
    static const size_t top[] = { 0, 8, 4 };
    rsd_mat A = rank_four(200, 150);
    for (size_t i = 0; i < COUNT(top); i++) {
        rsd_spectrum s = compute(A, RSD_METHOD_AUTO, top[i], top[i]);
        size_t above = 0;
        for (size_t k = 0; k < s.count; k++)
            above += s.s[k] > 1e-12 * s.s[0];
        assert_int_equal(above, 4);
        if (top[i] == 0)
            assert_int_equal(s.method, RSD_METHOD_GESDD);
        check_values(A, &s);
        if (top[i])
            check_vectors(A, &s, 1e-6);
        rsd_spectrum_free(&s);
    }
    rsd_mat_free(&A);
}

static void small_values_are_done_again(void **state)
{
    (void)state;
    rsd_mat H = zeros(40, 40); /* Hilbert's, of condition 1e18 and more */
    for (size_t i = 0; i < 40; i++)
        for (size_t j = 0; j < 40; j++)
            H.x[i * 40 + j] = 1 / (float)(i + j + 1);
    rsd_spectrum s = compute(H, RSD_METHOD_GRAM, 0, 0);
    assert_int_equal(s.method, RSD_METHOD_GESDD);
    check_values(H, &s);
    rsd_spectrum_free(&s);
    s = compute(H, RSD_METHOD_GRAM, 4, 4); /* of which none is small */
    assert_int_equal(s.method, RSD_METHOD_GRAM);
    check_values(H, &s);
    check_vectors(H, &s, 1e-12);
    rsd_spectrum_free(&s);
    rsd_mat_free(&H);
}

static void zero_has_zeros_and_some_basis(void **state)
{
    (void)state;
    rsd_mat A = zeros(12, 30);
    for (rsd_method method = RSD_METHOD_AUTO; method <= RSD_METHOD_KRYLOV; method++) {
        rsd_spectrum s = compute(A, method, 5, 5);
        for (size_t k = 0; k < 5; k++)
            assert_true(s.s[k] == 0);
        assert_true(s.sumsq == 0 && s.error_bound == 0);
        check_orthonormal(s.u, 5, 12, 1e-12);
        check_orthonormal(s.v, 5, 30, 1e-12);
        rsd_spectrum_free(&s);
    }
    rsd_mat_free(&A);
}

/* Scaling by a power of two is exact in float32 and all but exact in the spectrum. */
static void any_scale_of_float_will_do(void **state)
{
    (void)state;
    static const int powers[] = { 100, -100, 124, -120 };
    static const rsd_method methods[] = { RSD_METHOD_GRAM, RSD_METHOD_GESDD, RSD_METHOD_KRYLOV };
    rsd_mat A = power_law(90, 400, 0.5), B = zeros(90, 400);
    for (size_t i = 0; i < COUNT(powers); i++)
        for (size_t j = 0; j < COUNT(methods); j++) {
            for (size_t k = 0; k < 90 * 400; k++)
                B.x[k] = ldexpf(A.x[k] - fmodf(A.x[k], 0x1p-20F), powers[i]);
            rsd_spectrum s = compute(B, methods[j], 4, 4);
            check_values(B, &s);
            check_vectors(B, &s, 1e-6);
            rsd_spectrum_free(&s);
        }
    rsd_mat_free(&A);
    rsd_mat_free(&B);
}

static void nan_and_inf_are_found_first(void **state)
{
    (void)state;
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    rsd_mat A = gaussian(8, 6, 2);
    rsd_spectrum s;
    for (size_t i = 0; i < COUNT(bad); i++)
        for (rsd_method method = RSD_METHOD_AUTO; method <= RSD_METHOD_KRYLOV; method++) {
            const rsd_spectrum_opts opts = { .method = method, .top = 2, .tolerance = 1e-6 };
            A.x[2 * 6 + 3] = bad[i];
            CHECK_FAILS(rsd_spectrum_compute(A, &opts, &s), RSD_EDOM, "(2,3)");
            rsd_spectrum_free(&s);
        }
    rsd_mat_free(&A);
}

static void options_out_of_range_are_refused(void **state)
{
    (void)state;
    rsd_mat A = gaussian(4, 6, 2);
    rsd_spectrum s;
    rsd_spectrum_opts o = RSD_SPECTRUM_DEFAULTS;
    CHECK_FAILS(rsd_spectrum_compute((rsd_mat){ A.x, 0, 6, 6 }, &o, &s), RSD_EARG, "0 x 6");
    rsd_spectrum_free(&s);
    CHECK_FAILS(rsd_spectrum_compute((rsd_mat){ A.x, (size_t)1 << 31, 6, 6 }, &o, &s), RSD_EARG,
                "2147483648 x 6");
    o.top = 5;
    CHECK_FAILS(rsd_spectrum_compute(A, &o, &s), RSD_EARG, "4 singular values, not 5");
    o.top = 2;
    o.vectors = 3;
    CHECK_FAILS(rsd_spectrum_compute(A, &o, &s), RSD_EARG, "3 singular vectors wanted of 2");
    o.top = 0;
    o.vectors = 5;
    CHECK_FAILS(rsd_spectrum_compute(A, &o, &s), RSD_EARG, "5 singular vectors wanted of 4");
    o = (rsd_spectrum_opts){ .method = RSD_METHOD_KRYLOV, .tolerance = 1e-6 };
    CHECK_FAILS(rsd_spectrum_compute(A, &o, &s), RSD_EARG, "krylov");
    o.top = 1;
    static const double tolerances[] = { 0, -1, 1, NAN };
    for (size_t i = 0; i < COUNT(tolerances); i++) {
        o.tolerance = tolerances[i];
        CHECK_FAILS(rsd_spectrum_compute(A, &o, &s), RSD_EARG, "tolerance");
    }
    rsd_spectrum_free(&s);
    rsd_spectrum_free(&s); /* harmless */
    rsd_mat_free(&A);
}

static void names_are_the_option_words(void **state)
{
    (void)state;
    char words[64] = "";
    for (rsd_method method = RSD_METHOD_AUTO; method <= RSD_METHOD_KRYLOV; method++) {
        strcat(words, method ? "|" : "");
        strcat(words, rsd_method_name(method));
    }
    assert_string_equal(words, RSD_METHOD_WORDS);
}

/* --- truncated spectra --- */

static void krylov_keeps_its_certificate(void **state)
{
    (void)state;
    static const struct {
        size_t m, n, top;
        double exponent, tolerance;
    } cases[] = {
        { 500, 900, 8, 1, 1e-6 },  { 900, 500, 8, 1, 1e-6 }, { 500, 500, 20, 0.5, 1e-6 },
        { 500, 900, 8, 1, 1e-11 }, { 900, 500, 3, 2, 1e-3 }, { 301, 1201, 1, 0.5, 1e-6 },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        rsd_mat A = power_law(cases[i].m, cases[i].n, cases[i].exponent);
        const rsd_spectrum_opts opts = { .method = RSD_METHOD_KRYLOV,
                                         .top = cases[i].top,
                                         .vectors = cases[i].top,
                                         .tolerance = cases[i].tolerance };
        rsd_spectrum s;
        CHECK_OK(rsd_spectrum_compute(A, &opts, &s));
        assert_int_equal(s.method, RSD_METHOD_KRYLOV);
        assert_false(s.complete);
        assert_true(s.error_bound > 0 && s.error_bound <= 1.01 * cases[i].tolerance * s.s[0]);
        check_values(A, &s);
        check_vectors(A, &s, cases[i].tolerance);
        rsd_spectrum_free(&s);
        rsd_mat_free(&A);
    }
}

static void krylov_gives_a_flat_spectrum_up(void **state)
{
    (void)state;
    rsd_mat A = gaussian(400, 500, 8);
    rsd_spectrum s = compute(A, RSD_METHOD_KRYLOV, 12, 12);
    assert_int_equal(s.method, RSD_METHOD_GRAM);
    assert_int_equal(s.count, 12);
    check_values(A, &s);
    check_vectors(A, &s, 1e-12);
    rsd_spectrum_free(&s);
    s = compute(A, RSD_METHOD_KRYLOV, 400, 0); /* all of them: nothing to truncate */
    assert_int_equal(s.method, RSD_METHOD_GRAM);
    assert_true(s.complete);
    check_values(A, &s);
    rsd_spectrum_free(&s);
    rsd_mat_free(&A);
}

/* Sixteen equal values, as many as the block has columns. */
static void krylov_finds_repeated_values(void **state)
{
    (void)state;
    double s[400];
    for (size_t i = 0; i < 400; i++)
        s[i] = i < 16 ? 1 : i < 30 ? 0.5 : 1e-3 / (double)i;
    rsd_mat A = with_spectrum(400, 600, s, 4);
    rsd_spectrum got = compute(A, RSD_METHOD_KRYLOV, 20, 20);
    assert_int_equal(got.method, RSD_METHOD_KRYLOV);
    check_values(A, &got);
    check_vectors(A, &got, 1e-6);
    rsd_spectrum_free(&got);
    rsd_mat_free(&A);
}

static void auto_takes_krylov_where_it_pays(void **state)
{
    (void)state;
    assert_true(rsd_krylov_pays(4096, 11008, 200, true));
    assert_false(rsd_krylov_pays(4096, 11008, 200, false)); /* the proof is half the work */
    assert_true(rsd_krylov_pays(4096, 4096, 100, false));
    assert_true(rsd_krylov_pays(768, 768, 16, false));
    assert_false(rsd_krylov_pays(768, 768, 200, false));
    assert_false(rsd_krylov_pays(4096, 11008, 2000, false));
    assert_false(rsd_krylov_pays(1, 1, 1, false));
    rsd_mat A = power_law(400, 450, 1);
    static const size_t top[] = { 0, 100, 4 };
    static const rsd_method want[] = { RSD_METHOD_GRAM, RSD_METHOD_GRAM, RSD_METHOD_KRYLOV };
    for (size_t i = 0; i < COUNT(top); i++) {
        rsd_spectrum s = compute(A, RSD_METHOD_AUTO, top[i], 0);
        assert_int_equal(s.method, want[i]);
        assert_int_equal(s.count, top[i] ? top[i] : 400);
        check_values(A, &s);
        rsd_spectrum_free(&s);
    }
    rsd_mat_free(&A);
}

static void the_same_seed_gives_the_same_bits(void **state)
{
    (void)state;
    rsd_mat A = power_law(500, 400, 1);
    rsd_spectrum_opts opts = {
        .method = RSD_METHOD_KRYLOV,
        .top = 6,
        .vectors = 6,
        .tolerance = 1e-6,
        .seed = 1,
    };
    rsd_spectrum s[3];
    for (size_t i = 0; i < 3; i++) {
        opts.seed = i < 2 ? 1 : 2;
        CHECK_OK(rsd_spectrum_compute(A, &opts, &s[i]));
        assert_int_equal(s[i].method, RSD_METHOD_KRYLOV);
    }
    assert_memory_equal(s[0].s, s[1].s, 6 * sizeof *s[0].s);
    assert_memory_equal(s[0].v, s[1].v, 6 * 400 * sizeof *s[0].v);
    assert_memory_not_equal(s[0].v, s[2].v, 6 * 400 * sizeof *s[0].v);
    for (size_t i = 0; i < 3; i++)
        rsd_spectrum_free(&s[i]);
    rsd_mat_free(&A);
}

/* Working memory: two float32 copies' worth for the Gram matrix of a square, and little else. */
static void plans_know_the_memory(void **state)
{
    (void)state;
    rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    const double gram = (double)rsd_spectrum_bytes(4096, 11008, &opts);
    assert_true(gram > 8 * 4096. * 4096. && gram < 1.1 * 8 * 4096. * 4096.);
    opts.method = RSD_METHOD_GESDD;
    const double gesdd = (double)rsd_spectrum_bytes(4096, 11008, &opts);
    assert_true(gesdd > 8 * 4096. * 11008. && gesdd < 1.1 * 8 * 4096. * 11008.);
    opts = (rsd_spectrum_opts){ .method = RSD_METHOD_AUTO, .top = 200 };
    assert_true((double)rsd_spectrum_bytes(4096, 11008, &opts) >= gram);
}

/* --- what they are made of --- */

static void tridiagonal_second_differences(void **state)
{
    (void)state;
    for (size_t n = 1; n <= 300; n += n < 40 ? 1 : 37) {
        double diag[300], off[300], got[300];
        for (size_t i = 0; i < n; i++) {
            diag[i] = 2;
            off[i] = -1;
        }
        CHECK_OK(rsd_tridiag_eigenvalues(n, diag, off, got));
        for (size_t k = 0; k < n; k++)
            CHECK_CLOSE(got[k], 2 + 2 * cos(M_PI * (double)(k + 1) / (double)(n + 1)), 20 * eps);
    }
}

static void check_tridiagonal(size_t n, const double *diag, const double *off)
{
    double *got = room(n, sizeof *got), *d = room(n, sizeof *d), *e = room(n, sizeof *e);
    memcpy(d, diag, n * sizeof *d);
    memcpy(e, off, (n - 1) * sizeof *e);
    CHECK_OK(rsd_tridiag_eigenvalues(n, diag, off, got));
    assert_int_equal(LAPACKE_dsterf((lapack_int)n, d, e), 0);
    const double norm = fmax(fabs(d[0]), fabs(d[n - 1]));
    for (size_t k = 0; k < n; k++) /* QL's error, the larger, grows with n */
        CHECK_CLOSE(got[k], d[n - 1 - k], (10 + (double)n) * eps * norm);
    free(got);
    free(d);
    free(e);
}

static void tridiagonal_agrees_with_ql(void **state)
{
    (void)state;
    enum { N = 150 };
    double diag[N], off[N];
    for (size_t i = 0; i < 21; i++) { /* Wilkinson's: pairs that agree to 14 digits */
        diag[i] = fabs(10 - (double)i);
        off[i] = 1;
    }
    check_tridiagonal(21, diag, off);
    for (int pass = 0; pass < 5; pass++) {
        for (size_t i = 0; i < N; i++) {
            const double noise = sin(1000 * (double)i * (double)i);
            diag[i] = noise;
            off[i] = cos(77 * (double)i);
            if (pass == 1) /* falls apart into many small matrices, some empty */
                off[i] = i % 3 ? 0 : off[i];
            if (pass == 2) { /* graded over 300 binary orders */
                diag[i] = ldexp(noise, -2 * (int)i);
                off[i] = ldexp(1, -2 * (int)i - 1);
            }
            if (pass == 3) { /* rank 5 and rounding errors */
                diag[i] = i < 5 ? noise : 1e-17 * noise;
                off[i] = i < 4 ? 0.3 : 1e-17;
            }
            if (pass == 4) {
                diag[i] = 1e120 * noise;
                off[i] *= 1e120;
            }
        }
        check_tridiagonal(N, diag, off);
    }
    memset(off, 0, sizeof off);
    for (size_t i = 0; i < N; i++)
        diag[i] = 2.385;
    check_tridiagonal(N, diag, off);
    memset(diag, 0, sizeof diag);
    CHECK_OK(rsd_tridiag_eigenvalues(N, diag, off, diag));
    assert_true(diag[0] == 0 && diag[N - 1] == 0);
}

static void eigenvectors_are_orthonormal_and_belong(void **state)
{
    (void)state;
    enum { N = 70, K = 30 };
    double s[N], A[N * N], copy[N * N], lambda[N], x[K * N];
    for (size_t i = 0; i < N; i++)
        s[i] = i < 10 ? 2 : 1 / (double)i;
    rsd_mat W = with_spectrum(N, N, s, 6);
    CHECK_OK(rsd_gram(W, A));
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j <= i; j++)
            copy[j * N + i] = copy[i * N + j] = A[j * N + i];
    CHECK_OK(rsd_eigen(A, N, K, lambda, x));
    check_orthonormal(x, K, N, 1e-12);
    for (size_t k = 0; k < K; k++)
        for (size_t i = 0; i < N; i++)
            CHECK_CLOSE(dot(copy + i * N, x + k * N, N), lambda[k] * x[k * N + i],
                        100 * eps * lambda[0]);
    rsd_mat_free(&W);
}

static void apply_sums_in_double(void **state)
{
    (void)state;
    rsd_mat A = gaussian(2 * RSD_PANEL + 3, 11, 9);
    double x[2 * 11], back[2 * 11], *y = room(2 * A.m, sizeof *y);
    for (size_t j = 0; j < 22; j++)
        x[j] = 1 / (double)(j + 3);
    CHECK_OK(rsd_apply(A, false, x, 2, y));
    CHECK_OK(rsd_apply(A, true, y, 2, back));
    for (size_t k = 0; k < 2; k++)
        for (size_t j = 0; j < 11; j++) {
            double want = 0;
            for (size_t i = 0; i < A.m; i++) {
                double yi = 0;
                for (size_t l = 0; l < 11; l++)
                    yi += (double)A.x[i * 11 + l] * x[k * 11 + l];
                CHECK_CLOSE(y[k * A.m + i], yi, 1e-14);
                want += (double)A.x[i * 11 + j] * yi;
            }
            CHECK_CLOSE(back[k * 11 + j], want, 1e-12 * (double)A.m);
        }
    free(y);
    rsd_mat_free(&A);
}

/* Float32 products of short sums: within 2^-20 |A| |x| sqrt(n), any shape, any threads the same
 * bits. */
static void apply_single_is_near_and_the_same_on_any_threads(void **state)
{
    (void)state;
    static const size_t vectors[] = { 1, 16, 37 };
    rsd_mat all = gaussian(600, 530, 4);
    for (size_t i = 0; i < COUNT(shapes) * COUNT(vectors) * 2; i++) {
        const size_t *shape = shapes[i / 2 % COUNT(shapes)], k = vectors[i / 2 / COUNT(shapes)];
        const bool transposed = i % 2, large = shape[0] == 193;
        rsd_mat A = { all.x, large ? 597 : shape[0], large ? 523 : shape[1], all.ld };
        const size_t in = transposed ? A.m : A.n, out = transposed ? A.n : A.m;
        double *x = room(k * in, sizeof *x), *want = room(k * out, sizeof *want);
        double *one = room(k * out, sizeof *one), *three = room(k * out, sizeof *three);
        for (size_t j = 0; j < k * in; j++)
            x[j] = sin((double)(j * j + i));
        CHECK_OK(rsd_apply(A, transposed, x, k, want));
        rsd_par_init(3);
        CHECK_OK(rsd_apply_single(A, transposed, x, k, three));
        rsd_par_init(1);
        CHECK_OK(rsd_apply_single(A, transposed, x, k, one));
        assert_memory_equal(one, three, k * out * sizeof *one);
        for (size_t j = 0; j < k * out; j++) /* |A| < 5, |x| <= 1 */
            CHECK_CLOSE(one[j], want[j], 0x1p-20 * 5 * sqrt((double)in));
        free(x);
        free(want);
        free(one);
        free(three);
    }
    rsd_par_init(0);
    rsd_mat_free(&all);
}

/* Whatever the subspace, there is a singular value of A within the certificate of each s. */
static void residuals_bound_the_error(void **state)
{
    (void)state;
    enum { M = 40, N = 25, K = 6 };
    rsd_mat A = gaussian(M, N, 10), start = gaussian(K, N, 11);
    double x[K * N], y[K * M], s[K], each[K], norm, *sigma = reference(A);
    for (size_t rounds = 0; rounds < 4; rounds++) {
        for (size_t i = 0; i < K * N; i++)
            x[i] = start.x[i];
        for (size_t r = 0; r < rounds * 30; r++) {
            CHECK_OK(rsd_ritz(A, K, x, y, s));
            CHECK_OK(rsd_apply(A, true, y, K, x));
        }
        CHECK_OK(rsd_ritz(A, K, x, y, s));
        CHECK_OK(rsd_ritz_residual(A, K, x, y, s, &norm, each));
        check_orthonormal(x, K, N, 1e-13);
        check_orthonormal(y, K, M, 1e-13);
        for (size_t i = 0; i < K; i++) {
            double nearest = INFINITY;
            for (size_t k = 0; k < N; k++)
                nearest = fmin(nearest, fabs(sigma[k] - s[i]));
            assert_true(nearest <= each[i] + 1e-13 && each[i] <= norm + 1e-13);
            assert_true(s[i] <= sigma[i] + 1e-13);
        }
        if (rounds == 3)
            for (size_t i = 0; i < K; i++)
                CHECK_CLOSE(s[i], sigma[i], norm + 1e-13);
    }
    for (size_t j = 0; j < N; j++)
        x[N + j] = x[j];
    CHECK_FAILS(rsd_ritz(A, K, x, y, s), RSD_ECONV, "not independent");
    free(sigma);
    rsd_mat_free(&A);
    rsd_mat_free(&start);
}

/* --- low rank, subspaces --- */

/* ||W - BA||^2 is the sum of the squares left over (Eckart & Young), to float32's rounding. */
static void lowrank_is_the_best(void **state)
{
    (void)state;
    static const size_t ranks[] = { 1, 4, 17, 40 };
    for (size_t wide = 0; wide < 2; wide++)
        for (size_t i = 0; i < COUNT(ranks); i++) {
            const size_t r = ranks[i], m = wide ? 40 : 70, n = wide ? 70 : 40;
            rsd_mat W = gaussian(m, n, 12), memory = zeros(m, r + 3), A = zeros(r, n);
            rsd_mat B = { memory.x, m, r, r + 3 }, C = zeros(m, n);
            double sigma[40], left = 0, *all = reference(W);
            CHECK_OK(rsd_lowrank(W, r, 0, B, A, sigma));
            rsd_mat_mul(B, A, C);
            rsd_mat_sub(W, C, C);
            for (size_t k = 0; k < 40; k++)
                left += k >= r ? all[k] * all[k] : 0;
            CHECK_CLOSE(rsd_mat_sumsq(C), left, 1e-6 * dot(all, all, 40));
            for (size_t k = 0; k < r; k++) {
                double squares = 0;
                for (size_t j = 0; j < n; j++)
                    squares += (double)A.x[k * n + j] * A.x[k * n + j];
                CHECK_CLOSE(sigma[k], all[k], 1e-6 * all[0]);
                CHECK_CLOSE(squares, all[k], 1e-6 * all[0]); /* half of sigma on either side */
            }
            CHECK_OK(rsd_lowrank(W, r, 0, B, A, NULL));
            free(all);
            rsd_mat_free(&W);
            rsd_mat_free(&memory);
            rsd_mat_free(&A);
            rsd_mat_free(&C);
        }
}

static void lowrank_refuses_what_is_not_there(void **state)
{
    (void)state;
    rsd_mat W = gaussian(5, 7, 1), B = zeros(5, 6), A = zeros(6, 7);
    CHECK_FAILS(rsd_lowrank(W, 6, 0, B, A, NULL), RSD_EARG, "5 singular values, not 6");
    CHECK_FAILS(rsd_lowrank(W, 0, 0, (rsd_mat){ B.x, 5, 0, 6 }, (rsd_mat){ A.x, 0, 7, 7 }, NULL),
                RSD_EARG, "rank 0");
    W.x[7] = NAN;
    CHECK_FAILS(rsd_lowrank(W, 2, 0, (rsd_mat){ B.x, 5, 2, 6 }, (rsd_mat){ A.x, 2, 7, 7 }, NULL),
                RSD_EDOM, "(1,0)");
    rsd_mat_free(&W);
    rsd_mat_free(&B);
    rsd_mat_free(&A);
}

static void products_are_exact_in_integers(void **state)
{
    (void)state;
    float b[] = { 1, 2, 99, 3, 4, 99, 5, 6, 99 }, a[] = { 7, 8, 9, 10 };
    float c[6], want[] = { 25, 28, 57, 64, 89, 100 };
    rsd_mat_mul((rsd_mat){ b, 3, 2, 3 }, (rsd_mat){ a, 2, 2, 2 }, (rsd_mat){ c, 3, 2, 2 });
    assert_memory_equal(c, want, sizeof c);
}

static void angles_of_known_planes(void **state)
{
    (void)state;
    const double c = cos(0.3), s = sin(0.3);
    const double u[] = { 1, 0, 0, 0, /**/ 0, 1, 0, 0 };
    const double v[] = { 0, c, s, 0, /**/ 0, 0, 0, 1, /**/ 1, 0, 0, 0 };
    double cosines[2];
    CHECK_OK(rsd_principal_cosines(u, 2, v, 3, 4, cosines));
    CHECK_CLOSE(cosines[0], 1, 4 * eps);
    CHECK_CLOSE(cosines[1], c, 4 * eps);
    CHECK_CLOSE(rsd_overlap(cosines, 2, 3), (1 + c * c) / 2, 4 * eps);
    CHECK_OK(rsd_principal_cosines(v, 3, u, 2, 4, cosines));
    CHECK_CLOSE(cosines[1], c, 4 * eps);
    CHECK_OK(rsd_principal_cosines(u, 2, v + 4, 1, 4, cosines));
    CHECK_CLOSE(cosines[0], 0, eps);
    CHECK_OK(rsd_principal_cosines(u, 2, u, 2, 4, cosines));
    assert_true(cosines[0] <= 1 && cosines[1] <= cosines[0]);
    CHECK_CLOSE(rsd_overlap(cosines, 2, 2), 1, 8 * eps);
    CHECK_FAILS(rsd_principal_cosines(u, 0, v, 3, 4, cosines), RSD_EARG, "between 0 and 3");
    CHECK_FAILS(rsd_principal_cosines(u, 2, v, 0, 4, cosines), RSD_EARG, "between 2 and 0");
    CHECK_FAILS(rsd_principal_cosines(u, 5, v, 3, 4, cosines), RSD_EARG, "of length 4");
}

/* The mean over 40 pairs is within 5 standard errors of max(i,j)/d. */
static void random_planes_overlap_as_expected(void **state)
{
    (void)state;
    enum { D = 60, MORE = 9, LESS = 4, PAIRS = 40 };
    double sum = 0, squares = 0;
    for (uint64_t pair = 0; pair < PAIRS; pair++) {
        rsd_mat U = gaussian(D, D, 100 + 2 * pair), V = gaussian(D, D, 101 + 2 * pair);
        rsd_spectrum u = compute(U, RSD_METHOD_GRAM, MORE, MORE),
                     v = compute(V, RSD_METHOD_GRAM, LESS, LESS);
        double cosines[LESS];
        CHECK_OK(rsd_principal_cosines(u.v, MORE, v.v, LESS, D, cosines));
        const double phi = rsd_overlap(cosines, MORE, LESS);
        sum += phi;
        squares += phi * phi;
        rsd_spectrum_free(&u);
        rsd_spectrum_free(&v);
        rsd_mat_free(&U);
        rsd_mat_free(&V);
    }
    const double mean = sum / PAIRS, sd = sqrt(squares / PAIRS - mean * mean);
    CHECK_CLOSE(rsd_overlap_random(MORE, LESS, D), (double)MORE / D, eps);
    CHECK_CLOSE(mean, rsd_overlap_random(MORE, LESS, D), 5 * sd / sqrt(PAIRS));
    assert_true(sd > 0 && sd < 0.1);
}

int main(void)
{
    rsd_par_init(0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gram_and_gesdd_agree_with_lapack),
        cmocka_unit_test(views_with_a_stride_are_read_right),
        cmocka_unit_test(diagonals_give_their_entries),
        cmocka_unit_test(planted_spectra_are_found),
        cmocka_unit_test(low_rank_shows_as_zeros),
        cmocka_unit_test(small_values_are_done_again),
        cmocka_unit_test(zero_has_zeros_and_some_basis),
        cmocka_unit_test(any_scale_of_float_will_do),
        cmocka_unit_test(nan_and_inf_are_found_first),
        cmocka_unit_test(options_out_of_range_are_refused),
        cmocka_unit_test(names_are_the_option_words),
        cmocka_unit_test(krylov_keeps_its_certificate),
        cmocka_unit_test(krylov_gives_a_flat_spectrum_up),
        cmocka_unit_test(krylov_finds_repeated_values),
        cmocka_unit_test(auto_takes_krylov_where_it_pays),
        cmocka_unit_test(the_same_seed_gives_the_same_bits),
        cmocka_unit_test(plans_know_the_memory),
        cmocka_unit_test(tridiagonal_second_differences),
        cmocka_unit_test(tridiagonal_agrees_with_ql),
        cmocka_unit_test(eigenvectors_are_orthonormal_and_belong),
        cmocka_unit_test(apply_sums_in_double),
        cmocka_unit_test(apply_single_is_near_and_the_same_on_any_threads),
        cmocka_unit_test(residuals_bound_the_error),
        cmocka_unit_test(lowrank_is_the_best),
        cmocka_unit_test(lowrank_refuses_what_is_not_there),
        cmocka_unit_test(products_are_exact_in_integers),
        cmocka_unit_test(angles_of_known_planes),
        cmocka_unit_test(random_planes_overlap_as_expected),
    };
    return cmocka_run_group_tests_name("linalg", tests, NULL, NULL);
}
