/* bitsandbytes' quantizers: by hand, and against its other backends, which answer otherwise at ties
 * and on blocks of zeros.  Their answers are stored as what differs from the default backend's. */
#include "quantizers/codebook.h"
#include "quantizers/double_quant.h"
#include "quantizers/quantizer.h"

#include "golden_data.h"
#include "quantizer_data.h"
#include "test.h"

/* ---- other backends ---- */

typedef struct {
    char input[64], spec[64], what[16], backend[16], sha256[65];
    size_t count; /* of places that differ */
} answer;

/* Levels of the codes of a spec's section, each as its own one-element block of absmax 1. */
typedef struct {
    float level[256];
    size_t count;
} table;

static table table_of(const answer *a)
{
    table t = { .count = RSD_DYNAMIC_LEVELS };
    if (strcmp(a->what, "absmax") == 0 || strncmp(a->spec, "dynamic8", 8) == 0) {
        rsd_dynamic_map(t.level);
        return t;
    }
    rsd_spec spec;
    uint8_t code[8], *bytes;
    float one = 1, *absmax;
    t.count = 16;
    for (int i = 0; i < 8; i++)
        code[i] = (uint8_t)((2 * i) << 4 | (2 * i + 1)); /* 0, 1, 2, ..., high nibble first */
    CHECK_OK(rsd_spec_parse(a->spec, &spec));
    rsd_packed p;
    rsd_packed_init(&p, 1, 16);
    CHECK_OK(rsd_packed_add(&p, "codes", "U8", 8, &bytes));
    CHECK_OK(rsd_packed_add(&p, "absmax", "F32", 1, &absmax));
    memcpy(bytes, code, sizeof code);
    *absmax = one;
    CHECK_OK(rsd_unpack(&spec, &p, (rsd_mat){ t.level, 1, 16, 16 }));
    rsd_packed_free(&p);
    return t;
}

/* Excess of a level's distance to x over the nearest level's. */
static double excess(const table *t, uint8_t code, float x)
{
    double best = INFINITY;
    for (size_t k = 0; k < t->count; k++)
        best = fmin(best, fabs((double)t->level[k] - (double)x));
    return fabs((double)t->level[code] - (double)x) - best;
}

/* What the codes of a section stand for before coding: x[n] in blocks, each divided by its absmax.
 */
static void normalized(const answer *a, rsd_mat W, rsd_mat *x, size_t *block)
{
    rsd_spec spec;
    rsd_packed p;
    char text[64];
    const bool outer = strcmp(a->what, "absmax") == 0;
    snprintf(text, sizeof text, "%s", a->spec);
    *block = strtoul(strchr(text, '=') + 1, NULL, 10);
    CHECK_OK(rsd_mat_alloc(1, W.m * W.n, x));
    memcpy(x->x, W.x, W.m * W.n * sizeof(float));
    if (outer) {
        CHECK_OK(rsd_spec_parse(text, &spec));
        CHECK_OK(rsd_pack(&spec, W, NULL, &p));
        const float offset = *(const float *)rsd_packed_get(&p, "offset")->data;
        rsd_packed_free(&p);
        *strchr(text, ',') = 0; /* without double quantization */
        CHECK_OK(rsd_spec_parse(text, &spec));
        CHECK_OK(rsd_pack(&spec, W, NULL, &p));
        const rsd_section *absmax = rsd_packed_get(&p, "absmax");
        x->n = absmax->count;
        for (size_t i = 0; i < x->n; i++)
            x->x[i] = ((const float *)absmax->data)[i] - offset;
        rsd_packed_free(&p);
        *block = RSD_DOUBLE_BLOCK;
    }
    for (size_t first = 0; first < x->n; first += *block) {
        const size_t count = x->n - first < *block ? x->n - first : *block;
        rsd_block_normalize(x->x + first, count, count == *block, x->x + first);
    }
}

/* May a backend answer `code` for element i?  In a block of zeros it may answer code 0, for 0 times
 * infinity; else no level may be nearer by more than `slack`. */
static void check_place(const answer *a, const table *t, rsd_mat x, size_t block, size_t i,
                        uint8_t code, double slack)
{
    const size_t first = i / block * block, end = first + block < x.n ? first + block : x.n;
    bool zeros = true;
    for (size_t j = first; j < end; j++)
        zeros = zeros && x.x[j] == 0;
    if (zeros ? code != 0 : !(excess(t, code, x.x[i]) <= slack))
        fail_msg("%s of %s, %s: %s answers code %d for %.9g", a->spec, a->input, a->what,
                 a->backend, code, (double)x.x[i]);
}

/* Our section, changed at the stored places, must be the other backend's; and no change may be more
 * than its tie: two units in the last place of 1 for CUDA's rounded thresholds, a bin of the 65536
 * that [-1, 1] is looked up in for the native library. */
static void check_backend(const answer *a, const uint32_t *patch, rsd_mat W)
{
    const double slack = strcmp(a->backend, "cuda") == 0 ? 0x1p-23 : 2.0 / 65536;
    rsd_spec spec;
    rsd_packed p;
    size_t block;
    char got[65];
    rsd_mat x;
    const table t = table_of(a);
    CHECK_OK(rsd_spec_parse(a->spec, &spec));
    CHECK_OK(rsd_pack(&spec, W, NULL, &p));
    const rsd_section *s = rsd_packed_get(&p, a->what);
    uint8_t *bytes = s->data;
    normalized(a, W, &x, &block);
    for (size_t k = 0; k < a->count; k++) {
        const size_t place = patch[k] >> 8;
        const uint8_t byte = (uint8_t)patch[k];
        if (t.count == 16) {
            check_place(a, &t, x, block, 2 * place, byte >> 4, slack);
            check_place(a, &t, x, block, 2 * place + 1, byte & 15, slack);
        } else {
            check_place(a, &t, x, block, place, byte, slack);
        }
        bytes[place] = byte;
    }
    hash(bytes, s->bytes, got);
    if (strcmp(got, a->sha256) != 0)
        fail_msg("%s of %s, %s: differs from %s elsewhere too", a->spec, a->input, a->what,
                 a->backend);
    rsd_mat_free(&x);
    rsd_packed_free(&p);
}

static void test_other_backends(void **state)
{
    (void)state;
    rsd_npy head;
    uint32_t *patch = read_npy(fixture("bnb/backends.npy"), RSD_U32, &head), *at = patch;
    FILE *f = fopen(fixture("bnb/backends.txt"), "r");
    assert_non_null(f);
    answer a;
    int committed = 0;
    while (fscanf(f, "%63s %63s %15s %15s %64s %zu", a.input, a.spec, a.what, a.backend, a.sha256,
                  &a.count) == 6) {
        rsd_mat W;
        if (load_input(a.input, is_committed(a.input), &W)) {
            committed += is_committed(a.input);
            check_backend(&a, at, W);
            free(W.x);
        }
        at += a.count;
    }
    assert_int_equal(committed, 22);
    assert_int_equal(at - patch, head.count);
    fclose(f);
    free(patch);
}

/* ---- by hand ---- */

static void test_af4_levels(void **state)
{
    (void)state;
    rsd_npy head;
    float *level = read_npy(fixture("quantizers/af4_map.npy"), RSD_F32, &head), q[16];
    rsd_spec spec;
    rsd_packed p;
    CHECK_OK(rsd_spec_parse("af4:block=16", &spec));
    CHECK_OK(rsd_pack(&spec, (rsd_mat){ level, 1, 16, 16 }, NULL, &p));
    /* in the order of upstream's table: codes 0, 1, 2, ..., the first in the high nibble */
    for (int i = 0; i < 8; i++)
        assert_int_equal(((const uint8_t *)rsd_packed_get(&p, "codes")->data)[i],
                         (2 * i) << 4 | (2 * i + 1));
    CHECK_OK(rsd_unpack(&spec, &p, (rsd_mat){ q, 1, 16, 16 }));
    assert_memory_equal(q, level, sizeof q);
    rsd_packed_free(&p);
    free(level);
}

static void test_dynamic8(void **state)
{
    (void)state;
    enum { N = 8 };
    static const struct {
        const char *text;
        float w[N], q[N];
    } cases[] = {
        /* cells of the dynamic map: [.1, 1] in 64, in 32 a decade lower; -1 has no level */
        { "dynamic8:block=8",
          { 2, -2, 0, 1, 0.1f, 2e-7f, -1.5f, 0.02f },
          { 2, -1.9859375f, 0, 1.0015625f, 0.1015625f, 0, -1.5078125f, 0.0194375f } },
        /* steps of absmax/127; 0 goes to the level that is almost 0 */
        { "dynamic8:block=8,map=linear",
          { 127, -127, 3.4f, -3.6f, 0, 63.5f, 1, -64.4f },
          { 127, -127, 3, -4, -127 * 3.7252903e-9f, 63, 1, -64 } },
        /* 480 is the largest; mantissas of 3 bits, subnormal steps of 2^-11 */
        { "dynamic8:block=8,map=fp8",
          { 480, -480, 17, 19, 0x1p-12f, -0x1.9p-11f, 0.3f, 0 },
          { 480, -480, 16, 20, 0, -0x1p-10f, 0.3125f, 0 } },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        float w[N], q[N];
        memcpy(w, cases[i].w, sizeof w);
        rsd_quant_stats stats;
        quantize(cases[i].text, (rsd_mat){ w, 1, N, N }, (rsd_mat){ q, 1, N, N }, &stats);
        for (int j = 0; j < N; j++) /* written with seven digits */
            if (fabs((double)q[j] - (double)cases[i].q[j]) > 1e-6 * fabs((double)q[j]))
                fail_msg("%s of %.9g: got %.9g, want %.9g", cases[i].text, (double)w[j],
                         (double)q[j], (double)cases[i].q[j]);
        CHECK_CLOSE(stats.bits_per_weight, 8 + 32.0 / 8, 1e-12);
    }
    rsd_spec spec;
    CHECK_FAILS(rsd_spec_parse("dynamic8:block=4", &spec), RSD_EUSAGE, "8 to 65536");
    CHECK_FAILS(rsd_spec_parse("dynamic8:map=log", &spec), RSD_EUSAGE, "dynamic|linear|fp8");
    CHECK_FAILS(rsd_spec_parse("af4:block=12", &spec), RSD_EUSAGE, "multiple of 8");
}

/* One scale per row, codes in -127..127, also where 127/absmax is no float32. */
static void test_int8vec(void **state)
{
    (void)state;
    float w[] = { 254,    1,         -1, 3,          -254.0f, 5, /* steps of 2: halves to even */
                  1e-38f, -0.5e-38f, 0,  0.251e-38f, 0,       -1e-38f, 0, 0, 0, 0, 0, 0 };
    const int8_t codes[] = { 127, 0, 0, 2, -127, 2, 127, -64, 0, 32, 0, -127, 0, 0, 0, 0, 0, 0 };
    float q[18];
    rsd_spec spec;
    rsd_packed p;
    CHECK_OK(rsd_spec_parse("int8vec", &spec));
    CHECK_OK(rsd_pack(&spec, (rsd_mat){ w, 3, 6, 6 }, NULL, &p));
    assert_memory_equal(rsd_packed_get(&p, "codes")->data, codes, sizeof codes);
    CHECK_OK(rsd_unpack(&spec, &p, (rsd_mat){ q, 3, 6, 6 }));
    const float absmax[] = { 254, 1e-38f, 0 };
    for (int i = 0; i < 18; i++)
        CHECK_CLOSE(q[i], codes[i] * (double)absmax[i / 6] / 127,
                    0x1p-24 * fabs((double)q[i]) + 0x1p-149);
    CHECK_CLOSE(rsd_packed_bits_per_weight(&p), 8 + 32.0 / 6, 1e-12);
    rsd_packed_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_backends),
        cmocka_unit_test(test_af4_levels),
        cmocka_unit_test(test_dynamic8),
        cmocka_unit_test(test_int8vec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
