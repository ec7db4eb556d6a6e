/* cli/json_out and cli/printable: what is printed is whole, or an error; texts of any bytes. */
#include "cli/json_out.h"
#include "cli/printable.h"
#include "scratch.h"

#include <jansson.h>

static FILE *begin(void)
{
    FILE *f = fopen(in_scratch("out"), "w+");
    assert_non_null(f);
    return f;
}

static void same(FILE *f, const char *want)
{
    char got[1024];
    rewind(f);
    got[fread(got, 1, sizeof got - 1, f)] = 0;
    fclose(f);
    assert_string_equal(got, want);
}

static void test_tree(void **state)
{
    (void)state;
    FILE *f = begin();
    json_out j = json_begin_object();
    json_put_text(&j, "text", "a\x1b\"ü");
    json_put_text(&j, "none", NULL);
    json_put_text(&j, "latin\xe9", "caf\xe9");
    json_open_list(&j, "list");
    json_put_int(&j, NULL, INT64_MIN);
    json_put_size(&j, NULL, 3);
    json_put_real(&j, NULL, 0.5);
    json_put_real(&j, NULL, NAN);
    json_put_real(&j, NULL, -INFINITY);
    json_open_object(&j, NULL);
    json_put_bool(&j, "b", true);
    json_close(&j);
    json_close(&j);
    json_put_tree(&j, "tree", json_pack("[i]", 7));
    CHECK_OK(json_print(&j, f, JSON_ONE_LINE));
    same(f, "{\"text\":\"a\\u001B\\\"ü\",\"none\":null,\"latin\\\\xe9\":\"caf\\\\xe9\","
            "\"list\":[-9223372036854775808,3,0.5,null,null,{\"b\":true}],\"tree\":[7]}");
    assert_null(j.open[0]);

    f = begin();
    j = json_begin_list();
    json_put_int(&j, NULL, 1);
    CHECK_OK(json_print(&j, f, JSON_INDENTED));
    same(f, "[\n 1\n]\n");
}

/* What could not be made makes the whole fail, wherever it was, and nothing is printed. */
static void test_failure(void **state)
{
    (void)state;
    for (int deep = 0; deep < 2; deep++) {
        FILE *f = begin();
        json_out j = json_begin_object();
        json_put_int(&j, "before", 1);
        if (deep)
            json_open_object(&j, "inside");
        json_put_tree(&j, "failed", NULL);
        json_open_list(&j, "after");
        json_put_text(&j, NULL, "text");
        json_put_tree(&j, NULL, json_pack("[i]", 7));
        json_close(&j);
        if (deep)
            json_close(&j);
        json_put_real(&j, "last", 1);
        CHECK_FAILS(json_print(&j, f, JSON_INDENTED), RSD_ENOMEM, "JSON");
        same(f, "");
    }
    json_out j = json_begin_object();
    json_open_list(&j, "open");
    json_drop(&j);
    json_drop(&j);

    FILE *full = fopen("/dev/full", "w");
    if (full) {
        setvbuf(full, NULL, _IONBF, 0);
        j = json_begin_list();
        json_put_int(&j, NULL, 1);
        CHECK_FAILS(json_print(&j, full, JSON_INDENTED), RSD_EIO, "No space left");
        fclose(full);
    }
}

static void test_printable(void **state)
{
    (void)state;
    FILE *f = begin();
    printable_put(f, "ü\x1b", 8);
    printable_put(f, "longer", 2);
    printable_put(f, "", 1);
    same(f, "ü\\x1b   longer ");
    assert_int_equal(printable_width("ü\x1b"), 5);

    /* longer than any buffer */
    char text[2001], *copy;
    memset(text, '\x07', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(printable_width(text), 8000);
    CHECK_OK(printable_copy(text, &copy));
    assert_int_equal(strlen(copy), 8000);
    assert_string_equal(copy + 7996, "\\x07");
    free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_tree), cmocka_unit_test(test_failure),
                                        cmocka_unit_test(test_printable) };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
