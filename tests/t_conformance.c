/* What every quantizer of the registry must do, whatever its options: one set of rules, no entry
 * excepted but where its descriptor says so. */
#include "par.h"
#include "quantizers/quantizer.h"

#include "quantizer_data.h"
#include "test.h"

/* Every name and alias of the registry, and these where the registry has them. */
static const char *const more_specs[] = {
    "float:format=e4m3,scale=none",
    "float:format=e4m3,scale=row",
    "float:format=e5m2",
    "float:format=e5m2,scale=row",
    "float:format=e5m2,scale=none",
    "int4:group=row",
    "int4:group=tensor",
    "int4:group=32,scheme=affine",
    "int3:scale=f32",
    "int8:group=tensor,scheme=affine",
    "int2:scheme=affine,group=row",
    "int5:group=7",
    "int8:scheme=affine,scale=f32,group=2",
    "int6:scale=f32,scheme=affine",
    "nf4:block=8",
    "nf4:block=4096",
    "nf4:double",
    "nf3:double,block=16",
    "nf2:block=256",
    "fp4:double",
    "fp4:block=128",
    "lowrank:rank=1",
    "lowrank:rank=full,store=f32",
    "lowrank:energy=0.5",
    "lowrank:rank=3,energy=0.99",
    "mx:format=e3m2",
    "mx:format=e5m2",
    "mx:rounding=nearest",
    "mx:format=e4m3,rounding=nearest",
    "mx:format=int8,rounding=nearest",
    "mxint:bits=8,block=7",
    "mxint:bits=5,block=65536",
    "nvfp4:scale=none",
    "dynamic8:block=64",
    "dynamic8:map=linear",
    "dynamic8:map=fp8,block=100",
    "af4:block=8",
    "af4:double",
    "kmeans:group=tensor,store=f32",
    "kmeans:bits=3,group=1",
    "kmeans:bits=2,group=5,store=f32",
    "hqq:bits=8,axis=0",
    "hqq:bits=5,group=7",
    "hqq:solver=v2,scale=f32",
    "hqq:bits=3,solver=slow,axis=0,group=32",
};

/* A spec, and whether it gets a calibration: both ways where the method takes one or goes without.
 */
typedef struct {
    rsd_spec spec;
    bool calibrated;
} subject;

typedef void visit(const subject *s);

static void visit_text(const char *text, visit *f)
{
    subject s = { .calibrated = false };
    CHECK_OK(rsd_spec_parse(text, &s.spec));
    const rsd_calibration_need need = s.spec.quantizer->calibration;
    if (need != RSD_CALIBRATION_NEEDS)
        f(&s);
    s.calibrated = true;
    if (need != RSD_CALIBRATION_NONE)
        f(&s);
}

static void each_spec(visit *f)
{
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        visit_text((*q)->name, f);
        for (const rsd_alias *a = (*q)->aliases; a && a->alias; a++)
            visit_text(a->alias, f);
    }
    for (size_t i = 0; i < sizeof more_specs / sizeof *more_specs; i++)
        visit_text(more_specs[i], f);
}

/* Moments of `tokens` made-up inputs and gradients, some of them much larger than others, and one
 * input that is always 0. */
typedef struct {
    rsd_calibration c;
    double *H, *G, *square, *mean_abs, *max_abs;
} made_up;

static void add_outer(const double *x, size_t n, size_t tokens, double *A)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            A[i * n + j] += x[i] * x[j] / (double)tokens;
}

static void draw(rsd_rng *rng, size_t n, bool dead, double *x)
{
    for (size_t j = 0; j < n; j++)
        x[j] = dead && j == 2 ? 0 : rsd_rng_normal(rng) * (j % 7 == 3 ? 8 : 1);
    for (size_t j = 1; j < n; j++)
        x[j] += dead && j == 2 ? 0 : 0.5 * x[j - 1];
}

static double *zeros(size_t n)
{
    double *x = calloc(n, sizeof *x);
    assert_non_null(x);
    return x;
}

static made_up calibrate(size_t m, size_t n)
{
    enum { TOKENS = 400 };
    made_up a = { { 0 }, zeros(n * n), zeros(m * m), zeros(n), zeros(n), zeros(n) };
    double *x = zeros(n), *g = zeros(m);
    rsd_rng *rng;
    CHECK_OK(rsd_rng_alloc(5, "calibration", &rng));
    for (int t = 0; t < TOKENS; t++) {
        draw(rng, n, true, x);
        draw(rng, m, false, g);
        add_outer(x, n, TOKENS, a.H);
        add_outer(g, m, TOKENS, a.G);
        for (size_t j = 0; j < n; j++) {
            a.square[j] += x[j] * x[j] / TOKENS;
            a.mean_abs[j] += fabs(x[j]) / TOKENS;
            a.max_abs[j] = fmax(a.max_abs[j], fabs(x[j]));
        }
    }
    rsd_rng_free(rng);
    free(x);
    free(g);
    a.c = (rsd_calibration){ m, n, a.H, a.G, a.square, a.mean_abs, a.max_abs, TOKENS };
    return a;
}

static void calibration_free(made_up *a)
{
    free(a->H);
    free(a->G);
    free(a->square);
    free(a->mean_abs);
    free(a->max_abs);
}

/* Odd ones, and rows shorter than a block. */
static const struct {
    size_t m, n;
} shapes[] = { { 1, 1 }, { 1, 7 }, { 9, 1 }, { 37, 53 }, { 3, 300 }, { 6, 64 } };
enum { SHAPES = sizeof shapes / sizeof *shapes };

static made_up calibrations[SHAPES];

static int make_calibrations(void **state)
{
    (void)state;
    for (int s = 0; s < SHAPES; s++)
        calibrations[s] = calibrate(shapes[s].m, shapes[s].n);
    return 0;
}

static int free_calibrations(void **state)
{
    (void)state;
    for (int s = 0; s < SHAPES; s++)
        calibration_free(&calibrations[s]);
    return 0;
}

/* That of W's shape, or NULL where the subject goes without. */
static const rsd_calibration *calibration_for(const subject *s, rsd_mat W)
{
    for (int i = 0; i < SHAPES && s->calibrated; i++)
        if (shapes[i].m == W.m && shapes[i].n == W.n)
            return &calibrations[i].c;
    assert_false(s->calibrated);
    return NULL;
}

/* Same sections, same bytes? */
static bool same_bytes(const rsd_packed *a, const rsd_packed *b)
{
    bool same = a->sections == b->sections && a->m == b->m && a->n == b->n;
    for (size_t i = 0; same && i < a->sections; i++)
        same = a->section[i].bytes == b->section[i].bytes &&
               strcmp(a->section[i].name, b->section[i].name) == 0 &&
               memcmp(a->section[i].data, b->section[i].data, a->section[i].bytes) == 0;
    return same;
}

/* Packing twice gives the same bytes; sections are counted; unpacking gives what rsd_quantize
 * measured, all of it finite and no farther from W than 0 is (or than 1e-38, the least absmax of a
 * short last block, which double quantization mixes into the others). */
static void check_round_trip(const subject *s, rsd_mat W, kind k)
{
    rsd_packed a, b;
    rsd_quant_stats stats;
    const rsd_calibration *c = calibration_for(s, W);
    rsd_mat Wq = like(W), again = like(W);
    CHECK_OK(rsd_pack(&s->spec, W, c, &a));
    CHECK_OK(rsd_pack(&s->spec, W, c, &b));
    if (!same_bytes(&a, &b))
        fail_msg("%s on kind %d, %zu x %zu: two answers", s->spec.text, k, W.m, W.n);
    size_t bytes = 0;
    for (size_t i = 0; i < a.sections; i++)
        bytes += a.section[i].bytes;
    CHECK_OK(rsd_unpack(&s->spec, &a, Wq));
    CHECK_OK(rsd_quantize(&s->spec, W, c, again, &stats, NULL));
    assert_memory_equal(Wq.x, again.x, W.m * W.n * sizeof(float));
    if (rsd_mat_check_finite(Wq))
        fail_msg("%s on kind %d, %zu x %zu: %s", s->spec.text, k, W.m, W.n, rsd_errmsg());
    assert_int_equal(stats.packed_bytes, bytes);
    assert_int_equal(rsd_packed_bytes(&a), bytes);
    CHECK_CLOSE(stats.bits_per_weight, 8.0 * (double)bytes / (double)(W.m * W.n), 1e-12);
    if (!s->calibrated && !(stats.relative_error <= 1.001 || stats.max_abs_error <= 1e-38))
        fail_msg("%s on kind %d, %zu x %zu: relative error %g", s->spec.text, k, W.m, W.n,
                 stats.relative_error);
    rsd_packed_free(&a);
    rsd_packed_free(&b);
    rsd_mat_free(&again);
    rsd_mat_free(&Wq);
}

/* A view with ld > n holds the same numbers: same answer, and nothing beside it is touched. */
static void check_view(const subject *s, rsd_mat W)
{
    const size_t ld = W.n + 5;
    const rsd_calibration *c = calibration_for(s, W);
    rsd_quant_stats stats;
    rsd_mat wide, out, Wq = like(W);
    CHECK_OK(rsd_mat_alloc(W.m, ld, &wide));
    CHECK_OK(rsd_mat_alloc(W.m, ld, &out));
    for (size_t i = 0; i < W.m * ld; i++)
        wide.x[i] = NAN, out.x[i] = 1234;
    rsd_mat view = { wide.x, W.m, W.n, ld }, view_out = { out.x, W.m, W.n, ld };
    rsd_mat_copy(W, view);
    CHECK_OK(rsd_quantize(&s->spec, W, c, Wq, &stats, NULL));
    CHECK_OK(rsd_quantize(&s->spec, view, c, view_out, &stats, NULL));
    for (size_t i = 0; i < W.m; i++) {
        assert_memory_equal(out.x + i * ld, Wq.x + i * W.n, W.n * sizeof(float));
        for (size_t j = W.n; j < ld; j++)
            assert_true(out.x[i * ld + j] == 1234);
    }
    rsd_mat_free(&Wq);
    rsd_mat_free(&out);
    rsd_mat_free(&wide);
}

static void conform(const subject *a)
{
    for (int s = 0; s < SHAPES; s++)
        for (kind k = 0; k < KINDS; k++) {
            rsd_mat W = make(k, shapes[s].m, shapes[s].n);
            check_round_trip(a, W, k);
            check_view(a, W);
            rsd_mat_free(&W);
        }
}

static void test_round_trips_and_views(void **state)
{
    (void)state;
    each_spec(conform);
}

/* Several threads at once get what one gets alone: no state is shared. */
static void check_threads(const subject *s)
{
    enum { THREADS = 4 };
    rsd_packed alone, packed[THREADS];
    int failed[THREADS];
    rsd_mat W = make(NORMAL, 37, 53), Wq = like(W), out[THREADS];
    const rsd_calibration *c = calibration_for(s, W);
    CHECK_OK(rsd_pack(&s->spec, W, c, &alone));
    CHECK_OK(rsd_unpack(&s->spec, &alone, Wq));
    for (int t = 0; t < THREADS; t++)
        out[t] = like(W);
#pragma omp parallel for num_threads(THREADS) schedule(static, 1)
    for (int t = 0; t < THREADS; t++) {
        failed[t] = rsd_pack(&s->spec, W, c, &packed[t]);
        if (!failed[t])
            failed[t] = rsd_unpack(&s->spec, &packed[t], out[t]);
    }
    for (int t = 0; t < THREADS; t++) {
        assert_int_equal(failed[t], RSD_OK);
        if (!same_bytes(&alone, &packed[t]) ||
            memcmp(out[t].x, Wq.x, W.m * W.n * sizeof(float)) != 0)
            fail_msg("%s: thread %d of %d has another answer", s->spec.text, t, THREADS);
        rsd_packed_free(&packed[t]);
        rsd_mat_free(&out[t]);
    }
    rsd_packed_free(&alone);
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

static void test_threads(void **state)
{
    (void)state;
    each_spec(check_threads);
}

/* Zeros come back as zeros (from any quantizer, whatever scale it makes up for them). */
static void zeros_stay(const subject *s)
{
    for (kind k = ZEROS; k <= SIGNED_ZEROS; k++) {
        rsd_mat W = make(k, 37, 53), Wq = like(W);
        rsd_quant_stats stats;
        CHECK_OK(rsd_quantize(&s->spec, W, calibration_for(s, W), Wq, &stats, NULL));
        for (size_t i = 0; i < W.m * W.n; i++)
            if (Wq.x[i] != 0)
                fail_msg("%s: zero becomes %g", s->spec.text, (double)Wq.x[i]);
        CHECK_CLOSE(stats.relative_error, 0, 0);
        assert_true(isinf(stats.sqnr_db));
        rsd_mat_free(&Wq);
        rsd_mat_free(&W);
    }
}

static void test_zeros(void **state)
{
    (void)state;
    each_spec(zeros_stay);
}

/* A matrix that is one number keeps its sign and, to half, its size. */
static void constants_stay(const subject *s)
{
    for (kind k = CONSTANT; k <= NEGATIVE; k++) {
        rsd_mat W = make(k, 37, 53), Wq = like(W);
        rsd_quant_stats stats;
        CHECK_OK(rsd_quantize(&s->spec, W, calibration_for(s, W), Wq, &stats, NULL));
        for (size_t i = 0; i < W.m * W.n && !s->calibrated; i++)
            if (!(Wq.x[i] / W.x[i] > 0.5f && Wq.x[i] / W.x[i] < 1.5f))
                fail_msg("%s: %g becomes %g", s->spec.text, (double)W.x[i], (double)Wq.x[i]);
        rsd_mat_free(&Wq);
        rsd_mat_free(&W);
    }
}

static void test_constants(void **state)
{
    (void)state;
    each_spec(constants_stay);
}

static void refuse_bad_input(const subject *s)
{
    const float bad[] = { NAN, INFINITY, -INFINITY };
    const rsd_spec *spec = &s->spec;
    rsd_mat W = make(NORMAL, 6, 64), Wq = like(W);
    const rsd_calibration *c = calibration_for(s, W);
    rsd_quant_stats stats;
    rsd_packed packed;
    for (int k = 0; k < 3; k++) {
        W.x[3 * 64 + 17] = bad[k];
        CHECK_FAILS(rsd_quantize(spec, W, c, Wq, &stats, NULL), RSD_EDOM, "(3,17)");
    }
    CHECK_FAILS(rsd_quantize(spec, (rsd_mat){ W.x, 0, 64, 64 }, c, Wq, &stats, NULL), RSD_EARG,
                "0 x 64");
    CHECK_FAILS(rsd_pack(spec, (rsd_mat){ W.x, 6, 0, 64 }, c, &packed), RSD_EARG, "6 x 0");
    W.x[3 * 64 + 17] = 1;
    CHECK_OK(rsd_pack(spec, W, c, &packed));
    CHECK_FAILS(rsd_unpack(spec, &packed, (rsd_mat){ Wq.x, 5, 64, 64 }), RSD_EARG, "5 x 64");
    CHECK_FAILS(rsd_unpack(spec, &packed, (rsd_mat){ Wq.x, 6, 63, 64 }), RSD_EARG, "6 x 63");
    rsd_packed_free(&packed);
    if (s->calibrated)
        CHECK_FAILS(rsd_pack(spec, (rsd_mat){ W.x, 6, 63, 64 }, c, &packed), RSD_EARG, "6 x 64");
    if (spec->quantizer->calibration == RSD_CALIBRATION_NEEDS)
        CHECK_FAILS(rsd_pack(spec, W, NULL, &packed), RSD_EUSAGE, "calibrat");
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

static void test_bad_input(void **state)
{
    (void)state;
    each_spec(refuse_bad_input);
}

/* The canonical text says everything: it parses to itself and to the same parameters. */
static void text_round_trip(const subject *s)
{
    const rsd_spec *spec = &s->spec;
    rsd_spec again;
    CHECK_OK(rsd_spec_parse(spec->text, &again));
    assert_string_equal(again.text, spec->text);
    assert_ptr_equal(again.quantizer, spec->quantizer);
    assert_memory_equal(again.params, spec->params, RSD_PARAMS_MAX);

    char text[2 * RSD_SPEC_MAX];
    const char *joint = strchr(spec->text, ':') ? "," : ":";
    snprintf(text, sizeof text, "%s%scolour=red", spec->text, joint);
    CHECK_FAILS(rsd_spec_parse(text, &again), RSD_EUSAGE, "unknown key 'colour'");
    for (const rsd_opt *o = spec->quantizer->options; o && o->name; o++) {
        snprintf(text, sizeof text, "%s:%s=purple", spec->quantizer->name, o->name);
        CHECK_FAILS(rsd_spec_parse(text, &again), RSD_EUSAGE, o->name);
        snprintf(text, sizeof text, "%s:%s=-1", spec->quantizer->name, o->name);
        CHECK_FAILS(rsd_spec_parse(text, &again), RSD_EUSAGE, text);
    }
}

static void test_spec_text(void **state)
{
    (void)state;
    each_spec(text_round_trip);
}

/* Is Wq, quantized, what it was?  Frees W. */
static bool stays(const subject *s, rsd_mat W)
{
    rsd_mat Wq = like(W), again = like(W);
    /* importance weights may move a scale each time: the claim is about the matrix alone */
    const bool needs = s->spec.quantizer->calibration == RSD_CALIBRATION_NEEDS;
    const rsd_calibration *c = needs ? calibration_for(s, W) : NULL;
    rsd_quant_stats stats;
    CHECK_OK(rsd_quantize(&s->spec, W, c, Wq, &stats, NULL));
    CHECK_OK(rsd_quantize(&s->spec, Wq, c, again, &stats, NULL));
    rsd_mat_free(&again);
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
    return stats.max_abs_error == 0;
}

/* Exactly so for every matrix where the quantizer says so (but subnormal ones); where it does not,
 * some matrix must show it, or the descriptor is too modest. */
static void check_idempotent(const subject *a)
{
    const rsd_spec *spec = &a->spec;
    bool (*claim)(const rsd_spec *) = spec->quantizer->idempotent;
    const bool claimed = claim && claim(spec);
    bool held = true;
    for (int s = 0; s < SHAPES; s++)
        for (kind k = 0; k < KINDS; k++) {
            if (k == SUBNORMAL)
                continue;
            held = stays(a, make(k, shapes[s].m, shapes[s].n)) && held;
            if (claimed && !held)
                fail_msg("%s on kind %d, %zu x %zu moves when quantized again", spec->text, k,
                         shapes[s].m, shapes[s].n);
        }
    for (uint64_t seed = 0; seed < 200 && (claimed || held); seed++)
        for (int s = 0; s < 2; s++) {
            rsd_mat W = make_seeded(seed % 4 == 3 ? ONE_HUGE : NORMAL, s ? 6 : 9, s ? 64 : 1, seed);
            for (size_t i = 0; i < W.m * W.n && seed % 4 == 2; i++)
                W.x[i] = ldexpf(W.x[i] + 0.1f, -(int)(seed / 4 % 16)); /* small, and off zero */
            held = stays(a, W) && held;
        }
    if (held != claimed)
        fail_msg("%s is %sidempotent and %s so", spec->text, held ? "" : "not ",
                 claimed ? "says" : "does not say");
}

static void test_idempotent(void **state)
{
    (void)state;
    each_spec(check_idempotent);
}

static void test_spec_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text, *canonical;
    } good[] = {
        { "nf4", "nf:bits=4,block=64" },
        { "nf2:double", "nf:bits=2,block=64,double" },
        { "nf:block=128,bits=3", "nf:bits=3,block=128" },
        { "fp4", "fp4:block=64" },
        { "int4", "int:bits=4,group=128,scheme=symmetric,scale=fp16" },
        { "int:group=tensor,scheme=affine", "int:bits=4,group=tensor,scheme=affine,scale=fp16" },
        { "float", "float:format=fp16,scale=none" },
        { "fp8", "float:format=e4m3,scale=tensor" },
        { "fp8:scale=none", "float:format=e4m3,scale=none" },
        { "bf16", "float:format=bf16,scale=none" },
        { "lowrank", "lowrank:rank=64,energy=1,store=fp16" },
        { "lowrank:energy=0.9", "lowrank:rank=full,energy=0.9,store=fp16" },
        { "lowrank:rank=7,energy=0.9", "lowrank:rank=7,energy=0.9,store=fp16" },
        { "mx", "mx:format=e2m1,rounding=even" },
        { "mxfp8:rounding=nearest", "mx:format=e4m3,rounding=nearest" },
        { "mxint2", "mxint:bits=2,block=16" },
        { "nvfp4", "nvfp4:scale=tensor" },
        { "dynamic8", "dynamic8:block=256,map=dynamic" },
        { "int8vec", "int8vec" },
        { "kmeans:group=tensor", "kmeans:bits=4,group=tensor,store=fp16" },
        { "hqq2", "hqq:bits=2,group=64,axis=1,solver=legacy,scale=fp16" },
    };
    rsd_spec spec;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_OK(rsd_spec_parse(good[i].text, &spec));
        assert_string_equal(spec.text, good[i].canonical);
    }
    CHECK_FAILS(rsd_spec_parse("nf5", &spec), RSD_ENOTFOUND, "did you mean 'nf4'?");
    CHECK_FAILS(rsd_spec_parse("", &spec), RSD_ENOTFOUND, "''");
    CHECK_FAILS(rsd_spec_parse("nf4:", &spec), RSD_EUSAGE, "no keys");
    CHECK_FAILS(rsd_spec_parse("nf:bits=5", &spec), RSD_EUSAGE, "nf:bits=5: bits=5");
    CHECK_FAILS(rsd_spec_parse("nf4:block=12", &spec), RSD_EUSAGE, "multiple of 8");
    CHECK_FAILS(rsd_spec_parse("fp4:block=100", &spec), RSD_EUSAGE, "multiple of 8");
    CHECK_FAILS(rsd_spec_parse("nf4:block=64,block=32", &spec), RSD_EUSAGE, "twice");
    CHECK_FAILS(rsd_spec_parse("int9", &spec), RSD_ENOTFOUND, "int9");
    CHECK_FAILS(rsd_spec_parse("int:bits=1", &spec), RSD_EUSAGE, "at least 2");
    CHECK_FAILS(rsd_spec_parse("int4:group=column", &spec), RSD_EUSAGE, "row|tensor");
    CHECK_FAILS(rsd_spec_parse("fp16:scale=row", &spec), RSD_EUSAGE, "takes no scale");
    CHECK_FAILS(rsd_spec_parse("lowrank:rank=0", &spec), RSD_EUSAGE, "rank=0");
    char name[400];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = 0;
    CHECK_FAILS(rsd_spec_parse(name, &spec), RSD_ENOTFOUND, "399");
}

int main(void)
{
    rsd_par_init(1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round_trips_and_views),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_constants),
        cmocka_unit_test(test_bad_input),
        cmocka_unit_test(test_spec_text),
        cmocka_unit_test(test_spec_parse),
        cmocka_unit_test(test_idempotent),
    };
    return cmocka_run_group_tests(tests, make_calibrations, free_calibrations);
}
