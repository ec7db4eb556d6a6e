/* LoftQ against its repository's and PEFT's answers, corrections against QERA's.  How the fixtures
 * were made: tests/golden/make_inits.py. */
#include "fp.h"
#include "init_data.h"
#include "par.h"
#include "quantizers/packed.h"
#include "read_npy.h"

#include <nettle/sha2.h>

enum { SAMPLES = 512, STRIDE = 7919 };

static rsd_mat load_f32(const char *name)
{
    char path[128];
    rsd_npy head;
    snprintf(path, sizeof path, "golden/in/%s.npy", name);
    const char *full = shared_file(path);
    if (!full)
        return (rsd_mat){ 0 };
    float *x = read_npy(full, RSD_F32, &head);
    return (rsd_mat){ x, head.shape[0], head.shape[1], head.shape[1] };
}

/* ---- the two fake quantizers that LoftQ's code compares itself with ---- */

/* Blocks of 64 over the flat tensor: levels evenly spaced in +-(mean + 2.5 sd), both ends included;
 * ties to the lower.  float32 as there. */
static void block_uniform(const float *x, size_t count, int bits, float *q)
{
    const float steps = (float)((1 << bits) - 1);
    for (size_t at = 0; at < count; at += 64) {
        double sum = 0, squares = 0;
        for (size_t i = 0; i < 64; i++)
            sum += (double)x[at + i];
        for (size_t i = 0; i < 64; i++)
            squares += ((double)x[at + i] - sum / 64) * ((double)x[at + i] - sum / 64);
        const float scale = (float)(sum / 64 + 2.5 * sqrt(squares / 63));
        for (size_t i = 0; i < 64; i++) {
            float best = INFINITY, level = 0;
            for (int k = 0; k < 1 << bits; k++) {
                const float l = (float)(-1 + 2 * (double)k / (double)steps);
                const float distance = fabsf(x[at + i] / scale - l);
                level = distance < best ? l : level;
                best = distance < best ? distance : best;
            }
            q[at + i] = level * scale;
        }
    }
}

/* The whole tensor cut at mean +- 2 sd, then evenly spaced between what is left. */
static void tensor_uniform(const float *x, size_t count, int bits, float *q)
{
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i];
    const double mean = sum / (double)count;
    for (size_t i = 0; i < count; i++)
        squares += ((double)x[i] - mean) * ((double)x[i] - mean);
    const float sd = (float)sqrt(squares / (double)(count - 1));
    const float low = (float)mean - 2 * sd, high = (float)mean + 2 * sd;
    float least = INFINITY, most = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        q[i] = fminf(fmaxf(x[i], low), high);
        least = fminf(least, q[i]);
        most = fmaxf(most, q[i]);
    }
    const float range = most - least + 1e-8f, steps = (float)((1 << bits) - 1);
    for (size_t i = 0; i < count; i++)
        q[i] = rintf((q[i] - least) / range * steps) / steps * range + least;
}

typedef struct {
    int bits, tensor;
} uniform;

static int uniform_pack(const rsd_spec *spec, rsd_mat W, const rsd_calibration *c, rsd_packed *out)
{
    const uniform *a = rsd_spec_params(spec);
    float *q;
    (void)c;
    assert_int_equal(W.ld, W.n);
    RSD_TRY(rsd_packed_add(out, "values", "F32", W.m * W.n, &q));
    (a->tensor ? tensor_uniform : block_uniform)(W.x, W.m * W.n, a->bits, q);
    return RSD_OK;
}

static int uniform_unpack(const rsd_spec *spec, const rsd_packed *in, rsd_mat Wq)
{
    (void)spec;
    rsd_section_reals(rsd_packed_get(in, "values"), Wq.x);
    return RSD_OK;
}

/* A registry's SPEC, or one of the two above: `block_uniform:BITS`, `tensor_uniform:BITS`. */
static void parse_quantizer(const char *text, rsd_spec *out)
{
    static const rsd_quantizer own = { .name = "uniform",
                                       .pack = uniform_pack,
                                       .unpack = uniform_unpack };
    if (!strstr(text, "uniform")) {
        CHECK_OK(rsd_spec_parse(text, out));
        return;
    }
    const uniform a = { atoi(strchr(text, ':') + 1), *text == 't' };
    *out = (rsd_spec){ .quantizer = &own };
    memcpy(out->params, &a, sizeof a);
}

/* ---- LoftQ ---- */

typedef struct {
    char input[64], quantizer[64], sha256[65];
    size_t steps, rank;
    double error;
} answer;

static void hash(rsd_mat Q, char text[65])
{
    uint8_t digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx context;
    sha256_init(&context);
    for (size_t i = 0; i < Q.m * Q.n; i++) {
        const float q = Q.x[i] + 0.0f; /* -0 becomes 0 */
        sha256_update(&context, sizeof q, (const uint8_t *)&q);
    }
    sha256_digest(&context, sizeof digest, digest);
    for (int i = 0; i < SHA256_DIGEST_SIZE; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
}

/* The first Q is the quantizer's own and equal to the bit, but for the test's own, whose sums are
 * in another order.  Later ones see a C whose last bits are another SVD's, and a weight that lies
 * within that of a midpoint may get the other code.  One code moves an entry of R by some .006 in
 * the Gaussian of 256 x 512, whose singular values 8 and 9 are .0005 apart: the vectors turn by
 * percents, and the error, which is flat there, by 1e-5.  Returns whether C is upstream's to
 * rounding. */
static bool check_loftq(const answer *a, const float *want)
{
    rsd_mat W = load_f32(a->input), C;
    rsd_init_spec spec;
    rsd_spec q;
    char text[64], sha256[65];
    snprintf(text, sizeof text, "loftq:steps=%zu", a->steps);
    CHECK_OK(rsd_init_parse(text, &spec));
    parse_quantizer(a->quantizer, &q);
    rsd_init_result out = result_alloc(W.m, W.n, a->rank);
    const rsd_init_task task = { .W = W, .quantizer = &q, .rank = a->rank, .seed = 1 };
    CHECK_OK(rsd_init_start(&spec, &task, &out));
    CHECK_OK(rsd_mat_alloc(W.m, W.n, &C));
    rsd_mat_mul(out.B, out.A, C);

    double off = 0, size = 0;
    size_t other = 0;
    for (size_t k = 0; k < SAMPLES; k++) {
        const size_t at = STRIDE * k % (W.m * W.n);
        const double c = (double)C.x[at], wanted = (double)want[SAMPLES + k];
        other += fabsf(out.Wq.x[at] - want[k]) > 1e-6f;
        off += (c - wanted) * (c - wanted);
        size += wanted * wanted;
    }
    hash(out.Wq, sha256);
    print_message("# %s %s steps=%zu: error %.7f, want %.7f; C off by %.1e, Q %s\n", a->input,
                  a->quantizer, a->steps, relative_error(W, &out) * sqrt(rsd_mat_sumsq(W)),
                  a->error, sqrt(off / size), strcmp(sha256, a->sha256) == 0 ? "equal" : "not");
    const bool close = sqrt(off / size) < 2e-5;
    CHECK_CLOSE(sqrt(off / size), 0, a->steps == 1 ? 2e-5 : 0.2);
    if (close)
        assert_int_equal(other, 0);
    if (a->steps == 1 && !strstr(a->quantizer, "uniform"))
        assert_string_equal(sha256, a->sha256);
    CHECK_CLOSE(relative_error(W, &out) * sqrt(rsd_mat_sumsq(W)) / a->error, 1,
                close ? 1e-6 : 1e-4);
    rsd_mat_free(&C);
    result_free(&out);
    free(W.x);
    return close;
}

static void loftq_is_upstreams(void **state)
{
    (void)state;
    if (!shared_file("golden/in/loftq_128x192.npy"))
        skip();
    FILE *f = fopen(fixture("inits/loftq.txt"), "r");
    assert_non_null(f);
    rsd_npy head;
    float *samples = read_npy(fixture("inits/loftq.npy"), RSD_F32, &head);
    size_t line = 0, close = 0;
    answer a;
    while (fscanf(f, "%63s %63s %zu %zu %lf %64s", a.input, a.quantizer, &a.steps, &a.rank,
                  &a.error, a.sha256) == 6)
        close += check_loftq(&a, samples + 2 * SAMPLES * line++);
    fclose(f);
    assert_int_equal(line, head.shape[0]);
    assert_int_equal(line, 20);
    assert_true(close >= 19);
    free(samples);
}

/* ---- QERA ---- */

enum { TOKENS = 1024, BATCHES = 4 };

/* Its inputs; and its scale for LQER, the largest of the batches' means. */
static known load_inputs(float **x)
{
    rsd_npy head;
    uint16_t *half = read_npy(shared_file("golden/in/L1_X_1024x256_f16.npy"), RSD_F16, &head);
    const size_t n = head.shape[1];
    assert_int_equal(head.shape[0], TOKENS);
    *x = malloc(head.count * sizeof **x);
    assert_non_null(*x);
    rsd_fp_decode_array(&rsd_fp16, half, *x, head.count);
    known k = known_from(*x, *x, TOKENS, n, n);
    for (size_t j = 0; j < n; j++) {
        k.mean_abs[j] = 0;
        for (size_t b = 0; b < BATCHES; b++) {
            double sum = 0;
            for (size_t t = b * TOKENS / BATCHES; t < (b + 1) * TOKENS / BATCHES; t++)
                sum += fabs((double)(*x)[t * n + j]);
            k.mean_abs[j] = fmax(k.mean_abs[j], sum / (TOKENS / BATCHES));
        }
    }
    free(half);
    return k;
}

static void qera_is_upstreams(void **state)
{
    (void)state;
    rsd_mat W = load_f32("L1_W_256x256");
    if (!W.x)
        skip();
    float *x;
    known k = load_inputs(&x);
    FILE *f = fopen(fixture("inits/qera.txt"), "r");
    assert_non_null(f);
    char init[32], quantizer[64];
    size_t rank, lines = 0;
    double weight, output;
    while (fscanf(f, "%31s %63s %zu %lf %lf", init, quantizer, &rank, &weight, &output) == 5) {
        rsd_init_result out = start(init, W, quantizer, rank, 0, &k.view);
        rsd_mat E = remainder_of(W, &out);
        const double of_weight = rsd_mat_sumsq(E) / (double)(W.m * W.n);
        const double of_output = weighted(NULL, E, k.H) / (double)W.m;
        print_message("# %s %s r%zu: weight %.6f, output %.6f of upstream's\n", init, quantizer,
                      rank, of_weight / weight, of_output / output);
        CHECK_CLOSE(of_weight / weight, 1, 1e-5);
        CHECK_CLOSE(of_output / output, 1, 1e-5);
        lines++;
        rsd_mat_free(&E);
        result_free(&out);
    }
    assert_int_equal(lines, 32);
    fclose(f);
    known_free(&k);
    free(x);
    free(W.x);
}

int main(void)
{
    rsd_par_init(2);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loftq_is_upstreams),
        cmocka_unit_test(qera_is_upstreams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
