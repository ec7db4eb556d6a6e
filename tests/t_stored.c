/* Factors as a quantizer stores them: whose groups they fall into, what they become, what is
 * counted. */
#include "adapters/stored.h"

#include "adapters_data.h"

static rsd_spec parse(const char *text)
{
    rsd_spec spec;
    CHECK_OK(rsd_spec_parse(text, &spec));
    return spec;
}

/* Two directions of very different size in one layer of 12 x 8. */
static rsd_adapter *two_directions(tiny *m, rsd_variant v)
{
    rsd_adapter_plan plan[8][RSD_LINEARS] = { 0 };
    plan[0][RSD_UP] = (rsd_adapter_plan){ 2, v == RSD_QALORA ? 2 : 1, 0.5f };
    open_tiny("llama", false, m);
    CHECK_OK(alloc_adapters(m->w, v, plan, &m->adapters));
    rsd_adapter *a = &m->adapters.layer[0][RSD_UP];
    for (size_t k = 0; k < 2; k++) {
        const double size = k ? 1e-3 : 1;
        for (size_t j = 0; j < a->n / a->pool; j++)
            a->A[k * (a->n / a->pool) + j] = (rsd_real)(size * wave(j, 0.3 + (double)k));
        for (size_t i = 0; i < a->m; i++)
            a->B[i * 2 + k] = (rsd_real)(size * wave(i, 0.9 + (double)k));
    }
    for (size_t i = 0; a->magnitude && i < a->m; i++)
        a->magnitude[i] = (rsd_real)(1 + 0.1 * wave(i, 2));
    for (size_t k = 0; a->lambda && k < 2; k++)
        a->lambda[k] = (rsd_real)(0.3 + 0.1 * (double)k);
    return a;
}

/* The greatest difference of a direction's numbers, over the greatest of them. */
static double off(const rsd_real *x, const rsd_real *y, size_t n, size_t step)
{
    double most = 0, apart = 0;
    for (size_t i = 0; i < n; i++) {
        most = fmax(most, fabs((double)x[i * step]));
        apart = fmax(apart, fabs((double)x[i * step] - (double)y[i * step]));
    }
    return apart / most;
}

/* A direction a thousand times smaller than its neighbour keeps its digits: half a step of the 127
 * (7) of its own greatest number, and what rounding the scale to fp16 adds. */
static void groups_lie_inside_directions(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        double step;
    } kinds[] = { { "int8", 1.0 / 127 }, { "int4", 1.0 / 7 }, { "bf16", 1.0 / 128 } };
    for (size_t q = 0; q < sizeof kinds / sizeof *kinds; q++) {
        tiny m;
        const rsd_spec spec = parse(kinds[q].spec);
        rsd_real right[2 * 8], left[12 * 2];
        size_t bytes;
        rsd_adapter *a = two_directions(&m, RSD_LORA);
        memcpy(right, a->A, sizeof right);
        memcpy(left, a->B, sizeof left);
        CHECK_OK(rsd_adapters_store(&spec, &m.adapters, &bytes));
        for (size_t k = 0; k < 2; k++) {
            assert_true(off(right + 8 * k, a->A + 8 * k, 8, 1) <= 0.51 * kinds[q].step);
            assert_true(off(left + k, a->B + k, 12, 2) <= 0.51 * kinds[q].step);
        }
        assert_true(memcmp(right, a->A, sizeof right) != 0 && memcmp(left, a->B, sizeof left) != 0);
        close_tiny(&m);
    }
}

/* Codes and one scale of two bytes for each of four rows; two bytes a number for the rest. */
static void bytes_are_counted(void **state)
{
    (void)state;
    static const struct {
        const char *spec;
        rsd_variant variant;
        size_t bytes;
    } cases_of[] = { { "bf16", RSD_LORA, 2 * 40 },
                     { "int8", RSD_LORA, 40 + 8 },
                     { "int4", RSD_LORA, 20 + 8 },
                     { "int8:group=4", RSD_LORA, 40 + 20 },
                     { "int8", RSD_DORA, 40 + 8 + 24 },
                     { "int8", RSD_ADALORA, 40 + 8 + 4 },
                     { "int8", RSD_QALORA, 32 + 8 },
                     { "fp8", RSD_LORA, 40 + 8 },
                     { "int4:scheme=affine", RSD_LORA, 20 + 8 + 2 } };
    for (size_t i = 0; i < sizeof cases_of / sizeof *cases_of; i++) {
        tiny m;
        const rsd_spec spec = parse(cases_of[i].spec);
        size_t bytes;
        two_directions(&m, cases_of[i].variant);
        CHECK_OK(rsd_adapters_store(&spec, &m.adapters, &bytes));
        assert_int_equal(bytes, cases_of[i].bytes);
        close_tiny(&m);
    }
}

static void stored_twice_is_stored_once(void **state)
{
    (void)state;
    static const char *const specs[] = { "bf16", "int8", "int4", "nf4" };
    for (size_t q = 0; q < 4; q++)
        for (rsd_variant v = 0; v < RSD_VARIANTS; v++) {
            tiny m;
            const rsd_spec spec = parse(specs[q]);
            size_t bytes, again;
            two_directions(&m, v);
            CHECK_OK(rsd_adapters_store(&spec, &m.adapters, &bytes));
            rsd_real *once = malloc(m.adapters.count * sizeof *once);
            assert_non_null(once);
            memcpy(once, m.adapters.memory, m.adapters.count * sizeof *once);
            CHECK_OK(rsd_adapters_store(&spec, &m.adapters, &again));
            assert_memory_equal(once, m.adapters.memory, m.adapters.count * sizeof *once);
            assert_int_equal(bytes, again);
            free(once);
            close_tiny(&m);
        }
}

static void what_cannot_be_stored(void **state)
{
    (void)state;
    tiny m;
    const rsd_spec int8 = parse("int8"), gptq = parse("gptq:bits=4");
    size_t bytes;
    rsd_adapter *a = two_directions(&m, RSD_LORA);
    CHECK_FAILS(rsd_adapters_store(&gptq, &m.adapters, &bytes), RSD_EUSAGE, "layer 0, up");
    a->B[3] = NAN;
    CHECK_FAILS(rsd_adapters_store(&int8, &m.adapters, &bytes), RSD_EDOM, "layer 0, up");
    close_tiny(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(groups_lie_inside_directions),
        cmocka_unit_test(bytes_are_counted),
        cmocka_unit_test(stored_twice_is_stored_once),
        cmocka_unit_test(what_cannot_be_stored),
    };
    return cmocka_run_group_tests_name("stored", tests, NULL, NULL);
}
