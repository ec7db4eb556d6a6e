/* ggml's quantizers and number types: bytes and numbers of the reference, errors that others
 * measured, and what happens where the reference has no answer. */
#include "ggml/block_layout.h"
#include "ggml/fields.h"
#include "ggml/type.h"
#include "io/file.h"

#include "quantizer_data.h"
#include "read_npy.h"
#include "test.h"

#include <ctype.h>

static const char *const weighted_types[] = { "q4_0", "q4_1", "q5_0", "q5_1",   "q2_k",  "q3_k",
                                              "q4_k", "q5_k", "q6_k", "iq4_nl", "iq4_xs" };
static const char *const all_types[] = { "q4_0",   "q4_1",   "q5_0",  "q5_1", "q8_0",
                                         "q2_k",   "q3_k",   "q4_k",  "q5_k", "q6_k",
                                         "iq4_nl", "iq4_xs", "mxfp4", "tq2_0" };
enum {
    WEIGHTED = sizeof weighted_types / sizeof *weighted_types,
    TYPES = sizeof all_types / sizeof *all_types
};

/* ---- the reference's answers (tests/golden/make_ggml.py) ---- */

/* The committed input, or one beside the checkout; false where that is missing. */
static bool load_input(const char *name, rsd_mat *W)
{
    char path[128];
    const bool committed = strcmp(name, "edge_32x512") == 0;
    snprintf(path, sizeof path, committed ? "quantizers/%s.npy" : "golden/in/%s.npy", name);
    const char *full = committed ? fixture(path) : shared_file(path);
    if (!full)
        return false;
    rsd_npy head;
    float *x = read_npy(full, RSD_F32, &head);
    assert_int_equal(head.ndim, 2);
    *W = (rsd_mat){ x, head.shape[0], head.shape[1], head.shape[1] };
    return true;
}

/* ggml's name of a type as a SPEC. */
static void spec_of(const char *type, rsd_spec *spec)
{
    char text[32] = "";
    for (size_t i = 0; type[i] && i + 1 < sizeof text; i++)
        text[i] = (char)tolower((unsigned char)type[i]);
    CHECK_OK(rsd_spec_parse(strcmp(type, "iq4_nl_ref") == 0 ? "iq4_nl:trials=0"
                            : strcmp(type, "nvfp4") == 0    ? "nvfp4:scale=none"
                                                            : text,
                            spec));
}

static void check_hash(const void *data, size_t size, const char *want, const char *type,
                       const char *input, const char *what)
{
    char got[65];
    rsd_sha256(data, size, got);
    if (strcmp(got, want) != 0)
        fail_msg("%s of %s: %s have SHA-256 %s, want %s", type, input, what, got, want);
}

/* Some of the importances are 0, which ggml takes as they are. */
static void check_pack(const char *type, const char *input, rsd_mat W, const double *weights,
                       const char *bytes, const char *dense)
{
    const rsd_calibration c = { .m = W.m, .n = W.n, .square = weights };
    rsd_spec spec;
    rsd_packed packed;
    spec_of(type, &spec);
    if (weights) {
        char text[64];
        snprintf(text, sizeof text, "%s:zeros=ggml", spec.quantizer->name);
        CHECK_OK(rsd_spec_parse(text, &spec));
    }
    CHECK_OK(rsd_pack(&spec, W, weights ? &c : NULL, &packed));
    const rsd_section *s = rsd_packed_get(&packed, "blocks");
    assert_int_equal(packed.sections, 1);
    assert_string_equal(s->dtype, "U8");
    check_hash(s->data, s->bytes, bytes, type, input, "blocks");
    if (dense) {
        rsd_mat Wq = like(W);
        CHECK_OK(rsd_unpack(&spec, &packed, Wq));
        check_hash(Wq.x, W.m * W.n * sizeof(float), dense, type, input, "dequantized weights");
        rsd_mat_free(&Wq);
    }
    rsd_packed_free(&packed);
}

static double *load_weights(size_t n)
{
    rsd_npy head;
    float *x = read_npy(fixture("ggml/weights.npy"), RSD_F32, &head);
    assert_int_equal(head.count, n);
    double *weights = malloc(n * sizeof *weights);
    assert_non_null(weights);
    for (size_t j = 0; j < n; j++)
        weights[j] = x[j];
    free(x);
    return weights;
}

/* Lines "pack ..." or "weighted ..." about the committed input, or about the others; how many. */
static int check_answers(const char *about, bool committed)
{
    int count = 0;
    char line[256], what[16], type[16], input[32], bytes[65], dense[65];
    FILE *f = fopen(fixture("ggml/answers.txt"), "r");
    assert_non_null(f);
    double *weights = strcmp(about, "weighted") == 0 ? load_weights(512) : NULL;
    while (fgets(line, sizeof line, f)) {
        rsd_mat W;
        const int fields =
            sscanf(line, "%15s %15s %31s %64s %64s", what, type, input, bytes, dense);
        if (strcmp(what, about) != 0 || (strcmp(input, "edge_32x512") == 0) != committed ||
            !load_input(input, &W))
            continue;
        check_pack(type, input, W, weights, bytes, fields == 5 ? dense : NULL);
        free(W.x);
        count++;
    }
    free(weights);
    fclose(f);
    return count;
}

static void test_reference_edges(void **state)
{
    (void)state;
    assert_int_equal(check_answers("pack", true), 16);
    assert_int_equal(check_answers("weighted", true), 11);
}

static void test_reference_large(void **state)
{
    (void)state;
    if (!shared_file("golden/in/gauss_256x512.npy"))
        skip();
    assert_int_equal(check_answers("pack", false), 32);
    assert_int_equal(check_answers("weighted", false), 22);
}

/* Random blocks of every type that decodes, from an odd address. */
static void test_reference_decodes(void **state)
{
    (void)state;
    char line[256], type[16], want[65];
    size_t offset, bytes, count = 0;
    rsd_npy head;
    uint8_t *blocks = read_npy(fixture("ggml/blocks.npy"), RSD_U8, &head);
    uint8_t *odd = malloc(head.count + 1);
    assert_non_null(odd);
    memcpy(odd + 1, blocks, head.count);
    FILE *f = fopen(fixture("ggml/answers.txt"), "r");
    assert_non_null(f);
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "decode %15s %zu %zu %64s", type, &offset, &bytes, want) != 4)
            continue;
        const rsd_ggml_type *t = rsd_ggml_type_by_name(type);
        assert_non_null(t);
        assert_true(bytes % t->bytes == 0 && offset + bytes <= head.count);
        const size_t n = bytes / t->bytes;
        float *x = malloc(n * t->block * sizeof *x);
        assert_non_null(x);
        t->decode(odd + 1 + offset, n, x);
        check_hash(x, n * t->block * sizeof *x, want, type, "random blocks", "numbers");
        free(x);
        count++;
    }
    assert_int_equal(count, 18);
    fclose(f);
    free(odd);
    free(blocks);
}

/* ---- number types ---- */

static void test_types(void **state)
{
    (void)state;
    for (const rsd_ggml_type *t = rsd_ggml_types; t->name; t++) {
        assert_ptr_equal(rsd_ggml_type_by_id(t->id), t);
        assert_ptr_equal(rsd_ggml_type_by_name(t->name), t);
        assert_true(t->block && t->bytes && (t->block == 1 || t->block % 32 == 0));
    }
    assert_string_equal(rsd_ggml_type_by_name("Q4_k")->name, "q4_K");
    assert_int_equal(rsd_ggml_type_by_id(30)->bytes, 2);
    static const uint32_t retired[] = { 4, 5, 31, 32, 33, 36, 37, 38, 43, UINT32_MAX };
    for (size_t k = 0; k < sizeof retired / sizeof *retired; k++)
        assert_null(rsd_ggml_type_by_id(retired[k]));
    assert_null(rsd_ggml_type_by_name("q4"));
    assert_null(rsd_ggml_type_by_name(""));
}

static void test_plain_types(void **state)
{
    (void)state;
    static const uint8_t f16[] = { 0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0x01, 0x00 };
    static const uint8_t bf16[] = { 0x80, 0x3f, 0x49, 0xc0, 0x00, 0x00, 0x01, 0x00 };
    static const float want_f16[] = { 1, -2, 65504, 0x1p-24f };
    static const float want_bf16[] = { 1, -3.140625f, 0, 0x1p-133f };
    static const float f32[] = { 1, -0.0f, FLT_MAX, 1e-42f };
    static const double f64[] = { 1, 0.1, -1e300, 1e-60 };
    static const float want_f64[] = { 1, 0.1f, -INFINITY, 0 };
    float x[4];
    rsd_ggml_type_by_name("f16")->decode(f16, 4, x);
    assert_memory_equal(x, want_f16, sizeof x);
    rsd_ggml_type_by_name("bf16")->decode(bf16, 4, x);
    assert_memory_equal(x, want_bf16, sizeof x);
    rsd_ggml_type_by_name("f32")->decode(f32, 4, x);
    assert_memory_equal(x, f32, sizeof x);
    rsd_ggml_type_by_name("f64")->decode(f64, 4, x);
    assert_memory_equal(x, want_f64, sizeof x);
}

static void round_trip(int shift, int bits, size_t stride)
{
    uint8_t code[256], bytes[256], again[256] = { 0 };
    for (size_t i = 0; i < 256; i++)
        code[i] = (uint8_t)(i * 37 + i / 8);
    rsd_fields_put(code, 256, shift, bits, stride, bytes);
    rsd_fields_get(bytes, 256, shift, bits, stride, again);
    for (size_t i = 0; i < 256; i++)
        assert_int_equal(again[i], code[i] & (((1 << bits) - 1) << shift));
}

/* Each field comes back, and lies where ggml has it. */
static void test_fields(void **state)
{
    (void)state;
    for (int bits = 1; bits <= 4; bits *= 2)
        for (size_t stride = 1; stride * 8 / (size_t)bits <= 256; stride *= 2)
            for (int shift = 0; shift + bits <= 8; shift++)
                round_trip(shift, bits, stride);
    uint8_t code[32] = { 0 }, bytes[16];
    code[3] = 5, code[19] = 12;
    rsd_fields_put(code, 32, 0, 4, 16, bytes);
    assert_int_equal(bytes[3], 0xc5);
    uint8_t scale[8], min[8], packed[12], scale2[8], min2[8];
    for (int j = 0; j < 8; j++)
        scale[j] = (uint8_t)(63 - 7 * j), min[j] = (uint8_t)(9 * j);
    rsd_scales6_put(scale, min, packed);
    rsd_scales6_get(packed, scale2, min2);
    assert_memory_equal(scale, scale2, 8);
    assert_memory_equal(min, min2, 8);
}

/* ---- errors that ggml's own code makes ---- */

enum { SIDE = 1024, BATCHES = 256, BATCH = SIDE * SIDE / BATCHES };

typedef struct {
    const char *text;
    double normal, normal_half, laplace, laplace_half, cosine;
} anchor;

/* ||x - xq|| / ||x|| on 2^20 numbers of variance 1 and half a unit of the last digit that is known;
 * ||x - xq|| / 4096 on 0.1 + 2 cos i, i < 4096, which has no chance in it.  0: not known.  q2_k's
 * last digit there is 3 where a compiler contracts products and sums, ggml's own code too. */
static const anchor anchors[] = {
    { "q4_0", .08595, 5e-6, .1069, 5e-5, .001121 },
    { "q4_1", .07832, 5e-6, .0918, 5e-5, .001144 },
    { "q5_0", .04274, 5e-6, .0536, 5e-5, .000591 },
    { "q5_1", .03783, 5e-6, 0, 0, .000556 },
    { "q8_0", .00536, 5e-6, .00674, 5e-6, .000074 },
    { "q2_k", .29678, 5e-6, .344, 5e-4, .004672 },
    { "q3_k", .15092, 5e-6, .176, 5e-4, .002510 },
    { "q4_k", .07144, 5e-6, .0846, 5e-5, .000982 },
    { "q5_k", .03615, 5e-6, .0428, 5e-5, .000531 },
    { "q6_k", .01774, 5e-6, .0217, 5e-5, .000261 },
    { "iq4_nl:trials=0", .07868, 5e-6, .0895, 5e-5, .001296 },
    { "iq4_nl", .07614, 5e-6, .0880, 5e-5, .001243 },
    { "iq4_xs", .07672, 5e-6, 0, 0, .001256 },
    { "mxfp4", .11496, 5e-6, .1258, 5e-5, .001881 },
    { "nvfp4:scale=none", .09502, 5e-6, .0925, 5e-5, .002337 },
    { "tq2_0", .808, 5e-4, 0, 0, 0 },
};
enum { ANCHORS = sizeof anchors / sizeof *anchors };

/* Within three standard errors of the difference of two such samples. */
static void check_relative(const char *text, rsd_mat W, rsd_mat Wq, double want, double half)
{
    double ratio[BATCHES], mean = 0, spread = 0;
    rsd_quant_stats stats;
    quantize(text, W, Wq, &stats);
    for (size_t b = 0; b < BATCHES; b++) {
        double error = 0, energy = 0;
        for (size_t i = b * BATCH; i < (b + 1) * BATCH; i++) {
            const double r = (double)W.x[i] - (double)Wq.x[i];
            error += r * r;
            energy += (double)W.x[i] * (double)W.x[i];
        }
        ratio[b] = sqrt(error / energy);
        mean += ratio[b] / BATCHES;
    }
    for (size_t b = 0; b < BATCHES; b++)
        spread += (ratio[b] - mean) * (ratio[b] - mean);
    const double se = sqrt(spread / (BATCHES - 1.0) / BATCHES);
    const double tol = 3 * sqrt(2) * se + half;
    if (!(fabs(stats.relative_error - want) <= tol))
        fail_msg("%s: relative error %.6f, want %.6f +- %.6f", text, stats.relative_error, want,
                 tol);
}

static void fill(rsd_mat W, bool laplace)
{
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(5, laplace ? "laplace" : "normal", &rng));
    for (size_t i = 0; i < W.m * W.n; i++) {
        const double u = laplace ? 2 * rsd_rng_uniform(rng) - 1 : 0; /* [-1, 1) */
        W.x[i] = (float)(laplace ? copysign(sqrt(0.5) * log1p(-fabs(u) * (1 - 1e-15)), u)
                                 : rsd_rng_normal(rng));
    }
    rsd_rng_free(rng);
}

static void test_errors_on_random_weights(void **state)
{
    (void)state;
    rsd_mat W;
    CHECK_OK(rsd_mat_alloc(SIDE, SIDE, &W));
    rsd_mat Wq = like(W);
    fill(W, false);
    for (size_t i = 0; i < ANCHORS; i++)
        check_relative(anchors[i].text, W, Wq, anchors[i].normal, anchors[i].normal_half);
    fill(W, true);
    for (size_t i = 0; i < ANCHORS; i++)
        if (anchors[i].laplace > 0)
            check_relative(anchors[i].text, W, Wq, anchors[i].laplace, anchors[i].laplace_half);
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

static void test_errors_on_cosine(void **state)
{
    (void)state;
    enum { N = 4096 };
    rsd_mat W;
    CHECK_OK(rsd_mat_alloc(1, N, &W));
    rsd_mat Wq = like(W);
    for (size_t i = 0; i < N; i++)
        W.x[i] = (float)(0.1 + 2 * (double)cosf((float)i));
    for (size_t k = 0; k < ANCHORS; k++) {
        rsd_quant_stats stats;
        double sum = 0;
        quantize(anchors[k].text, W, Wq, &stats);
        for (size_t i = 0; i < N; i++)
            sum += ((double)W.x[i] - (double)Wq.x[i]) * ((double)W.x[i] - (double)Wq.x[i]);
        if (anchors[k].cosine > 0)
            CHECK_CLOSE(sqrt(sum) / N, anchors[k].cosine, 5e-7);
    }
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

/* ---- importance weights ---- */

static void fill_weights(double *w, size_t n)
{
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(9, "weights", &rng));
    for (size_t j = 0; j < n; j++)
        w[j] = exp(1.5 * rsd_rng_normal(rng));
    rsd_rng_free(rng);
}

static double weighted_error(const float *x, const float *xq, const double *w, size_t n)
{
    double sum = 0;
    for (size_t j = 0; j < n; j++)
        sum += w[j] * ((double)x[j] - (double)xq[j]) * ((double)x[j] - (double)xq[j]);
    return sum;
}

/* What they are for: less weighted error in nearly every row, and less over all. */
static void test_weights_help(void **state)
{
    (void)state;
    enum { M = 64, N = 1024 };
    double w[N];
    rsd_mat W = make(NORMAL, M, N), plain = like(W), weighted = like(W);
    fill_weights(w, N);
    const rsd_calibration c = { .m = M, .n = N, .square = w };
    for (size_t k = 0; k < WEIGHTED; k++) {
        rsd_spec spec;
        rsd_quant_stats stats;
        int better = 0;
        double before = 0, after = 0;
        quantize(weighted_types[k], W, plain, &stats);
        CHECK_OK(rsd_spec_parse(weighted_types[k], &spec));
        CHECK_OK(rsd_quantize(&spec, W, &c, weighted, &stats, NULL));
        for (size_t i = 0; i < M; i++) {
            const double a = weighted_error(W.x + i * N, plain.x + i * N, w, N);
            const double b = weighted_error(W.x + i * N, weighted.x + i * N, w, N);
            better += b < a;
            before += a;
            after += b;
        }
        if (better < M * 9 / 10 || !(after < before))
            fail_msg("%s: %d of %d rows better, weighted error %g -> %g", weighted_types[k], better,
                     M, before, after);
    }
    rsd_mat_free(&weighted);
    rsd_mat_free(&plain);
    rsd_mat_free(&W);
}

static void check_same(const char *text, const char *other, rsd_mat W, const double *w,
                       const double *other_w)
{
    const rsd_calibration c = { .m = W.m, .n = W.n, .square = w },
                          d = { W.m, W.n, .square = other_w };
    rsd_spec spec;
    rsd_packed a, b;
    CHECK_OK(rsd_spec_parse(text, &spec));
    CHECK_OK(rsd_pack(&spec, W, &c, &a));
    CHECK_OK(rsd_spec_parse(other, &spec));
    CHECK_OK(rsd_pack(&spec, W, other_w ? &d : NULL, &b));
    assert_int_equal(a.section->bytes, b.section->bytes);
    if (memcmp(a.section->data, b.section->data, a.section->bytes) != 0)
        fail_msg("%s and %s differ", text, other);
    rsd_packed_free(&a);
    rsd_packed_free(&b);
}

/* Left unused on request and where a calibration lacks them; their unit does not matter, at any
 * size; all of them 0 is no accident. */
static void test_weights_used_or_not(void **state)
{
    (void)state;
    enum { N = 300 };
    double w[N], huge[N], zero[N] = { 0 };
    rsd_mat W = make(NORMAL, 5, N), Wq = like(W);
    fill_weights(w, N);
    for (size_t j = 0; j < N; j++)
        huge[j] = ldexp(w[j], 900);
    for (size_t k = 0; k < WEIGHTED; k++) {
        char none[32];
        snprintf(none, sizeof none, "%s:weights=none", weighted_types[k]);
        check_same(none, weighted_types[k], W, w, NULL);
        check_same(weighted_types[k], none, W, NULL, NULL);
        double unit[N];
        int exponent;
        double top = 0;
        for (size_t j = 0; j < N; j++)
            top = fmax(top, w[j]);
        frexp(top, &exponent);
        for (size_t j = 0; j < N; j++)
            unit[j] = ldexp(w[j], -exponent);
        check_same(weighted_types[k], weighted_types[k], W, huge, unit);

        rsd_spec spec;
        rsd_quant_stats stats;
        const rsd_calibration c = { .m = 5, .n = N, .square = zero };
        CHECK_OK(rsd_spec_parse(weighted_types[k], &spec));
        CHECK_OK(rsd_quantize(&spec, W, &c, Wq, &stats, NULL));
        CHECK_OK(rsd_mat_check_finite(Wq));
    }
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

static void test_weights_refused(void **state)
{
    (void)state;
    enum { N = 64 };
    const double bad[] = { -1, NAN, INFINITY };
    rsd_mat W = make(NORMAL, 3, N);
    for (size_t k = 0; k < WEIGHTED; k++)
        for (int b = 0; b < 3; b++) {
            double w[N];
            rsd_spec spec;
            rsd_packed packed;
            for (size_t j = 0; j < N; j++)
                w[j] = j == 17 ? bad[b] : 1;
            const rsd_calibration c = { .m = 3, .n = N, .square = w };
            CHECK_OK(rsd_spec_parse(weighted_types[k], &spec));
            CHECK_FAILS(rsd_pack(&spec, W, &c, &packed), RSD_EDOM, "input 17");
            rsd_packed_free(&packed);
        }
    rsd_mat_free(&W);
}

/* Every kind of matrix with importance weights: finite, and no farther than 0 is. */
static void test_weights_extremes(void **state)
{
    (void)state;
    enum { N = 300 };
    double w[N];
    fill_weights(w, N);
    for (size_t k = 0; k < WEIGHTED; k++)
        for (int of = 0; of < KINDS; of++) {
            rsd_mat W = make((kind)of, 4, N), Wq = like(W);
            const rsd_calibration c = { .m = 4, .n = N, .square = w };
            rsd_spec spec;
            rsd_quant_stats stats;
            CHECK_OK(rsd_spec_parse(weighted_types[k], &spec));
            CHECK_OK(rsd_quantize(&spec, W, &c, Wq, &stats, NULL));
            if (rsd_mat_check_finite(Wq) ||
                !(stats.relative_error <= 1.001 || stats.max_abs_error <= 1e-38))
                fail_msg("%s, kind %d: relative error %g: %s", weighted_types[k], of,
                         stats.relative_error, rsd_errmsg());
            rsd_mat_free(&Wq);
            rsd_mat_free(&W);
        }
}

/* ---- where the reference has no answer ---- */

static const size_t shapes[][2] = { { 1, 1 }, { 1, 31 }, { 3, 33 }, { 5, 257 }, { 2, 160 } };

/* A row is what it would be with zeros behind it, and as many bytes as its blocks. */
static void check_padding(const char *text, size_t m, size_t n)
{
    rsd_spec spec;
    rsd_packed a, b;
    CHECK_OK(rsd_spec_parse(text, &spec));
    const rsd_ggml_type *t = rsd_ggml_type_by_name(spec.quantizer->name);
    const size_t blocks = (n + t->block - 1) / t->block, whole = blocks * t->block;
    rsd_mat W = make(NORMAL, m, n), wide = make(ZEROS, m, whole), Wq = like(W), wide_q = like(wide);
    rsd_mat_copy(W, (rsd_mat){ wide.x, m, n, whole });
    CHECK_OK(rsd_pack(&spec, W, NULL, &a));
    CHECK_OK(rsd_pack(&spec, wide, NULL, &b));
    assert_int_equal(a.section->bytes, m * blocks * t->bytes);
    assert_int_equal(b.section->bytes, a.section->bytes);
    assert_memory_equal(a.section->data, b.section->data, a.section->bytes);
    CHECK_OK(rsd_unpack(&spec, &a, Wq));
    CHECK_OK(rsd_unpack(&spec, &b, wide_q));
    for (size_t i = 0; i < m; i++)
        assert_memory_equal(Wq.x + i * n, wide_q.x + i * whole, n * sizeof(float));
    rsd_packed_free(&a);
    rsd_packed_free(&b);
    rsd_mat_free(&wide_q);
    rsd_mat_free(&Wq);
    rsd_mat_free(&wide);
    rsd_mat_free(&W);
}

static void test_padding(void **state)
{
    (void)state;
    for (size_t k = 0; k < TYPES; k++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
            check_padding(all_types[k], shapes[s][0], shapes[s][1]);
}

static rsd_packed pack_row(const char *text, const float *x, size_t n)
{
    rsd_spec spec;
    rsd_packed packed;
    CHECK_OK(rsd_spec_parse(text, &spec));
    CHECK_OK(rsd_pack(&spec, (rsd_mat){ (float *)x, 1, n, n }, NULL, &packed));
    return packed;
}

static void test_zero_block(void **state)
{
    (void)state;
    const float zeros[32] = { 0 };
    rsd_packed p = pack_row("q4_0", zeros, 32);
    const rsd_q4_0 *block = p.section->data;
    assert_true(block->d[0] == 0 && block->d[1] == 0x80); /* 0 / -8 = -0 */
    for (int j = 0; j < 16; j++)
        assert_int_equal(block->q[j], 0x88);
    rsd_packed_free(&p);
    p = pack_row("mxfp4", zeros, 32);
    for (size_t j = 0; j < sizeof(rsd_mxfp4); j++)
        assert_int_equal(((const uint8_t *)p.section->data)[j], 0);
    rsd_packed_free(&p);
}

/* Scales end at fp16's largest number. */
static void test_huge_scales(void **state)
{
    (void)state;
    float x[32] = { 0 };
    x[3] = 1e7f, x[4] = -1e7f, x[5] = 2e6f;
    rsd_packed p = pack_row("q8_0", x, 32);
    const rsd_q8_0 *block = p.section->data;
    assert_true(block->d[0] == 0xff && block->d[1] == 0x7b);
    assert_true(block->q[3] == 127 && block->q[4] == -127 && block->q[5] == 25 && block->q[6] == 0);
    rsd_packed_free(&p);
}

/* 1/d overflows where d is below 2^-128; so small a scale is 0 in fp16, whatever the codes. */
static void test_subnormal_weights(void **state)
{
    (void)state;
    float x[256];
    for (size_t j = 0; j < 256; j++)
        x[j] = (float)((int)(j % 9) - 4) * 1e-44f;
    for (size_t k = 0; k < TYPES; k++) {
        float xq[256];
        rsd_spec spec;
        rsd_packed p = pack_row(all_types[k], x, 256);
        CHECK_OK(rsd_spec_parse(all_types[k], &spec));
        CHECK_OK(rsd_unpack(&spec, &p, (rsd_mat){ xq, 1, 256, 256 }));
        for (size_t j = 0; j < 256; j++)
            CHECK_CLOSE(xq[j], 0, 0x1p-128);
        rsd_packed_free(&p);
    }
}

/* E8M0 holds any float32's size: the largest finite weights stay finite, and close. */
static void test_mxfp4_range(void **state)
{
    (void)state;
    float x[32] = { FLT_MAX, -FLT_MAX, 0x1p127f, 0x1p-126f }, xq[32];
    rsd_packed p = pack_row("mxfp4", x, 32);
    rsd_spec spec;
    CHECK_OK(rsd_spec_parse("mxfp4", &spec));
    CHECK_OK(rsd_unpack(&spec, &p, (rsd_mat){ xq, 1, 32, 32 }));
    assert_true(xq[0] == 0x1.8p127f && xq[1] == -0x1.8p127f && xq[2] == 0x1p127f && xq[3] == 0);
    rsd_packed_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_edges),
        cmocka_unit_test(test_reference_large),
        cmocka_unit_test(test_reference_decodes),
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_plain_types),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_errors_on_random_weights),
        cmocka_unit_test(test_errors_on_cosine),
        cmocka_unit_test(test_weights_help),
        cmocka_unit_test(test_weights_used_or_not),
        cmocka_unit_test(test_weights_refused),
        cmocka_unit_test(test_weights_extremes),
        cmocka_unit_test(test_padding),
        cmocka_unit_test(test_zero_block),
        cmocka_unit_test(test_huge_scales),
        cmocka_unit_test(test_subnormal_weights),
        cmocka_unit_test(test_mxfp4_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
