/* Token streams: every format read back, every refusal, text against the streams that come with the
 * real checkpoints. */
#include "scratch.h"

#include "io/tokens.h"
#include "io/tokens/documents.h"
#include "io/tokens/megatron.h"

static const int32_t ids[] = { 1, 0, 511, 300, 7 };
enum { IDS = sizeof ids / sizeof *ids };

static void put_le(uint8_t *p, uint64_t x, size_t bytes)
{
    for (size_t k = 0; k < bytes; k++)
        p[k] = (uint8_t)(x >> 8 * k);
}

/* count numbers of width bytes. */
static void put_numbers(const char *name, const int64_t *x, size_t count, size_t width)
{
    uint8_t data[256];
    for (size_t i = 0; i < count; i++)
        put_le(data + i * width, (uint64_t)x[i], width);
    put_file(name, data, count * width);
}

static void put_ids(const char *name, size_t width)
{
    int64_t x[IDS];
    for (size_t i = 0; i < IDS; i++)
        x[i] = ids[i];
    put_numbers(name, x, IDS, width);
}

static void put_npy(const char *name, const char *descr, const char *shape, const int64_t *x,
                    size_t count, size_t width)
{
    uint8_t data[512] = "\x93NUMPY\1";
    const int n = snprintf((char *)data + 10, sizeof data - 10,
                           "{'descr': '%s', 'fortran_order': False, 'shape': %s}", descr, shape);
    put_le(data + 8, (uint64_t)n, 2);
    for (size_t i = 0; i < count; i++)
        put_le(data + 10 + n + i * width, (uint64_t)x[i], width);
    put_file(name, data, 10 + (size_t)n + count * width);
}

/* The stream is ids[], by any window. */
static void check_ids(const char *name, const char *format)
{
    rsd_tokens *t;
    int32_t got[IDS];
    uint64_t bytes;
    CHECK_OK(rsd_tokens_open(in_scratch(name), NULL, &t));
    assert_string_equal(rsd_tokens_format(t), format);
    assert_int_equal(rsd_tokens_count(t), IDS);
    for (size_t first = 0; first <= IDS; first++)
        for (size_t n = 0; first + n <= IDS; n++) {
            CHECK_OK(rsd_tokens_read(t, first, n, got));
            assert_memory_equal(got, ids + first, n * sizeof *ids);
        }
    CHECK_FAILS(rsd_tokens_read(t, 3, 3, got), RSD_EARG,
                "3 tokens from token 3 on, the stream has 5");
    CHECK_FAILS(rsd_tokens_read(t, 6, 0, got), RSD_EARG, "0 tokens from token 6");
    CHECK_FAILS(rsd_tokens_read(t, 1, SIZE_MAX, got), RSD_EARG, "the stream has 5");
    assert_false(rsd_tokens_has_bytes(t));
    CHECK_FAILS(rsd_tokens_bytes(t, 0, 1, &bytes), RSD_EARG, "only tokens made of text");
    rsd_tokens_close(t);
}

static void reads_raw(void **state)
{
    (void)state;
    put_ids("a.u16", 2);
    put_ids("a.u32", 4);
    check_ids("a.u16", "u16");
    check_ids("a.u32", "u32");
}

static void reads_npy(void **state)
{
    (void)state;
    static const struct {
        const char *descr;
        size_t width;
    } types[] = {
        { "<u2", 2 }, { "<i2", 2 }, { "<u4", 4 }, { "<i4", 4 }, { "<u8", 8 }, { "<i8", 8 },
    };
    int64_t x[IDS];
    for (size_t i = 0; i < IDS; i++)
        x[i] = ids[i];
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        put_npy("a.npy", types[k].descr, "(5,)", x, IDS, types[k].width);
        check_ids("a.npy", "npy");
    }
}

static void limits_and_vocabulary(void **state)
{
    (void)state;
    rsd_tokens *t;
    int32_t got[IDS];
    put_ids("a.u16", 2);
    rsd_tokens_options o = { .vocab = 512, .limit = 3 };
    CHECK_OK(rsd_tokens_open(in_scratch("a.u16"), &o, &t));
    assert_int_equal(rsd_tokens_count(t), 3);
    CHECK_OK(rsd_tokens_read(t, 0, 3, got));
    CHECK_FAILS(rsd_tokens_read(t, 0, 4, got), RSD_EARG, "the stream has 3");
    rsd_tokens_close(t);
    o = (rsd_tokens_options){ .vocab = 511, .limit = 100 };
    CHECK_OK(rsd_tokens_open(in_scratch("a.u16"), &o, &t));
    assert_int_equal(rsd_tokens_count(t), IDS);
    CHECK_FAILS(rsd_tokens_read(t, 1, 4, got), RSD_EDOM, "a.u16: token 2 is 511, not in [0, 511)");
    CHECK_OK(rsd_tokens_read(t, 3, 2, got));
    rsd_tokens_close(t);
}

static void refuses_ids(void **state)
{
    (void)state;
    static const struct {
        const char *name, *descr, *why;
        size_t width;
        int64_t id;
    } cases[] = {
        { "a.u32", NULL, "token 1 is 2147483648, not in [0, 2147483647)", 4, 0x80000000 },
        { "a.u32", NULL, "token 1 is 2147483647", 4, INT32_MAX },
        { "a.npy", "<i2", "token 1 is -1,", 2, -1 },
        { "a.npy", "<i4", "token 1 is -2,", 4, -2 },
        { "a.npy", "<i8", "token 1 is -3,", 8, -3 },
        { "a.npy", "<i8", "token 1 is 4294967297", 8, 0x100000001 },
        { "a.npy", "<u8", "token 1 is -1,", 8, -1 },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const int64_t x[] = { 0, cases[c].id };
        rsd_tokens *t;
        int32_t got[2];
        if (cases[c].descr)
            put_npy(cases[c].name, cases[c].descr, "(2,)", x, 2, cases[c].width);
        else
            put_numbers(cases[c].name, x, 2, cases[c].width);
        CHECK_OK(rsd_tokens_open(in_scratch(cases[c].name), NULL, &t));
        CHECK_FAILS(rsd_tokens_read(t, 0, 2, got), RSD_EDOM, cases[c].why);
        rsd_tokens_close(t);
    }
}

static void refuses_files(void **state)
{
    (void)state;
    rsd_tokens *t;
    const int64_t x[4] = { 0 };
    put_file("odd.u16", "abc", 3);
    put_file("odd.u32", "abcdef", 6);
    put_file("empty.u16", "", 0);
    put_file("lonely.bin", "abcd", 4);
    put_text("a.jsonl", "{}");
    CHECK_FAILS(rsd_tokens_open(in_scratch("none.u16"), NULL, &t), RSD_EIO,
                "none.u16: cannot open");
    CHECK_FAILS(rsd_tokens_open(in_scratch("odd.u16"), NULL, &t), RSD_EFORMAT,
                "odd.u16: 3 bytes are no whole number of U16");
    CHECK_FAILS(rsd_tokens_open(in_scratch("odd.u32"), NULL, &t), RSD_EFORMAT,
                "odd.u32: 6 bytes are no whole number of U32");
    CHECK_FAILS(rsd_tokens_open(in_scratch("empty.u16"), NULL, &t), RSD_EFORMAT,
                "empty.u16: holds no token");
    CHECK_FAILS(rsd_tokens_open(in_scratch("a.jsonl"), NULL, &t), RSD_EARG,
                "a.jsonl: tokens are read from .u16");
    CHECK_FAILS(rsd_tokens_open(scratch, NULL, &t), RSD_EARG, "tokens are read from .u16");
    CHECK_FAILS(rsd_tokens_open(in_scratch("lonely.bin"), NULL, &t), RSD_EIO,
                "lonely.idx is missing (raw numbers are read from names in .u16 or .u32)");
    put_npy("two.npy", "<u2", "(2, 2)", x, 4, 2);
    put_npy("real.npy", "<f4", "(4,)", x, 4, 4);
    put_npy("byte.npy", "|u1", "(4,)", x, 4, 1);
    CHECK_FAILS(rsd_tokens_open(in_scratch("two.npy"), NULL, &t), RSD_EFORMAT,
                "two.npy: 2 dimensions of U16; tokens have one");
    CHECK_FAILS(rsd_tokens_open(in_scratch("real.npy"), NULL, &t), RSD_EFORMAT, "of F32");
    CHECK_FAILS(rsd_tokens_open(in_scratch("byte.npy"), NULL, &t), RSD_EFORMAT, "of U8");
    put_file("bad.npy", "PK", 2);
    CHECK_FAILS(rsd_tokens_open(in_scratch("bad.npy"), NULL, &t), RSD_EFORMAT, "bad.npy: npy: ");
    /* a file that is cut while it is open is an error, not a signal */
    put_ids("cut.u32", 4);
    int32_t got[IDS];
    CHECK_OK(rsd_tokens_open(in_scratch("cut.u32"), NULL, &t));
    assert_int_equal(truncate(in_scratch("cut.u32"), 4), 0);
    CHECK_FAILS(rsd_tokens_read(t, 0, IDS, got), RSD_EIO, "was cut from 20 to 4 bytes");
    rsd_tokens_close(t);
}

/* ---- Megatron ---- */

typedef struct {
    uint64_t version, sequences, documents;
    uint8_t type;
    int32_t length[3];
    uint64_t place[3], first[3];
} index_parts;

/* Three sequences of 2, 0 and 3 tokens, uint16, in two documents. */
static const index_parts good_index = { 1, 3, 3, 8, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 3 } };

static size_t write_index(const index_parts *p, uint8_t *data)
{
    memcpy(data, "MMIDIDX\0\0", 9);
    put_le(data + 9, p->version, 8);
    data[17] = p->type;
    put_le(data + 18, p->sequences, 8);
    put_le(data + 26, p->documents, 8);
    for (size_t k = 0; k < 3; k++) {
        put_le(data + 34 + 4 * k, (uint32_t)p->length[k], 4);
        put_le(data + 46 + 8 * k, p->place[k], 8);
        put_le(data + 70 + 8 * k, p->first[k], 8);
    }
    return 94;
}

static void reads_megatron(void **state)
{
    (void)state;
    static const struct {
        uint8_t type, width;
    } types[] = { { 8, 2 }, { 3, 2 }, { 4, 4 }, { 5, 8 } };
    for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
        uint8_t data[128];
        index_parts p = good_index;
        p.type = types[k].type;
        p.place[1] = p.place[2] = 2 * types[k].width;
        put_file("m.idx", data, write_index(&p, data));
        put_ids("m.bin", types[k].width);
        check_ids("m.bin", "megatron");
        check_ids("m.idx", "megatron");
    }
    rsd_tokens *t;
    put_ids("m.bin", 4);
    CHECK_FAILS(rsd_tokens_open(in_scratch("m.bin"), NULL, &t), RSD_EFORMAT,
                "the index describes 40 bytes");
    put_file("m.idx", "x", 1);
    CHECK_FAILS(rsd_tokens_open(in_scratch("m.bin"), NULL, &t), RSD_EFORMAT,
                "m.bin: index: 1 bytes do not begin with Megatron's header");
}

static void refuses_megatron(void **state)
{
    (void)state;
    static const struct {
        index_parts p;
        const char *why;
    } cases[] = {
        { { 2, 3, 3, 8, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 3 } }, "version 2 is unknown" },
        { { 1, 3, 3, 0, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 3 } }, "type 0 is not read" },
        { { 1, 3, 3, 9, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 3 } }, "type 9 is not read" },
        { { 1, 3, 3, 2, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 3 } }, "type 2 is not read" },
        { { 1, 3, 3, 6, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 3 } }, "type 6 is not read (real" },
        { { 1, 3, 3, 7, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 3 } }, "type 7 is not read (real" },
        { { 1, 4, 3, 8, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 3 } }, "94 bytes are not what 4 seq" },
        { { 1, 3, 2, 8, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 3 } }, "3 sequences and 2 documents" },
        { { 1, UINT64_MAX / 12 + 6, 3, 8, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 3 } }, "are not what" },
        { { 1, 3, UINT64_MAX / 8 + 4, 8, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 3 } }, "are not what" },
        { { 1, 3, 3, 8, { 2, -1, 3 }, { 0, 4, 4 }, { 0, 2, 3 } }, "sequence 1 has -1 tokens" },
        { { 1, 3, 3, 8, { 2, 0, 3 }, { 2, 4, 4 }, { 0, 2, 3 } },
          "sequence 0 begins at byte 2, the one before ends at 0" },
        { { 1, 3, 3, 8, { 2, 0, 3 }, { 0, 4, 6 }, { 0, 2, 3 } },
          "sequence 2 begins at byte 6, the one before ends at 4" },
        { { 1, 3, 3, 8, { 2, 0, 3 }, { 0, 4, 4 }, { 0, 2, 4 } },
          "document 2 begins at sequence 4, not in [2, 3]" },
        { { 1, 3, 3, 8, { 2, 0, 3 }, { 0, 4, 4 }, { 1, 0, 3 } },
          "document 1 begins at sequence 0, not in [1, 3]" },
    };
    uint8_t data[128];
    rsd_megatron m;
    CHECK_OK(rsd_megatron_parse(data, write_index(&good_index, data), &m));
    assert_true(m.dtype == RSD_U16 && m.sequences == 3 && m.tokens == 5 && m.data_bytes == 10);
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        CHECK_FAILS(rsd_megatron_parse(data, write_index(&cases[c].p, data), &m), RSD_EFORMAT,
                    cases[c].why);
}

static int try_megatron(const uint8_t *data, size_t size)
{
    rsd_megatron m;
    return rsd_megatron_parse(data, size, &m);
}

static void refuses_every_cut(void **state)
{
    uint8_t data[128];
    (void)state;
    refuse_prefixes(data, write_index(&good_index, data), try_megatron);
}

/* ---- text ---- */

static int next_document(rsd_documents *d, char *out)
{
    const uint8_t *text;
    size_t n;
    if (!rsd_documents_next(d, &text, &n))
        return 0;
    memcpy(out, text, n);
    out[n] = 0;
    return 1;
}

static void documents_are_trimmed(void **state)
{
    (void)state;
    static const char text[] = " one\n|\n\ntwo \xe3\x80\x80|  | |three ";
    rsd_documents d;
    char got[64];
    CHECK_OK(rsd_documents_open((const uint8_t *)text, sizeof text - 1, "|", &d));
    static const char *const want[] = { "one", "two", "three" };
    for (int k = 0; k < 3; k++) {
        assert_int_equal(next_document(&d, got), 1);
        assert_string_equal(got, want[k]);
    }
    assert_int_equal(next_document(&d, got), 0);
    /* one document, as it is */
    for (int k = 0; k < 3; k++) {
        const char *separator[] = { "", NULL, "<|x|>" };
        CHECK_OK(rsd_documents_open((const uint8_t *)text, sizeof text - 1, separator[k], &d));
        assert_int_equal(next_document(&d, got), 1);
        assert_string_equal(got, text);
        assert_int_equal(next_document(&d, got), 0);
    }
    CHECK_OK(rsd_documents_open(NULL, 0, "|", &d));
    assert_int_equal(next_document(&d, got), 0);
    CHECK_FAILS(rsd_documents_open((const uint8_t *)"ab\xff", 3, "|", &d), RSD_EDOM,
                "the text is not UTF-8: byte 2 is 0xff");
}

static rsd_tokenizer *make_tokenizer(const char *more)
{
    char json[1024];
    rsd_tokenizer *t;
    snprintf(json, sizeof json,
             "{%s \"model\":{\"type\":\"BPE\",\"merges\":[],"
             "\"vocab\":{\"a\":0,\"b\":1,\" \":2,\"\u00e9\":3,\"\\n\":4}}}",
             more);
    CHECK_OK(rsd_tokenizer_parse((const uint8_t *)json, strlen(json), &t));
    return t;
}

static void check_text(rsd_tokenizer *tokenizer, const char *separator, size_t limit,
                       const char *text, const int32_t *want, size_t count, uint64_t want_bytes)
{
    rsd_tokens *t;
    int32_t got[32];
    uint64_t bytes, one, sum = 0;
    const rsd_tokens_options o = { .tokenizer = tokenizer, .separator = separator, .limit = limit };
    put_text("a.txt", text);
    CHECK_OK(rsd_tokens_open(in_scratch("a.txt"), &o, &t));
    assert_int_equal(rsd_tokens_count(t), count);
    CHECK_OK(rsd_tokens_read(t, 0, count, got));
    assert_memory_equal(got, want, count * sizeof *want);
    assert_true(rsd_tokens_has_bytes(t));
    assert_string_equal(rsd_tokens_format(t), "text");
    CHECK_OK(rsd_tokens_bytes(t, 0, count, &bytes));
    assert_int_equal(bytes, want_bytes);
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(rsd_tokens_bytes(t, i, 1, &one));
        sum += one;
    }
    assert_int_equal(sum, want_bytes);
    CHECK_FAILS(rsd_tokens_bytes(t, count, 1, &bytes), RSD_EARG, "from token");
    rsd_tokens_close(t);
}

static void reads_text(void **state)
{
    (void)state;
    static const char eot[] = "\"added_tokens\":[{\"id\":9,\"content\":\"<|endoftext|>\"}],";
    static const char bos[] =
        "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"
        "\"s\"}},{\"Sequence\":{\"id\":\"A\"}}],\"special_tokens\":{\"s\":{\"ids\":[8]}}},";
    char both[512];
    rsd_tokenizer *t = make_tokenizer("");
    static const char text[] = "ab<|endoftext|>\n\u00e9 a\n<|endoftext|> b ";
    check_text(t, NULL, 0, text, (int32_t[]){ 0, 1, 3, 2, 0, 1 }, 6, 7);
    check_text(t, NULL, 4, text, (int32_t[]){ 0, 1, 3, 2 }, 4, 5);
    check_text(t, "\n", 0, "a\nb", (int32_t[]){ 0, 4, 1 }, 3, 2);
    check_text(t, "", 0, " a\n", (int32_t[]){ 2, 0, 4 }, 3, 3);
    rsd_tokenizer_free(t);
    t = make_tokenizer(eot); /* the separator stands between documents */
    check_text(t, NULL, 0, text, (int32_t[]){ 0, 1, 9, 3, 2, 0, 9, 1 }, 8, 7);
    rsd_tokenizer_free(t);
    snprintf(both, sizeof both, "%s%s", eot, bos); /* the template does, where there is one */
    t = make_tokenizer(both);
    check_text(t, NULL, 0, text, (int32_t[]){ 8, 0, 1, 8, 3, 2, 0, 8, 1 }, 9, 7);
    rsd_tokenizer_free(t);
}

static void refuses_text(void **state)
{
    (void)state;
    rsd_tokens *t;
    rsd_tokenizer *tokenizer = make_tokenizer("");
    const rsd_tokens_options o = { .tokenizer = tokenizer };
    put_text("a.txt", "ab");
    CHECK_FAILS(rsd_tokens_open(in_scratch("a.txt"), NULL, &t), RSD_EARG,
                "a.txt: text needs the model's tokenizer.json");
    put_text("a.txt", "ab\xc3(");
    CHECK_FAILS(rsd_tokens_open(in_scratch("a.txt"), &o, &t), RSD_EDOM, "byte 2 is 0xc3");
    put_text("a.txt", "x<|endoftext|> x"); /* that no token covers */
    CHECK_FAILS(rsd_tokens_open(in_scratch("a.txt"), &o, &t), RSD_EFORMAT, "holds no token");
    put_text("a.txt", " <|endoftext|>\n");
    CHECK_FAILS(rsd_tokens_open(in_scratch("a.txt"), &o, &t), RSD_EFORMAT, "holds no token");
    put_text("a.txt", "");
    CHECK_FAILS(rsd_tokens_open(in_scratch("a.txt"), &o, &t), RSD_EFORMAT, "holds no token");
    rsd_tokenizer_free(tokenizer);
}

/* The streams beside the checkpoints are the first 2300 stories of the text: eval, then train. */
static void check_checkpoint(const char *model)
{
    char name[128];
    rsd_tokenizer *tokenizer;
    rsd_tokens *text, *part[2];
    size_t at = 0;
    snprintf(name, sizeof name, "models/%s/tokenizer.json", model);
    CHECK_OK(rsd_tokenizer_load(shared_file(name), &tokenizer));
    const rsd_tokens_options o = { .tokenizer = tokenizer };
    CHECK_OK(rsd_tokens_open(shared_file("text/tinystories.txt"), &o, &text));
    for (int k = 0; k < 2;
         k++, at += rsd_tokens_count(part[k - 1]), rsd_tokens_close(part[k - 1])) {
        snprintf(name, sizeof name, "models/%s/%s.tokens.u16", model, k ? "train" : "eval");
        CHECK_OK(rsd_tokens_open(shared_file(name), NULL, &part[k]));
        const size_t n = rsd_tokens_count(part[k]);
        int32_t *want = malloc(n * sizeof *want), *got = malloc(n * sizeof *got);
        CHECK_OK(rsd_tokens_read(part[k], 0, n, want));
        CHECK_OK(rsd_tokens_read(text, at, n, got));
        assert_memory_equal(got, want, n * sizeof *want);
        free(want);
        free(got);
    }
    rsd_tokens_close(text);
    rsd_tokenizer_free(tokenizer);
}

static void text_gives_the_checkpoints_streams(void **state)
{
    (void)state;
    if (!shared_file("text/tinystories.txt"))
        skip();
    check_checkpoint("stories260k");
    check_checkpoint("babyllama-105");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_raw),
        cmocka_unit_test(reads_npy),
        cmocka_unit_test(limits_and_vocabulary),
        cmocka_unit_test(refuses_ids),
        cmocka_unit_test(refuses_files),
        cmocka_unit_test(reads_megatron),
        cmocka_unit_test(refuses_megatron),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(documents_are_trimmed),
        cmocka_unit_test(reads_text),
        cmocka_unit_test(refuses_text),
        cmocka_unit_test(text_gives_the_checkpoints_streams),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
