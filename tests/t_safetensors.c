/* safetensors and its index: what is accepted, every refusal, every cut, and what is written. */
#include "scratch.h"

#include "io/safetensors.h"

static uint8_t *st_bytes(const char *header, size_t n, size_t *size)
{
    const size_t length = strlen(header);
    uint8_t *data = calloc(8 + length + n, 1);
    *size = 8 + length + n;
    for (size_t k = 0; k < 8; k++)
        data[k] = (uint8_t)(length >> 8 * k);
    memcpy(data + 8, header, length);
    return data;
}

#define T(name, dtype, shape, begin, end)                                                          \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end   \
    "]}"

static void st_accepts(void **state)
{
    (void)state;
    /* not in order of offset, a scalar, an empty tensor, an extra key, padding */
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"}," T("b.weight", "F16", "[2,3]", "8", "20") "," T(
            "a", "F64", "[]", "0", "8") "," T("none", "I8", "[5,0,4]", "8",
                                              "8") ",\"c\":{\"dtype\":\"BOOL\",\"shape\":[1],"
                                                   "\"data_offsets\":[20,21],\"more\":1}}   ";
    size_t size;
    uint8_t *data = st_bytes(header, 21, &size);
    rsd_safetensors st;
    CHECK_OK(rsd_safetensors_parse(data, size, &st));
    assert_int_equal(st.count, 4);
    assert_string_equal(st.metadata, "{\"format\":\"pt\"}");
    static const char *const order[] = { "a", "none", "b.weight", "c" };
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(st.entry[i].name, order[i]);
    const rsd_st_entry *b = &st.entry[2];
    assert_true(b->dtype == RSD_F16 && b->ndim == 2 && b->shape[0] == 2 && b->shape[1] == 3);
    assert_int_equal(b->offset, size - 21 + 8);
    assert_int_equal(b->bytes, 12);
    rsd_safetensors_free(&st);
    free(data);

    data = st_bytes("{}", 0, &size); /* no tensor at all */
    CHECK_OK(rsd_safetensors_parse(data, size, &st));
    assert_true(st.count == 0 && st.metadata == NULL);
    rsd_safetensors_free(&st);
    free(data);
}

static void st_refuses(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        size_t bytes;
        const char *why;
    } cases[] = {
        { "", 8, "does not begin with '{'" },
        { " {}", 0, "does not begin with '{'" },
        { "[]", 0, "does not begin with '{'" },
        { "{", 0, "header: line 1" },
        { "{} x", 0, "header: line 1" },
        { "{\"a\":1}", 0, "tensor 'a': dtype is missing" },
        { "{" T("a", "F32", "[1]", "0", "4") "," T("a", "F32", "[1]", "4", "8") "}", 8,
          "duplicate object key" },
        { "{" T("a", "F31", "[1]", "0", "4") "}", 4, "tensor 'a': dtype 'F31' is not read" },
        { "{\"a\":{\"dtype\":3}}", 0, "dtype is missing or not a string" },
        { "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "shape is missing" },
        { "{" T("a", "F32", "[1,1,1,1,1,1,1,1,1]", "0", "4") "}", 4, "9 dimensions, at most 8" },
        { "{" T("a", "F32", "[-1]", "0", "4") "}", 4, "length 0 of its shape is not a whole" },
        { "{" T("a", "F32", "[1,1.0]", "0", "4") "}", 4, "length 1 of its shape is not a whole" },
        { "{" T("a", "F32", "[4294967296,4294967296]", "0", "4") "}", 4,
          "overflows at 4294967296" },
        { "{" T("a", "F32", "[4611686018427387904]", "0", "4") "}", 4, "overflows at 46116860184" },
        { "{" T("a", "F32", "[99999999999999999999]", "0", "4") "}", 4, "too big integer" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "data_offsets are not two whole" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "not two whole" },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,\"4\"]}}", 4, "not two" },
        { "{" T("a", "F32", "[1]", "0", "8") "}", 4, "[0, 8] leave the 4 data bytes" },
        { "{" T("a", "F32", "[1]", "4", "0") "}", 4, "[4, 0] leave the 4 data bytes" },
        { "{" T("a", "F32", "[2]", "0", "4") "}", 4, "need 8 bytes, data_offsets hold 4" },
        { "{" T("a", "F32", "[1]", "0", "8") "}", 8, "need 4 bytes, data_offsets hold 8" },
        { "{" T("a", "F32", "[1]", "4", "8") "}", 8,
          "begins at data byte 4, the one before ends at 0" },
        { "{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[2]", "4", "12") "}", 12,
          "'b' begins at data byte 4, the one before ends at 8" },
        { "{" T("a", "F32", "[1]", "0", "4") "}", 6, "the tensors end at byte" },
        { "{}", 1, "the tensors end at byte 10 of a file of 11" },
        { "{\"__metadata__\":3}", 0, "__metadata__ is not an object" },
        { "{\"__metadata__\":{\"a\":3}}", 0, "__metadata__: 'a' is not a string" },
        { "{\"a\\u0000b\":1}", 0, "\\u0000" },
        { "{\"\xff\":1}", 0, "header: line 1" },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        size_t size;
        uint8_t *data = st_bytes(cases[c].header, cases[c].bytes, &size);
        rsd_safetensors st;
        CHECK_FAILS(rsd_safetensors_parse(data, size, &st), RSD_EFORMAT, cases[c].why);
        assert_true(st.count == 0 && st.entry == NULL);
        free(data);
    }
}

static void st_refuses_lying_lengths(void **state)
{
    (void)state;
    rsd_safetensors st;
    uint8_t data[16] = { 9, 0, 0, 0, 0, 0, 0, 0, '{', '}' };
    CHECK_FAILS(rsd_safetensors_parse(NULL, 0, &st), RSD_EFORMAT, "0 bytes are too few");
    CHECK_FAILS(rsd_safetensors_parse(data, 16, &st), RSD_EFORMAT,
                "a header of 9 bytes does not fit a file of 16");
    memset(data, 0xff, 8);
    CHECK_FAILS(rsd_safetensors_parse(data, 16, &st), RSD_EFORMAT, "18446744073709551615 bytes");
    const uint32_t most = 100000001;
    memset(data, 0, 8);
    memcpy(data, &most, 4);
    CHECK_FAILS(rsd_safetensors_parse(data, 16, &st), RSD_EFORMAT, "at most 100000000 are allowed");
}

static int try_safetensors(const uint8_t *data, size_t size)
{
    rsd_safetensors st;
    const int err = rsd_safetensors_parse(data, size, &st);
    rsd_safetensors_free(&st);
    return err;
}

static void st_cut_anywhere(void **state)
{
    (void)state;
    size_t size;
    uint8_t *data =
        st_bytes("{\"__metadata__\":{\"format\":\"pt\"}," T("a", "F32", "[2,2]", "0", "16") "," T(
                     "b", "BF16", "[3]", "16", "22") "}     ",
                 22, &size);
    refuse_prefixes(data, size, try_safetensors);
    free(data);
}

static void index_parses(void **state)
{
    (void)state;
    static const char text[] = "{\"metadata\":{\"total_size\":8},\n\"weight_map\":"
                               "{\"a\":\"one.safetensors\",\"b\":\"..two.safetensors\"}}";
    rsd_st_index index;
    CHECK_OK(rsd_st_index_parse((const uint8_t *)text, strlen(text), &index));
    assert_int_equal(index.count, 2);
    assert_string_equal(index.entry[1].tensor, "b");
    assert_string_equal(index.entry[1].file, "..two.safetensors");
    rsd_st_index_free(&index);

    /* clang-format off */
    static const char *const bad[][2] = {
        { "", "index: line 1" },
        { "{\n\n\"weight_map\": oops}", "index: line 3" },
        { "[]", "index: JSON, but not an object" },
        { "{}", "weight_map is missing" },
        { "{\"weight_map\":{}}", "weight_map is missing, empty" },
        { "{\"weight_map\":[\"a\"]}", "weight_map is missing, empty or not an object" },
        { "{\"weight_map\":{\"a\":1}}", "'a' is not mapped to a file name" },
        { "{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}", "duplicate object key" },
        { "{\"weight_map\":{\"a\":\"../x\"}}", "'a' lies in '../x', which is not a plain" },
        { "{\"weight_map\":{\"a\":\"/etc/passwd\"}}", "not a plain file name" },
        { "{\"weight_map\":{\"a\":\"sub/x\"}}", "not a plain file name" },
        { "{\"weight_map\":{\"a\":\"..\"}}", "not a plain file name" },
        { "{\"weight_map\":{\"a\":\".\"}}", "not a plain file name" },
        { "{\"weight_map\":{\"a\":\"\"}}", "not a plain file name" },
    };
    /* clang-format on */
    for (size_t c = 0; c < sizeof bad / sizeof *bad; c++) {
        const uint8_t *data = *bad[c][0] ? (const uint8_t *)bad[c][0] : NULL;
        CHECK_FAILS(rsd_st_index_parse(data, strlen(bad[c][0]), &index), RSD_EFORMAT, bad[c][1]);
    }
    for (size_t n = 0; n < strlen(text); n++)
        CHECK_FAILS(rsd_st_index_parse((const uint8_t *)text, n, &index), RSD_EFORMAT, "index");
}

static void st_writes(void **state)
{
    (void)state;
    const float a[] = { 1, 2.385f, -3, 4, 5, 6 };
    const uint16_t b[] = { 7, 8, 9 };
    const size_t shape[] = { 2, 3 }, zero = 0;
    const char *path = in_scratch("out.safetensors");
    rsd_st_writer *w;
    CHECK_OK(rsd_st_writer_alloc(&w));
    CHECK_OK(rsd_st_writer_metadata(w, "format", "pt"));
    CHECK_OK(rsd_st_writer_declare(w, "h\xc3\xa9.weight", "F32", 2, shape, sizeof a));
    CHECK_OK(rsd_st_writer_declare(w, "empty", "F32", 1, &zero, 0));
    CHECK_OK(rsd_st_writer_declare(w, "b", "BF16", 1, shape + 1, sizeof b));
    CHECK_FAILS(rsd_st_writer_data(w, a, 4), RSD_EARG, "no file is open");
    CHECK_FAILS(rsd_st_writer_commit(w), RSD_EARG, "no file is open");
    CHECK_OK(rsd_st_writer_begin(w, path));
    CHECK_OK(rsd_st_writer_data(w, a, 5)); /* in pieces of any size */
    CHECK_OK(rsd_st_writer_data(w, (const char *)a + 5, sizeof a - 5));
    CHECK_FAILS(rsd_st_writer_data(w, b, sizeof b + 1), RSD_EARG,
                "7 bytes for tensor 2 of 3, which still takes 6");
    CHECK_FAILS(rsd_st_writer_commit(w), RSD_EARG, "24 of 30 declared bytes");
    CHECK_OK(rsd_st_writer_data(w, b, sizeof b));
    CHECK_FAILS(rsd_st_writer_data(w, b, 1), RSD_EARG, "still takes 0");
    assert_false(in_scratch_exists("out.safetensors"));
    CHECK_OK(rsd_st_writer_commit(w));
    rsd_st_writer_free(w);

    rsd_map map;
    rsd_safetensors st;
    CHECK_OK(rsd_map_open(path, &map));
    CHECK_OK(rsd_safetensors_parse(map.data, map.size, &st));
    assert_string_equal(st.metadata, "{\"format\":\"pt\"}");
    assert_int_equal(st.count, 3);
    assert_string_equal(st.entry[0].name, "h\xc3\xa9.weight");
    assert_int_equal(st.entry[0].offset % 8, 0);
    assert_memory_equal(map.data + st.entry[0].offset, a, sizeof a);
    assert_string_equal(st.entry[2].name, "b");
    assert_memory_equal(map.data + st.entry[2].offset, b, sizeof b);
    rsd_safetensors_free(&st);
    rsd_map_close(&map);
}

static void st_writer_refuses(void **state)
{
    (void)state;
    const size_t shape[9] = { 2, 3, 1, 1, 1, 1, 1, 1, 1 };
    const size_t huge[] = { (size_t)1 << 61, 2, 2 }, half = SIZE_MAX / 2;
    rsd_st_writer *w;
    CHECK_OK(rsd_st_writer_alloc(&w));
    CHECK_OK(rsd_st_writer_declare(w, "a", "F32", 2, shape, 24));
    CHECK_FAILS(rsd_st_writer_declare(w, "a", "F32", 2, shape, 24), RSD_EARG, "declared twice");
    CHECK_FAILS(rsd_st_writer_declare(w, "b", "F33", 2, shape, 24), RSD_EARG, "'F33' is unknown");
    CHECK_FAILS(rsd_st_writer_declare(w, "b", "F32", 2, shape, 23), RSD_EARG, "need 24 bytes, 23");
    CHECK_FAILS(rsd_st_writer_declare(w, "b", "F32", 9, shape, 24), RSD_EARG, "9 dimensions");
    CHECK_FAILS(rsd_st_writer_declare(w, "b", "F32", 3, huge, 24), RSD_EARG, "overflows");
    CHECK_FAILS(rsd_st_writer_declare(w, "b", "U8", 1, &half, half), RSD_EARG, "overflow");
    CHECK_FAILS(rsd_st_writer_declare(w, "\xff", "F32", 2, shape, 24), RSD_EARG, "not UTF-8");
    CHECK_FAILS(rsd_st_writer_declare(w, "__metadata__", "F32", 2, shape, 24), RSD_EARG,
                "cannot be called");
    CHECK_FAILS(rsd_st_writer_metadata(w, "k", "\xff"), RSD_EARG, "not UTF-8");
    CHECK_FAILS(rsd_st_writer_begin(w, in_scratch("no/such")), RSD_EIO, "No such file");
    CHECK_OK(rsd_st_writer_begin(w, in_scratch("abandoned")));
    CHECK_FAILS(rsd_st_writer_begin(w, in_scratch("again")), RSD_EARG, "after the header");
    CHECK_FAILS(rsd_st_writer_declare(w, "c", "F32", 2, shape, 24), RSD_EARG, "after the header");
    CHECK_FAILS(rsd_st_writer_metadata(w, "k", "v"), RSD_EARG, "after the header");
    rsd_st_writer_free(w);
    rsd_st_writer_free(NULL);
    assert_false(in_scratch_exists("abandoned") || in_scratch_exists("abandoned.tmp"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(st_accepts),
        cmocka_unit_test(st_refuses),
        cmocka_unit_test(st_refuses_lying_lengths),
        cmocka_unit_test(st_cut_anywhere),
        cmocka_unit_test(index_parses),
        cmocka_unit_test(st_writes),
        cmocka_unit_test(st_writer_refuses),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
