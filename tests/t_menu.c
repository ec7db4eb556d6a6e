/* What a base of the same bytes may be quantized with: a list for all, and a quantizer's next. */
#include "recover/menu.h"

#include "test.h"

static select_specs under(const char *specs, const char *rule)
{
    const rsd_list list = { .count = 1, .item = &specs };
    const rsd_list rules = { .count = rule ? 1 : 0, .item = &rule };
    select_specs out;
    CHECK_OK(select_specs_parse(&list, &rules, &out));
    return out;
}

static menu make(const char *words, const select_specs *specs)
{
    const rsd_list list = { .count = words ? 1 : 0, .item = &words };
    menu m;
    CHECK_OK(menu_make(&list, specs, true, &m));
    return m;
}

/* May a run on `own` have this one? */
static bool may(const menu *m, const rsd_spec *own, const select_specs *specs, const char *text)
{
    rsd_spec spec;
    CHECK_OK(rsd_spec_parse(text, &spec));
    for (size_t c = 0; c < m->specs; c++)
        if (strcmp(m->spec[c].text, spec.text) == 0)
            return menu_allows(m, own, specs, c);
    return false;
}

static void more_bits_and_finer_groups(void **state)
{
    (void)state;
    select_specs specs = under("int3:group=64,nf2", NULL);
    menu m = make("int8", &specs);
    const rsd_spec *int3 = &specs.spec[0], *nf2 = &specs.spec[1];
    static const char *const of_int3[] = { "int8",          "int3:group=64", "int3:group=32",
                                           "int3:group=16", "int4:group=64", "int4:group=32",
                                           "int5:group=64" };
    static const char *const of_nf2[] = { "int8",         "nf2",          "nf2:block=32",
                                          "nf2:block=16", "nf3:block=64", "nf3:block=32",
                                          "nf4" };
    for (size_t i = 0; i < 7; i++) {
        assert_true(may(&m, int3, &specs, of_int3[i]));
        assert_true(may(&m, nf2, &specs, of_nf2[i]));
        assert_true(i == 0 ||
                    (!may(&m, nf2, &specs, of_int3[i]) && !may(&m, int3, &specs, of_nf2[i])));
    }
    assert_int_equal(m.common, 1);
    assert_int_equal(m.specs, 13);
    assert_false(may(&m, int3, &specs, "int2:group=64"));
    menu_free(&m);
    select_specs_free(&specs);
}

/* 4 bits are the most that nf has, groups of 2 the smallest of int; a whole row is halved as 128.
 */
static void where_options_end(void **state)
{
    (void)state;
    select_specs specs = under("nf4,int8:group=2,int4:group=row,q4_0", NULL);
    menu m = make("nf2", &specs);
    assert_true(may(&m, &specs.spec[0], &specs, "nf4:block=16"));
    assert_false(may(&m, &specs.spec[0], &specs, "nf3"));
    assert_true(may(&m, &specs.spec[1], &specs, "int8:group=2"));
    assert_true(may(&m, &specs.spec[2], &specs, "int4:group=64"));
    assert_true(may(&m, &specs.spec[2], &specs, "int4:group=32"));
    assert_true(may(&m, &specs.spec[2], &specs, "int5:group=row"));
    assert_true(may(&m, &specs.spec[3], &specs, "q4_0"));
    assert_int_equal(m.specs, 1 + 3 + 1 + 6 + 1);
    menu_free(&m);
    select_specs_free(&specs);
}

/* Rules of --map lie under every run. */
static void rules_have_their_next(void **state)
{
    (void)state;
    select_specs specs = under("nf4", "*=int2:group=64");
    menu m = make("int8", &specs);
    assert_true(may(&m, &specs.spec[0], &specs, "int3:group=64"));
    assert_true(may(&m, NULL, &specs, "int3:group=64"));
    assert_false(may(&m, NULL, &specs, "nf4"));
    menu_free(&m);
    select_specs_free(&specs);
}

/* What else is in the sweep is not in a run's list, and so not in what its file says. */
static void a_run_has_a_list_of_its_own(void **state)
{
    (void)state;
    select_specs one = under("nf4", NULL), two = under("nf4,int3:group=64", NULL);
    menu a = make("int8,nf2", &one), b = make("int8,nf2", &two);
    char *x, *y, *z;
    CHECK_OK(menu_text(&a, &one.spec[0], &one, &x));
    CHECK_OK(menu_text(&b, &two.spec[0], &two, &y));
    CHECK_OK(menu_text(&b, &two.spec[1], &two, &z));
    assert_string_equal(x, y);
    assert_string_not_equal(y, z);
    assert_string_equal(x, "same-bytes=int:bits=8+group=128+scheme=symmetric+scale=fp16,"
                           "same-bytes=nf:bits=2+block=64,same-bytes=nf:bits=4+block=64,"
                           "same-bytes=nf:bits=4+block=32,same-bytes=nf:bits=4+block=16");
    free(x);
    free(y);
    free(z);
    menu_free(&a);
    menu_free(&b);
    select_specs_free(&one);
    select_specs_free(&two);
}

static void words(void **state)
{
    (void)state;
    select_specs specs = under("nf4", NULL);
    const char *bad = "int4,nf9", *calibrated = "gptq";
    const rsd_list none = { 0 }, unknown = { .count = 1, .item = &bad },
                   needs = { .count = 1, .item = &calibrated };
    menu m, usual = make(MENU_USUAL, &specs);
    CHECK_OK(menu_make(&none, &specs, false, &m));
    assert_int_equal(m.specs, usual.specs);
    assert_true(m.common >= 12 && m.specs == m.common + 2); /* nf4 is usual; its finer blocks */
    menu_free(&m);
    menu_free(&usual);
    CHECK_FAILS(menu_make(&unknown, &specs, true, &m), RSD_EUSAGE, "--same-bytes");
    menu_free(&m);
    CHECK_FAILS(menu_make(&needs, &specs, false, &m), RSD_EUSAGE, "needs a calibration");
    menu_free(&m);
    CHECK_OK(menu_make(&needs, &specs, true, &m));
    menu_free(&m);
    select_specs_free(&specs);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_bits_and_finer_groups),
        cmocka_unit_test(where_options_end),
        cmocka_unit_test(rules_have_their_next),
        cmocka_unit_test(a_run_has_a_list_of_its_own),
        cmocka_unit_test(words),
    };
    return cmocka_run_group_tests_name("menu", tests, NULL, NULL);
}
