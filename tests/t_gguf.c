/* GGUF: what another program wrote reads back; whatever is wrong with a file is said. */
#include "model_files.h"

#include "io/gguf.h"
#include "mat.h"
#include "transformer/arch.h"

/* ---- files written by the gguf package (tests/golden/make_gguf.py) ---- */

static rsd_model *open_fixture(const char *name)
{
    char path[64];
    rsd_model *model;
    snprintf(path, sizeof path, "gguf/%s.gguf", name);
    CHECK_OK(rsd_model_open(fixture(path), &model));
    return model;
}

static float *read_all(const rsd_model *model, const rsd_tensor *t)
{
    rsd_mat W;
    CHECK_OK(rsd_mat_alloc(t->rows, t->cols, &W));
    CHECK_OK(rsd_model_read(model, t, W));
    return W.x;
}

/* Every block type, bit for bit as the package dequantizes it; the others refuse by name. */
static void every_type_reads_as_its_package_says(void **state)
{
    (void)state;
    rsd_model *model = open_fixture("types");
    size_t read = 0;
    assert_string_equal(rsd_model_architecture(model), "none-such");
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        char name[64];
        snprintf(name, sizeof name, "%s.want", t->name);
        const rsd_tensor *want = rsd_model_find(model, name);
        if (!want)
            continue;
        const rsd_ggml_type *type = rsd_ggml_type_by_name(t->name);
        assert_non_null(type);
        assert_string_equal(t->stored, type->name);
        assert_int_equal(t->stored_bytes, t->elements / type->block * type->bytes);
        if (!type->decode) {
            rsd_mat W;
            CHECK_OK(rsd_mat_alloc(t->rows, t->cols, &W));
            CHECK_FAILS(rsd_model_read(model, t, W), RSD_EFORMAT, "which is listed but not read");
            rsd_mat_free(&W);
            continue;
        }
        float *x = read_all(model, t), *y = read_all(model, want);
        for (size_t k = 0; k < t->elements; k++)
            if (x[k] != y[k])
                fail_msg("%s [%zu] = %.9g, want %.9g", t->name, k, (double)x[k], (double)y[k]);
        free(y);
        free(x);
        read++;
    }
    assert_true(read >= 17);
    rsd_model_close(model);
}

/* Number i of every tensor of these fixtures, in the order of the Hugging Face checkpoint, is i. */
static void counts(const rsd_model *model, const rsd_tensor *t)
{
    float *x = malloc(t->elements * sizeof *x);
    CHECK_OK(rsd_model_read_flat(model, t, x));
    for (size_t k = 0; k < t->elements; k++)
        if (x[k] != (float)k)
            fail_msg("%s [%zu] = %g", t->name, k, (double)x[k]);
    free(x);
    if (!t->matrix)
        return;
    x = read_all(model, t);
    for (size_t i = 0; i < t->rows; i++)
        for (size_t j = 0; j < t->cols; j++)
            if (x[i * t->cols + j] !=
                (float)(t->role.transposed ? j * t->rows + i : i * t->cols + j))
                fail_msg("%s (%zu, %zu) = %g", t->name, i, j, (double)x[i * t->cols + j]);
    free(x);
}

static void has(const rsd_model *model, const char *name, const char *role, size_t rows,
                size_t cols)
{
    const rsd_tensor *t = rsd_model_find(model, name);
    if (!t)
        fail_msg("no %s", name);
    assert_string_equal(t->role.role, role);
    assert_true(t->rows == rows && t->cols == cols);
}

static void all_count(const rsd_model *model)
{
    for (size_t i = 0; i < rsd_model_count(model); i++)
        counts(model, rsd_model_tensor(model, i));
}

static void llama_is_the_checkpoint(void **state)
{
    (void)state;
    rsd_model *model = open_fixture("llama");
    const rsd_arch *arch;
    rsd_shape s;
    assert_int_equal(rsd_model_count(model), 12);
    has(model, "model.layers.0.self_attn.q_proj.weight", "q", 16, 16);
    has(model, "model.layers.0.self_attn.k_proj.weight", "k", 8, 16);
    has(model, "model.layers.0.self_attn.q_proj.bias", "bias", 0, 0);
    has(model, "model.layers.0.mlp.down_proj.weight", "down", 16, 24);
    has(model, "model.embed_tokens.weight", "embedding", 10, 16);
    has(model, "model.layers.0.post_attention_layernorm.weight", "norm", 0, 0);
    has(model, "model.norm.weight", "norm", 0, 0);
    all_count(model);
    CHECK_OK(rsd_arch_configure(rsd_model_architecture(model), rsd_model_config(model), &arch, &s));
    assert_string_equal(arch->name, "llama");
    assert_true(s.layers == 1 && s.width == 16 && s.heads == 4 && s.kv_heads == 2 &&
                s.hidden == 24);
    assert_true(s.vocab == 10 && s.context == 32 && s.tied && s.norm_eps == 1e-5);
    assert_true(s.rotary.theta == 10000 && s.rotary.dims == 4 &&
                s.rotary.scaling == RSD_ROPE_PLAIN);
    rsd_model_close(model);
}

static void qwen2_keeps_its_rows(void **state)
{
    (void)state;
    rsd_model *model = open_fixture("qwen2");
    const rsd_arch *arch;
    rsd_shape s;
    has(model, "lm_head.weight", "head", 10, 16);
    all_count(model);
    CHECK_OK(rsd_arch_configure(rsd_model_architecture(model), rsd_model_config(model), &arch, &s));
    assert_string_equal(arch->name, "qwen2");
    assert_false(s.tied);
    rsd_model_close(model);
}

static void gpt_neox_heads_are_put_together_again(void **state)
{
    (void)state;
    rsd_model *model = open_fixture("gptneox");
    const rsd_arch *arch;
    rsd_shape s;
    has(model, "gpt_neox.layers.0.attention.query_key_value.weight", "qkv", 36, 12);
    has(model, "gpt_neox.layers.0.mlp.dense_4h_to_h.weight", "down", 12, 48);
    has(model, "embed_out.weight", "head", 10, 12);
    all_count(model);
    CHECK_OK(rsd_arch_configure(rsd_model_architecture(model), rsd_model_config(model), &arch, &s));
    assert_string_equal(arch->name, "gpt_neox");
    assert_true(s.heads == 3 && s.rotary.dims == 2 && !s.parallel && s.norm_eps == 1e-5);
    rsd_model_close(model);
}

/* The file holds out x in; the checkpoint's Conv1D in x out is what the names promise. */
static void gpt2_is_turned_as_the_checkpoint(void **state)
{
    (void)state;
    rsd_model *model = open_fixture("gpt2");
    const rsd_arch *arch;
    rsd_shape s;
    has(model, "transformer.h.0.attn.c_attn.weight", "qkv", 24, 8);
    const rsd_tensor *t = rsd_model_find(model, "transformer.h.0.attn.c_attn.weight");
    assert_true(t->role.transposed && t->shape[0] == 8 && t->shape[1] == 24);
    has(model, "transformer.h.0.mlp.c_proj.weight", "down", 8, 32);
    has(model, "transformer.wpe.weight", "position", 32, 8);
    all_count(model);
    CHECK_OK(rsd_arch_configure(rsd_model_architecture(model), rsd_model_config(model), &arch, &s));
    assert_true(s.width == 8 && s.heads == 2 && s.hidden == 32 && s.context == 32 && s.tied);
    rsd_model_close(model);
}

static void experts_are_one_matrix_each(void **state)
{
    (void)state;
    rsd_model *model = open_fixture("mixtral");
    char name[128];
    assert_string_equal(rsd_model_architecture(model), "mixtral");
    for (size_t e = 0; e < 2; e++) {
        snprintf(name, sizeof name, "model.layers.0.block_sparse_moe.experts.%zu.w2.weight", e);
        has(model, name, "down", 16, 24);
        const rsd_tensor *t = rsd_model_find(model, name);
        assert_int_equal(t->stored_bytes, 16 * 24 * 4);
        float *x = read_all(model, t);
        for (size_t k = 0; k < t->elements; k++)
            assert_true(x[k] == (float)(e * t->elements + k));
        free(x);
    }
    has(model, "model.layers.0.block_sparse_moe.experts.1.w1.weight", "gate", 24, 16);
    rsd_model_close(model);
}

static void llama3_frequencies_are_recognised(void **state)
{
    (void)state;
    rsd_model *model = open_fixture("llama3");
    const rsd_arch *arch;
    rsd_shape s;
    CHECK_OK(rsd_arch_configure(rsd_model_architecture(model), rsd_model_config(model), &arch, &s));
    assert_true(s.rotary.scaling == RSD_ROPE_LLAMA3 && s.rotary.factor == 8);
    assert_true(s.rotary.low_freq == 1 && s.rotary.high_freq == 4 && s.rotary.original == 8192);
    rsd_model_close(model);
}

static void copy_fixture(const char *name, const char *to, size_t less)
{
    char path[64];
    rsd_map map;
    snprintf(path, sizeof path, "gguf/%s.gguf", name);
    CHECK_OK(rsd_map_open(fixture(path), &map));
    put_file(to, map.data, map.size - less);
    rsd_map_close(&map);
}

static void parts_are_one_model(void **state)
{
    (void)state;
    rsd_model *model = open_fixture("split-00001-of-00002");
    char sha[65];
    assert_int_equal(rsd_model_count(model), 12);
    all_count(model);
    CHECK_OK(rsd_model_sha256(model, sha));
    rsd_model_close(model);
    model = open_fixture("split-00002-of-00002"); /* any of them names all */
    assert_int_equal(rsd_model_count(model), 12);
    all_count(model);
    rsd_model_close(model);
    copy_fixture("split-00001-of-00002", "p/model.gguf", 0);
    OPEN_FAILS(in_scratch("p/model.gguf"), RSD_EFORMAT, "not named NAME-00001-of-00002.gguf");
    copy_fixture("split-00001-of-00002", "p/m-00001-of-00002.gguf", 0);
    OPEN_FAILS(in_scratch("p/m-00001-of-00002.gguf"), RSD_EIO, "part 2 of 2");
    copy_fixture("split-00001-of-00002", "p/m-00002-of-00002.gguf", 0);
    OPEN_FAILS(in_scratch("p/m-00001-of-00002.gguf"), RSD_EFORMAT, "part 1 of 2, not 2 of 2");
}

/* ---- metadata ---- */

static void metadata_of_every_type_are_read(void **state)
{
    (void)state;
    rsd_map map;
    rsd_gguf g;
    CHECK_OK(rsd_map_open(fixture("gguf/llama.gguf"), &map));
    CHECK_OK(rsd_gguf_parse(map.data, map.size, &g));
    static const struct {
        const char *key;
        double value;
    } numbers[] = { { "t.u8", 200 },     { "t.i8", -3 },          { "t.u16", 60000 },
                    { "t.i16", -300 },   { "t.u32", 4000000000 }, { "t.i32", -70000 },
                    { "t.u64", 0x1p40 }, { "t.i64", -0x1p40 },    { "t.f32", 0.25 },
                    { "t.f64", 1.0 / 3 } };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        double value = 0;
        CHECK_OK(rsd_gguf_real(&g, numbers[i].key, &value));
        assert_true(value == numbers[i].value);
    }
    bool flag = false;
    const char *text = "";
    size_t n = 0, size = 5;
    CHECK_OK(rsd_gguf_flag(&g, "t.bool", &flag));
    assert_true(flag);
    CHECK_OK(rsd_gguf_text(&g, "t.text", &text, &n));
    assert_true(n == strlen("ein Wört") && memcmp(text, "ein Wört", n) == 0);
    CHECK_OK(rsd_gguf_size(&g, "t.sizes", &size));
    assert_int_equal(size, 7);
    CHECK_OK(rsd_gguf_size(&g, "not there", &size));
    assert_int_equal(size, 7);
    assert_int_equal(rsd_gguf_find(&g, "t.texts")->count, 3);
    double real;
    CHECK_FAILS(rsd_gguf_size(&g, "t.i8", &size), RSD_EFORMAT, "t.i8 is -3");
    CHECK_FAILS(rsd_gguf_size(&g, "t.mixed", &size), RSD_EFORMAT, "8 in one layer and another");
    CHECK_FAILS(rsd_gguf_size(&g, "t.text", &size), RSD_EFORMAT,
                "t.text is of type text, not a whole");
    CHECK_FAILS(rsd_gguf_real(&g, "t.reals", &real), RSD_EFORMAT, "array of f32, not a number");
    CHECK_FAILS(rsd_gguf_flag(&g, "t.u8", &flag), RSD_EFORMAT, "not true or false");
    CHECK_FAILS(rsd_gguf_text(&g, "t.u8", &text, &n), RSD_EFORMAT, "not a text");
    rsd_gguf_free(&g);
    rsd_map_close(&map);
}

/* ---- what is wrong with a file is said ---- */

/* A file as it is written. */
typedef struct {
    uint8_t data[4096];
    size_t size;
} bytes;

static void put(bytes *b, uint64_t v, size_t n)
{
    for (size_t k = 0; k < n; k++)
        b->data[b->size++] = (uint8_t)(v >> 8 * k);
}

static void put_name(bytes *b, const char *s)
{
    put(b, strlen(s), 8);
    memcpy(b->data + b->size, s, strlen(s));
    b->size += strlen(s);
}

static bytes header(uint32_t version, uint64_t tensors, uint64_t values)
{
    bytes b = { .size = 4 };
    memcpy(b.data, "GGUF", 4);
    put(&b, version, 4);
    put(&b, tensors, 8);
    put(&b, values, 8);
    return b;
}

static void put_value(bytes *b, const char *key, uint32_t type, uint64_t value, size_t n)
{
    put_name(b, key);
    put(b, type, 4);
    put(b, value, n);
}

static void put_tensor(bytes *b, const char *name, size_t cols, size_t rows, uint32_t type,
                       uint64_t offset)
{
    put_name(b, name);
    put(b, 2, 4);
    put(b, cols, 8);
    put(b, rows, 8);
    put(b, type, 4);
    put(b, offset, 8);
}

static void pad(bytes *b, size_t more) { b->size = (b->size + 31) / 32 * 32 + more; }

static int parse(const bytes *b)
{
    rsd_gguf g;
    uint8_t *exact = malloc(b->size ? b->size : 1); /* a sanitizer sees what reads on */
    memcpy(exact, b->data, b->size);
    const int err = rsd_gguf_parse(exact, b->size, &g);
    if (err)
        assert_true(!g.values && !g.tensors && !g.value && !g.tensor);
    rsd_gguf_free(&g);
    free(exact);
    return err;
}

static void headers_that_lie_are_refused(void **state)
{
    (void)state;
    bytes b = { .size = 0 };
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "does not begin with 'GGUF'");
    b = header(1, 0, 0);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "version 1; versions 2 and 3 are read");
    b = header(0x03000000, 0, 0);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "big-endian");
    b = header(3, UINT64_MAX, 0);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "18446744073709551615 tensors do not fit");
    b = header(3, 0, UINT64_MAX);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "18446744073709551615 entries of metadata do not fit");
    b = header(2, 0, 0);
    CHECK_OK(parse(&b));
}

static void metadata_that_lie_are_refused(void **state)
{
    (void)state;
    bytes b = header(3, 0, 1);
    put_value(&b, "k", 13, 0, 8);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "k: value type 13 is unknown");
    b = header(3, 0, 1);
    put_value(&b, "k", RSD_GGUF_BOOL, 2, 1);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "k: truth value 2, neither 0 nor 1");
    b = header(3, 0, 1);
    put_value(&b, "k", RSD_GGUF_TEXT, UINT64_MAX, 8);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "k: 18446744073709551615 items of 1 bytes leave the file");
    b = header(3, 0, 2);
    put_value(&b, "k", RSD_GGUF_U8, 1, 1);
    put_value(&b, "k", RSD_GGUF_U8, 1, 1);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "metadata key 'k' is there twice");
    b = header(3, 0, 1);
    put(&b, 3, 8);
    put(&b, 0x6b006b, 3);
    put(&b, 0, 8);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "metadata key 'k' has 3 bytes and a zero among them");
    b = header(3, 0, 1);
    put_value(&b, "k", RSD_GGUF_ARRAY, RSD_GGUF_U64, 4);
    put(&b, UINT64_MAX / 4, 8);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "k: 4611686018427387903 items of 8 bytes leave the file");
    b = header(3, 0, 1); /* arrays of one array each */
    put_value(&b, "k", RSD_GGUF_ARRAY, RSD_GGUF_ARRAY, 4);
    for (int i = 0; i < 8; i++) {
        put(&b, 1, 8);
        put(&b, RSD_GGUF_ARRAY, 4);
    }
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "k: arrays nest deeper than 4");
    b = header(3, 0, 1);
    put_value(&b, "general.alignment", RSD_GGUF_U32, 24, 4);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "general.alignment is 24, not a power of two");
    b = header(3, 0, 1);
    put_value(&b, "general.alignment", RSD_GGUF_U64, 32, 8);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "general.alignment is of type u64, not u32");
}

static void tensors_that_lie_are_refused(void **state)
{
    (void)state;
    bytes b = header(3, 1, 0);
    put_tensor(&b, "t", 8, 4, 4242, 0);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "tensor 't': type 4242 is unknown");
    b = header(3, 1, 0);
    put_tensor(&b, "t", 48, 4, 2, 0);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "tensor 't': rows of 48 are no whole blocks of 32 (q4_0)");
    b = header(3, 1, 0);
    put_tensor(&b, "t", (size_t)1 << 40, (size_t)1 << 40, 0, 0);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "tensor 't': the product of its shape overflows");
    b = header(3, 1, 0);
    put_tensor(&b, "t", (size_t)1 << 31, (size_t)1 << 32, 0, 0);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "of f32 overflow");
    b = header(3, 1, 0);
    put_name(&b, "t");
    put(&b, 5, 4);
    pad(&b, 64);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "tensor 't': 5 dimensions, at most 4");
    b = header(3, 1, 0);
    put_tensor(&b, "0123456789012345678901234567890123456789012345678901234567890123", 8, 4, 0, 0);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "has 64 bytes, at most 63 are allowed");
    b = header(3, 1, 0);
    put_tensor(&b, "t", 8, 4, 0, 0);
    pad(&b, 127);
    CHECK_FAILS(parse(&b), RSD_EFORMAT,
                "tensor 't': data bytes 0 to 0 + 128, but the file has 127");
    b = header(3, 1, 0);
    put_tensor(&b, "t", 8, 4, 0, 16);
    pad(&b, 200);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "begins at data byte 16, not a multiple of 32");
    b = header(3, 2, 0);
    put_tensor(&b, "t", 8, 4, 0, 0);
    put_tensor(&b, "t", 8, 4, 0, 128);
    pad(&b, 256);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "tensor 't' is there twice");
    b = header(3, 2, 0);
    put_tensor(&b, "t", 8, 4, 0, 0);
    put_tensor(&b, "u", 8, 4, 0, 96);
    pad(&b, 256);
    CHECK_FAILS(parse(&b), RSD_EFORMAT,
                "tensor 'u' begins at data byte 96, the one before ends at 128");
    b = header(3, 1, 0);
    put_tensor(&b, "t", 8, 4, 0, UINT64_MAX - 31);
    pad(&b, 256);
    CHECK_FAILS(parse(&b), RSD_EFORMAT, "but the file has 256");
}

/* A llama of one block whose queries are not its heads'. */
static void write_heads(const char *name, uint32_t heads, size_t rows, uint32_t type)
{
    bytes b = header(3, 1, 2);
    put_name(&b, "general.architecture");
    put(&b, RSD_GGUF_TEXT, 4);
    put_name(&b, "llama");
    put_value(&b, "llama.attention.head_count", RSD_GGUF_U32, heads, 4);
    put_tensor(&b, "blk.0.attn_q.weight", 4, rows, type, 0);
    pad(&b, 4 * rows * 8);
    put_file(name, b.data, b.size);
}

static void rows_that_are_no_heads_are_refused(void **state)
{
    (void)state;
    rsd_model *model;
    write_heads("h.gguf", 2, 8, 0);
    CHECK_OK(rsd_model_open(in_scratch("h.gguf"), &model));
    assert_string_equal(rsd_model_name(model), "h");
    rsd_model_close(model);
    write_heads("h.gguf", 3, 8, 0);
    OPEN_FAILS(in_scratch("h.gguf"), RSD_EFORMAT, "8 rows are no whole number of 3 heads");
    write_heads("h.gguf", 0, 8, 0);
    OPEN_FAILS(in_scratch("h.gguf"), RSD_EFORMAT, "8 rows are no whole number of 0 heads");
    write_heads("h.gguf", 2, 8, 26);
    OPEN_FAILS(in_scratch("h.gguf"), RSD_EFORMAT, "weights of type i32");
    put_text("h.gguf", "");
    OPEN_FAILS(in_scratch("h.gguf"), RSD_EFORMAT, "does not begin with 'GGUF'");
}

/* Of an architecture that is not known the names are the file's, and tell roles all the same. */
static void unknown_architectures_keep_their_names(void **state)
{
    (void)state;
    rsd_model *model;
    bytes b = header(3, 3, 1);
    put_name(&b, "general.architecture");
    put(&b, RSD_GGUF_TEXT, 4);
    put_name(&b, "martian");
    put_tensor(&b, "blk.3.ffn_up.weight", 4, 8, 0, 0);
    put_tensor(&b, "token_embd.weight", 4, 8, 0, 128);
    put_name(&b, "blk.1.ffn_up_exps.weight");
    put(&b, 3, 4);
    put(&b, 4, 8);
    put(&b, 2, 8);
    put(&b, 3, 8);
    put(&b, 0, 4);
    put(&b, 256, 8);
    pad(&b, 256 + 96);
    put_file("m.gguf", b.data, b.size);
    CHECK_OK(rsd_model_open(in_scratch("m.gguf"), &model));
    assert_string_equal(rsd_model_architecture(model), "martian");
    assert_string_equal(rsd_model_config(model), "{}");
    assert_int_equal(rsd_model_count(model), 5);
    has(model, "blk.3.ffn_up.weight", "up", 8, 4);
    assert_int_equal(rsd_model_find(model, "blk.3.ffn_up.weight")->role.layer, 3);
    has(model, "blk.1.ffn_up_exps.2.weight", "up", 2, 4);
    has(model, "token_embd.weight", "embedding", 8, 4);
    rsd_model_close(model);
}

static int parse_prefix(const uint8_t *data, size_t size)
{
    rsd_gguf g;
    const int err = rsd_gguf_parse(data, size, &g);
    rsd_gguf_free(&g);
    return err;
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    (void)state;
    rsd_map map;
    CHECK_OK(rsd_map_open(fixture("gguf/gpt2.gguf"), &map));
    refuse_prefixes(map.data, map.size, parse_prefix);
    rsd_map_close(&map);
}

/* The weights are cut away while the model is open: an error, no signal. */
static void a_file_cut_meanwhile_is_noticed(void **state)
{
    (void)state;
    rsd_model *model;
    rsd_mat W;
    copy_fixture("gpt2", "cut.gguf", 0);
    CHECK_OK(rsd_model_open(in_scratch("cut.gguf"), &model));
    const rsd_tensor *t = rsd_model_find(model, "transformer.h.0.mlp.c_proj.weight");
    CHECK_OK(rsd_mat_alloc(t->rows, t->cols, &W));
    assert_int_equal(truncate(in_scratch("cut.gguf"), 100), 0);
    CHECK_FAILS(rsd_model_read(model, t, W), RSD_EIO, "cut.gguf");
    rsd_mat_free(&W);
    rsd_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_reads_as_its_package_says),
        cmocka_unit_test(llama_is_the_checkpoint),
        cmocka_unit_test(qwen2_keeps_its_rows),
        cmocka_unit_test(gpt_neox_heads_are_put_together_again),
        cmocka_unit_test(gpt2_is_turned_as_the_checkpoint),
        cmocka_unit_test(experts_are_one_matrix_each),
        cmocka_unit_test(llama3_frequencies_are_recognised),
        cmocka_unit_test(parts_are_one_model),
        cmocka_unit_test(metadata_of_every_type_are_read),
        cmocka_unit_test(headers_that_lie_are_refused),
        cmocka_unit_test(metadata_that_lie_are_refused),
        cmocka_unit_test(tensors_that_lie_are_refused),
        cmocka_unit_test(rows_that_are_no_heads_are_refused),
        cmocka_unit_test(unknown_architectures_keep_their_names),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(a_file_cut_meanwhile_is_noticed),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
