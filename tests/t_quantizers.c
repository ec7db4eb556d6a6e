/* What every quantizer of the registry must do, whatever its options. */
#include "quantizers/quantizer.h"

#include "quantizer_data.h"
#include "test.h"

/* Every name and alias of the registry, and these. */
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
};

typedef void visit(const rsd_spec *spec);

static void each_spec(visit *f)
{
    rsd_spec spec;
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        CHECK_OK(rsd_spec_parse((*q)->name, &spec));
        f(&spec);
        for (const rsd_alias *a = (*q)->aliases; a && a->alias; a++) {
            CHECK_OK(rsd_spec_parse(a->alias, &spec));
            f(&spec);
        }
    }
    for (size_t i = 0; i < sizeof more_specs / sizeof *more_specs; i++) {
        CHECK_OK(rsd_spec_parse(more_specs[i], &spec));
        f(&spec);
    }
}

/* Odd ones, and rows shorter than a block. */
static const struct {
    size_t m, n;
} shapes[] = { { 1, 1 }, { 1, 7 }, { 9, 1 }, { 37, 53 }, { 3, 300 }, { 6, 64 } };
enum { SHAPES = sizeof shapes / sizeof *shapes };

/* Packing twice gives the same bytes; sections are counted; unpacking gives what rsd_quantize
 * measured, all of it finite and no farther from W than 0 is (or than 1e-38, the least absmax of a
 * short last block, which double quantization mixes into the others). */
static void check_round_trip(const rsd_spec *spec, rsd_mat W, kind k)
{
    rsd_packed a, b;
    rsd_quant_stats stats;
    rsd_mat Wq = like(W), again = like(W);
    CHECK_OK(rsd_pack(spec, W, NULL, &a));
    CHECK_OK(rsd_pack(spec, W, NULL, &b));
    size_t bytes = 0;
    assert_int_equal(a.sections, b.sections);
    for (size_t i = 0; i < a.sections; i++) {
        assert_int_equal(a.section[i].bytes, b.section[i].bytes);
        assert_memory_equal(a.section[i].data, b.section[i].data, a.section[i].bytes);
        bytes += a.section[i].bytes;
    }
    CHECK_OK(rsd_unpack(spec, &a, Wq));
    CHECK_OK(rsd_quantize(spec, W, NULL, again, &stats, NULL));
    assert_memory_equal(Wq.x, again.x, W.m * W.n * sizeof(float));
    if (rsd_mat_check_finite(Wq))
        fail_msg("%s on kind %d, %zu x %zu: %s", spec->text, k, W.m, W.n, rsd_errmsg());
    assert_int_equal(stats.packed_bytes, bytes);
    assert_int_equal(rsd_packed_bytes(&a), bytes);
    CHECK_CLOSE(stats.bits_per_weight, 8.0 * (double)bytes / (double)(W.m * W.n), 1e-12);
    if (!(stats.relative_error <= 1.001 || stats.max_abs_error <= 1e-38))
        fail_msg("%s on kind %d, %zu x %zu: relative error %g", spec->text, k, W.m, W.n,
                 stats.relative_error);
    rsd_packed_free(&a);
    rsd_packed_free(&b);
    rsd_mat_free(&again);
    rsd_mat_free(&Wq);
}

/* A view with ld > n holds the same numbers: same answer, and nothing beside it is touched. */
static void check_view(const rsd_spec *spec, rsd_mat W)
{
    const size_t ld = W.n + 5;
    rsd_quant_stats stats;
    rsd_mat wide, out, Wq = like(W);
    CHECK_OK(rsd_mat_alloc(W.m, ld, &wide));
    CHECK_OK(rsd_mat_alloc(W.m, ld, &out));
    for (size_t i = 0; i < W.m * ld; i++)
        wide.x[i] = NAN, out.x[i] = 1234;
    rsd_mat view = { wide.x, W.m, W.n, ld }, view_out = { out.x, W.m, W.n, ld };
    rsd_mat_copy(W, view);
    CHECK_OK(rsd_quantize(spec, W, NULL, Wq, &stats, NULL));
    CHECK_OK(rsd_quantize(spec, view, NULL, view_out, &stats, NULL));
    for (size_t i = 0; i < W.m; i++) {
        assert_memory_equal(out.x + i * ld, Wq.x + i * W.n, W.n * sizeof(float));
        for (size_t j = W.n; j < ld; j++)
            assert_true(out.x[i * ld + j] == 1234);
    }
    rsd_mat_free(&Wq);
    rsd_mat_free(&out);
    rsd_mat_free(&wide);
}

static void conform(const rsd_spec *spec)
{
    for (int s = 0; s < SHAPES; s++)
        for (kind k = 0; k < KINDS; k++) {
            rsd_mat W = make(k, shapes[s].m, shapes[s].n);
            check_round_trip(spec, W, k);
            check_view(spec, W);
            rsd_mat_free(&W);
        }
}

static void test_conformance(void **state)
{
    (void)state;
    each_spec(conform);
}

/* Zeros come back as zeros (from any quantizer, whatever scale it makes up for them). */
static void zeros_stay(const rsd_spec *spec)
{
    for (kind k = ZEROS; k <= SIGNED_ZEROS; k++) {
        rsd_mat W = make(k, 37, 53), Wq = like(W);
        rsd_quant_stats stats;
        CHECK_OK(rsd_quantize(spec, W, NULL, Wq, &stats, NULL));
        for (size_t i = 0; i < W.m * W.n; i++)
            assert_true(Wq.x[i] == 0);
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

static void refuse_bad_input(const rsd_spec *spec)
{
    const float bad[] = { NAN, INFINITY, -INFINITY };
    rsd_mat W = make(NORMAL, 6, 64), Wq = like(W);
    rsd_quant_stats stats;
    rsd_packed packed;
    for (int k = 0; k < 3; k++) {
        W.x[3 * 64 + 17] = bad[k];
        CHECK_FAILS(rsd_quantize(spec, W, NULL, Wq, &stats, NULL), RSD_EDOM, "(3,17)");
    }
    CHECK_FAILS(rsd_quantize(spec, (rsd_mat){ W.x, 0, 64, 64 }, NULL, Wq, &stats, NULL), RSD_EARG, "0 x 64");
    CHECK_FAILS(rsd_pack(spec, (rsd_mat){ W.x, 6, 0, 64 }, NULL, &packed), RSD_EARG, "6 x 0");
    W.x[3 * 64 + 17] = 1;
    CHECK_OK(rsd_pack(spec, W, NULL, &packed));
    CHECK_FAILS(rsd_unpack(spec, &packed, (rsd_mat){ Wq.x, 5, 64, 64 }), RSD_EARG, "5 x 64");
    CHECK_FAILS(rsd_unpack(spec, &packed, (rsd_mat){ Wq.x, 6, 63, 64 }), RSD_EARG, "6 x 63");
    rsd_packed_free(&packed);
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
}

static void test_bad_input(void **state)
{
    (void)state;
    each_spec(refuse_bad_input);
}

/* The canonical text says everything: it parses to itself and to the same parameters. */
static void text_round_trip(const rsd_spec *spec)
{
    rsd_spec again;
    CHECK_OK(rsd_spec_parse(spec->text, &again));
    assert_string_equal(again.text, spec->text);
    assert_ptr_equal(again.quantizer, spec->quantizer);
    assert_memory_equal(again.params, spec->params, RSD_PARAMS_MAX);

    char text[RSD_SPEC_MAX + 32];
    snprintf(text, sizeof text, "%s,colour=red", spec->text);
    CHECK_FAILS(rsd_spec_parse(text, &again), RSD_EUSAGE, "unknown key 'colour'");
    for (const rsd_opt *o = spec->quantizer->options; o->name; o++) {
        snprintf(text, sizeof text, "%s:%s=purple", spec->quantizer->name, o->name);
        CHECK_FAILS(rsd_spec_parse(text, &again), RSD_EUSAGE, o->name);
        snprintf(text, sizeof text, "%s:%s=-1", spec->quantizer->name, o->name);
        CHECK_FAILS(rsd_spec_parse(text, &again), RSD_EUSAGE, text);
    }
}

/* Is Wq, quantized, what it was?  Frees W. */
static bool stays(const rsd_spec *spec, rsd_mat W)
{
    rsd_mat Wq = like(W), again = like(W);
    rsd_quant_stats stats;
    CHECK_OK(rsd_quantize(spec, W, NULL, Wq, &stats, NULL));
    CHECK_OK(rsd_quantize(spec, Wq, NULL, again, &stats, NULL));
    rsd_mat_free(&again);
    rsd_mat_free(&Wq);
    rsd_mat_free(&W);
    return stats.max_abs_error == 0;
}

/* Exactly so for every matrix where the quantizer says so (but subnormal ones); where it does not,
 * some matrix must show it, or the descriptor is too modest. */
static void check_idempotent(const rsd_spec *spec)
{
    bool (*claim)(const void *) = spec->quantizer->idempotent;
    const bool claimed = claim && claim(spec->params);
    bool held = true;
    for (int s = 0; s < SHAPES; s++)
        for (kind k = 0; k < KINDS; k++) {
            if (k == SUBNORMAL)
                continue;
            held = stays(spec, make(k, shapes[s].m, shapes[s].n)) && held;
            if (claimed && !held)
                fail_msg("%s on kind %d, %zu x %zu moves when quantized again", spec->text, k,
                         shapes[s].m, shapes[s].n);
        }
    for (uint64_t seed = 0; seed < 200 && (claimed || held); seed++)
        held = stays(spec, make_seeded(NORMAL, 5, 16, seed)) && held;
    if (held != claimed)
        fail_msg("%s is %sidempotent and %s so", spec->text, held ? "" : "not ",
                 claimed ? "says" : "does not say");
}

static void test_spec_text(void **state)
{
    (void)state;
    each_spec(text_round_trip);
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
    };
    rsd_spec spec;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        CHECK_OK(rsd_spec_parse(good[i].text, &spec));
        assert_string_equal(spec.text, good[i].canonical);
    }
    CHECK_FAILS(rsd_spec_parse("nf5", &spec), RSD_ENOTFOUND, "known: float, fp16, bf16, fp8, int");
    CHECK_FAILS(rsd_spec_parse("", &spec), RSD_ENOTFOUND, "''");
    CHECK_FAILS(rsd_spec_parse("nf4:", &spec), RSD_EUSAGE, "no keys");
    CHECK_FAILS(rsd_spec_parse("nf:bits=5", &spec), RSD_EUSAGE, "nf:bits=5: bits=5");
    CHECK_FAILS(rsd_spec_parse("nf4:block=12", &spec), RSD_EUSAGE, "multiple of 8");
    CHECK_FAILS(rsd_spec_parse("fp4:block=100", &spec), RSD_EUSAGE, "multiple of 8");
    CHECK_FAILS(rsd_spec_parse("nf4:block=64,block=32", &spec), RSD_EUSAGE, "twice");
    CHECK_FAILS(rsd_spec_parse("int9", &spec), RSD_ENOTFOUND, "int9");
    CHECK_FAILS(rsd_spec_parse("int:bits=1", &spec), RSD_EUSAGE, "2 to 8");
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conformance), cmocka_unit_test(test_zeros),
        cmocka_unit_test(test_bad_input),   cmocka_unit_test(test_spec_text),
        cmocka_unit_test(test_spec_parse),  cmocka_unit_test(test_idempotent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
