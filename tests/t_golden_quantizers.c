/* Quantizers against what the upstream implementations answer, byte by byte.  How the fixtures were
 * made and what is normalised in them: tests/golden/make_quantizers.py. */
#include "quantizers/codebook.h"
#include "quantizers/double_quant.h"
#include "quantizers/quantizer.h"

#include "golden_data.h"
#include "read_npy.h"
#include "test.h"

#include <gsl/gsl_cdf.h>

typedef struct {
    char input[64], spec[RSD_SPEC_MAX], what[32], sha256[65], file[64];
} answer;

static FILE *answers;

static int open_answers(void **state)
{
    (void)state;
    answers = fopen(fixture("quantizers/answers.txt"), "r");
    return answers ? 0 : -1;
}

static int close_answers(void **state)
{
    (void)state;
    return fclose(answers);
}

/* The next line of the file; false at its end. */
static bool next_answer(answer *a)
{
    char line[512];
    if (!fgets(line, sizeof line, answers))
        return false;
    a->file[0] = 0;
    const int fields =
        sscanf(line, "%63s %159s %31s %64s %63s", a->input, a->spec, a->what, a->sha256, a->file);
    if (fields < 4)
        fail_msg("answers.txt: cannot read '%s'", line);
    return true;
}

/* The same answer in full, to say where. */
static void check_in_full(const answer *a, const rsd_section *got)
{
    char path[128];
    snprintf(path, sizeof path, "quantizers/%s", a->file);
    rsd_npy head;
    const bool real = strcmp(got->dtype, "F32") == 0;
    uint8_t *want = read_npy(fixture(path), real ? RSD_F32 : RSD_U8, &head);
    assert_int_equal(got->count, head.count);
    const size_t size = real ? sizeof(float) : 1;
    for (size_t i = 0; i < got->count; i++)
        if (memcmp((const uint8_t *)got->data + i * size, want + i * size, size) != 0)
            fail_msg("%s of %s: %s differs first at element %zu of %zu", a->spec, a->input, a->what,
                     i, got->count);
    free(want);
}

static void check_answer(const answer *a, rsd_mat W)
{
    rsd_spec spec;
    rsd_packed packed;
    char got[65];
    CHECK_OK(rsd_spec_parse(a->spec, &spec));
    CHECK_OK(rsd_pack(&spec, W, NULL, &packed));
    if (strcmp(a->what, "deq") == 0) {
        rsd_mat Wq;
        CHECK_OK(rsd_mat_alloc(W.m, W.n, &Wq));
        CHECK_OK(rsd_unpack(&spec, &packed, Wq));
        for (size_t i = 0; i < W.m * W.n; i++)
            Wq.x[i] += 0.0f; /* -0 becomes 0 */
        hash(Wq.x, W.m * W.n * sizeof(float), got);
        rsd_mat_free(&Wq);
    } else {
        const rsd_section *section = rsd_packed_get(&packed, a->what);
        if (*a->file)
            check_in_full(a, section);
        hash(section->data, section->bytes, got);
    }
    rsd_packed_free(&packed);
    if (strcmp(got, a->sha256) != 0)
        fail_msg("%s of %s: %s has SHA-256 %s, want %s", a->spec, a->input, a->what, got,
                 a->sha256);
}

/* Every answer about the inputs that are (or are not) committed; returns how many. */
static int check_answers(bool committed)
{
    int count = 0;
    answer a;
    rsd_mat W;
    while (next_answer(&a))
        if (is_committed(a.input) == committed && load_input(a.input, committed, &W)) {
            check_answer(&a, W);
            free(W.x);
            count++;
        }
    return count;
}

static void test_committed_inputs(void **state)
{
    (void)state;
    assert_int_equal(check_answers(true), 122);
}

static void test_large_inputs(void **state)
{
    (void)state;
    if (!check_answers(false))
        skip();
}

/* Each level of a codebook, in a block whose largest is 1, is its own answer. */
static void test_levels_are_upstreams(void **state)
{
    (void)state;
    for (int bits = 2; bits <= 4; bits++) {
        char name[64], text[32];
        snprintf(name, sizeof name, "quantizers/levels_nf%d.npy", bits);
        snprintf(text, sizeof text, "nf:bits=%d,block=16", bits);
        rsd_npy head;
        float *level = read_npy(fixture(name), RSD_F32, &head);
        float x[16] = { 0 }, xq[16];
        memcpy(x, level, head.count * sizeof *level);
        rsd_spec spec;
        rsd_quant_stats stats;
        CHECK_OK(rsd_spec_parse(text, &spec));
        CHECK_OK(rsd_quantize(&spec, (rsd_mat){ x, 1, 16, 16 }, NULL, (rsd_mat){ xq, 1, 16, 16 },
                              &stats, NULL));
        assert_memory_equal(x, xq, sizeof x);
        free(level);
    }
}

/* ... and is the normal quantile that methods say, to float32's last bits: k upper levels from
 * k + 1 quantiles, k - 1 lower ones from k. */
static void test_levels_are_normal_quantiles(void **state)
{
    (void)state;
    const double o = 1 - 0.5 * (1.0 / 32 + 1.0 / 30), largest = gsl_cdf_ugaussian_Pinv(o);
    for (int bits = 2; bits <= 4; bits++) {
        char name[64];
        snprintf(name, sizeof name, "quantizers/levels_nf%d.npy", bits);
        rsd_npy head;
        float *level = read_npy(fixture(name), RSD_F32, &head);
        const int k = 1 << (bits - 1);
        for (int i = 0; i < k; i++)
            CHECK_CLOSE(level[2 * k - 1 - i],
                        gsl_cdf_ugaussian_Pinv(o + (0.5 - o) * i / k) / largest, 2e-7);
        for (int i = 0; i < k - 1; i++)
            CHECK_CLOSE(level[i], -gsl_cdf_ugaussian_Pinv(o + (0.5 - o) * i / (k - 1)) / largest,
                        2e-7);
        CHECK_CLOSE(level[k - 1], 0, 0);
        free(level);
    }
}

static void test_dynamic_map(void **state)
{
    (void)state;
    rsd_npy head;
    float *want = read_npy(fixture("quantizers/dynamic_map.npy"), RSD_F32, &head);
    float got[RSD_DYNAMIC_LEVELS];
    rsd_dynamic_map(got);
    assert_int_equal(head.count, RSD_DYNAMIC_LEVELS);
    for (int k = 0; k < RSD_DYNAMIC_LEVELS; k++)
        CHECK_CLOSE(got[k], want[k], 0);
    /* the middle of the last cell of [0.1, 1] in 64 */
    CHECK_CLOSE(got[254], 1 - 0.9 / 128, 1e-7);
    free(want);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_committed_inputs, open_answers, close_answers),
        cmocka_unit_test_setup_teardown(test_large_inputs, open_answers, close_answers),
        cmocka_unit_test(test_levels_are_upstreams),
        cmocka_unit_test(test_levels_are_normal_quantiles),
        cmocka_unit_test(test_dynamic_map),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
