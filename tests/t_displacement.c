/* What a step of Adam does to a correction: layers that can be worked out by hand, and steps of
 * random signs that are taken. */
#include "adapters/displacement.h"
#include "linalg/roots.h"
#include "linalg/spectrum.h"
#include "par.h"
#include "rng.h"
#include "test.h"

#include <stdbool.h>

enum { ROWS = 6, COLS = 8, RANK = 2, NUMBERS = ROWS * COLS };

/* ---- by hand ---- */

/* W_q = 0, R = [p 0 0; 0 q 0], G = diag(2, 3), H = diag(1, 4, 9): G^(1/2) R H^(1/2) has the values
 * sqrt(2) p and sqrt(12) q. */
static int by_hand(const rsd_adapter *a, float p, float q, double damping, double b_ratio,
                   double scale, double *delta)
{
    double G[4] = { 2 * scale, 0, 0, 3 * scale }, H[9] = { 1, 0, 0, 0, 4, 0, 0, 0, 9 };
    float r[6] = { p, 0, 0, 0, q, 0 }, w[6] = { 0 };
    const rsd_displacement_options o = { damping, b_ratio };
    return rsd_displacement(a, (rsd_mat){ w, 2, 3, 3 }, (rsd_mat){ r, 2, 3, 3 }, G, H, &o, delta);
}

static void known_layers(void **state)
{
    (void)state;
    float A[3] = { 1, -2, 0.5F }, B[2] = { 3, -1 }, none[2] = { 0 };
    rsd_adapter a = { .m = 2, .n = 3, .rank = 1, .pool = 1, .scale = 0.5F, .A = A, .B = B };
    /* A H A' = 1 + 16 + 9/4, B' G B = 18 + 3, tr G = 5, tr H = 14 */
    const double AHA = 19.25, BGB = 21, tail = sqrt(2.0) * 0.3;
    double delta;
    CHECK_OK(by_hand(&a, 0.3F, 0.7F, 0, 1, 1, &delta));
    CHECK_CLOSE(delta, 0.5 * sqrt(5 * AHA + 14 * BGB) / tail, 1e-6 * delta);
    CHECK_OK(by_hand(&a, 0.3F, 0.7F, 0, 16, 1, &delta)); /* LoRA+ */
    CHECK_CLOSE(delta, 0.5 * sqrt(256 * 5 * AHA + 14 * BGB) / tail, 1e-6 * delta);
    CHECK_OK(by_hand(&a, 0.3F, 0.7F, 0, 1, 1e-9, &delta)); /* gradients of another size */
    CHECK_CLOSE(delta, 0.5 * sqrt(5 * AHA + 14 * BGB) / tail, 1e-6 * delta);
    a.B = none; /* as LoRA starts */
    CHECK_OK(by_hand(&a, 0.3F, 0.7F, 0, 1, 1, &delta));
    CHECK_CLOSE(delta, 0.5 * sqrt(5 * AHA) / tail, 1e-6 * delta);
    a.B = B; /* damping of 1 adds the means, 2.5 and 14/3: sigma are products of diagonals */
    CHECK_OK(by_hand(&a, 0.3F, 0.7F, 1, 1, 1, &delta));
    const double damped = 10 * (AHA + 14.0 / 3 * 5.25) + (BGB + 2.5 * 10) * 28;
    CHECK_CLOSE(delta, 0.5 * sqrt(damped) / (0.3 * sqrt(4.5 * 17 / 3)), 1e-6 * delta);
}

/* Where nothing is left, nothing can be spoilt. */
static void nothing_left(void **state)
{
    (void)state;
    float A[6] = { 1, -2, 0.5F, 3, 1, 1 }, B[4] = { 3, -1, 2, 1 };
    rsd_adapter a = { .m = 2, .n = 3, .rank = 1, .pool = 1, .scale = 1, .A = A, .B = B };
    double delta = 0;
    CHECK_OK(by_hand(&a, 0, 0, 0, 1, 1, &delta));
    assert_true(isnan(delta));
    CHECK_OK(by_hand(&a, 0.3F, 0, 0, 1, 1, &delta)); /* R has the adapter's rank */
    assert_true(isnan(delta));
    a.rank = 2; /* and it can be all of R */
    CHECK_OK(by_hand(&a, 0.3F, 0.7F, 0, 1, 1, &delta));
    assert_true(isnan(delta));
}

static void refusals(void **state)
{
    (void)state;
    float A[4] = { 1 }, B[2] = { 3 };
    rsd_adapter a = { .m = 2, .n = 4, .rank = 1, .pool = 1, .scale = 1, .A = A, .B = B };
    double delta;
    CHECK_FAILS(by_hand(&a, 1, 1, 0, 1, 1, &delta), RSD_EARG, "2 x 4");
    a.n = 3;
    a.rank = 0;
    CHECK_FAILS(by_hand(&a, 1, 1, 0, 1, 1, &delta), RSD_EARG, "rank 0");
    a.rank = 1;
    CHECK_FAILS(by_hand(&a, 1, 1, 0, 1, NAN, &delta), RSD_EDOM, "nan");
}

/* ---- steps that are taken ---- */

typedef struct {
    rsd_adapter a;
    float A[RANK * COLS], B[ROWS * RANK], lambda[RANK], magnitude[ROWS], W[NUMBERS], R[NUMBERS];
    double G[ROWS * ROWS], H[COLS * COLS];
} layer;

static rsd_mat matrix(float *x) { return (rsd_mat){ x, ROWS, COLS, COLS }; }

/* Second moments of as many vectors as there are channels, or fewer: singular then. */
static void draw_moment(rsd_rng *rng, size_t n, size_t vectors, double *M)
{
    float x[COLS * COLS];
    rsd_rng_normals(rng, x, n * vectors);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++) {
            M[i * n + j] = 0;
            for (size_t k = 0; k < vectors; k++)
                M[i * n + j] += (double)x[k * n + i] * (double)x[k * n + j];
        }
}

/* still: A and B are 0, so that only what dora has besides them moves. */
static void draw_layer(rsd_variant v, bool singular, bool still, rsd_rng *rng, layer *l)
{
    const size_t pool = v == RSD_QALORA ? 4 : 1;
    *l = (layer){ .a = { .m = ROWS, .n = COLS, .rank = RANK, .pool = pool, .scale = 1.5F } };
    l->a.A = l->A;
    l->a.B = l->B;
    if (!still) {
        rsd_rng_normals(rng, l->A, RANK * COLS / pool);
        rsd_rng_normals(rng, l->B, ROWS * RANK);
    }
    rsd_rng_normals(rng, l->lambda, RANK);
    rsd_rng_normals(rng, l->W, NUMBERS);
    rsd_rng_normals(rng, l->R, NUMBERS);
    draw_moment(rng, ROWS, singular ? 3 : ROWS, l->G);
    draw_moment(rng, COLS, singular ? 4 : COLS, l->H);
    if (v == RSD_ADALORA)
        l->a.lambda = l->lambda;
    if (v != RSD_DORA)
        return;
    float V[NUMBERS]; /* as it starts: the norms of W + C */
    CHECK_OK(rsd_adapter_delta(&l->a, matrix(V)));
    for (size_t i = 0; i < ROWS; i++) {
        double sum = 0;
        for (size_t j = 0; j < COLS; j++)
            sum += pow((double)V[i * COLS + j] + (double)l->W[i * COLS + j], 2);
        l->magnitude[i] = (float)sqrt(sum);
    }
    l->a.magnitude = l->magnitude;
}

static void step(rsd_rng *rng, double eta, size_t n, const float *from, float *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = from[i] + (float)(rsd_rng_bits(rng) & 1 ? eta : -eta);
}

/* Mean and standard error of ||G^(1/2) (the weight after a step - before) H^(1/2)||^2 / eta^2. */
static void take_steps(const layer *l, double b_ratio, rsd_rng *rng, double *mean, double *se)
{
    enum { STEPS = 4000 };
    const double eta = 1e-3;
    float before[NUMBERS], after[NUMBERS];
    double sum = 0, squares = 0;
    memcpy(before, l->W, sizeof before);
    CHECK_OK(rsd_adapter_merge(&l->a, matrix(before)));
    for (size_t k = 0; k < STEPS; k++) {
        layer moved = *l;
        double moves;
        step(rng, eta, RANK * COLS / l->a.pool, l->A, moved.A);
        step(rng, eta * b_ratio, ROWS * RANK, l->B, moved.B);
        step(rng, eta, RANK, l->lambda, moved.lambda);
        step(rng, eta, ROWS, l->magnitude, moved.magnitude);
        moved.a.A = moved.A;
        moved.a.B = moved.B;
        moved.a.lambda = l->a.lambda ? moved.lambda : NULL;
        moved.a.magnitude = l->a.magnitude ? moved.magnitude : NULL;
        memcpy(after, l->W, sizeof after);
        CHECK_OK(rsd_adapter_merge(&moved.a, matrix(after)));
        rsd_mat_sub(matrix(after), matrix(before), matrix(after));
        CHECK_OK(rsd_quadratic(l->G, matrix(after), l->H, &moves));
        moves /= eta * eta;
        sum += moves;
        squares += moves * moves;
    }
    *mean = sum / STEPS;
    *se = sqrt((squares / STEPS - *mean * *mean) / STEPS);
}

/* What rank 2 leaves of G^(1/2) R H^(1/2), by roots. */
static double tail_by_roots(const layer *l)
{
    const rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    layer copy = *l;
    rsd_spectrum s;
    size_t clamped;
    double tail = 0;
    CHECK_OK(rsd_root(copy.G, ROWS, 0, &clamped));
    CHECK_OK(rsd_root(copy.H, COLS, 0, &clamped));
    CHECK_OK(rsd_between(copy.G, matrix(copy.R), copy.H, matrix(copy.R)));
    CHECK_OK(rsd_spectrum_compute(matrix(copy.R), &opts, &s));
    for (size_t k = RANK; k < s.count; k++)
        tail += s.s[k] * s.s[k];
    rsd_spectrum_free(&s);
    return tail;
}

/* What the formula says over what steps say; *error: four standard errors of it. */
static double said_over_seen(const layer *l, double b_ratio, rsd_rng *rng, double *error)
{
    const rsd_displacement_options o = { .b_ratio = b_ratio };
    layer copy = *l;
    double mean, se, delta;
    take_steps(l, b_ratio, rng, &mean, &se);
    const double tail = tail_by_roots(l);
    copy.a = l->a;
    CHECK_OK(rsd_displacement(&copy.a, matrix(copy.W), matrix(copy.R), copy.G, copy.H, &o, &delta));
    *error = 4 * se / mean + 1e-3; /* a step's second order, float32 */
    return delta * delta * tail / mean;
}

static void steps_displace(void **state)
{
    (void)state;
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(3, "steps", &rng));
    for (int v = RSD_LORA; v < RSD_VARIANTS; v++)
        for (int singular = 0; singular < 2; singular++)
            for (int plus = 0; plus < 2; plus++) {
                double error;
                layer l;
                draw_layer((rsd_variant)v, singular, v == RSD_DORA, rng, &l);
                const double ratio = said_over_seen(&l, plus ? 2.5 : 1, rng, &error);
                if (!(fabs(ratio - 1) <= error))
                    fail_msg("%s, singular %d, plus %d: %g times what steps say, +- %g",
                             rsd_variant_name((rsd_variant)v), singular, plus, ratio, error);
            }
    rsd_rng_free(rng);
}

/* The part of a row's move along the row itself, a share of about 1 / COLS, does nothing: dora
 * normalizes it away. */
static void dora_turns_rows(void **state)
{
    (void)state;
    rsd_rng *rng;
    double error;
    layer l;
    CHECK_OK(rsd_rng_alloc(3, "rows", &rng));
    draw_layer(RSD_DORA, false, false, rng, &l);
    const double ratio = said_over_seen(&l, 1, rng, &error);
    if (!(ratio > 1 && ratio < 1.4))
        fail_msg("%g times what steps say", ratio);
    rsd_rng_free(rng);
}

int main(void)
{
    rsd_par_init(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_layers),    cmocka_unit_test(nothing_left),
        cmocka_unit_test(refusals),        cmocka_unit_test(steps_displace),
        cmocka_unit_test(dora_turns_rows),
    };
    return cmocka_run_group_tests_name("displacement", tests, NULL, NULL);
}
