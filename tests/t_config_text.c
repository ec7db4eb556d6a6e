/* quantize/config_text: what is changed, and that nothing else is. */
#include "quantize/config_text.h"

#include "test.h"

#define FLOAT "\"dtype\": \"float32\""

static void becomes(const char *json, const char *want)
{
    char *got;
    CHECK_OK(config_of_numbers(json, "float32", &got));
    assert_string_equal(got, want);
    free(got);
}

static void test_untouched(void **state)
{
    (void)state;
    static const char *const texts[] = {
        " { " FLOAT "}\n",
        "{" FLOAT
        ",\n  \"a\": [1, {\"dtype\": \"bfloat16\"}],\n  \"b\": Infinity,\n  \"c\": 1e-05\n}\n",
        "{\"text\": \"a \\\"quantization_config\\\": {}, }\"," FLOAT "}",
        "{\"quantization\": 4, \"max\": 1000000000000000019884624838656, " FLOAT "}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        becomes(texts[i], texts[i]);
}

static void test_dropped(void **state)
{
    (void)state;
    becomes("{" FLOAT ", \"quantization_config\": {\"bits\": 4}}", "{" FLOAT "}");
    becomes("{\n " FLOAT ",\n \"quantization_config\": {\"x\": [\"}\", {}]}\n}",
            "{\n " FLOAT "\n}");
    becomes("{\n \"quantization_config\": {},\n " FLOAT "\n}", "{\n " FLOAT "\n}");
    becomes("{\"a\":1,\"compression_config\":null," FLOAT "}", "{\"a\":1," FLOAT "}");
    becomes("{\"quantization\": {\"bits\": 4, \"group_size\": 64}, " FLOAT "}", "{ " FLOAT "}");
    becomes("{\"text_config\": {\"quantization_config\": {}, \"a\": 1}, " FLOAT "}",
            "{\"text_config\": { \"a\": 1}, " FLOAT "}");
}

static void test_types(void **state)
{
    (void)state;
    becomes("{\"torch_dtype\": \"bfloat16\", \"a\": 1}",
            "{\"torch_dtype\": \"float32\", \"a\": 1}");
    becomes("{\"dtype\":\"\"}", "{\"dtype\":\"float32\"}");
    becomes("{\"dtype\": null}", "{" FLOAT "}");
    becomes("{}", "{\"torch_dtype\": \"float32\"}");
    becomes("{\"a\": 1\n}", "{\"a\": 1, \"torch_dtype\": \"float32\"\n}");
    becomes("{\"quantization_config\": {}\n}", "{\"torch_dtype\": \"float32\"\n}");
    becomes("{\"text_config\": {\"dtype\": \"float16\"}, \"a_config\": [\"dtype\"]}",
            "{\"text_config\": {\"dtype\": \"float32\"}, \"a_config\": [\"dtype\"], "
            "\"torch_dtype\": \"float32\"}");
}

static void test_any_type(void **state)
{
    (void)state;
    char *got;
    CHECK_OK(config_of_numbers(
        "{\"dtype\":null,\"a_config\":{\"dtype\":\"\",\"torch_dtype\":\"\"}}", "bfloat16", &got));
    assert_string_equal(got, "{\"dtype\":\"bfloat16\",\"a_config\":{\"dtype\":\"bfloat16\","
                             "\"torch_dtype\":\"bfloat16\"}}");
    free(got);
}

static void test_no_object(void **state)
{
    (void)state;
    static const char *const texts[] = { "",          "[]",           "{",         "{\"a\"}",
                                         "{\"a\": }", "{\"a\": 1,",   "{\"a\": [", "{\"a\": \"",
                                         "{} x",      "{\"a\": 1 2}", "{a: 1}",    "{\"a\": 1,}" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *got;
        if (config_of_numbers(texts[i], "float32", &got) != RSD_EFORMAT)
            fail_msg("%s is taken", texts[i]);
        assert_null(got);
    }
}

/* A configuration that is cut is refused wherever it is cut, and nothing behind it is read. */
static void test_cut(void **state)
{
    (void)state;
    static const char whole[] =
        "{\"a\": {\"b\": [\"\\\"\", 1]}, \"text_config\": {\"dtype\": \"x\"},"
        " \"quantization_config\": {\"c\": 1}}";
    char *got;
    for (size_t n = 0; n + 1 < sizeof whole; n++) {
        char *cut = strndup(whole, n);
        assert_int_equal(config_of_numbers(cut, "float32", &got), RSD_EFORMAT);
        free(cut);
    }
    becomes(whole, "{\"a\": {\"b\": [\"\\\"\", 1]}, \"text_config\": {\"dtype\": \"float32\"}, "
                   "\"torch_dtype\": \"float32\"}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_untouched), cmocka_unit_test(test_dropped),
        cmocka_unit_test(test_types),     cmocka_unit_test(test_no_object),
        cmocka_unit_test(test_cut),       cmocka_unit_test(test_any_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
