/* The name that was meant, and lists of SPECs that commas part. */
#include "adapters/init.h"
#include "near.h"
#include "quantizers/quantizer.h"
#include "test.h"

#include <string.h>

static const char *const names[] = { "inspect", "analyze", "calibrate", "quantize", "quantizer",
                                     "nf4",     "nf3",     "nf",        "rank",     "layers" };

static const char *nearest(const char *word)
{
    rsd_near near = { .word = word };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        rsd_near_try(&near, names[i]);
    return near.name ? near.name : "none";
}

static void misspelt_names_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *word, *name;
    } list[] = {
        { "anaylze", "analyze" },
        { "analyse", "analyze" },
        { "ANALYZE", "analyze" },
        { "quantiser", "quantizer" },
        { "quantise", "quantize" },
        { "nf5", "nf4" },
        { "NF4", "nf4" },
        { "calib", "calibrate" },
        { "in_spect", "inspect" },
        { "clibrate", "calibrate" },
        { "rnak", "rank" },
        { "frobnicate", "none" },
        { "", "none" },
        { "q", "none" },
        { "xyz", "none" },
        { "----", "none" },
        { "layer", "layers" },
    };
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        assert_string_equal(nearest(list[i].word), list[i].name);
    char longest[200];
    memset(longest, 'n', sizeof longest - 1);
    longest[sizeof longest - 1] = 0;
    assert_string_equal(nearest(longest), "none");
}

static void hints_follow_a_message(void **state)
{
    (void)state;
    rsd_near near = { .word = "nf5" };
    assert_string_equal(rsd_near_hint(&near).text, "");
    rsd_near_try(&near, "nf4");
    assert_string_equal(rsd_near_hint(&near).text, "; did you mean 'nf4'?");
}

static void specs_take_capitals_and_hint(void **state)
{
    (void)state;
    rsd_spec a, b;
    CHECK_OK(rsd_spec_parse("NF4:Block=32", &a));
    CHECK_OK(rsd_spec_parse("nf4:block=32", &b));
    assert_string_equal(a.text, b.text);
    CHECK_FAILS(rsd_spec_parse("nf5", &a), RSD_ENOTFOUND, "did you mean 'nf4'?");
    CHECK_FAILS(rsd_spec_parse("Q4_K_M", &a), RSD_ENOTFOUND, "mix of types over a file");
    CHECK_FAILS(rsd_spec_parse("nf4:blok=32", &a), RSD_EUSAGE, "did you mean 'block'?");
    rsd_init_spec i;
    CHECK_OK(rsd_init_parse("loftQ", &i));
    CHECK_FAILS(rsd_init_parse("loftq:first=sdv", &i), RSD_EUSAGE, "did you mean 'svd'?");
}

static void check_items(size_t (*length)(const char *), const char *list, const char *const *item)
{
    for (; *item; item++) {
        const size_t n = length(list);
        assert_int_equal(n, strlen(*item));
        assert_memory_equal(list, *item, n);
        list += n + (list[n] == ',');
    }
    assert_string_equal(list, "");
}

static void commas_part_specs_and_keys(void **state)
{
    (void)state;
    check_items(rsd_spec_item, "nf4", (const char *[]){ "nf4", NULL });
    check_items(rsd_spec_item, "nf4,nf2", (const char *[]){ "nf4", "nf2", NULL });
    check_items(rsd_spec_item, "int:bits=3,group=32,nf:bits=2,double,INT8",
                (const char *[]){ "int:bits=3,group=32", "nf:bits=2,double", "INT8", NULL });
    check_items(rsd_spec_item, "nothing,int:bits=3",
                (const char *[]){ "nothing", "int:bits=3", NULL });
    check_items(rsd_spec_item, "int:nothing,bits=3",
                (const char *[]){ "int:nothing,bits=3", NULL });
    check_items(rsd_init_item, "zero,loftq:steps=5,first=svd,lorc",
                (const char *[]){ "zero", "loftq:steps=5,first=svd", "lorc", NULL });
}

/* Else a list could not tell them apart. */
static void no_key_is_a_name(void **state)
{
    (void)state;
    rsd_spec spec;
    rsd_init_spec init;
    for (const rsd_quantizer *const *q = rsd_quantizers; *q; q++)
        for (const rsd_opt *o = (*q)->options; o && o->name; o++)
            assert_int_equal(rsd_spec_parse(o->name, &spec), RSD_ENOTFOUND);
    for (const rsd_init *const *i = rsd_inits; *i; i++)
        for (const rsd_opt *o = (*i)->options; o && o->name; o++)
            assert_int_equal(rsd_init_parse(o->name, &init), RSD_ENOTFOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(misspelt_names_are_found),
        cmocka_unit_test(hints_follow_a_message),
        cmocka_unit_test(specs_take_capitals_and_hint),
        cmocka_unit_test(commas_part_specs_and_keys),
        cmocka_unit_test(no_key_is_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
