/* Errors on normal weights, against numbers that others published or measured. */
#include "fp.h"
#include "quantizers/blocks.h"
#include "quantizers/quantizer.h"
#include "rng.h"

#include "quantizer_data.h"
#include "test.h"

/* Means over batches of a matrix of N(0,1), each its own estimate: their spread gives the error. */
enum { SIDE = 1024, BATCH = 4096, BATCHES = SIDE * SIDE / BATCH };

typedef struct {
    double mean, error; /* and the standard error */
} estimate;

static estimate average(const double *x)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < BATCHES; i++)
        sum += x[i];
    const double mean = sum / BATCHES;
    for (int i = 0; i < BATCHES; i++)
        squares += (x[i] - mean) * (x[i] - mean);
    return (estimate){ mean, sqrt(squares / (BATCHES - 1.0) / BATCHES) };
}

typedef enum { ABS, REL, RMSE, LEAK } measure;

static estimate measured(measure what, rsd_mat W, rsd_mat Wq)
{
    double x[BATCHES] = { 0 };
    for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
        const double w = W.x[i], r = w - Wq.x[i];
        x[i / BATCH] += what == ABS    ? fabs(r)
                        : what == REL  ? fabs(r) / (fabs(w) + 1e-8)
                        : what == RMSE ? r * r
                                       : r * w; /* <W,W> is known: its mean is 1 */
    }
    for (int i = 0; i < BATCHES; i++)
        x[i] /= BATCH;
    estimate e = average(x);
    if (what == RMSE)
        e = (estimate){ sqrt(e.mean), e.error / (2 * sqrt(e.mean)) };
    return e;
}

static rsd_mat normal_square(void)
{
    rsd_mat W;
    rsd_rng *rng;
    CHECK_OK(rsd_mat_alloc(SIDE, SIDE, &W));
    CHECK_OK(rsd_rng_alloc(11, "anchors", &rng));
    rsd_rng_normals(rng, W.x, (size_t)SIDE * SIDE);
    rsd_rng_free(rng);
    return W;
}

typedef struct {
    const char *text;
    measure what;
    double value, half_digit; /* half a unit of the last digit that is given */
} anchor;

/* Within three standard errors of the difference, the anchor being from a sample no larger. */
static void check_anchors(const anchor *a, size_t count)
{
    rsd_mat W = normal_square(), Wq = like(W);
    const char *before = "";
    for (size_t i = 0; i < count; i++) {
        rsd_quant_stats stats;
        if (strcmp(a[i].text, before) != 0)
            quantize(a[i].text, W, Wq, &stats);
        before = a[i].text;
        const estimate e = measured(a[i].what, W, Wq);
        const double tol = 3 * sqrt(2) * e.error + a[i].half_digit;
        if (!(fabs(e.mean - a[i].value) <= tol))
            fail_msg("%s, measure %d: got %.6f, want %.6f +- %.6f", a[i].text, a[i].what, e.mean,
                     a[i].value, tol);
    }
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

/* bitsandbytes' published test tolerances, means over randn 1024 x 1024. */
static void test_bitsandbytes_errors(void **state)
{
    (void)state;
    static const anchor anchors[] = {
        { "nf4:block=32", ABS, .067746, 5e-7 },
        { "nf4:block=32", REL, .189726, 5e-7 },
        { "nf4:block=32", RMSE, .08725, 5e-6 },
        { "nf4", ABS, .072798, 5e-7 },
        { "nf4", REL, .203339, 5e-7 },
        { "nf4", RMSE, .091923, 5e-7 },
        { "nf4:block=128", ABS, .076831, 5e-7 },
        { "nf4:block=128", REL, .215237, 5e-7 },
        { "nf4:block=128", RMSE, .09555, 5e-6 },
        { "nf4:block=256", ABS, .080337, 5e-7 },
        { "nf4:block=256", REL, .226105, 5e-7 },
        { "nf4:block=256", RMSE, .09865, 5e-6 },
        { "nf4:block=512", ABS, .083547, 5e-7 },
        { "nf4:block=1024", ABS, .086610, 5e-7 },
        { "nf4:block=1024", REL, .245370, 5e-7 },
        { "nf4:block=1024", RMSE, .10439, 5e-6 },
        { "nf4:block=2048", ABS, .089592, 5e-7 },
        { "nf4:block=4096", ABS, .092547, 5e-7 },
        { "nf4:block=4096", REL, .262473, 5e-7 },
        { "nf4:block=4096", RMSE, .11021, 5e-6 },
        { "fp4:block=32", ABS, .088925, 5e-7 },
        { "fp4:block=32", REL, .242443, 5e-7 },
        { "fp4", ABS, .096543, 5e-7 },
        { "fp4", REL, .260125, 5e-7 },
        { "fp4", RMSE, .121972, 5e-7 },
        { "fp4:block=128", ABS, .102969, 5e-7 },
        { "fp4:block=128", REL, .275817, 5e-7 },
        { "fp4:block=256", ABS, .108684, 5e-7 },
        { "fp4:block=256", REL, .289831, 5e-7 },
        { "fp4:block=512", ABS, .114115, 5e-7 },
        { "fp4:block=1024", ABS, .119333, 5e-7 },
        { "fp4:block=2048", ABS, .124556, 5e-7 },
        { "fp4:block=4096", ABS, .129536, 5e-7 },
        { "fp4:block=4096", REL, .337169, 5e-7 },
        { "nf3", RMSE, .2016, 5e-5 },
        { "nf2", RMSE, .5630, 5e-5 },
    };
    check_anchors(anchors, sizeof anchors / sizeof *anchors);
}

/* More of bitsandbytes': levels of AF4; and its 8-bit blocks, for which limits are published. */
static void test_more_of_bitsandbytes(void **state)
{
    (void)state;
    static const anchor anchors[] = {
        { "af4", ABS, .0751, 5e-5 },
        { "af4", RMSE, .0956, 5e-5 },
    };
    check_anchors(anchors, sizeof anchors / sizeof *anchors);
    rsd_mat W = normal_square(), Wq = like(W);
    rsd_quant_stats stats;
    quantize("dynamic8", W, Wq, &stats);
    assert_true(measured(ABS, W, Wq).mean < .011);
    assert_true(measured(REL, W, Wq).mean < .018);
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

static void test_microscaling_errors(void **state)
{
    (void)state;
    static const anchor anchors[] = {
        { "mxint:bits=4,block=32", RMSE, .1326, 5e-5 },
        { "mxint:bits=4,block=16", RMSE, .1171, 5e-5 },
        { "mxint:bits=3,block=32", RMSE, .2660, 5e-5 },
        { "mxint:bits=3,block=64", RMSE, .2856, 5e-5 },
        { "mxint:bits=2,block=32", RMSE, .5348, 5e-5 },
        /* ggml's, relative to a matrix of unit variance; its mxfp4 differs from mx at ties only */
        { "mx", RMSE, .11496, 5e-6 },
        { "nvfp4:scale=none", RMSE, .09502, 5e-6 },
    };
    check_anchors(anchors, sizeof anchors / sizeof *anchors);
}

/* E2M1 with a float32 scale of absmax/6: what a block's scale in fewer bits costs is the difference
 * to nvfp4 and mx. */
static void test_e2m1_errors(void **state)
{
    (void)state;
    static const rsd_fp e2m1 = { "e2m1", 2, 1, 1, RSD_FP_NONE, 6 };
    static const struct {
        size_t block;
        double rmse;
    } cases[] = { { 16, .0941 }, { 32, .1010 }, { 64, .1057 } };
    rsd_mat W = normal_square(), Wq = like(W);
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        for (size_t i = 0; i < (size_t)SIDE * SIDE; i += cases[k].block) {
            const float scale = rsd_absmax(W.x + i, cases[k].block) / 6;
            for (size_t j = i; j < i + cases[k].block; j++)
                Wq.x[j] = scale * rsd_fp_decode(&e2m1, rsd_fp_encode(&e2m1, W.x[j] / scale, true));
        }
        const estimate e = measured(RMSE, W, Wq);
        CHECK_CLOSE(e.mean, cases[k].rmse, 3 * sqrt(2) * e.error + 5e-5);
    }
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

/* Round to nearest: measured with exact scales, held here with those of 16 bits. */
static void test_rounding_errors(void **state)
{
    (void)state;
    static const anchor anchors[] = {
        { "int2:group=64,scheme=affine", RMSE, .4567, 5e-5 },
        { "int3:group=64,scheme=affine", RMSE, .1952, 5e-5 },
        { "int4:group=64,scheme=affine", RMSE, .0911, 5e-5 },
        { "int5:group=64,scheme=affine", RMSE, .0441, 5e-5 },
        { "int6:group=64,scheme=affine", RMSE, .0217, 5e-5 },
        { "int7:group=64,scheme=affine", RMSE, .01075, 5e-6 },
        { "int8:group=64,scheme=affine", RMSE, .00535, 5e-6 },
        { "int4:group=32,scheme=affine", RMSE, .0808, 5e-5 },
        { "int4:group=128,scheme=affine", RMSE, .1006, 5e-5 },
        { "int4:group=256,scheme=affine", RMSE, .1094, 5e-5 },
        { "int2:group=64", RMSE, .718, 5e-4 },
        { "int3:group=64", RMSE, .2514, 5e-5 },
        { "int4:group=64", RMSE, .1077, 5e-5 },
        { "int5:group=64", RMSE, .0503, 5e-5 },
        { "int6:group=64", RMSE, .0243, 5e-5 },
        { "int7:group=64", RMSE, .0120, 5e-5 },
        { "int8:group=64", RMSE, .0059, 5e-5 },
    };
    check_anchors(anchors, sizeof anchors / sizeof *anchors);
}

/* rho = <R,W>/||W||^2: how much of W itself its residual still holds. */
static void test_leak(void **state)
{
    (void)state;
    static const anchor anchors[] = {
        { "int2:group=64,scheme=affine", LEAK, 0, .0025 },
        { "int3:group=64,scheme=affine", LEAK, 0, .0025 },
        { "int4:group=64,scheme=affine", LEAK, 0, .0025 },
        { "int4:group=64", LEAK, 0, .002 },
        { "int3:group=64", LEAK, 0, .002 },
        { "int2:group=64", LEAK, .115, 5e-4 },
        { "nf4", LEAK, .0046, 5e-5 },
        { "nf2", LEAK, .082, 5e-4 },
        { "mxint3", LEAK, .011, 5e-4 },
        { "mxint:bits=2,block=32", LEAK, .070, 5e-4 },
        { "kmeans2:group=tensor", LEAK, .1176, 5e-5 },
        { "kmeans4:group=tensor", LEAK, .0094, 1e-4 },
    };
    check_anchors(anchors, sizeof anchors / sizeof *anchors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bitsandbytes_errors), cmocka_unit_test(test_more_of_bitsandbytes),
        cmocka_unit_test(test_microscaling_errors), cmocka_unit_test(test_e2m1_errors),
        cmocka_unit_test(test_rounding_errors),     cmocka_unit_test(test_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
