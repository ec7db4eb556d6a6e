/* Tokenizers out of GGUF files: ids as llama.cpp has them (golden/make_gguf_tokenizer.py), and as
 * the tokenizer.json has them that a file's vocabulary was made of. */
#include "samples.h"
#include "scratch.h"

#include "io/gguf_vocabulary.h"
#include "io/gguf_write.h"

#define STRING(literal) ((rsd_gguf_string){ literal, sizeof literal - 1 })

static void ids_are_llama_cpps(void **state)
{
    (void)state;
    static const char *const names[] = { "sentence", "level" };
    for (size_t k = 0; k < 2; k++) {
        char name[64];
        rsd_tokenizer *t;
        snprintf(name, sizeof name, "gguf_tokenizer/%s.gguf", names[k]);
        CHECK_OK(rsd_tokenizer_load_model(fixture(name), &t));
        snprintf(name, sizeof name, "gguf_tokenizer/%s.ids", names[k]);
        check_samples(names[k], t, name);
        rsd_tokenizer_free(t);
    }
}

/* A folder's tokenizer.json as a GGUF file, which is named after it. */
static const char *export(const char *family)
{
    char name[64], note[RSD_GGUF_NOTE_MAX];
    rsd_map map;
    rsd_tokenizer *t;
    rsd_gguf_writer *w;
    snprintf(name, sizeof name, "tokenizer/%s.json", family);
    CHECK_OK(rsd_map_open(fixture(name), &map));
    put_file("f/tokenizer.json", map.data, map.size);
    CHECK_OK(rsd_tokenizer_parse(map.data, map.size, &t));
    CHECK_OK(rsd_gguf_writer_alloc(&w));
    CHECK_OK(rsd_gguf_put_vocabulary(w, in_scratch("f"), "{}", rsd_tokenizer_vocab(t), note));
    CHECK_OK(rsd_gguf_begin(w, in_scratch("f.gguf")));
    CHECK_OK(rsd_gguf_commit(w));
    rsd_gguf_writer_free(w);
    rsd_tokenizer_free(t);
    rsd_map_close(&map);
    return in_scratch("f.gguf");
}

/* Those whose tokenizer.json has all in it that GGUF has a place for. */
static void ids_are_those_of_the_json(void **state)
{
    (void)state;
    static const char *const families[] = { "gpt2", "llama3", "o200k", "llama2", "trained" };
    for (size_t k = 0; k < sizeof families / sizeof *families; k++) {
        char ids[64];
        rsd_tokenizer *t;
        CHECK_OK(rsd_tokenizer_load(export(families[k]), &t));
        snprintf(ids, sizeof ids, "tokenizer/%s.ids", families[k]);
        check_samples(families[k], t, ids);
        rsd_tokenizer_free(t);
    }
}

/* ---- vocabularies small enough to work out by hand ---- */

typedef struct {
    const char *model, *pre;
    const rsd_gguf_string *text;
    const float *score;
    const rsd_gguf_string *merge;
    size_t tokens, types, scores, merges;
    const int32_t *type;
    void (*put)(rsd_gguf_writer *w); /* more; or NULL */
} vocabulary;

static int from(const vocabulary *v, rsd_tokenizer **out)
{
    rsd_gguf_writer *w;
    CHECK_OK(rsd_gguf_writer_alloc(&w));
    if (v->model)
        CHECK_OK(rsd_gguf_put_text(w, "tokenizer.ggml.model",
                                   (rsd_gguf_string){ v->model, strlen(v->model) }));
    if (v->pre)
        CHECK_OK(rsd_gguf_put_text(w, "tokenizer.ggml.pre",
                                   (rsd_gguf_string){ v->pre, strlen(v->pre) }));
    if (v->tokens)
        CHECK_OK(rsd_gguf_put_texts(w, "tokenizer.ggml.tokens", v->text, v->tokens));
    if (v->types)
        CHECK_OK(rsd_gguf_put_i32s(w, "tokenizer.ggml.token_type", v->type, v->types));
    if (v->scores)
        CHECK_OK(rsd_gguf_put_f32s(w, "tokenizer.ggml.scores", v->score, v->scores));
    if (v->merges)
        CHECK_OK(rsd_gguf_put_texts(w, "tokenizer.ggml.merges", v->merge, v->merges));
    if (v->put)
        v->put(w);
    CHECK_OK(rsd_gguf_begin(w, in_scratch("v.gguf")));
    CHECK_OK(rsd_gguf_commit(w));
    rsd_gguf_writer_free(w);
    const int err = rsd_tokenizer_load(in_scratch("v.gguf"), out);
    assert_true(!err == (*out != NULL));
    return err;
}

static void check_ids(rsd_tokenizer *t, const char *text, const int32_t *want, size_t count)
{
    rsd_encoding e = { 0 };
    CHECK_OK(rsd_tokenizer_encode(t, (const uint8_t *)text, strlen(text), true, &e));
    assert_int_equal(e.count, count);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(e.id[i], want[i]);
    rsd_encoding_free(&e);
}

static void put_plain(rsd_gguf_writer *w)
{
    CHECK_OK(rsd_gguf_put_bool(w, "tokenizer.ggml.add_bos_token", false));
    CHECK_OK(rsd_gguf_put_bool(w, "tokenizer.ggml.add_space_prefix", false));
}

/* Of two pairs that make tokens of one score the leftmost is joined, whatever the tokens are. */
static void equal_scores_join_the_leftmost(void **state)
{
    (void)state;
    static const rsd_gguf_string texts[] = { STRING("<unk>"), STRING("a"),  STRING("b"),
                                             STRING("c"),     STRING("bc"), STRING("ab") };
    static const float scores[] = { 0, -9, -9, -9, -1, -1 };
    static const int32_t types[] = { 2, 1, 1, 1, 1, 1 };
    vocabulary v = { .model = "llama",
                     .text = texts,
                     .score = scores,
                     .type = types,
                     .tokens = 6,
                     .types = 6,
                     .scores = 6,
                     .put = put_plain };
    rsd_tokenizer *t;
    CHECK_OK(from(&v, &t));
    check_ids(t, "abc", (int32_t[]){ 5, 3 }, 2);
    check_ids(t, "a<unk>bc", (int32_t[]){ 1, 0, 4 }, 3);
    check_ids(t, "a?\u00e9b", (int32_t[]){ 1, 0, 2 }, 3); /* the unknown, once for both */
    assert_int_equal(rsd_tokenizer_uncovered(t).unknown, 2);
    rsd_tokenizer_free(t);
    static const float better[] = { 0, -9, -9, -9, -0.5f, -1 };
    v.score = better;
    CHECK_OK(from(&v, &t));
    check_ids(t, "abc", (int32_t[]){ 1, 4 }, 2);
    rsd_tokenizer_free(t);
}

static void put_ends(rsd_gguf_writer *w)
{
    CHECK_OK(rsd_gguf_put_bool(w, "tokenizer.ggml.add_eos_token", true));
    CHECK_OK(rsd_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 2));
    CHECK_OK(rsd_gguf_put_u32(w, "tokenizer.ggml.eos_token_id", 0));
}

/* Of a name that implies both, BOS comes without being asked for and whole words go before merges.
 */
static void names_imply_more_than_an_expression(void **state)
{
    (void)state;
    static const rsd_gguf_string texts[] = { STRING("<e>"), STRING("a"),  STRING("<s>"),
                                             STRING("b"),   STRING("ab"), STRING("abb"),
                                             STRING("") };
    static const rsd_gguf_string merges[] = { STRING("a b") };
    static const int32_t types[] = { 3, 1, 3, 1, 1, 1, 5 };
    vocabulary v = { .model = "gpt2",
                     .pre = "llama-bpe",
                     .text = texts,
                     .type = types,
                     .merge = merges,
                     .tokens = 7,
                     .types = 7,
                     .merges = 1,
                     .put = put_ends };
    rsd_tokenizer *t;
    CHECK_OK(from(&v, &t));
    assert_int_equal(rsd_tokenizer_vocab(t), 7);
    check_ids(t, "abb<s>", (int32_t[]){ 2, 5, 2, 0 }, 4);
    rsd_tokenizer_free(t);
    v.pre = "gpt-2";
    CHECK_OK(from(&v, &t));
    check_ids(t, "abb<s>", (int32_t[]){ 4, 3, 2, 0 }, 4);
    rsd_tokenizer_free(t);
}

/* ---- refusals ---- */

static void put_far_bos(rsd_gguf_writer *w)
{
    CHECK_OK(rsd_gguf_put_u32(w, "tokenizer.ggml.bos_token_id", 7));
}

static void put_squeeze(rsd_gguf_writer *w)
{
    CHECK_OK(rsd_gguf_put_bool(w, "tokenizer.ggml.remove_extra_whitespaces", true));
}

static void put_map(rsd_gguf_writer *w)
{
    CHECK_OK(rsd_gguf_put_i32s(w, "tokenizer.ggml.precompiled_charsmap", (int32_t[]){ 1 }, 1));
}

static void what_cannot_be_done_is_refused_by_name(void **state)
{
    (void)state;
    static const rsd_gguf_string ab[] = { STRING("a"), STRING("b") };
    static const rsd_gguf_string twice[] = { STRING("a"), STRING("a") };
    static const rsd_gguf_string merge[] = { STRING("a b") }, half[] = { STRING("ab") };
    static const float scores[] = { 0, NAN }, plain[] = { 0, 1 };
    static const int32_t types[] = { 1, 1 };
    static const struct {
        vocabulary v;
        const char *why;
    } cases[] = {
        { { .model = NULL }, "tokenizer.ggml.model is missing" },
        { { .model = "no_vocab" }, "tokenizer.ggml.model is 'no_vocab'" },
        { { .model = "bert" }, "tokenizer.ggml.model is 'bert'" },
        { { .model = "gpt2" }, "tokenizer.ggml.tokens: 0 tokens" },
        { { .model = "gpt2", .text = ab, .tokens = 2 }, "tokenizer.ggml.pre is missing" },
        { { .model = "gpt2", .pre = "default", .text = ab, .tokens = 2 },
          "tokenizer.ggml.pre is 'default'" },
        { { .model = "gpt2", .pre = "gpt-2", .text = ab, .tokens = 2, .type = types, .types = 1 },
          "tokenizer.ggml.token_type: 1 for 2 tokens" },
        { { .model = "gpt2", .pre = "gpt-2", .text = twice, .tokens = 2 }, "'a' is there twice" },
        { { .model = "gpt2", .pre = "gpt-2", .text = ab, .tokens = 2, .merge = merge, .merges = 1 },
          "merge 0 needs token 'ab'" },
        { { .model = "gpt2", .pre = "gpt-2", .text = ab, .tokens = 2, .merge = half, .merges = 1 },
          "tokenizer.ggml.merges: number 0 is not two tokens" },
        { { .model = "gpt2", .pre = "tekken", .text = ab, .tokens = 2 },
          "add_bos_token says so, but tokenizer.ggml.bos_token_id is missing" },
        { { .model = "llama", .text = ab, .tokens = 2 }, "tokenizer.ggml.scores: 0 for 2 tokens" },
        { { .model = "llama", .text = ab, .tokens = 2, .score = scores, .scores = 2 },
          "tokenizer.ggml.scores: number 1 is NaN" },
        { { .model = "llama",
            .text = ab,
            .tokens = 2,
            .score = plain,
            .scores = 2,
            .put = put_far_bos },
          "tokenizer.ggml.bos_token_id is 7; there are 2 tokens" },
        { { .model = "llama", .text = ab, .tokens = 2, .put = put_squeeze },
          "tokenizer.ggml.remove_extra_whitespaces" },
        { { .model = "llama", .text = ab, .tokens = 2, .put = put_map },
          "tokenizer.ggml.precompiled_charsmap" },
    };
    rsd_tokenizer *t;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        CHECK_FAILS(from(&cases[c].v, &t), RSD_EFORMAT, cases[c].why);
    put_text("x.bin", "none");
    CHECK_FAILS(rsd_tokenizer_load_model(in_scratch("x.bin"), &t), RSD_EFORMAT,
                "x.bin: holds no vocabulary");
    CHECK_FAILS(rsd_tokenizer_load_model(in_scratch("nowhere"), &t), RSD_EIO,
                "nowhere/tokenizer.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_llama_cpps),
        cmocka_unit_test(ids_are_those_of_the_json),
        cmocka_unit_test(equal_scores_join_the_leftmost),
        cmocka_unit_test(names_imply_more_than_an_expression),
        cmocka_unit_test(what_cannot_be_done_is_refused_by_name),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
