/* quantizers/label: the shortest text that means the same. */
#include "quantizers/label.h"

#include "quantizers/quantizer.h"
#include "test.h"

static void check(const char *canonical, const char *want)
{
    char *got = rsd_spec_label(canonical);
    assert_string_equal(got, want);
    free(got);
}

static void test_known(void **state)
{
    (void)state;
    check("nf:bits=4,block=64", "nf4");
    check("nf:bits=4,block=64,double", "nf4:double");
    check("nf:bits=3,block=64", "nf3");
    check("nf:bits=4,block=32", "nf4:block=32");
    check("q4_k", "q4_k");
}

/* What this program does not know keeps its text, however long. */
static void test_unknown(void **state)
{
    (void)state;
    char text[3 * RSD_SPEC_MAX];
    memset(text, 'x', sizeof text);
    memcpy(text, "checkpoint:", 11);
    text[sizeof text - 1] = 0;
    check(text, text);
    check("", "");
    check("nf:bits=4,block=64,later=1", "nf:bits=4,block=64,later=1");
    check("nf4", "nf4"); /* not canonical */
}

/* Every quantizer and alias: the label means what the text means; of an alias, which says what it
 * stands for, it is no longer. */
static void check_label_of(const char *text, size_t longest)
{
    rsd_spec spec, again;
    CHECK_OK(rsd_spec_parse(text, &spec));
    char *label = rsd_spec_label(spec.text);
    CHECK_OK(rsd_spec_parse(label, &again));
    assert_string_equal(again.text, spec.text);
    assert_true(strlen(label) <= longest);
    free(label);
}

static void test_registry(void **state)
{
    (void)state;
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++) {
        rsd_spec spec;
        if (!rsd_spec_parse((*q)->name, &spec))
            check_label_of((*q)->name, RSD_SPEC_MAX);
        for (const rsd_alias *a = (*q)->aliases; a && a->alias; a++)
            check_label_of(a->alias, strlen(a->alias));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
