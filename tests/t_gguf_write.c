/* Writing GGUF: the container byte for byte, llama.cpp's names and order of rows, vocabularies. */
#include "scratch.h"

#include "io/gguf.h"
#include "io/gguf_layout.h"
#include "io/gguf_vocabulary.h"
#include "io/gguf_write.h"

#include <math.h>

#define STRING(literal) ((rsd_gguf_string){ literal, sizeof literal - 1 })

static const rsd_ggml_type *type(const char *name)
{
    const rsd_ggml_type *t = rsd_ggml_type_by_name(name);
    assert_non_null(t);
    return t;
}

/* ---- the container ---- */

/* The same as tests/golden/make_gguf_write.py. */
static void put_golden(rsd_gguf_writer *w)
{
    CHECK_OK(rsd_gguf_put_text(w, "general.architecture", STRING("llama")));
    CHECK_OK(rsd_gguf_put_u32(w, "a.u32", 4000000000));
    CHECK_OK(rsd_gguf_put_f32(w, "a.f32", -1.5e-5f));
    CHECK_OK(rsd_gguf_put_bool(w, "a.true", true));
    CHECK_OK(rsd_gguf_put_bool(w, "a.false", false));
    CHECK_OK(rsd_gguf_put_text(w, "a.text", STRING("\u2581caf\u00e9")));
    CHECK_OK(rsd_gguf_put_text(w, "a.empty", STRING("")));
    CHECK_OK(rsd_gguf_put_i32s(w, "a.i32s", (const int32_t[]){ 1, -2, INT32_MAX }, 3));
    CHECK_OK(rsd_gguf_put_f32s(w, "a.f32s", (const float[]){ 0.5f, -1000 }, 2));
    const rsd_gguf_string texts[] = { STRING("<s>"), STRING(""), STRING("\u2581a b") };
    CHECK_OK(rsd_gguf_put_texts(w, "a.texts", texts, 3));
    CHECK_OK(rsd_gguf_declare(w, "vector", type("f32"), 1, (const size_t[]){ 5 }));
    CHECK_OK(rsd_gguf_declare(w, "half", type("f16"), 2, (const size_t[]){ 2, 3 }));
    CHECK_OK(rsd_gguf_declare(w, "blocks", type("q8_0"), 2, (const size_t[]){ 2, 64 }));
    CHECK_OK(rsd_gguf_declare(w, "cube", type("f32"), 3, (const size_t[]){ 2, 1, 4 }));
}

static void put_golden_data(rsd_gguf_writer *w)
{
    static const float vector[] = { 0.5f, 1.5f, 2.5f, 3.5f, 4.5f };
    static const uint16_t half[] = { 0x3c00, 0xc000, 0x3800, 0x7bff, 1, 0 };
    static const float cube[] = { 0, 1, 2, 3, 4, 5, 6, 7 };
    CHECK_OK(rsd_gguf_data(w, vector, sizeof vector));
    CHECK_OK(rsd_gguf_data(w, half, 4));
    CHECK_OK(rsd_gguf_data(w, half + 2, 0)); /* nothing is nothing */
    CHECK_OK(rsd_gguf_data(w, half + 2, sizeof half - 4));
    for (size_t i = 0; i < 136; i++) {
        const uint8_t byte = (uint8_t)i;
        CHECK_OK(rsd_gguf_data(w, &byte, 1));
    }
    CHECK_OK(rsd_gguf_data(w, cube, sizeof cube));
}

static void writes_what_gguf_py_writes(void **state)
{
    (void)state;
    rsd_gguf_writer *w;
    rsd_map ours, theirs;
    CHECK_OK(rsd_gguf_writer_alloc(&w));
    put_golden(w);
    CHECK_OK(rsd_gguf_begin(w, in_scratch("written.gguf")));
    put_golden_data(w);
    assert_false(in_scratch_exists("written.gguf")); /* not before it is whole */
    CHECK_OK(rsd_gguf_commit(w));
    rsd_gguf_writer_free(w);

    CHECK_OK(rsd_map_open(in_scratch("written.gguf"), &ours));
    CHECK_OK(rsd_map_open(fixture("gguf_written.gguf"), &theirs));
    assert_int_equal(ours.size, theirs.size);
    assert_memory_equal(ours.data, theirs.data, ours.size);

    rsd_gguf read;
    CHECK_OK(rsd_gguf_parse(ours.data, ours.size, &read));
    const rsd_gguf_tensor *blocks = rsd_gguf_find_tensor(&read, "blocks");
    assert_true(blocks && blocks->shape[0] == 2 && blocks->shape[1] == 64 && blocks->bytes == 136);
    assert_int_equal(ours.data[blocks->offset + 135], 135);
    rsd_gguf_free(&read);
    rsd_map_close(&ours);
    rsd_map_close(&theirs);
}

static void empty_file_and_array(void **state)
{
    (void)state;
    rsd_gguf_writer *w;
    rsd_gguf read;
    rsd_map map;
    CHECK_OK(rsd_gguf_writer_alloc(&w));
    CHECK_OK(rsd_gguf_put_text(w, "general.architecture", STRING("x")));
    CHECK_OK(rsd_gguf_put_texts(w, "none", NULL, 0));
    CHECK_OK(rsd_gguf_begin(w, in_scratch("empty.gguf")));
    CHECK_OK(rsd_gguf_commit(w));
    rsd_gguf_writer_free(w);
    CHECK_OK(rsd_map_open(in_scratch("empty.gguf"), &map));
    assert_int_equal(map.size % RSD_GGUF_ALIGNMENT, 0);
    CHECK_OK(rsd_gguf_parse(map.data, map.size, &read));
    const rsd_gguf_value *none = rsd_gguf_find(&read, "none");
    assert_true(none && none->array && none->count == 0 && none->type == RSD_GGUF_TEXT);
    assert_int_equal(read.tensors, 0);
    rsd_gguf_free(&read);
    rsd_map_close(&map);
}

static void refuses_declarations(void **state)
{
    (void)state;
    static const char long_name[] =
        "0123456789012345678901234567890123456789012345678901234567890123"; /* 64 */
    const size_t one[] = { 1, 1, 1, 1, 1 }, narrow[] = { 2, 33 }, none[] = { 3, 0 };
    const size_t vast[] = { SIZE_MAX / 2, 3, 1 }, large[] = { SIZE_MAX / 8, 1 };
    const size_t wide[] = { SIZE_MAX / 32 * 32 }, half[] = { SIZE_MAX / 8 + 1 };
    char key[65537];
    size_t bytes;
    rsd_gguf_writer *w;
    memset(key, 'k', sizeof key - 1);
    key[65536] = 0;
    CHECK_OK(rsd_gguf_writer_alloc(&w));
    CHECK_OK(rsd_gguf_put_bool(w, "key", true));
    CHECK_FAILS(rsd_gguf_put_u32(w, "key", 1), RSD_EARG, "'key' is there twice");
    CHECK_FAILS(rsd_gguf_put_u32(w, "", 1), RSD_EARG, "0 bytes");
    CHECK_FAILS(rsd_gguf_put_u32(w, key, 1), RSD_EARG, "65536 bytes");
    CHECK_OK(rsd_gguf_declare(w, long_name + 1, type("f32"), 4, one)); /* 63 fit */
    CHECK_FAILS(rsd_gguf_declare(w, long_name + 1, type("f32"), 1, one), RSD_EARG, "twice");
    CHECK_FAILS(rsd_gguf_declare(w, long_name, type("f32"), 1, one), RSD_EARG, "has 64 bytes");
    CHECK_FAILS(rsd_gguf_declare(w, "", type("f32"), 1, one), RSD_EARG, "0 bytes");
    CHECK_FAILS(rsd_gguf_declare(w, "t", type("f32"), 0, one), RSD_EARG, "0 dimensions");
    CHECK_FAILS(rsd_gguf_declare(w, "t", type("f32"), 5, one), RSD_EARG, "5 dimensions");
    CHECK_FAILS(rsd_gguf_declare(w, "t", type("f32"), 2, none), RSD_EARG, "is empty");
    CHECK_FAILS(rsd_gguf_declare(w, "t", type("q4_0"), 2, narrow), RSD_EARG,
                "rows of 33 do not fill blocks of 32");
    CHECK_FAILS(rsd_gguf_declare(w, "t", type("f32"), 3, vast), RSD_EARG, "overflow");
    CHECK_FAILS(rsd_gguf_declare(w, "t", type("f32"), 2, large), RSD_EARG, "overflow");
    CHECK_FAILS(rsd_gguf_declare(w, "t", type("q8_0"), 1, wide), RSD_EARG, "overflow");
    CHECK_FAILS(rsd_gguf_declare(w, "t", type("f32"), 1, half), RSD_EARG, "overflow");
    CHECK_OK(rsd_gguf_bytes(type("q4_k"), 3, 512, &bytes));
    assert_int_equal(bytes, 3 * 2 * 144);
    rsd_gguf_writer_free(w);
    rsd_gguf_writer_free(NULL);
}

static void refuses_data_that_does_not_fit(void **state)
{
    (void)state;
    const float x[4] = { 0 };
    rsd_gguf_writer *w;
    CHECK_OK(rsd_gguf_writer_alloc(&w));
    CHECK_OK(rsd_gguf_declare(w, "a", type("f32"), 1, (const size_t[]){ 3 }));
    CHECK_OK(rsd_gguf_declare(w, "b", type("f32"), 1, (const size_t[]){ 1 }));
    CHECK_FAILS(rsd_gguf_data(w, x, 4), RSD_EARG, "no file is open");
    CHECK_FAILS(rsd_gguf_commit(w), RSD_EARG, "no file is open");
    CHECK_FAILS(rsd_gguf_begin(w, in_scratch("no/such/folder.gguf")), RSD_EIO, "cannot write");
    CHECK_OK(rsd_gguf_begin(w, in_scratch("cut.gguf")));
    CHECK_FAILS(rsd_gguf_begin(w, in_scratch("cut.gguf")), RSD_EARG, "already");
    CHECK_FAILS(rsd_gguf_put_u32(w, "late", 1), RSD_EARG, "after the header");
    CHECK_FAILS(rsd_gguf_declare(w, "c", type("f32"), 1, (const size_t[]){ 1 }), RSD_EARG,
                "after the header");
    CHECK_FAILS(rsd_gguf_data(w, x, 16), RSD_EARG, "16 bytes for tensor 0 of 2");
    CHECK_OK(rsd_gguf_data(w, x, 12));
    CHECK_FAILS(rsd_gguf_commit(w), RSD_EARG, "tensors 1 to 1 are missing");
    CHECK_OK(rsd_gguf_data(w, x, 4));
    CHECK_FAILS(rsd_gguf_data(w, x, 1), RSD_EARG, "for tensor 2 of 2, which still takes 0");
    rsd_gguf_writer_free(w); /* not committed: nothing is left */
    assert_false(in_scratch_exists("cut.gguf") || in_scratch_exists("cut.gguf.tmp"));
}

/* ---- names and rows ---- */

static void architectures(void **state)
{
    (void)state;
    const char *name;
    CHECK_OK(rsd_gguf_architecture("mistral", &name));
    assert_string_equal(name, "llama");
    CHECK_OK(rsd_gguf_architecture("gpt_neox", &name));
    assert_string_equal(name, "gptneox");
    CHECK_FAILS(rsd_gguf_architecture("gpt_neo", &name), RSD_ENOTFOUND,
                "'gpt_neo' cannot be written as GGUF; llama, mistral, qwen2, gpt2, gpt_neox can");
}

static void places(void **state)
{
    (void)state;
    static const struct {
        const char *model, *tensor, *name;
        rsd_gguf_order order;
    } cases[] = {
        { "llama", "model.embed_tokens.weight", "token_embd.weight", RSD_ROWS_SAME },
        { "llama", "embed_tokens.weight", "token_embd.weight", RSD_ROWS_SAME },
        { "llama", "lm_head.weight", "output.weight", RSD_ROWS_SAME },
        { "llama", "model.norm.weight", "output_norm.weight", RSD_ROWS_SAME },
        { "llama", "norm.weight", "output_norm.weight", RSD_ROWS_SAME },
        { "llama", "model.layers.31.self_attn.q_proj.weight", "blk.31.attn_q.weight",
          RSD_ROWS_ROTARY_Q },
        { "mistral", "model.layers.0.self_attn.k_proj.bias", "blk.0.attn_k.bias",
          RSD_ROWS_ROTARY_K },
        { "llama", "model.layers.7.self_attn.v_proj.weight", "blk.7.attn_v.weight", RSD_ROWS_SAME },
        { "llama", "model.layers.7.post_attention_layernorm.weight", "blk.7.ffn_norm.weight",
          RSD_ROWS_SAME },
        { "qwen2", "model.layers.2.self_attn.q_proj.bias", "blk.2.attn_q.bias", RSD_ROWS_SAME },
        { "gpt2", "h.0.attn.c_attn.weight", "blk.0.attn_qkv.weight", RSD_ROWS_SAME },
        { "gpt2", "transformer.h.11.mlp.c_proj.bias", "blk.11.ffn_down.bias", RSD_ROWS_SAME },
        { "gpt2", "transformer.wpe.weight", "position_embd.weight", RSD_ROWS_SAME },
        { "gpt_neox", "gpt_neox.layers.3.attention.query_key_value.bias", "blk.3.attn_qkv.bias",
          RSD_ROWS_QKV },
        { "gpt_neox", "gpt_neox.final_layer_norm.bias", "output_norm.bias", RSD_ROWS_SAME },
        { "gpt_neox", "embed_out.weight", "output.weight", RSD_ROWS_SAME },
        /* not stored */
        { "llama", "model.layers.0.self_attn.rotary_emb.inv_freq", "", RSD_ROWS_SAME },
        { "gpt2", "h.0.attn.bias", "", RSD_ROWS_SAME },
        { "gpt2", "transformer.h.0.attn.masked_bias", "", RSD_ROWS_SAME },
        { "gpt_neox", "gpt_neox.layers.3.attention.bias", "", RSD_ROWS_SAME },
        { "gpt_neox", "gpt_neox.layers.3.attention.rotary_emb.inv_freq", "", RSD_ROWS_SAME },
    };
    rsd_gguf_place place;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        CHECK_OK(rsd_gguf_place_of(cases[k].model, cases[k].tensor, &place));
        assert_string_equal(place.name, cases[k].name);
        assert_int_equal(place.order, cases[k].order);
    }
}

static void refuses_places(void **state)
{
    (void)state;
    /* clang-format off */
    static const char *const none[] = {
        "model.layers.0.mlp.router.weight", "model.layers.x.mlp.up_proj.weight", "weight", "",
        "model.layers.0.norm.weight", /* of a block, not the last one */
        "model.layers.0.mlp.up_proj.weight_scale",
        "model.layers.0.self_attn.q_norm.weight", /* Qwen3's */
        "transformer.wte.weight",
    };
    /* clang-format on */
    char name[256];
    rsd_gguf_place place;
    for (size_t k = 0; k < sizeof none / sizeof *none; k++)
        CHECK_FAILS(rsd_gguf_place_of("llama", none[k], &place), RSD_EFORMAT, "has no place");
    snprintf(name, sizeof name, "model.layers.%060d.mlp.up_proj.weight", 1);
    CHECK_FAILS(rsd_gguf_place_of("llama", name, &place), RSD_EFORMAT, "more than 63 bytes");
    CHECK_FAILS(rsd_gguf_place_of("bert", "x.weight", &place), RSD_ENOTFOUND, "'bert'");
}

/* Rows 0 to m-1, each of n numbers and a gap; what they become. */
static void check_order(rsd_gguf_order order, size_t d, size_t n, size_t m, const int *want)
{
    float x[64 * 4];
    const rsd_mat W = { x, m, n, n + 1 };
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= n; j++)
            x[i * W.ld + j] = j < n ? (float)(10 * i + j) : -1;
    CHECK_OK(rsd_gguf_order_rows(order, d, W));
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= n; j++)
            if (x[i * W.ld + j] != (j < n ? (float)(10 * want[i] + (int)j) : -1.0f))
                fail_msg("row %zu begins with %g", i, (double)x[i * W.ld]);
}

static void orders_rows(void **state)
{
    (void)state;
    check_order(RSD_ROWS_SAME, 5, 3, 3, (const int[]){ 0, 1, 2 });
    /* two heads of 4: halves become pairs */
    check_order(RSD_ROWS_ROTARY_Q, 4, 3, 8, (const int[]){ 0, 2, 1, 3, 4, 6, 5, 7 });
    check_order(RSD_ROWS_ROTARY_K, 2, 3, 4, (const int[]){ 0, 1, 2, 3 });
    check_order(RSD_ROWS_ROTARY_K, 6, 1, 6, (const int[]){ 0, 3, 1, 4, 2, 5 });
    /* two heads of 2: [q k v][q k v] becomes [q q][k k][v v] */
    check_order(RSD_ROWS_QKV, 2, 2, 12, (const int[]){ 0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11 });
    check_order(RSD_ROWS_QKV, 1, 1, 9, (const int[]){ 0, 3, 6, 1, 4, 7, 2, 5, 8 });
    check_order(RSD_ROWS_QKV, 3, 1, 9, (const int[]){ 0, 1, 2, 3, 4, 5, 6, 7, 8 });

    float x[12];
    const rsd_mat W = { x, 12, 1, 1 };
    CHECK_FAILS(rsd_gguf_order_rows(RSD_ROWS_ROTARY_Q, 5, W), RSD_EFORMAT, "heads of 5");
    CHECK_FAILS(rsd_gguf_order_rows(RSD_ROWS_ROTARY_K, 3, W), RSD_EFORMAT, "heads of 3"); /* odd */
    CHECK_FAILS(rsd_gguf_order_rows(RSD_ROWS_QKV, 8, W), RSD_EFORMAT, "heads of 8");
    CHECK_FAILS(rsd_gguf_order_rows(RSD_ROWS_QKV, 0, W), RSD_EFORMAT, "heads of 0");
    CHECK_FAILS(rsd_gguf_order_rows(RSD_ROWS_QKV, SIZE_MAX / 2, W), RSD_EFORMAT, "12 rows");
}

/* Llama 3.1: theta 500000, factor 8, 1 and 4, 8192. */
static void rope_factors(void **state)
{
    (void)state;
    float f[64];
    rsd_gguf_rope_factors(500000, 128, 8, 1, 4, 8192, f);
    assert_true(f[0] == 1 && f[63] == 8);
    for (size_t i = 1; i < 64; i++)
        assert_true(f[i] >= f[i - 1]);
    /* one in between, by the formula in terms of wavelengths; float32 holds 2^-24 of it */
    const double wavelength = 2 * M_PI * pow(500000, 64 / 128.0);
    const double smooth = (8192 / wavelength - 1) / (4 - 1);
    assert_true(smooth > 0 && smooth < 1);
    CHECK_CLOSE(f[32], 1 / ((1 - smooth) / 8 + smooth), 8 * 0x1p-23);
}

/* ---- vocabularies ---- */

#define SPACES                                                                                     \
    "\"normalizer\":{\"type\":\"Sequence\",\"normalizers\":[{\"type\":\"Prepend\","                \
    "\"prepend\":\"\u2581\"},{\"type\":\"Replace\",\"pattern\":{\"String\":\" \"},"                \
    "\"content\":\"\u2581\"}]}"
#define LEVEL                                                                                      \
    "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
#define TEMPLATE(single)                                                                           \
    "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[" single "]}"
#define SPECIAL(name) "{\"SpecialToken\":{\"id\":\"" name "\",\"type_id\":0}}"
#define TEXT          "{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}"

/* What a folder's files become, or the error; note may be NULL. */
static int put_folder(const char *tokenizer, const char *settings, const char *config, size_t vocab,
                      char *note)
{
    char said[RSD_GGUF_NOTE_MAX];
    rsd_gguf_writer *w;
    const char *folder = in_scratch("folder");
    CHECK_OK(rsd_make_folder(folder));
    unlink(in_scratch("folder/tokenizer.json"));
    unlink(in_scratch("folder/tokenizer_config.json"));
    if (tokenizer)
        put_text("folder/tokenizer.json", tokenizer);
    if (settings)
        put_text("folder/tokenizer_config.json", settings);
    CHECK_OK(rsd_gguf_writer_alloc(&w));
    int err = rsd_gguf_put_vocabulary(w, in_scratch("folder"), config, vocab, note ? note : said);
    if (!err) {
        CHECK_OK(rsd_gguf_begin(w, in_scratch("vocabulary.gguf")));
        CHECK_OK(rsd_gguf_commit(w));
    }
    rsd_gguf_writer_free(w);
    return err;
}

typedef struct {
    rsd_map map;
    rsd_gguf gguf;
} file;

static file read_back(void)
{
    file f;
    CHECK_OK(rsd_map_open(in_scratch("vocabulary.gguf"), &f.map));
    CHECK_OK(rsd_gguf_parse(f.map.data, f.map.size, &f.gguf));
    return f;
}

static void close_file(file *f)
{
    rsd_gguf_free(&f->gguf);
    rsd_map_close(&f->map);
}

static const rsd_gguf_value *array(const file *f, const char *key, rsd_gguf_type of, size_t count)
{
    const rsd_gguf_value *v = rsd_gguf_find(&f->gguf, key);
    if (!v || !v->array || v->type != of || v->count != count)
        fail_msg("%s is %s", key, v ? "of another type or length" : "missing");
    return v;
}

static void check_texts(const file *f, const char *key, const char *const *want, size_t count)
{
    const uint8_t *at = array(f, key, RSD_GGUF_TEXT, count)->at;
    for (size_t i = 0; i < count; i++, at += 8 + strlen(want[i - 1])) {
        uint64_t n;
        memcpy(&n, at, sizeof n);
        assert_int_equal(n, strlen(want[i]));
        assert_memory_equal(at + 8, want[i], n);
    }
}

static void check_i32s(const file *f, const char *key, const int32_t *want, size_t count)
{
    assert_memory_equal(array(f, key, RSD_GGUF_I32, count)->at, want, count * sizeof *want);
}

static void check_size(const file *f, const char *key, size_t want)
{
    size_t got = SIZE_MAX;
    CHECK_OK(rsd_gguf_size(&f->gguf, key, &got));
    if (got != want)
        fail_msg("%s is %zu, want %zu", key, got, want);
}

static void check_flag(const file *f, const char *key, bool want)
{
    bool got = !want;
    CHECK_OK(rsd_gguf_flag(&f->gguf, key, &got));
    if (got != want)
        fail_msg("%s is %d", key, got);
}

static void check_text(const file *f, const char *key, const char *want)
{
    const char *got = "";
    size_t n = 0;
    CHECK_OK(rsd_gguf_text(&f->gguf, key, &got, &n));
    if (n != strlen(want) || memcmp(got, want, n))
        fail_msg("%s is '%.*s', want '%s'", key, (int)n, got, want);
}

static bool has(const file *f, const char *key) { return rsd_gguf_find(&f->gguf, key); }

#define SENTENCE                                                                                   \
    "\"added_tokens\":[{\"id\":0,\"content\":\"<unk>\",\"special\":true},"                         \
    "{\"id\":1,\"content\":\"<s>\",\"special\":true},"                                             \
    "{\"id\":9,\"content\":\"<tool>\",\"special\":false}],"                                        \
    "\"model\":{\"type\":\"BPE\",\"unk_token\":\"<unk>\",\"byte_fallback\":true,\"vocab\":{"       \
    "\"<unk>\":0,\"<s>\":1,\"<0x0A>\":2,\"a\":3,\"b\":4,\"ab\":5,\"\u2581\":6,\"\u2581ab\":7},"    \
    "\"merges\":[\"a b\",[\"\u2581\",\"ab\"],\"\u2581a b\"]}"

static void sentencepiece(void **state)
{
    (void)state;
    static const char *const tokens[] = { "<unk>",  "<s>",      "<0x0A>", "a",      "b",      "ab",
                                          "\u2581", "\u2581ab", "[PAD8]", "<tool>", "[PAD10]" };
    static const int32_t types[] = { 2, 3, 6, 1, 1, 1, 1, 1, 5, 4, 5 };
    /* ab is made first, then _ab, by the first of two merges */
    static const float scores[] = { 0, 0, 0, -3, -3, 0, -3, -1, 0, 0, 0 };
    char note[RSD_GGUF_NOTE_MAX];
    CHECK_OK(put_folder("{" SPACES "," TEMPLATE(SPECIAL("<s>") "," TEXT) "," SENTENCE "}", NULL,
                        "{\"bos_token_id\":1,\"eos_token_id\":[7,2]}", 11, note));
    assert_string_equal(note, "");
    file f = read_back();
    check_text(&f, "tokenizer.ggml.model", "llama");
    check_text(&f, "tokenizer.ggml.pre", "default");
    check_texts(&f, "tokenizer.ggml.tokens", tokens, 11);
    check_i32s(&f, "tokenizer.ggml.token_type", types, 11);
    assert_memory_equal(array(&f, "tokenizer.ggml.scores", RSD_GGUF_F32, 11)->at, scores,
                        sizeof scores);
    check_size(&f, "tokenizer.ggml.bos_token_id", 1);
    check_size(&f, "tokenizer.ggml.eos_token_id", 7);
    check_size(&f, "tokenizer.ggml.unknown_token_id", 0);
    check_flag(&f, "tokenizer.ggml.add_bos_token", true);
    check_flag(&f, "tokenizer.ggml.add_eos_token", false);
    check_flag(&f, "tokenizer.ggml.add_space_prefix", true);
    assert_false(has(&f, "tokenizer.ggml.merges") || has(&f, "tokenizer.ggml.padding_token_id") ||
                 has(&f, "tokenizer.chat_template"));
    close_file(&f);
}

#define BYTES(pre)                                                                                 \
    "{" pre ",\"added_tokens\":[{\"id\":3,\"content\":\"<end>\",\"special\":true}],"               \
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[[\"a\",\"b\"]]}" \
    "}"

/* What Python writes into tokenizer_config.json, and nobody needs. */
static void numbers_that_are_too_large(void **state)
{
    (void)state;
    char note[RSD_GGUF_NOTE_MAX];
    CHECK_OK(put_folder(BYTES(LEVEL),
                        "{\"model_max_length\":1000000000000000019884624838656,"
                        "\"other\":[Infinity,-Infinity,NaN],\"eos_token\":\"<end>\"}",
                        "{\"eos_token_id\":0,\"limit\":Infinity}", 4, note));
    assert_string_equal(note, "");
    file f = read_back();
    check_size(&f, "tokenizer.ggml.eos_token_id", 3);
    close_file(&f);
}

/* What GGUF has no place for is said. */
static void what_is_lost_is_noted(void **state)
{
    (void)state;
    char note[RSD_GGUF_NOTE_MAX];
    CHECK_OK(
        put_folder(BYTES("\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":true}"),
                   NULL, "{}", 4, note));
    assert_non_null(strstr(note, "its tokens may differ"));
    CHECK_OK(put_folder(
        "{\"normalizer\":{\"type\":\"NFC\"},\"pre_tokenizer\":{\"type\":\"Metaspace\"}," SENTENCE
        "}",
        NULL, "{}", 11, note));
    assert_non_null(strstr(note, "its tokens may differ"));
    CHECK_OK(put_folder("{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
                        "{\"type\":\"Digits\"},{\"type\":\"Metaspace\"}]}," SENTENCE "}",
                        NULL, "{}", 11, note));
    assert_non_null(strstr(note, "its tokens may differ"));
}

static void byte_level(void **state)
{
    (void)state;
    static const char *const tokens[] = { "a", "b", "ab", "<end>" }, *const merges[] = { "a b" };
    static const int32_t types[] = { 1, 1, 1, 3 };
    char note[RSD_GGUF_NOTE_MAX];
    CHECK_OK(put_folder(BYTES(LEVEL),
                        "{\"eos_token\":{\"content\":\"<end>\"},\"pad_token\":\"<end>\","
                        "\"bos_token\":\"<nowhere>\",\"add_eos_token\":true,"
                        "\"chat_template\":\"{{ x }}\"}",
                        "{\"bos_token_id\":2,\"eos_token_id\":0}", 4, note));
    assert_string_equal(note, "");
    file f = read_back();
    check_text(&f, "tokenizer.ggml.model", "gpt2");
    check_text(&f, "tokenizer.ggml.pre", "gpt-2");
    check_texts(&f, "tokenizer.ggml.tokens", tokens, 4);
    check_i32s(&f, "tokenizer.ggml.token_type", types, 4);
    check_texts(&f, "tokenizer.ggml.merges", merges, 1);
    check_size(&f, "tokenizer.ggml.bos_token_id", 2); /* by config.json */
    check_size(&f, "tokenizer.ggml.eos_token_id", 3); /* by tokenizer_config.json */
    check_size(&f, "tokenizer.ggml.padding_token_id", 3);
    check_flag(&f, "tokenizer.ggml.add_bos_token", false);
    check_flag(&f, "tokenizer.ggml.add_eos_token", true); /* no template says otherwise */
    check_text(&f, "tokenizer.chat_template", "{{ x }}");
    assert_false(has(&f, "tokenizer.ggml.scores") || has(&f, "tokenizer.ggml.unknown_token_id") ||
                 has(&f, "tokenizer.ggml.add_space_prefix"));
    close_file(&f);
}

#define SPLIT(expression)                                                                          \
    "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Split\",\"pattern\":" \
    "{\"Regex\":\"" expression "\"},\"behavior\":\"Isolated\"},"                                   \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":false}]}"
#define TAIL "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define HEAD "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?\\\\p{L}+"

static void names_of_expressions(void **state)
{
    (void)state;
    static const struct {
        const char *tokenizer, *pre;
    } cases[] = {
        { BYTES(SPLIT(HEAD "|\\\\p{N}{1,3}" TAIL)), "llama-bpe" },
        { BYTES(SPLIT(HEAD "|\\\\p{N}" TAIL)), "qwen2" },
        { BYTES(
              "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\","
              "\"individual_digits\":true},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}"),
          "smollm" },
        { BYTES("\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["
                "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}"),
          "gpt-2" },
        /* none that llama.cpp has: the note says so */
        { BYTES(SPLIT("a+")), "default" },
        { BYTES("\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_"
                "regex\":false}"),
          "default" },
        { BYTES(
              "\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Digits\","
              "\"individual_digits\":false},{\"type\":\"ByteLevel\",\"add_prefix_space\":false}]}"),
          "default" },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char note[RSD_GGUF_NOTE_MAX];
        CHECK_OK(put_folder(cases[k].tokenizer, NULL, "{}", 4, note));
        file f = read_back();
        check_text(&f, "tokenizer.ggml.pre", cases[k].pre);
        assert_int_equal(strcmp(cases[k].pre, "default") == 0, note[0] != 0);
        close_file(&f);
    }
}

/* Who says what begins and ends a text. */
static void templates(void **state)
{
    (void)state;
    static const struct {
        const char *single, *settings, *config;
        bool bos, eos;
    } cases[] = {
        { TEXT, NULL, "{\"bos_token_id\":1}", false, false },
        { SPECIAL("<s>") "," TEXT "," SPECIAL("<tool>"), NULL, "{}", true, true },
        { SPECIAL("<s>") "," TEXT "," SPECIAL("<tool>"), NULL, "{\"eos_token_id\":4}", true,
          false },
        { SPECIAL("<tool>") "," TEXT, NULL, "{\"bos_token_id\":1}", false, false },
        /* the template counts, not the settings */
        { TEXT, "{\"add_bos_token\":true}", "{\"bos_token_id\":1}", false, false },
        { "", NULL, "{}", false, false },
    };
    char tokenizer[4096];
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        snprintf(tokenizer, sizeof tokenizer, "{" SPACES "," TEMPLATE("%s") "," SENTENCE "}",
                 cases[k].single);
        CHECK_OK(put_folder(tokenizer, cases[k].settings, cases[k].config, 10, NULL));
        file f = read_back();
        check_flag(&f, "tokenizer.ggml.add_bos_token", cases[k].bos);
        check_flag(&f, "tokenizer.ggml.add_eos_token", cases[k].eos);
        close_file(&f);
    }
}

/* Metaspace instead of a normalizer, and whether it puts a space before the text. */
static void metaspace(void **state)
{
    (void)state;
    static const struct {
        const char *how;
        bool prefix;
    } cases[] = { { ",\"prepend_scheme\":\"first\"", true },
                  { ",\"prepend_scheme\":\"never\"", false },
                  { "", true },
                  { ",\"add_prefix_space\":false", false } };
    char tokenizer[4096];
    for (size_t k = 0; k < 4; k++) {
        snprintf(
            tokenizer, sizeof tokenizer,
            "{\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"\u2581\"%s}," SENTENCE
            "}",
            cases[k].how);
        CHECK_OK(put_folder(tokenizer, NULL, "{}", 10, NULL));
        file f = read_back();
        check_text(&f, "tokenizer.ggml.model", "llama");
        check_flag(&f, "tokenizer.ggml.add_space_prefix", cases[k].prefix);
        close_file(&f);
    }
}

static void no_vocabulary(void **state)
{
    (void)state;
    static const struct {
        const char *tokenizer, *note;
    } cases[] = {
        { NULL, "has no tokenizer.json" },
        { "{\"model\":{\"type\":\"Unigram\",\"vocab\":[]}}", "neither byte-level nor" },
        { "{\"model\":{\"type\":\"BPE\",\"vocab\":{},\"merges\":[]}}", "neither byte-level nor" },
        { "{}", "neither byte-level nor" },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        char note[RSD_GGUF_NOTE_MAX];
        CHECK_OK(put_folder(cases[k].tokenizer, NULL, "{}", 10, note));
        assert_non_null(strstr(note, cases[k].note));
        file f = read_back();
        check_text(&f, "tokenizer.ggml.model", "no_vocab");
        assert_int_equal(f.gguf.values, 1);
        close_file(&f);
    }
}

#define MODEL(vocab, merges)                                                                       \
    "{" SPACES ",\"model\":{\"type\":\"BPE\",\"vocab\":" vocab ",\"merges\":" merges "}}"
#define ADDED(tokens)                                                                              \
    "{" SPACES ",\"added_tokens\":[" tokens "],\"model\":{\"type\":\"BPE\","                       \
    "\"vocab\":{\"a\":0},\"merges\":[]}}"

static void refuses_vocabularies(void **state)
{
    (void)state;
    static const struct {
        const char *tokenizer, *why;
    } cases[] = {
        { "", "tokenizer.json: line" },
        { "[]", "not an object" },
        { "{\"model\":{}", "tokenizer.json: line 1" },
        { MODEL("[]", "[]"), "'vocab' is missing" },
        { MODEL("{\"a\":-1}", "[]"), "id of 'a' is not a whole number" },
        { MODEL("{\"a\":\"0\"}", "[]"), "id of 'a' is not a whole number" },
        { MODEL("{\"a\":4}", "[]"), "id 4; the model has 4 rows" },
        { MODEL("{\"a\":0,\"b\":0}", "[]"), "two texts id 0" },
        { MODEL("{\"[PAD1]\":0}", "[]"), "two ids have one text" },
        { MODEL("{\"a\":0}", "null"), "'merges' is missing" },
        { MODEL("{\"a\":0}", "[\"a\"]"), "merge 0 is not two tokens" },
        { MODEL("{\"a\":0}", "[[\"a\"]]"), "merge 0 is not two tokens" },
        { MODEL("{\"a\":0}", "[[\"a\",\"b\",\"c\"]]"), "merge 0 is not two tokens" },
        { MODEL("{\"a\":0}", "[[\"a\",1]]"), "merge 0 is not two tokens" },
        { MODEL("{\"a\":0,\"b\":1}", "[\"a b\"]"), "merge 0 makes no token" },
        { ADDED("{\"id\":1}"), "added token 0 lacks" },
        { ADDED("{\"content\":\"b\",\"id\":\"1\"}"), "added token 0 lacks" },
        { ADDED("{\"content\":\"b\",\"id\":-1}"), "added token 0 lacks" },
        { ADDED("{\"content\":\"b\",\"id\":0}"), "two texts id 0" },
        { ADDED("{\"content\":\"a\",\"id\":1}"), "two ids have one text" },
        { "{" LEVEL ",\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},"
          "\"merges\":[[\"a b\",\"c\"]]}}",
          "merge 0 has a space" },
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        CHECK_FAILS(put_folder(cases[k].tokenizer, NULL, "{}", 4, NULL), RSD_EFORMAT, cases[k].why);
    CHECK_FAILS(put_folder(BYTES(LEVEL), "{", "{}", 4, NULL), RSD_EFORMAT,
                "tokenizer_config.json: line 1");
    char tokenizer[4096], token[1200];
    memset(token, 'x', sizeof token - 1);
    token[sizeof token - 1] = 0;
    snprintf(tokenizer, sizeof tokenizer, MODEL("{\"a\":0}", "[[\"%s\",\"x\"]]"), token);
    CHECK_FAILS(put_folder(tokenizer, NULL, "{}", 4, NULL), RSD_EFORMAT, "a token of 1201 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_gguf_py_writes),
        cmocka_unit_test(empty_file_and_array),
        cmocka_unit_test(refuses_declarations),
        cmocka_unit_test(refuses_data_that_does_not_fit),
        cmocka_unit_test(architectures),
        cmocka_unit_test(places),
        cmocka_unit_test(refuses_places),
        cmocka_unit_test(orders_rows),
        cmocka_unit_test(rope_factors),
        cmocka_unit_test(sentencepiece),
        cmocka_unit_test(byte_level),
        cmocka_unit_test(numbers_that_are_too_large),
        cmocka_unit_test(what_is_lost_is_noted),
        cmocka_unit_test(names_of_expressions),
        cmocka_unit_test(templates),
        cmocka_unit_test(metaspace),
        cmocka_unit_test(no_vocabulary),
        cmocka_unit_test(refuses_vocabularies),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
