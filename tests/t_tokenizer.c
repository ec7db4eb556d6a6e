/* Tokenizers: every family against the reference's ids (golden/make_tokenizer.py), small models
 * whose answer can be worked out by hand, every refusal, every cut of a file. */
#include "samples.h"
#include "scratch.h"

#include "io/bpe_train.h"
#include "io/tokenizer.h"
#include "io/tokens/regex.h"
#include "utf8.h"

/* ---- golden answers ---- */

static void families_match_reference(void **state)
{
    static const char *const families[] = { "trained", "gpt2",   "roberta_like", "neox",
                                            "llama3",  "qwen2",  "o200k",        "deepseek",
                                            "falcon",  "llama2", "mistral",      "crossing",
                                            "words",   "digits" };
    (void)state;
    for (size_t k = 0; k < sizeof families / sizeof *families; k++) {
        char name[64];
        rsd_tokenizer *t;
        snprintf(name, sizeof name, "tokenizer/%s.json", families[k]);
        CHECK_OK(rsd_tokenizer_load(fixture(name), &t));
        snprintf(name, sizeof name, "tokenizer/%s.ids", families[k]);
        check_samples(families[k], t, name);
        rsd_tokenizer_free(t);
    }
}

/* ---- models small enough to work out by hand ---- */

#define MODEL(more, vocab, merges)                                                                 \
    "\"model\":{\"type\":\"BPE\"," more "\"vocab\":{" vocab "},\"merges\":[" merges "]}"

static int parse(const char *json, rsd_tokenizer **out)
{
    return rsd_tokenizer_parse((const uint8_t *)json, strlen(json), out);
}

/* Tokens of text, as "id:bytes id:bytes"; static storage. */
static const char *encode(const char *json, const char *text, size_t n, bool special)
{
    static char answer[512];
    rsd_encoding e = { 0 };
    rsd_tokenizer *t;
    size_t used = 0;
    CHECK_OK(parse(json, &t));
    CHECK_OK(rsd_tokenizer_encode(t, (const uint8_t *)text, n, special, &e));
    *answer = 0;
    for (size_t i = 0; i < e.count; i++)
        used += (size_t)snprintf(answer + used, sizeof answer - used, "%s%d:%u", i ? " " : "",
                                 e.id[i], e.bytes[i]);
    rsd_encoding_free(&e);
    rsd_tokenizer_free(t);
    return answer;
}

#define CHECK_TOKENS(json, text, want)                                                             \
    assert_string_equal(encode(json, text, sizeof text - 1, true), want)

static void merges_by_rank_then_place(void **state)
{
    (void)state;
    static const char abc[] = "{" MODEL("",
                                        "\"a\":0,\"b\":1,\"c\":2,\"ab\":3,\"bc\":4,\"abc\":5,"
                                        "\"aa\":6,\"aaaa\":7",
                                        "\"b c\",[\"a\",\"b\"],\"a bc\",\"a a\",\"aa aa\"") "}";
    CHECK_TOKENS(abc, "abc", "5:3"); /* bc first, then a bc */
    CHECK_TOKENS(abc, "abb", "3:2 1:1");
    CHECK_TOKENS(abc, "aaa", "6:2 0:1"); /* the leftmost of equal rank */
    CHECK_TOKENS(abc, "aaaaaaa", "7:4 6:2 0:1");
    CHECK_TOKENS(abc, "", "");
    /* 64 is the longest word that is remembered; a longer one goes the same way */
    for (size_t n = 60; n < 70; n++) {
        char word[80], want[200] = "";
        memset(word, 'a', n);
        for (size_t i = 0; i < n / 4; i++)
            strcat(want, i ? " 7:4" : "7:4");
        strcat(want, n % 4 & 2 ? " 6:2" : "");
        strcat(want, n % 4 & 1 ? " 0:1" : "");
        assert_string_equal(encode(abc, word, n, true), want);
    }
}

static void unknown_characters(void **state)
{
    (void)state;
#define AB "\"<unk>\":0,\"a\":1,\"<0xC3>\":2,\"<0xA9>\":3,\"<0x21>\":4"
    CHECK_TOKENS("{" MODEL("\"unk_token\":\"<unk>\",", AB, "") "}", "a??a\u00e9",
                 "1:1 0:1 0:1 1:1 0:2");
    CHECK_TOKENS("{" MODEL("\"unk_token\":\"<unk>\",\"fuse_unk\":true,", AB, "") "}", "a??a\u00e9",
                 "1:1 0:2 1:1 0:2");
    CHECK_TOKENS("{" MODEL("\"unk_token\":\"<unk>\",\"byte_fallback\":true,", AB, "") "}",
                 "a!?\u00e9", "1:1 4:1 2:1 3:1 0:1"); /* bytes overtake what waits for fusing */
}

/* Without an unknown token and without bytes a character is left out, and its neighbours become
 * neighbours: what the reference answers. */
static void uncovered_characters_are_left_out(void **state)
{
    (void)state;
    static const char ab[] = "{" MODEL("", "\"a\":0,\"b\":1,\"ab\":2", "\"a b\"") "}";
    CHECK_TOKENS(ab, "a\u20acb", "2:5");
    CHECK_TOKENS(ab, "\u20acab", "2:5");
    CHECK_TOKENS(ab, "ab\u20ac", "2:5");
    CHECK_TOKENS(ab, "\u20ac", "");
    CHECK_TOKENS(ab, "a\u20ac\u20acb\u20aca", "2:11 0:1");
}

/* They are counted, each time, and the first is shown as the text has it: a tab, not the letter
 * that byte-level vocabularies have for it. */
static void uncovered_characters_are_counted(void **state)
{
    (void)state;
    rsd_tokenizer *t;
    rsd_encoding e = { 0 };
    CHECK_OK(parse("{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false}," MODEL(
                       "", "\"a\":0,\"b\":1", "") "}",
                   &t));
    for (size_t i = 0; i < 2; i++)
        CHECK_OK(rsd_tokenizer_encode(t, (const uint8_t *)"a\tb\u00e9", 5, true, &e));
    rsd_uncovered u = rsd_tokenizer_uncovered(t);
    assert_true(u.dropped == 6 && u.unknown == 0 && u.first == '\t'); /* two letters for U+00E9 */
    assert_int_equal(sum_bytes(&e), 10);
    rsd_tokenizer_free(t);
    CHECK_OK(parse("{" MODEL("\"unk_token\":\"<unk>\",\"fuse_unk\":true,", AB, "") "}", &t));
    CHECK_OK(rsd_tokenizer_encode(t, (const uint8_t *)"a\u00df\u20ac", 6, true, &e));
    u = rsd_tokenizer_uncovered(t);
    assert_true(u.dropped == 0 && u.unknown == 2 && u.first == 0xdf);
    rsd_tokenizer_free(t);
    rsd_encoding_free(&e);
}

/* Texts are as long as they are, whatever the file was used for. */
static void truncation_and_padding_are_left_out(void **state)
{
    (void)state;
    rsd_tokenizer *t;
    rsd_encoding e = { 0 };
    CHECK_OK(
        parse("{\"truncation\":{\"max_length\":2,\"stride\":0,\"strategy\":\"LongestFirst\"},"
              "\"padding\":{\"strategy\":{\"Fixed\":9},\"pad_id\":0}," MODEL("", "\"a\":0", "") "}",
              &t));
    CHECK_OK(rsd_tokenizer_encode(t, (const uint8_t *)"aaaa", 4, true, &e));
    assert_int_equal(e.count, 4);
    assert_non_null(strstr(rsd_tokenizer_note(t), "truncation and padding are left out"));
    rsd_tokenizer_free(t);
    rsd_encoding_free(&e);
}

static void template_and_added_tokens(void **state)
{
    (void)state;
#define SPECIAL(id, text, more) "{\"id\":" #id ",\"content\":\"" text "\",\"special\":true" more "}"
#define BOS                                                                                        \
    "\"post_processor\":{\"type\":\"Sequence\",\"processors\":[{\"type\":\"ByteLevel\"},"          \
    "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":\"B\"}},"              \
    "{\"Sequence\":{\"id\":\"A\"}},{\"SpecialToken\":{\"id\":\"E\"}}],\"special_tokens\":"         \
    "{\"B\":{\"ids\":[8,9]},\"E\":{\"ids\":[7]}}}]},"
    /* clang-format off */
    static const char good[] =
        "{\"added_tokens\":[" SPECIAL(5, "<x>", "") "," SPECIAL(6, "<x>y", ",\"lstrip\":true") ","
        SPECIAL(11, "!", "") "]," BOS MODEL("", "\"a\":0,\"y\":1,\" \":2,\"<\":3", "") "}";
    /* clang-format on */
    rsd_tokenizer *t;
    int32_t id = 0;
    CHECK_TOKENS(good, "a<x>a", "8:0 9:0 0:1 5:3 0:1 7:0");
    CHECK_TOKENS(good, "a  <x>ya<", "8:0 9:0 0:1 6:6 0:1 3:1 7:0"); /* the longer one, its spaces */
    CHECK_TOKENS(good, "!!", "8:0 9:0 11:1 11:1 7:0");
    CHECK_TOKENS(good, "", "8:0 9:0 7:0");
    assert_string_equal(encode(good, "a", 1, false), "0:1");
    CHECK_OK(parse(good, &t));
    assert_int_equal(rsd_tokenizer_vocab(t), 12);
    assert_true(rsd_tokenizer_has_template(t));
    assert_true(rsd_tokenizer_find(t, "<x>", &id) && id == 5);
    assert_true(rsd_tokenizer_find(t, "y", &id) && id == 1);
    assert_false(rsd_tokenizer_find(t, "z", &id));
    rsd_tokenizer_free(t);
}

/* Where text is rewritten, bytes are still those of the document. */
static void bytes_are_of_the_document(void **state)
{
    (void)state;
    static const char meta[] =
        "{\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\",\"prepend\":"
        "\"\u2581\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" "
        "\"},\"content\":\"\u2581\"}]}," MODEL("", "\"\u2581\":0,\"a\":1,\"\u2581a\":2",
                                               "\"\u2581 a\"") "}";
    CHECK_TOKENS(meta, "a a  a", "2:1 2:2 0:1 2:2");
    static const char nfc[] =
        "{\"normalizer\":{\"type\":\"NFC\"}," MODEL("", "\"a\":0,\"\u00e9\":1,\" \":2", "") "}";
    CHECK_TOKENS(nfc, "ae\u0301a", "0:1 1:3 0:1");
    static const char strip[] =
        "{\"normalizer\":{\"type\":\"Strip\"},"
        "\"pre_tokenizer\":{\"type\":\"WhitespaceSplit\"}," MODEL("", "\"a\":0", "") "}";
    CHECK_TOKENS(strip, " \u3000a \na\t", "0:7 0:2");
    static const char bytes[] =
        "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":"
        "true}," MODEL("", "\"\u0120\":0,\"a\":1,\"\u00c3\":2,\"\u00a9\":3", "") "}";
    CHECK_TOKENS(bytes, "a\u00e9", "0:0 1:1 2:1 3:1");
}

/* ---- training ---- */

static char *slurp(const char *path, size_t *n)
{
    rsd_map map;
    CHECK_OK(rsd_map_open(path, &map));
    char *text = malloc(map.size + 1);
    memcpy(text, map.data, map.size);
    text[map.size] = 0;
    *n = map.size;
    rsd_map_close(&map);
    return text;
}

/* Train on text and give the file back. */
static char *train(const uint8_t *text, size_t n, rsd_bpe_training options, size_t want)
{
    size_t made = 0, size;
    CHECK_OK(rsd_bpe_train(text, n, &options, in_scratch("trained.json"), &made));
    assert_int_equal(made, want);
    return slurp(in_scratch("trained.json"), &size);
}

/* Byte for byte the file that the reference makes of the same documents. */
static void training_matches_reference(void **state)
{
    static uint8_t text[TEXTS_MOST * (TEXT_MOST + 16)];
    const size_t count = read_samples();
    size_t n = 0, size;
    (void)state;
    for (size_t i = 0; i < count; i++) {
        memcpy(text + n, samples[i].byte, samples[i].n);
        n += samples[i].n;
        memcpy(text + n, "<|endoftext|>", 13);
        n += 13;
    }
    char *got = train(text, n, (rsd_bpe_training){ .vocab_size = 500, .least = 2 }, 445);
    char *want = slurp(fixture("tokenizer/trained.json"), &size);
    assert_string_equal(got, want);
    free(got);
    free(want);
}

static void training_by_hand(void **state)
{
    (void)state;
    /* words abab, Gabab, Gab, Gab (G: the space's letter): (a,b) 6 times, then (G,ab) 3, then
     * (ab,ab) and (Gab,ab) once each, of which the first has the lower first id */
    static const uint8_t text[] = "abab abab ab ab<>x";
    char *got = train(text, sizeof text - 1,
                      (rsd_bpe_training){ .vocab_size = 300, .separator = "<>" }, 261);
    assert_non_null(strstr(got, "\"merges\":[\"a b\",\"\u0120 ab\",\"ab ab\",\"\u0120ab ab\"]"));
    assert_non_null(strstr(got, "\"content\":\"<>\""));
    assert_non_null(strstr(got, "{\"<>\":0,\"!\":1,"));
    free(got);
    const rsd_bpe_training twice = { .vocab_size = 300, .least = 2, .separator = "<>" };
    free(train(text, sizeof text - 1, twice, 259));
    const rsd_bpe_training one = { .vocab_size = 258, .separator = "<>" };
    free(train(text, sizeof text - 1, one, 258));
    free(train(NULL, 0, (rsd_bpe_training){ .vocab_size = 300 }, 257));
    const char *path = in_scratch("refused.json");
    CHECK_FAILS(rsd_bpe_train(text, 1, &(rsd_bpe_training){ .vocab_size = 256 }, path, NULL),
                RSD_EARG, "vocab_size 256 is not in [257, 1048576]");
    CHECK_FAILS(rsd_bpe_train(text, 1, &(rsd_bpe_training){ .vocab_size = 1 << 21 }, path, NULL),
                RSD_EARG, "vocab_size 2097152");
    CHECK_FAILS(rsd_bpe_train(text, 1, &(rsd_bpe_training){ .vocab_size = 300, .separator = "" },
                              path, NULL),
                RSD_EARG, "the separator '' is empty");
    CHECK_FAILS(rsd_bpe_train((const uint8_t *)"a\xff", 2, &(rsd_bpe_training){ .vocab_size = 300 },
                              path, NULL),
                RSD_EDOM, "byte 1 is 0xff");
    CHECK_FAILS(rsd_bpe_train(text, 1, &(rsd_bpe_training){ .vocab_size = 300 },
                              in_scratch("none/a.json"), NULL),
                RSD_EIO, "cannot write");
    assert_false(in_scratch_exists("refused.json"));
}

/* ---- refusals ---- */

static void refuses_by_name(void **state)
{
    (void)state;
#define OK_MODEL       MODEL("", "\"a\":0", "")
#define NORMALIZER(x)  "{\"normalizer\":" x "," OK_MODEL "}"
#define PRE(x)         "{\"pre_tokenizer\":" x "," OK_MODEL "}"
#define SPLIT(pattern) PRE("{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":" pattern "}")
#define REGEX(re)      SPLIT("{\"Regex\":\"" re "\"}")
#define POST(x)        "{\"post_processor\":" x "," OK_MODEL "}"
#define TEMPLATE(single)                                                                           \
    POST("{\"type\":\"TemplateProcessing\",\"single\":[" single "],"                               \
         "\"special_tokens\":{\"X\":{\"ids\":[-1]},\"Y\":{}}}")
#define ADDED(x) "{\"added_tokens\":[" x "]," OK_MODEL "}"
    static const struct {
        const char *json, *why;
    } cases[] = {
        { "", "line 1" },
        { "[]", "tokenizer is not an object" },
        { "{", "line 1" },
        { "{\"model\":1,\"model\":2}", "duplicate" },
        { "{}", "'model' is missing" },
        { "{\"vocab\":{}," OK_MODEL "}", "tokenizer: 'vocab' is not supported" },
        { "{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", "model 'Unigram' is not supported" },
        { "{\"model\":{\"vocab\":{}}}", "'type' is missing" },
        { "{\"model\":{\"type\":\"BPE\",\"merges\":[]}}", "'vocab' is missing" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{}}}", "'merges' is missing" },
        { "{" MODEL("\"x\":1,", "\"a\":0", "") "}", "model: 'x' is not supported" },
        { "{" MODEL("\"dropout\":0.1,", "\"a\":0", "") "}", "dropout 0.1 is not supported" },
        { "{" MODEL("\"end_of_word_suffix\":\"</w>\",", "\"a\":0", "") "}", "'</w>'" },
        { "{" MODEL("\"continuing_subword_prefix\":\"##\",", "\"a\":0", "") "}", "'##'" },
        { "{" MODEL("\"fuse_unk\":1,", "\"a\":0", "") "}", "'fuse_unk' is not true or false" },
        { "{" MODEL("\"unk_token\":\"u\",", "\"a\":0", "") "}", "unk_token 'u' is not in" },
        { "{" MODEL("\"unk_token\":7,", "\"a\":0", "") "}", "'unk_token' is not a string" },
        { "{" MODEL("", "\"a\":-1", "") "}", "'a' is not a whole number" },
        { "{" MODEL("", "\"a\":2147483647", "") "}", "'a' is not a whole number" },
        { "{" MODEL("", "\"a\":0", "\"a b\"") "}", "merge 0 needs token 'b'" },
        { "{" MODEL("", "\"a\":0", "\"a a\"") "}", "merge 0 needs token 'aa'" },
        { "{" MODEL("", "\"a\":0", "\"a\"") "}", "merge 0 is not two tokens" },
        { "{" MODEL("", "\"a\":0", "\"a a a\"") "}", "merge 0 is not two tokens" },
        { "{" MODEL("", "\"a\":0", "[\"a\"]") "}", "merge 0 is not two tokens" },
        { "{" MODEL("", "\"a\":0", "7") "}", "merge 0 is not two tokens" },
        { NORMALIZER("{\"type\":\"BertNormalizer\"}"), "normalizer 'BertNormalizer' is not" },
        { NORMALIZER("{\"type\":\"Precompiled\"}"), "known: NFC, NFD, NFKC, NFKD, Lowercase" },
        { NORMALIZER("7"), "'type' is missing" },
        { NORMALIZER("{\"type\":\"NFC\",\"x\":1}"), "NFC: 'x' is not supported" },
        { NORMALIZER("{\"type\":\"Prepend\"}"), "'prepend' is missing" },
        { NORMALIZER("{\"type\":\"Replace\",\"content\":\"\"}"), "pattern is not an object" },
        { NORMALIZER("{\"type\":\"Sequence\"}"), "'normalizers' is not an array" },
        { NORMALIZER("{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Nmt\"}]}"), "'Nmt'" },
        { PRE("{\"type\":\"BertPreTokenizer\"}"), "pre_tokenizer 'BertPreTokenizer' is not supp" },
        { PRE("{\"type\":\"UnicodeScripts\"}"), "known: ByteLevel, Split, Metaspace" },
        { PRE("{\"type\":\"ByteLevel\",\"x\":1}"), "ByteLevel: 'x' is not supported" },
        { PRE("{\"type\":\"Sequence\"}"), "'pretokenizers' is not an array" },
        { PRE("{\"type\":\"Metaspace\",\"prepend_scheme\":\"x\"}"), "prepend_scheme 'x'" },
        { PRE("{\"type\":\"Metaspace\",\"replacement\":\"ab\"}"), "not one character" },
        { PRE("{\"type\":\"Metaspace\",\"replacement\":\"\"}"), "not one character" },
        { PRE("{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"x\"}"),
          "behavior 'x' is not supported" },
        { SPLIT("{}"), "neither a String nor a Regex" },
        { SPLIT("{\"String\":\"\"}"), "a pattern is empty" },
        { SPLIT("{\"Glob\":\"*\"}"), "'Glob' is not supported" },
        { REGEX("a*"), "can match nothing" },
        { REGEX("("), "missing" },
        { REGEX("a{1,2}+"), "'+' at its byte 6 is not supported after an interval" },
        { REGEX("a{2}?"), "'?' at its byte 4" },
        { REGEX("a{,2}"), "'{,' at its byte 1" },
        { REGEX("[a&&b]"), "'&&' at its byte 2" },
        { REGEX("[[:alpha:]]"), "'[:' at its byte 1" },
        { REGEX("[\\\\W]"), "'\\W' at its byte 1" },
        { REGEX("[\\\\s-z]"), "'-' at its byte 3 is not supported after a set" },
        { REGEX("[]a]"), "as first of a class" },
        { REGEX("[a"), "a class is not closed" },
        { REGEX("\\\\h"), "'\\h' at its byte 0" },
        { REGEX("\\\\bx"), "'\\b' at its byte 0" },
        { REGEX("(a)\\\\1"), "'\\1' at its byte 3" },
        { REGEX("a\\\\"), "at the end" },
        { REGEX("\\\\pL"), "a name in braces" },
        { REGEX("\\\\p{L"), "is not supported" },
        { REGEX("\\\\p{Klingon}"), "unknown property" },
        { REGEX("\\\\xe9"), "is not supported" },
        { REGEX("\\\\x{}"), "is not supported" },
        { REGEX("\\\\u12"), "is not supported" },
        { REGEX("(?<n>a)"), "'(?<n' at its byte 0" },
        { REGEX("a(?i)b"), "'(?i)' at its byte 1" },
        { REGEX("(*FAIL)"), "'(*FA' at its byte 0" },
        { "{\"normalizer\":{\"type\":\"Strip\"},\"pre_tokenizer\":{\"type\":\"Metaspace\","
          "\"prepend_scheme\":\"first\"}," OK_MODEL "}",
          "'first' is not supported behind a normalizer that strips or prepends" },
        { POST("{\"type\":\"BertProcessing\"}"), "post_processor 'BertProcessing' is not supp" },
        { POST("{\"type\":\"Sequence\"}"), "'processors' is not an array" },
        { TEMPLATE(""), "'single' lacks sequence 'A'" },
        { TEMPLATE("{\"Sequence\":{\"id\":\"B\"}}"), "sequence 'B'" },
        { TEMPLATE("{\"Sequence\":{\"id\":\"A\"}},{\"Sequence\":{\"id\":\"A\"}}"), "again" },
        { TEMPLATE("{\"SpecialToken\":{\"id\":\"X\"}}"), "an id of 'X' is not a whole number" },
        { TEMPLATE("{\"SpecialToken\":{\"id\":\"Y\"}}"), "special_tokens lacks 'Y'" },
        { TEMPLATE("7"), "'id' is missing" },
        { ADDED("{\"content\":\"x\"}"), "added token: 'id' is not a whole number" },
        { ADDED("{\"id\":1}"), "added token: 'content' is missing" },
        { ADDED("{\"id\":1,\"content\":\"\"}"), "added token 1 is empty" },
        { ADDED("{\"id\":1,\"content\":\"x\",\"y\":0}"), "added token: 'y' is not supported" },
        { ADDED("{\"id\":1,\"content\":\"x\"},{\"id\":2,\"content\":\"x\"}"),
          "'x' is there twice" },
        { "{\"added_tokens\":7," OK_MODEL "}", "'added_tokens' is not an array" },
    };
    rsd_tokenizer *t;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        CHECK_FAILS(parse(cases[c].json, &t), RSD_EFORMAT, cases[c].why);
        assert_null(t);
    }
}

static int parse_and_free(const uint8_t *data, size_t size)
{
    rsd_tokenizer *t;
    const int err = rsd_tokenizer_parse(data, size, &t);
    rsd_tokenizer_free(t);
    return err;
}

static void refuses_every_cut(void **state)
{
    (void)state;
    static const char json[] =
        "{\"added_tokens\":[{\"id\":1,\"content\":\"<x>\"}],\"normalizer\":{\"type\":\"NFC\"},"
        "\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"post_processor\":{\"type\":\"ByteLevel\"}"
        "," OK_MODEL "}";
    refuse_prefixes((const uint8_t *)json, sizeof json - 1, parse_and_free);
}

static void refuses_text_that_is_not_utf8(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t bad;
    } cases[] = {
        { "abc\xff", 3 },
        { "\x80", 0 },
        { "a\xc3", 1 },
        { "\xc0\xaf", 0 }, /* overlong */
        { "\xe0\x80\x80", 0 },
        { "ab\xed\xa0\x80", 2 }, /* a surrogate */
        { "\xf4\x90\x80\x80", 0 },
        { "\xf8\x88\x80\x80\x80", 0 },
        { "0123456789abcdef\xe2\x82", 16 },
        { "\xe2\x82\xac\xe2\x28\xa1", 3 },
    };
    rsd_tokenizer *t;
    rsd_encoding e = { 0 };
    CHECK_OK(parse("{" OK_MODEL "}", &t));
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        char why[64];
        snprintf(why, sizeof why, "the text is not UTF-8: byte %zu is 0x", cases[c].bad);
        CHECK_FAILS(rsd_tokenizer_encode(t, (const uint8_t *)cases[c].text, strlen(cases[c].text),
                                         true, &e),
                    RSD_EDOM, why);
    }
    rsd_tokenizer_free(t);
    CHECK_FAILS(rsd_tokenizer_load(in_scratch("none.json"), &t), RSD_EIO, "none.json");
    put_text("bad.json", "{}");
    CHECK_FAILS(rsd_tokenizer_load(in_scratch("bad.json"), &t), RSD_EFORMAT,
                "bad.json: 'model' is missing");
}

/* ---- the parts ---- */

static void utf8_round_trip(void **state)
{
    (void)state;
    for (uint32_t c = 0; c < 0x110000; c++) {
        uint8_t s[4];
        if (c >= 0xd800 && c < 0xe000)
            continue;
        const size_t n = rsd_utf8_encode(c, s);
        if (rsd_utf8_check(s, n) != n || rsd_utf8_length(s) != n || rsd_utf8_decode(s) != c ||
            rsd_utf8_before(s, n) != 0)
            fail_msg("U+%04X", c);
    }
}

static bool matches(rsd_regex *re, uint32_t c)
{
    uint8_t s[4];
    bool found;
    size_t begin, end;
    const size_t n = rsd_utf8_encode(c, s);
    CHECK_OK(rsd_regex_find(re, s, n, 0, &found, &begin, &end));
    return found;
}

/* What means something else in PCRE2 than in Oniguruma; the answers are Oniguruma's. */
static void regex_dialect(void **state)
{
    (void)state;
    static const struct {
        const char *pattern;
        uint32_t yes[4], no[4];
    } cases[] = {
        { "\\s", { 0x0b, 0x85, 0xa0, 0x3000 }, { 0x180e, 0x200b, 0x1f, 0xfeff } },
        { "[\\s]", { 0x20, 0x85, 0x2029, 0x205f }, { 0x180e, 0x200b, 0x1c, 'x' } },
        { "\\S", { 0x180e, 0x200b, 'x', 0x1f }, { 0x20, 0x85, 0x3000, 0x0a } },
        { "[\\S]", { 0x180e, 0x200b, 'x', 0x1f }, { 0x20, 0x85, 0x3000, 0x0a } },
        { "\\w", { 0xb2, 0xbd, 0x301, 0x24b6 }, { 0x2070, '-', 0x20, 0x9f4 } },
        { "[\\w]", { 'a', '_', 0x301, 0x203f }, { 0xb2, 0xbd, '-', 0x9f4 } },
        { "\\W", { 0x2070, '-', 0x9f4, 0x20 }, { 0xb2, 'a', '_', 0x301 } },
        { "\\d", { '0', 0x0663, 0xff11, '9' }, { 0xb2, 0x2167, 'a', 0xbd } },
        { "\\p{Han}", { 0x4e00, 0x3007, 0x2e80, 0x3005 }, { 0x3001, 0x3002, 0x30a2, 'a' } },
        { "\\p{^Lu}", { 'a', '1', 0xe9, 0x20 }, { 'A', 0xc9, 0x391, 0x410 } },
        { "\\v", { 0x0b, 0x0b, 0x0b, 0x0b }, { 0x0a, 0x0c, 0x85, 0x2028 } },
        { "\\u00e9|\\x{4E00}|\\x41", { 0xe9, 0x4e00, 'A', 'A' }, { 'e', 'u', 'x', 0x4e01 } },
        { "(?i:s|k)", { 's', 'S', 0x17f, 0x212a }, { 't', 'j', 0xdf, 0x20 } },
        { ".", { 0, '\r', 0x85, 0x2028 }, { '\n', '\n', '\n', '\n' } },
        { "[a{\\]\\-]|\\{", { 'a', '{', ']', '-' }, { 'b', '}', '[', '\\' } },
        { "(?i)[x-z]", { 'x', 'Y', 'z', 'Z' }, { 'w', 'W', '-', 'a' } },
    };
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        rsd_regex *re;
        CHECK_OK(rsd_regex_compile(RSD_REGEX_ONIGURUMA, cases[c].pattern, strlen(cases[c].pattern),
                                   &re));
        for (int k = 0; k < 4; k++)
            if (!matches(re, cases[c].yes[k]) || matches(re, cases[c].no[k]))
                fail_msg("%s: U+%04X, U+%04X", cases[c].pattern, cases[c].yes[k], cases[c].no[k]);
        rsd_regex_free(re);
    }
}

/* A pattern that backtracks without end is a failure, not a hang; a long run is none. */
static void regex_limits(void **state)
{
    enum { N = 1 << 18 };
    rsd_regex *re;
    bool found;
    size_t begin, end;
    uint8_t *text = malloc(N);
    (void)state;
    memset(text, 'a', N);
    text[199] = 'b';
    CHECK_OK(rsd_regex_compile(RSD_REGEX_ONIGURUMA, "(a|aa|aaa)+$", 12, &re));
    CHECK_FAILS(rsd_regex_find(re, text, 200, 0, &found, &begin, &end), RSD_EDOM,
                "a pattern fails in 200 bytes of text");
    rsd_regex_free(re);
    CHECK_OK(rsd_regex_compile(RSD_REGEX_ONIGURUMA, "(?:a|b)+", 8, &re));
    CHECK_OK(rsd_regex_find(re, text, N, 0, &found, &begin, &end));
    assert_true(found && begin == 0 && end == N);
    rsd_regex_free(re);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(families_match_reference),
        cmocka_unit_test(merges_by_rank_then_place),
        cmocka_unit_test(unknown_characters),
        cmocka_unit_test(uncovered_characters_are_left_out),
        cmocka_unit_test(uncovered_characters_are_counted),
        cmocka_unit_test(truncation_and_padding_are_left_out),
        cmocka_unit_test(template_and_added_tokens),
        cmocka_unit_test(bytes_are_of_the_document),
        cmocka_unit_test(training_matches_reference),
        cmocka_unit_test(training_by_hand),
        cmocka_unit_test(refuses_by_name),
        cmocka_unit_test(refuses_every_cut),
        cmocka_unit_test(refuses_text_that_is_not_utf8),
        cmocka_unit_test(utf8_round_trip),
        cmocka_unit_test(regex_dialect),
        cmocka_unit_test(regex_limits),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
