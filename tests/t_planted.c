/* The verdict on layers whose answer is known, as it was planted: R, H and G are made, their
 * spectra computed, the nulls' signs drawn and seen through the same H and G. */
#include "linalg/roots.h"
#include "linalg/spectrum.h"
#include "mat.h"
#include "quantizers/quantizer.h"
#include "rng.h"
#include "spectra/marchenko_pastur.h"
#include "spectra/nulls.h"
#include "spectra/verdict.h"

#include "test.h"

enum { ROWS = 48, COLS = 64, RANK = 6, LAYERS = 10, DRAWS = 3, SEEDS = 100 };
static const double least = 0.01;

typedef struct {
    double share, energy;
} capture;

/* of A at RANK */
static capture capture_of(rsd_mat A)
{
    const rsd_spectrum_opts opts = RSD_SPECTRUM_DEFAULTS;
    rsd_spectrum s;
    capture c = { 0 };
    CHECK_OK(rsd_spectrum_compute(A, &opts, &s));
    for (size_t k = 0; k < RANK; k++)
        c.share += s.s[k] * s.s[k] / s.sumsq;
    c.energy = s.sumsq;
    rsd_spectrum_free(&s);
    return c;
}

/* In every weighting; roots of H and G, NULL: isotropic. */
static void see(rsd_mat R, const double *H, const double *G, capture out[RSD_WEIGHTINGS])
{
    rsd_mat M;
    CHECK_OK(rsd_mat_alloc(R.m, R.n, &M));
    const capture plain = capture_of(R);
    for (int k = 0; k < RSD_WEIGHTINGS; k++) {
        const double *left = k == RSD_WEIGHTING_G || k == RSD_WEIGHTING_GH ? G : NULL;
        const double *right = k == RSD_WEIGHTING_H || k == RSD_WEIGHTING_GH ? H : NULL;
        out[k] = plain;
        if (!left && !right)
            continue;
        CHECK_OK(rsd_between(left, R, right, M));
        out[k] = capture_of(M);
    }
    rsd_mat_free(&M);
}

static rsd_capture_shares shares_of(rsd_rng *rng, rsd_mat R, const double *H, const double *G)
{
    rsd_capture_shares s = { 0 };
    capture own[RSD_WEIGHTINGS], drawn[RSD_WEIGHTINGS];
    double noise[ROWS], energy[RSD_WEIGHTINGS] = { 0 };
    rsd_mat N;
    CHECK_OK(rsd_mat_alloc(R.m, R.n, &N));
    see(R, H, G, own);
    for (int d = 0; d < DRAWS; d++) {
        rsd_null_draw(RSD_NULL_SIGN_FLIP, R, rng, N);
        see(N, H, G, drawn);
        for (int k = 0; k < RSD_WEIGHTINGS; k++) {
            s.null[k] += drawn[k].share / DRAWS;
            energy[k] += drawn[k].energy / DRAWS;
        }
    }
    CHECK_OK(rsd_mp_curves(R.m, R.n, NULL, noise));
    s.noise = noise[RANK - 1];
    for (int k = 0; k < RSD_WEIGHTINGS; k++) {
        s.share[k] = own[k].share;
        s.energy[k] = own[k].energy / energy[k];
    }
    rsd_mat_free(&N);
    return s;
}

/* ---- what is planted ---- */

/* White noise, with `spikes` directions whose energy is `strength` times the noise's; entries in
 * blocks of 16 columns of a row times exp(spread z). */
static rsd_mat residual(rsd_rng *rng, size_t spikes, double strength, double spread)
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
    for (size_t i = 0; i < ROWS * COLS && spread > 0; i += 16) {
        const float scale = (float)exp(spread * rsd_rng_normal(rng));
        for (size_t j = i; j < i + 16; j++)
            R.x[j] *= scale;
    }
    return R;
}

/* E[x x'] of x = sum_k z_k k^(-decay/2) a_k over `dims` directions. */
static double *moment(rsd_rng *rng, size_t n, size_t dims, double decay)
{
    double *H = calloc(n * n, sizeof *H);
    for (size_t k = 0; k < dims; k++) {
        float a[COLS];
        rsd_rng_normals(rng, a, n);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                H[i * n + j] += pow((double)(k + 1), -decay) * (double)a[i] * (double)a[j];
    }
    return H;
}

static double *root_of_moment(rsd_rng *rng, size_t n, size_t dims, double decay)
{
    size_t clamped;
    double *H = moment(rng, n, dims, decay);
    CHECK_OK(rsd_root(H, n, 0, &clamped));
    return H;
}

/* Ten layers; inputs, outputs: directions of x and g, 0: isotropic. */
typedef struct {
    size_t spikes, inputs, outputs;
    double strength, spread;
} plant;

static rsd_verdict planted(const plant *p)
{
    rsd_rng *rng;
    rsd_capture_shares layer[LAYERS];
    rsd_verdict v;
    CHECK_OK(rsd_rng_alloc(8, "planted", &rng));
    for (size_t i = 0; i < LAYERS; i++) {
        rsd_mat R = residual(rng, p->spikes, p->strength, p->spread);
        double *H = p->inputs ? root_of_moment(rng, COLS, p->inputs, 0) : NULL;
        double *G = p->outputs ? root_of_moment(rng, ROWS, p->outputs, 0) : NULL;
        layer[i] = shares_of(rng, R, H, G);
        free(H);
        free(G);
        rsd_mat_free(&R);
    }
    CHECK_OK(rsd_verdict_reach(layer, NULL, LAYERS, least, 1, &v));
    rsd_rng_free(rng);
    double sum = 0;
    for (rsd_part k = 0; k < RSD_PARTS; k++)
        sum += v.part[k].value;
    CHECK_CLOSE(sum, v.held.value, 1e-12);
    assert_int_equal(v.in, RSD_WEIGHTING_GH);
    return v;
}

/* The cause, for sure, and no other part is named. */
static void check_cause(const rsd_verdict *v, rsd_part cause)
{
    assert_string_equal(rsd_cause_name(v->cause), rsd_cause_name(cause));
    assert_true(v->sure);
    for (rsd_part k = RSD_PART_SCALES; k < RSD_PARTS; k++)
        assert_true(rsd_verdict_names(v, k) == (k == cause));
}

static void inputs_in_a_subspace_are_data(void **state)
{
    (void)state;
    const rsd_verdict v = planted(&(plant){ .inputs = RANK });
    check_cause(&v, RSD_PART_DATA);
    CHECK_CLOSE(v.held.value, 1, 1e-6); /* rank 6 holds all that inputs reach */
    CHECK_CLOSE(v.part[RSD_PART_OWN].value, 0, 1e-6);
    CHECK_CLOSE(v.energy.value, 1, 0.2); /* of signs that are drawn: as its null */
}

static void gradients_in_a_subspace_are_loss(void **state)
{
    (void)state;
    const rsd_verdict v = planted(&(plant){ .outputs = RANK });
    check_cause(&v, RSD_PART_LOSS);
    CHECK_CLOSE(v.held.value, 1, 1e-6);
}

static void a_spiked_residual_is_its_own(void **state)
{
    (void)state;
    const rsd_verdict v = planted(&(plant){ .spikes = RANK, .strength = 2 });
    assert_string_equal(rsd_cause_name(v.cause), "own");
    assert_true(v.sure && rsd_verdict_names(&v, RSD_PART_OWN));
    assert_false(rsd_verdict_names(&v, RSD_PART_DATA) || rsd_verdict_names(&v, RSD_PART_LOSS));
    /* two thirds of the energy is planted; noise holds its share of the rest, and of the null */
    assert_true(v.part[RSD_PART_OWN].value > 0.3 && v.part[RSD_PART_OWN].value < 0.6);
}

static void scales_of_blocks_are_scales(void **state)
{
    (void)state;
    const rsd_verdict v = planted(&(plant){ .spread = 1 });
    check_cause(&v, RSD_PART_SCALES);
}

/* ---- feedback ---- */

/* GPTQ's residual of white weights, its inputs those of H; plain rounding of the same beside it. */
static rsd_verdict rounded(const char *spec, const double *H, const double *root)
{
    rsd_rng *rng;
    rsd_capture_shares layer[LAYERS];
    rsd_verdict v;
    rsd_spec s;
    rsd_mat W, Q;
    rsd_quant_stats stats;
    const rsd_calibration c = { .m = ROWS, .n = COLS, .H = H, .tokens = 4096 };
    CHECK_OK(rsd_spec_parse(spec, &s));
    CHECK_OK(rsd_rng_alloc(5, "rounded", &rng));
    CHECK_OK(rsd_mat_alloc(ROWS, COLS, &W));
    CHECK_OK(rsd_mat_alloc(ROWS, COLS, &Q));
    for (size_t i = 0; i < LAYERS; i++) {
        rsd_rng_normals(rng, W.x, ROWS * COLS);
        CHECK_OK(rsd_quantize(&s, W, s.quantizer->calibration ? &c : NULL, Q, &stats, NULL));
        rsd_mat_sub(W, Q, W);
        layer[i] = shares_of(rng, W, root, NULL);
    }
    CHECK_OK(rsd_verdict_reach(layer, NULL, LAYERS, least, 1, &v));
    rsd_mat_free(&W);
    rsd_mat_free(&Q);
    rsd_rng_free(rng);
    return v;
}

static void feedback_lies_below_its_null(void **state)
{
    (void)state;
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(6, "inputs", &rng));
    double *H = moment(rng, COLS, COLS, 1.5), *root = calloc(COLS * COLS, sizeof *root);
    size_t clamped;
    memcpy(root, H, COLS * COLS * sizeof *root);
    CHECK_OK(rsd_root(root, COLS, 0, &clamped));

    const rsd_verdict gptq = rounded("gptq:bits=3,group=32", H, root);
    assert_true(rsd_verdict_names(&gptq, RSD_PART_OWN));
    assert_true(gptq.part[RSD_PART_OWN].high < -least);
    assert_true(gptq.energy.high < 0.8);
    assert_string_equal(rsd_cause_name(gptq.cause), "data"); /* what is left of it */

    const rsd_verdict plain = rounded("int:bits=3,group=32", H, root);
    assert_false(rsd_verdict_names(&plain, RSD_PART_OWN));
    CHECK_CLOSE(plain.energy.value, 1, 0.1);
    free(root);
    free(H);
    rsd_rng_free(rng);
}

/* ---- nothing ---- */

/* Of SEEDS verdicts on white residuals, those that name each part. */
static void count_names(const double *H, const double *G, size_t named[RSD_PARTS])
{
    rsd_rng *rng;
    for (rsd_part k = 0; k < RSD_PARTS; k++)
        named[k] = 0;
    CHECK_OK(rsd_rng_alloc(9, "nothing", &rng));
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        rsd_capture_shares layer[LAYERS];
        rsd_verdict v;
        for (size_t i = 0; i < LAYERS; i++) {
            rsd_mat R = residual(rng, 0, 0, 0);
            layer[i] = shares_of(rng, R, H, G);
            rsd_mat_free(&R);
        }
        CHECK_OK(rsd_verdict_reach(layer, NULL, LAYERS, least, seed, &v));
        for (rsd_part k = RSD_PART_SCALES; k < RSD_PARTS; k++)
            named[k] += rsd_verdict_names(&v, k);
        named[RSD_PART_NOISE] += v.cause != RSD_PART_NOISE;
    }
    rsd_rng_free(rng);
}

static void white_noise_is_nothing(void **state)
{
    (void)state;
    size_t named[RSD_PARTS], any = 0;
    count_names(NULL, NULL, named);
    for (rsd_part k = RSD_PART_SCALES; k < RSD_PARTS; k++)
        any += named[k];
    assert_in_range(any, 0, SEEDS * 5 / 100);
    assert_in_range(named[RSD_PART_NOISE], 0, any);
}

/* What H and G gather is theirs, and nothing is the residual's own. */
static void noise_through_data_has_nothing_of_its_own(void **state)
{
    (void)state;
    rsd_rng *rng;
    size_t named[RSD_PARTS];
    CHECK_OK(rsd_rng_alloc(10, "moments", &rng));
    double *H = root_of_moment(rng, COLS, COLS, 1), *G = root_of_moment(rng, ROWS, ROWS, 1);
    count_names(H, G, named);
    assert_true(named[RSD_PART_DATA] == SEEDS && named[RSD_PART_LOSS] == SEEDS);
    assert_in_range(named[RSD_PART_SCALES] + named[RSD_PART_OWN], 0, SEEDS * 5 / 100);
    free(H);
    free(G);
    rsd_rng_free(rng);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inputs_in_a_subspace_are_data),
        cmocka_unit_test(gradients_in_a_subspace_are_loss),
        cmocka_unit_test(a_spiked_residual_is_its_own),
        cmocka_unit_test(scales_of_blocks_are_scales),
        cmocka_unit_test(feedback_lies_below_its_null),
        cmocka_unit_test(white_noise_is_nothing),
        cmocka_unit_test(noise_through_data_has_nothing_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
