/* What --target-bpw makes of its choice: a rule for each matrix, whatever it is called. */
#include "quantize/budget.h"

#include "test.h"

static const char *text_for(const select_specs *s, const char *tensor)
{
    size_t count;
    const rsd_spec *spec = select_specs_for(s, tensor, &count);
    return count ? spec->text : NULL;
}

static void each_matrix_gets_its_own(void **state)
{
    (void)state;
    const char *words[] = { "nf2,nf3,nf4" }, *map[] = { "*.bound=int8" };
    const rsd_list specs = { .count = 1, .item = words }, rules = { .count = 1, .item = map };
    const char *const tensor[] = { "layers.0.weight", "layers[0].*", "layers.00weight",
                                   "a\\b?.weight" };
    const size_t chosen[] = { 2, 0, 1, 2 };
    select_specs s;
    CHECK_OK(select_specs_parse(&specs, &rules, &s));
    CHECK_OK(budget_bind(&s, tensor, chosen, 4));
    assert_true(s.specs == 0 && s.rules == 5);
    assert_string_equal(text_for(&s, "x.bound"),
                        text_for(&s, "y.bound")); /* the user's rule stays */
    assert_string_equal(text_for(&s, tensor[0]), "nf:bits=4,block=64");
    assert_string_equal(text_for(&s, tensor[1]), "nf:bits=2,block=64");
    assert_string_equal(text_for(&s, tensor[2]), "nf:bits=3,block=64");
    assert_string_equal(text_for(&s, tensor[3]), "nf:bits=4,block=64");
    assert_null(text_for(&s, "layers0.x")); /* a bracket in a name is no set of letters */
    assert_null(text_for(&s, "a\\bc.weight"));
    assert_null(text_for(&s, "other"));
    select_specs_free(&s);
}

/* A matrix that the user's rule binds is not asked for, and keeps it where it is. */
static void rules_before_it_bind(void **state)
{
    (void)state;
    const char *words[] = { "nf2,nf4" }, *map[] = { "*.weight=int8" };
    const rsd_list specs = { .count = 1, .item = words }, rules = { .count = 1, .item = map };
    const char *const tensor[] = { "a.weight" };
    const size_t chosen[] = { 0 };
    select_specs s;
    CHECK_OK(select_specs_parse(&specs, &rules, &s));
    CHECK_OK(budget_bind(&s, tensor, chosen, 1));
    assert_true(strncmp(text_for(&s, "a.weight"), "int:bits=8", 10) == 0);
    CHECK_OK(budget_bind(&s, NULL, NULL, 0));
    assert_int_equal(s.rules, 2);
    select_specs_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_matrix_gets_its_own),
        cmocka_unit_test(rules_before_it_bind),
    };
    return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}
