/* k-means on a line, and palettes of weights: laws of a fixed point, and the exact optimum. */
#include "quantizers/cluster.h"
#include "quantizers/quantizer.h"

#include "quantizer_data.h"
#include "test.h"

/* ---- the line ---- */

enum { POINTS = 600 };

typedef struct {
    rsd_weighted a[POINTS];
    size_t n;
} sample;

/* Normal, heavy-tailed or clustered points, of equal or of very different weights. */
static sample draw(int shape, bool weighted, size_t n, uint64_t seed)
{
    sample s = { .n = n };
    rsd_weighted scratch[POINTS];
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(seed, "t_kmeans", &rng));
    for (size_t i = 0; i < n; i++) {
        const double g = rsd_rng_normal(rng), h = rsd_rng_normal(rng);
        s.a[i].x = (float)(shape == 0   ? g
                           : shape == 1 ? g / (fabs(h) + 0.1)
                                        : 0.1 * g + (double)(i % 5));
        s.a[i].w = weighted ? (float)exp(3 * rsd_rng_normal(rng)) : 1;
    }
    rsd_rng_free(rng);
    rsd_weighted_sort(s.a, n, scratch);
    return s;
}

static double distortion(const sample *s, const double *centre, size_t k)
{
    double sum = 0;
    for (size_t i = 0; i < s->n; i++) {
        double least = INFINITY;
        for (size_t j = 0; j < k; j++)
            least = fmin(least, fabs((double)s->a[i].x - centre[j]));
        sum += (double)s->a[i].w * least * least;
    }
    return sum;
}

/* Cost of one cluster of the points first..last. */
static double cell(const double sums[3][POINTS + 1], size_t first, size_t last)
{
    const double w = sums[0][last + 1] - sums[0][first], x = sums[1][last + 1] - sums[1][first];
    return w > 0 ? sums[2][last + 1] - sums[2][first] - x * x / w : 0;
}

/* The least distortion of k clusters: best[j][i] of the first i points in j (Wang & Song 2011). */
static double optimum(const sample *s, size_t k)
{
    static double sums[3][POINTS + 1], best[RSD_CLUSTERS_MAX + 1][POINTS + 1];
    for (size_t i = 0; i < s->n; i++) {
        const double w = (double)s->a[i].w, x = (double)s->a[i].x;
        sums[0][i + 1] = sums[0][i] + w;
        sums[1][i + 1] = sums[1][i] + w * x;
        sums[2][i + 1] = sums[2][i] + w * x * x;
        best[0][i + 1] = INFINITY;
    }
    for (size_t j = 1; j <= k; j++)
        for (size_t i = 1; i <= s->n; i++) {
            best[j][i] = INFINITY;
            for (size_t first = 0; first < i; first++)
                best[j][i] = fmin(best[j][i], best[j - 1][first] + cell(sums, first, i - 1));
        }
    return best[k][s->n];
}

/* Never below the optimum, and near it; exact for clusters that stand apart. */
static void test_optimum(void **state)
{
    (void)state;
    double worst = 1, sums[2 * (POINTS + 1)], centre[RSD_CLUSTERS_MAX];
    for (int shape = 0; shape < 3; shape++)
        for (int weighted = 0; weighted < 2; weighted++)
            for (size_t k = 2; k <= 16; k *= 2)
                for (uint64_t seed = 0; seed < 3; seed++) {
                    const sample s = draw(shape, weighted, 250, seed);
                    rsd_cluster(s.a, s.n, k, sums, centre);
                    const double ratio = distortion(&s, centre, k) / optimum(&s, k);
                    assert_true(ratio > 1 - 1e-9);
                    worst = fmax(worst, ratio);
                    if (!(ratio < 1.01))
                        fail_msg("shape %d, weighted %d, k %zu: %g times the optimum", shape,
                                 weighted, k, ratio);
                }
    assert_true(worst > 1 + 1e-6); /* it is a local search */
    const sample apart = draw(2, false, 250, 9);
    rsd_cluster(apart.a, apart.n, 5, sums, centre);
    CHECK_CLOSE(distortion(&apart, centre, 5) / optimum(&apart, 5), 1, 1e-9);
}

/* Each centre is the mean of the points nearest to it, and centres ascend. */
static void test_fixed_point(void **state)
{
    (void)state;
    double sums[2 * (POINTS + 1)], centre[RSD_CLUSTERS_MAX];
    for (int shape = 0; shape < 3; shape++)
        for (size_t k = 2; k <= 16; k *= 2) {
            const sample s = draw(shape, true, POINTS, k);
            rsd_cluster(s.a, s.n, k, sums, centre);
            for (size_t j = 0; j < k; j++) {
                double w = 0, x = 0;
                for (size_t i = 0; i < s.n; i++) {
                    const double at = (double)s.a[i].x;
                    const bool above = !j || at > centre[j - 1] / 2 + centre[j] / 2;
                    if (above && (j + 1 == k || at <= centre[j] / 2 + centre[j + 1] / 2)) {
                        w += (double)s.a[i].w;
                        x += (double)s.a[i].w * at;
                    }
                }
                assert_true(!j || centre[j] >= centre[j - 1]);
                if (w > 0)
                    CHECK_CLOSE(centre[j], x / w, 1e-12 * (1 + fabs(centre[j])));
            }
        }
}

static void test_few_values(void **state)
{
    (void)state;
    rsd_weighted a[] = { { -1, 1 }, { -1, 5 }, { 2, 1 }, { 2, 0 }, { 7, 1 } };
    double sums[12], centre[4];
    rsd_cluster(a, 5, 4, sums, centre);
    const double want[] = { -1, 2, 7, 7 };
    for (int j = 0; j < 4; j++)
        CHECK_CLOSE(centre[j], want[j], 0);
    /* no weight anywhere: still means of what is nearest */
    for (int i = 0; i < 5; i++)
        a[i].w = 0;
    rsd_cluster(a, 5, 2, sums, centre);
    assert_true(centre[0] >= -1 && centre[0] <= centre[1] && centre[1] <= 7);
    rsd_cluster(a, 5, 1, sums, centre);
    CHECK_CLOSE(centre[0], 9.0 / 5, 1e-15);
}

static void test_sort(void **state)
{
    (void)state;
    rsd_weighted a[] = { { 3, 0 },  { -0.0f, 1 },   { -FLT_MAX, 2 }, { 0, 3 }, { 1e-45f, 4 },
                         { -3, 5 }, { FLT_MAX, 6 }, { -1e-45f, 7 },  { 3, 8 }, { -0.0f, 9 } };
    const float order[] = { 2, 5, 7, 1, 9, 3, 4, 0, 8, 6 };
    rsd_weighted scratch[10];
    rsd_weighted_sort(a, 10, scratch);
    for (int i = 0; i < 10; i++)
        CHECK_CLOSE(a[i].w, order[i], 0);
}

/* ---- palettes ---- */

/* A fixed point: every value is the mean of its weights, so <R, Wq> = 0, and what is left of W in R
 * is ||R||^2 / ||W||^2 of it. */
static void test_residual_is_orthogonal(void **state)
{
    (void)state;
    static const char *const texts[] = { "kmeans:store=f32", "kmeans2:store=f32,group=tensor",
                                         "kmeans3:store=f32,group=row" };
    rsd_mat W = make(NORMAL, 37, 300), Wq = like(W), R = like(W);
    for (size_t t = 0; t < sizeof texts / sizeof *texts; t++) {
        rsd_quant_stats stats;
        quantize(texts[t], W, Wq, &stats);
        rsd_mat_sub(W, Wq, R);
        /* each value is rounded once, half a last place */
        CHECK_CLOSE(rsd_mat_dot(R, Wq) / rsd_mat_sumsq(Wq), 0, 0x1p-24);
        CHECK_CLOSE(rsd_mat_dot(R, W) / rsd_mat_sumsq(R), 1, 1e-5);
    }
    rsd_mat_free(&R);
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

/* sum_j square_j sum_i R_ij^2, what palettes found with `square` make small. */
static double weighted_error(rsd_mat W, rsd_mat Wq, const double *square)
{
    double sum = 0;
    for (size_t i = 0; i < W.m; i++)
        for (size_t j = 0; j < W.n; j++) {
            const double r = (double)W.x[i * W.ld + j] - (double)Wq.x[i * Wq.ld + j];
            sum += square[j] * r * r;
        }
    return sum;
}

static void test_calibration(void **state)
{
    (void)state;
    rsd_mat W = make(NORMAL, 32, 200), plain = like(W), guided = like(W);
    double square[200], even[200];
    for (int j = 0; j < 200; j++)
        square[j] = j % 20 == 0 ? 400 : 0.5 + j % 3, even[j] = 7;
    for (size_t i = 0; i < W.m * W.n; i += 20)
        W.x[i] *= 4; /* important columns are large ones */
    rsd_calibration c = { .m = 32, .n = 200, .square = square };
    rsd_spec spec;
    rsd_quant_stats a, b;
    CHECK_OK(rsd_spec_parse("kmeans3", &spec));
    CHECK_OK(rsd_quantize(&spec, W, NULL, plain, &a, NULL));
    CHECK_OK(rsd_quantize(&spec, W, &c, guided, &b, NULL));
    assert_true(weighted_error(W, guided, square) < 0.8 * weighted_error(W, plain, square));
    assert_true(b.relative_error > a.relative_error);
    /* equal weights are none; and weights of 0 throughout */
    c.square = even;
    CHECK_OK(rsd_quantize(&spec, W, &c, guided, &b, NULL));
    assert_memory_equal(guided.x, plain.x, 32 * 200 * sizeof(float));
    memset(even, 0, sizeof even);
    CHECK_OK(rsd_quantize(&spec, W, &c, guided, &b, NULL));
    assert_memory_equal(guided.x, plain.x, 32 * 200 * sizeof(float));
    rsd_mat_free(&guided);
    rsd_mat_free(&plain);
    rsd_mat_free(&W);
}

static void test_palettes(void **state)
{
    (void)state;
    /* groups of two rows, the last of one; each has four values or fewer but the middle one */
    float w[] = { 1, 2, 1, 2, 3, 3, 4, 4, /* */ 10, 11, 20, 21, 30, 31, 40, 41, /* */ 5, 5, -5, 5 };
    const float want[] = { 1,     2,     1,     2,     3,     3,     4, 4, 10.5f, 10.5f,
                           20.5f, 20.5f, 30.5f, 30.5f, 40.5f, 40.5f, 5, 5, -5,    5 };
    float q[20];
    rsd_quant_stats stats;
    quantize("kmeans2:group=2", (rsd_mat){ w, 5, 4, 4 }, (rsd_mat){ q, 5, 4, 4 }, &stats);
    assert_memory_equal(q, want, sizeof q);
    assert_int_equal(stats.packed_bytes, 5 * 1 + 3 * 4 * 2);

    rsd_mat W = make(NORMAL, 256, 512), Wq = like(W);
    quantize("kmeans", W, Wq, &stats);
    CHECK_CLOSE(stats.bits_per_weight, 4 + 16 * 16 / (16 * 512.0), 1e-12);
    /* Lloyd and Max' 16 levels for normal numbers: .009497; levels that are fitted to 8192 numbers
     * leave a little less of them */
    CHECK_CLOSE(stats.relative_error * stats.relative_error, .0093, .0002);
    quantize("kmeans2:group=tensor", W, Wq, &stats);
    CHECK_CLOSE(stats.bits_per_weight, 2 + 16 * 4 / (256 * 512.0), 1e-12);
    CHECK_CLOSE(stats.relative_error * stats.relative_error, .1175, 1.5e-3);
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);

    rsd_spec spec;
    CHECK_FAILS(rsd_spec_parse("kmeans:bits=5", &spec), RSD_EUSAGE, "2 to 4");
    CHECK_FAILS(rsd_spec_parse("kmeans:group=0", &spec), RSD_EUSAGE, "row|tensor");
    CHECK_FAILS(rsd_spec_parse("kmeans:store=f64", &spec), RSD_EUSAGE, "fp16|f32");
    CHECK_OK(rsd_spec_parse("kmeans:group=row", &spec));
    assert_string_equal(spec.text, "kmeans:bits=4,group=1,store=fp16");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimum),     cmocka_unit_test(test_fixed_point),
        cmocka_unit_test(test_few_values),  cmocka_unit_test(test_sort),
        cmocka_unit_test(test_calibration), cmocka_unit_test(test_residual_is_orthogonal),
        cmocka_unit_test(test_palettes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
