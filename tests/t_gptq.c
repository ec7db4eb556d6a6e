/* Quantizers that round with what is known of the data: gptq, awq, llmint8.  Upstream's answers are
 * in golden/gptq (make_gptq.py); its weights and inputs are read from the shared folder. */
#include "io/npy.h"
#include "quantizer_data.h"
#include "read_npy.h"

#include "golden/gptq/answers.h"

enum { N = 256, TOKENS = 1024, ROWS = 32 };

typedef struct {
    rsd_mat W, X;
    double *H, *mean_abs, *max_abs;
    rsd_calibration c;
} layer;

static void moments(layer *l)
{
    const size_t n = l->X.n, tokens = l->X.m;
    l->H = calloc(n * n, sizeof *l->H);
    l->mean_abs = calloc(n, sizeof *l->mean_abs);
    l->max_abs = calloc(n, sizeof *l->max_abs);
    for (size_t t = 0; t < tokens; t++) {
        const float *x = l->X.x + t * l->X.ld;
        for (size_t i = 0; i < n; i++) {
            for (size_t j = 0; j < n; j++)
                l->H[i * n + j] += (double)x[i] * (double)x[j] / (double)tokens;
            l->mean_abs[i] += fabs((double)x[i]) / (double)tokens;
            l->max_abs[i] = fmax(l->max_abs[i], fabs((double)x[i]));
        }
    }
    l->c = (rsd_calibration){ .m = l->W.m,
                              .n = n,
                              .H = l->H,
                              .mean_abs = l->mean_abs,
                              .max_abs = l->max_abs,
                              .tokens = tokens };
}

static void layer_free(layer *l)
{
    rsd_mat_free(&l->W);
    rsd_mat_free(&l->X);
    free(l->H);
    free(l->mean_abs);
    free(l->max_abs);
}

static bool open_golden(layer *l)
{
    rsd_npy head;
    const char *path = shared_file("golden/in/L1_W_256x256.npy");
    if (!path)
        return false;
    l->W = (rsd_mat){ read_npy(path, RSD_F32, &head), N, N, N };
    void *half = read_npy(shared_file("golden/in/L1_X_1024x256_f16.npy"), RSD_F16, &head);
    CHECK_OK(rsd_mat_alloc(TOKENS, N, &l->X));
    rsd_dtype_to_f32(RSD_F16, half, l->X.x, TOKENS * N);
    free(half);
    moments(l);
    return true;
}

/* Correlated inputs with a few large channels, and weights. */
static void make_layer(size_t m, size_t n, size_t tokens, layer *l)
{
    l->W = make(NORMAL, m, n);
    l->X = make_seeded(NORMAL, tokens, n, 11);
    for (size_t t = 0; t < tokens; t++) {
        float *x = l->X.x + t * n;
        for (size_t j = 1; j < n; j++)
            x[j] = (x[j] + 0.8f * x[j - 1]) * (j % 13 == 0 ? 4 : 1);
    }
    moments(l);
}

static void quantize_known(const char *text, const layer *l, const rsd_calibration *c, rsd_mat Wq)
{
    rsd_spec spec;
    rsd_quant_stats stats;
    CHECK_OK(rsd_spec_parse(text, &spec));
    CHECK_OK(rsd_quantize(&spec, l->W, c, Wq, &stats, NULL));
}

/* tr(G R H R'); G NULL: the identity. */
static double loss(const layer *l, const double *G, rsd_mat Wq)
{
    const size_t m = l->W.m, n = l->W.n;
    double *RH = calloc(m * n, sizeof *RH), sum = 0;
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < n; k++) {
            const double r = (double)l->W.x[i * n + k] - (double)Wq.x[i * n + k];
            for (size_t j = 0; j < n; j++)
                RH[i * n + j] += r * l->H[k * n + j];
        }
    for (size_t i = 0; i < m; i++)
        for (size_t k = 0; k < m; k++) {
            const double g = G ? G[i * m + k] : i == k;
            for (size_t j = 0; j < n && g != 0; j++)
                sum += g * RH[i * n + j] * ((double)l->W.x[k * n + j] - (double)Wq.x[k * n + j]);
        }
    free(RH);
    return sum;
}

static void gptq_answers_as_upstream(void **state)
{
    (void)state;
    layer l;
    if (!open_golden(&l))
        skip();
    rsd_npy head;
    uint8_t *want = read_npy(fixture("gptq/codes.npy"), RSD_U8, &head);
    for (size_t k = 0; k < sizeof gptq_answers / sizeof *gptq_answers; k++) {
        const char *text = gptq_answers[k].spec;
        rsd_spec spec;
        rsd_packed packed;
        CHECK_OK(rsd_spec_parse(text, &spec));
        CHECK_OK(rsd_pack(&spec, l.W, &l.c, &packed));
        const int bits = text[10] - '0';
        uint8_t codes[N];
        size_t equal = 0;
        for (size_t i = 0; i < ROWS; i++) {
            const uint8_t *row = rsd_packed_get(&packed, "codes")->data;
            rsd_bits_unpack(row + i * rsd_bits_bytes(N, bits), N, bits, codes);
            for (size_t j = 0; j < N; j++)
                equal += codes[j] == want[(k * ROWS + i) * N + j];
        }
        rsd_mat Wq = like(l.W);
        CHECK_OK(rsd_unpack(&spec, &packed, Wq));
        /* upstream's H is 2/4 of the sum over all tokens; .5 % as its float32 runs differ */
        const double trace = loss(&l, NULL, Wq) * TOKENS / 2;
        if (equal < ROWS * N * 97 / 100)
            fail_msg("%s: %zu of %d codes equal", text, equal, ROWS * N);
        CHECK_CLOSE(trace / gptq_answers[k].proxy_trace, 1, 0.005);
        rsd_mat_free(&Wq);
        rsd_packed_free(&packed);
    }
    free(want);
    layer_free(&l);
}

static void awq_answers_as_upstream(void **state)
{
    (void)state;
    layer l;
    if (!open_golden(&l))
        skip();
    for (size_t k = 0; k < sizeof awq_answers / sizeof *awq_answers; k++) {
        rsd_npy head;
        rsd_spec spec;
        rsd_packed packed;
        char path[64];
        snprintf(path, sizeof path, "gptq/%s", awq_answers[k].file);
        float *want = read_npy(fixture(path), RSD_F32, &head);
        CHECK_OK(rsd_spec_parse(awq_answers[k].spec, &spec));
        CHECK_OK(rsd_pack(&spec, l.W, &l.c, &packed));
        const float *s = rsd_packed_get(&packed, "input_scales")->data;
        for (size_t j = 0; j < N; j++) /* float32 powers and means */
            CHECK_CLOSE(s[j] / want[j], 1, 1e-4);
        rsd_mat Wq = like(l.W);
        CHECK_OK(rsd_unpack(&spec, &packed, Wq));
        /* ranges are chosen on all tokens, not on 512: never worse by more than the sampling */
        const double mse = loss(&l, NULL, Wq) / N;
        if (!(mse < 1.01 * awq_answers[k].clipped))
            fail_msg("%s: output error %g, upstream %g", awq_answers[k].spec, mse,
                     awq_answers[k].clipped);
        CHECK_CLOSE(mse / awq_answers[k].clipped, 1, 0.05);
        rsd_mat_free(&Wq);
        rsd_packed_free(&packed);
        free(want);
    }
    layer_free(&l);
}

/* Independent inputs of one size: nothing can be made good, and each weight is just rounded. */
static void gptq_of_isotropic_inputs_is_rounding(void **state)
{
    (void)state;
    layer l;
    make_layer(24, 70, 50, &l);
    for (size_t i = 0; i < 70 * 70; i++)
        l.H[i] = i % 71 == 0 ? 3.0 : 0;
    rsd_mat Wq = like(l.W);
    quantize_known("gptq:bits=4,group=32,scale=f32", &l, &l.c, Wq);
    for (size_t i = 0; i < 24; i++)
        for (size_t k = 0; k < 70; k += 32) {
            float low = 0, high = 0;
            for (size_t j = k; j < k + 32 && j < 70; j++) {
                low = fminf(low, l.W.x[i * 70 + j]);
                high = fmaxf(high, l.W.x[i * 70 + j]);
            }
            const float s = (high - low) / 15, z = rintf(-low / s);
            for (size_t j = k; j < k + 32 && j < 70; j++) {
                const float c = fminf(fmaxf(rintf(l.W.x[i * 70 + j] / s) + z, 0), 15);
                CHECK_CLOSE(Wq.x[i * 70 + j], s * (c - z), 0);
            }
        }
    rsd_mat_free(&Wq);
    layer_free(&l);
}

static void each_metric_wins_in_its_own(void **state)
{
    (void)state;
    enum { M = 48, K = 80 };
    layer l, g;
    make_layer(M, K, 400, &l);
    make_layer(M, M, 300, &g); /* its H serves as G */
    l.c.G = g.H;
    rsd_mat rtn = like(l.W), one = like(l.W), two = like(l.W), nf = like(l.W), gnf = like(l.W);
    quantize_known("int:bits=3,group=32,scheme=affine", &l, NULL, rtn);
    quantize_known("gptq:bits=3,group=32,block=32", &l, &l.c, one);
    quantize_known("gptq:bits=3,group=32,block=32,metric=GH", &l, &l.c, two);
    assert_true(loss(&l, NULL, one) < 0.7 * loss(&l, NULL, rtn));
    assert_true(loss(&l, g.H, two) < 0.8 * loss(&l, g.H, one));
    assert_true(loss(&l, NULL, one) < loss(&l, NULL, two));
    quantize_known("nf:bits=3,block=16", &l, NULL, nf);
    quantize_known("gptq:bits=3,group=16,block=16,scheme=nf", &l, &l.c, gnf);
    assert_true(loss(&l, NULL, gnf) < 0.8 * loss(&l, NULL, nf));
    for (rsd_mat *x = (rsd_mat[]){ rtn, one, two, nf, gnf }, *end = x + 5; x < end; x++)
        rsd_mat_free(x);
    layer_free(&g);
    layer_free(&l);
}

/* A channel that nothing ever passed is rounded by itself and disturbs nobody. */
static void dead_inputs_are_just_rounded(void **state)
{
    (void)state;
    layer l;
    make_layer(8, 40, 100, &l);
    for (size_t j = 0; j < 40; j++)
        l.H[7 * 40 + j] = l.H[j * 40 + 7] = 0;
    rsd_mat Wq = like(l.W);
    for (int order = 0; order < 2; order++) {
        quantize_known(order ? "gptq:bits=4,group=row,act_order" : "gptq:bits=4,group=row", &l,
                       &l.c, Wq);
        for (size_t i = 0; i < 8; i++) {
            const float most = 0.02385f * 6; /* of the row's range, over 15 steps, half of it */
            CHECK_CLOSE(Wq.x[i * 40 + 7], l.W.x[i * 40 + 7], most / 15);
        }
    }
    rsd_mat_free(&Wq);
    layer_free(&l);
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    layer l;
    make_layer(8, 16, 20, &l);
    rsd_spec spec;
    rsd_packed packed;
    CHECK_OK(rsd_spec_parse("gptq", &spec));
    CHECK_FAILS(rsd_pack(&spec, l.W, NULL, &packed), RSD_EUSAGE, "needs a calibration");
    rsd_packed_free(&packed);
    rsd_calibration c = l.c;
    c.m = 9;
    CHECK_FAILS(rsd_pack(&spec, l.W, &c, &packed), RSD_EARG, "9 x 16");
    rsd_packed_free(&packed);
    c = (rsd_calibration){ .m = 8, .n = 16 };
    CHECK_FAILS(rsd_pack(&spec, l.W, &c, &packed), RSD_EUSAGE, "gptq needs H");
    rsd_packed_free(&packed);
    CHECK_OK(rsd_spec_parse("gptq:metric=GH", &spec));
    CHECK_FAILS(rsd_pack(&spec, l.W, &l.c, &packed), RSD_EUSAGE, "gptq needs G");
    rsd_packed_free(&packed);
    CHECK_OK(rsd_spec_parse("awq", &spec));
    CHECK_FAILS(rsd_pack(&spec, l.W, &c, &packed), RSD_EUSAGE, "mean |x|");
    rsd_packed_free(&packed);
    CHECK_FAILS(rsd_spec_parse("gptq:scheme=nf,bits=5", &spec), RSD_EUSAGE, "2 to 4 bits");
    CHECK_OK(rsd_spec_parse("gptq:damping=0", &spec));
    for (size_t i = 0; i < 16 * 16; i++) /* rank one */
        l.H[i] = 1;
    CHECK_FAILS(rsd_pack(&spec, l.W, &l.c, &packed), RSD_EDOM, "give more, as damping");
    rsd_packed_free(&packed);
    l.H[5] = NAN;
    CHECK_FAILS(rsd_pack(&spec, l.W, &l.c, &packed), RSD_EDOM, "(0,5)");
    rsd_packed_free(&packed);
    layer_free(&l);
}

/* Fewer tokens than inputs, or a channel that repeats another: without damping a clear refusal, and
 * where rounding hides it (moments are stored in float32) still numbers, whatever the order. */
static void singular_moments(void **state)
{
    (void)state;
    static const char *const specs[] = { "gptq:damping=0", "gptq:damping=0,act_order",
                                         "gptq:damping=0,metric=GH" };
    enum { ROWS_ = 12, COLS = 48 };
    int refused = 0, done = 0;
    for (size_t tokens = 1; tokens < 60; tokens += tokens < 40 ? 13 : 3)
        for (size_t k = 0; k < sizeof specs / sizeof *specs; k++)
            for (int rounded = 0; rounded < 2; rounded++) {
                layer l;
                make_layer(ROWS_, COLS, tokens, &l);
                double *G = calloc((size_t)ROWS_ * ROWS_, sizeof *G);
                for (size_t i = 0; i < ROWS_; i++)
                    G[i * (ROWS_ + 1)] = tokens % 2 ? 1 : (double)(i % 3);
                l.c.G = G;
                for (size_t i = 0; i < COLS * COLS; i++)
                    l.H[i] = rounded ? (double)(float)l.H[i] : l.H[i];
                rsd_spec spec;
                rsd_quant_stats stats;
                rsd_mat Wq = like(l.W);
                CHECK_OK(rsd_spec_parse(specs[k], &spec));
                const int err = rsd_quantize(&spec, l.W, &l.c, Wq, &stats, NULL);
                if (err) {
                    assert_int_equal(err, RSD_EDOM);
                    assert_non_null(strstr(rsd_errmsg(), "H: a second moment of 48 channels"));
                    assert_non_null(strstr(rsd_errmsg(), "give more, as damping=0.01"));
                    refused++;
                } else {
                    CHECK_OK(rsd_mat_check_finite(Wq));
                    assert_true(stats.relative_error < 1);
                    done++;
                }
                if (tokens < COLS && !rounded)
                    assert_int_equal(err, RSD_EDOM);
                rsd_mat_free(&Wq);
                free(G);
                layer_free(&l);
            }
    assert_true(refused > 20 && done > 10);
}

static void llmint8_keeps_outlying_columns(void **state)
{
    (void)state;
    layer l;
    make_layer(6, 20, 30, &l);
    for (size_t j = 0; j < 20; j++)
        l.max_abs[j] = j == 3 || j == 19 ? 6.0 : 5.99;
    rsd_mat Wq = like(l.W), plain = like(l.W);
    quantize_known("llmint8", &l, &l.c, Wq);
    quantize_known("llmint8", &l, NULL, plain);
    for (size_t i = 0; i < 6; i++) {
        float most = 0, all = 0;
        for (size_t j = 0; j < 20; j++) {
            all = fmaxf(all, fabsf(l.W.x[i * 20 + j]));
            if (j != 3 && j != 19)
                most = fmaxf(most, fabsf(l.W.x[i * 20 + j]));
        }
        for (size_t j = 0; j < 20; j++) {
            const float w = l.W.x[i * 20 + j];
            if (j == 3 || j == 19) /* fp16 */
                CHECK_CLOSE(Wq.x[i * 20 + j], w, fabsf(w) * 0x1p-11f + 0x1p-25f);
            else
                CHECK_CLOSE(Wq.x[i * 20 + j], (most / 127) * rintf(w / (most / 127)), 0);
            CHECK_CLOSE(plain.x[i * 20 + j], (all / 127) * rintf(w / (all / 127)), 0);
        }
    }
    rsd_mat_free(&Wq);
    rsd_mat_free(&plain);
    layer_free(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gptq_answers_as_upstream),
        cmocka_unit_test(awq_answers_as_upstream),
        cmocka_unit_test(gptq_of_isotropic_inputs_is_rounding),
        cmocka_unit_test(each_metric_wins_in_its_own),
        cmocka_unit_test(dead_inputs_are_just_rounded),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(singular_moments),
        cmocka_unit_test(llmint8_keeps_outlying_columns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
