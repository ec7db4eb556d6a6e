/* utf8: texts that may hold anything, as they can be shown. */
#include "utf8.h"

#include "err.h"
#include "test.h"

static void shown(const char *text, const char *want)
{
    char out[128];
    assert_int_equal(rsd_printable(text, out, sizeof out), strlen(want));
    assert_string_equal(out, want);
}

static void test_fine(void **state)
{
    (void)state;
    static const char *const fine[] = {
        "", "a b", "model.layers.0.weight", "Grüße ∕ 日本 𝛼", "a\\b", "\u00a0\u200d\u2027"
    };
    for (size_t i = 0; i < sizeof fine / sizeof *fine; i++)
        shown(fine[i], fine[i]);
}

static void test_controls(void **state)
{
    (void)state;
    shown("\x1b[31mred", "\\x1b[31mred");
    shown("a\r\n\tb\x7f", "a\\x0d\\x0a\\x09b\\x7f");
    shown("\xc2\x9b"
          "31m",
          "\\xc2\\x9b31m"); /* the same escape in one character */
    shown("a\u202eb\u2066\u2028", "a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6\\xe2\\x80\\xa8");
}

static void test_no_utf8(void **state)
{
    (void)state;
    shown("a\xff"
          "b",
          "a\\xffb");
    shown("\xc3", "\\xc3");
    shown("\xe2\x88", "\\xe2\\x88");
    shown("\xc0\xaf", "\\xc0\\xaf");          /* overlong */
    shown("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* a surrogate */
    shown("\x9b\x31", "\\x9b"
                      "1");
    char out[32];
    assert_int_equal(rsd_as_utf8("\x1b\xffü", out, sizeof out), 7);
    assert_string_equal(out, "\x1b\\xffü");
}

/* Cut between characters and escapes, never inside one; no size writes nothing. */
static void test_cut(void **state)
{
    (void)state;
    static const char text[] = "aü\x1b";
    static const char *const want[] = { "", "a", "a", "aü", "aü", "aü", "aü", "aü\\x1b" };
    char out[16];
    for (size_t size = 1; size <= 8; size++) {
        memset(out, '#', sizeof out);
        assert_int_equal(rsd_printable(text, out, size), 7);
        assert_string_equal(out, want[size - 1]);
        assert_int_equal(out[size], '#');
    }
    assert_int_equal(rsd_printable(text, NULL, 0), 7);
}

/* Every message: what its arguments hold cannot reach a terminal. */
static void test_messages(void **state)
{
    (void)state;
    RSD_FAIL(RSD_EFORMAT, "tensor '%s'", "\x1b[2J\xff");
    assert_string_equal(rsd_errmsg(), "tensor '\\x1b[2J\\xff'");
    rsd_fail_prefix(RSD_EFORMAT, "%s", "\x07.gguf");
    assert_string_equal(rsd_errmsg(), "\\x07.gguf: tensor '\\x1b[2J\\xff'");

    /* long ones are cut between characters too */
    char text[3000];
    for (size_t i = 0; i + 3 < sizeof text; i += 2)
        memcpy(text + i, "ü", 3);
    for (int k = 0; k < 2; k++) {
        RSD_FAIL(RSD_EIO, "%s%s", k ? "x" : "", text);
        assert_int_equal(rsd_utf8_check((const uint8_t *)rsd_errmsg(), strlen(rsd_errmsg())),
                         strlen(rsd_errmsg()));
        assert_null(strchr(rsd_errmsg(), '\\'));
        rsd_fail_prefix(RSD_EIO, "%s%s", k ? "x" : "", text);
        assert_null(strchr(rsd_errmsg(), '\\'));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fine),     cmocka_unit_test(test_controls),
        cmocka_unit_test(test_no_utf8),  cmocka_unit_test(test_cut),
        cmocka_unit_test(test_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
