/* What a GGUF model is, wherever its parts lie and whatever its metadata say: tensors in any part,
 * scales beside weights, keys that are read, harmless or refused by name. */
#include "gguf_models.h"
#include "model_files.h"

#include "mat.h"
#include "transformer/arch.h"
#include "transformer/weights.h"

/* ---- the same model in one file and in parts ---- */

/* What the special tensors are: each is asked for by name when the configuration is made. */
static const gm_tensor special[] = {
    { "output.weight", GM_VOCAB, GM_WIDTH }, { "rope_freqs.weight", 4, 0 },
    { "blk.0.attn_q.bias", GM_WIDTH, 0 },    { "blk.0.ffn_down.scale", 1, 0 },
    { "blk.0.ffn_down.input_scale", 1, 0 },  { "blk.0.attn_q.scale", 1, 0 },
};
enum { SPECIAL = sizeof special / sizeof *special, ALL = GM_LLAMA + SPECIAL, PARTS = 3 };

static void same_weights(const char *name, const rsd_weights *want, const char *config)
{
    rsd_model *model;
    rsd_weights *w;
    CHECK_OK(rsd_model_open(in_scratch(name), &model));
    assert_string_equal(rsd_model_config(model), config);
    CHECK_OK(rsd_weights_load(model, &w));
    assert_true(w->count == want->count && w->shape.tied == want->shape.tied);
    assert_true(w->shape.rotary.scaling == want->shape.rotary.scaling);
    for (size_t s = 0; s < RSD_LINEARS; s++) {
        const rsd_linear *a = &w->block[0].linear[s], *b = &want->block[0].linear[s];
        if (b->W.x)
            assert_memory_equal(a->W.x, b->W.x, b->W.rows * b->W.cols * sizeof *b->W.x);
        assert_true(!a->bias == !b->bias);
    }
    assert_memory_equal(w->head.W.x, want->head.W.x, GM_VOCAB * GM_WIDTH * sizeof *w->head.W.x);
    rsd_weights_free(w);
    rsd_model_close(model);
}

/* Each tensor in each part, all others in the next one: parts without tensors are among them. */
static void a_tensor_may_lie_in_any_part(void **state)
{
    (void)state;
    rsd_model *model;
    rsd_weights *want;
    gm_write("one", special, SPECIAL, 1, NULL, NULL);
    CHECK_OK(rsd_model_open(in_scratch("one.gguf"), &model));
    CHECK_OK(rsd_weights_load(model, &want));
    assert_false(want->shape.tied);
    assert_int_equal(want->shape.rotary.scaling, RSD_ROPE_LLAMA3);
    assert_non_null(want->block[0].linear[RSD_Q].bias);
    for (size_t tensor = 0; tensor < ALL; tensor++)
        for (size_t part = 0; part < PARTS; part++) {
            size_t where[ALL];
            for (size_t i = 0; i < ALL; i++)
                where[i] = i == tensor ? part : (part + 1) % PARTS;
            gm_write("s", special, SPECIAL, PARTS, where, NULL);
            same_weights("s-00001-of-00003.gguf", want, rsd_model_config(model));
        }
    same_weights("s-00002-of-00003.gguf", want, rsd_model_config(model));
    same_weights("s-00003-of-00003.gguf", want, rsd_model_config(model));
    rsd_weights_free(want);
    rsd_model_close(model);
}

static void parts_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    size_t where[GM_LLAMA] = { 0, 1, 1 };
    gm_write("p", NULL, 0, 2, where, NULL);
    assert_int_equal(unlink(in_scratch("p-00002-of-00002.gguf")), 0);
    OPEN_FAILS(in_scratch("p-00001-of-00002.gguf"), RSD_EIO, "part 2 of 2");
    OPEN_FAILS(in_scratch("p-00001-of-00002.gguf"), RSD_EIO, "p-00002-of-00002.gguf");
    where[0] = 1;
    gm_write("p", NULL, 0, 2, where, NULL);
    assert_int_equal(unlink(in_scratch("p-00001-of-00002.gguf")), 0);
    OPEN_FAILS(in_scratch("p-00002-of-00002.gguf"), RSD_EIO, "part 1 of 2");
    where[0] = 0;
    gm_write("p", NULL, 0, 2, where, NULL); /* the first part's tensor is missing in the set */
    gm_write("q", special, 1, 2, (size_t[ALL]){ 1, 1, 1 }, NULL);
    assert_int_equal(
        rename(in_scratch("q-00002-of-00002.gguf"), in_scratch("p-00002-of-00002.gguf")), 0);
    OPEN_FAILS(in_scratch("p-00001-of-00002.gguf"), RSD_EFORMAT,
               "'token_embd.weight' is in part 1");
}

static void put_five(rsd_gguf_writer *w)
{
    CHECK_OK(rsd_gguf_put_u32(w, "split.no", 5));
    CHECK_OK(rsd_gguf_put_u32(w, "split.count", 3));
}

static void put_count(rsd_gguf_writer *w)
{
    CHECK_OK(rsd_gguf_put_u32(w, "split.no", 0));
    CHECK_OK(rsd_gguf_put_u32(w, "split.count", 2));
    CHECK_OK(rsd_gguf_put_u32(w, "split.tensors.count", 99));
}

static void split_metadata_are_checked(void **state)
{
    (void)state;
    rsd_gguf_writer *w;
    gm_write("n", NULL, 0, 1, NULL, put_five);
    OPEN_FAILS(in_scratch("n.gguf"), RSD_EFORMAT, "split.no 5 is not below split.count 3");
    gm_write("c", NULL, 0, 1, NULL, put_count);
    assert_int_equal(rename(in_scratch("c.gguf"), in_scratch("c-00001-of-00002.gguf")), 0);
    CHECK_OK(rsd_gguf_writer_alloc(&w));
    CHECK_OK(rsd_gguf_put_u32(w, "split.no", 1));
    CHECK_OK(rsd_gguf_put_u32(w, "split.count", 2));
    gm_finish(w, NULL, 0, "c-00002-of-00002.gguf");
    OPEN_FAILS(in_scratch("c-00001-of-00002.gguf"), RSD_EFORMAT,
               "hold 11 tensors, split.tensors.count 99");
}

/* ---- scales ---- */

static void scales_multiply_their_weights(void **state)
{
    (void)state;
    static const gm_tensor scales[] = {
        { "blk.0.attn_q.scale", 1, 0 },
        { "blk.0.attn_v.scale", 1, 0 },
        { "token_embd.scale", 1, 0 },
        { "blk.0.ffn_up.input_scale", 1, 0 },
    };
    static const struct {
        const char *name, *weight, *scale;
    } cases[] = {
        { "model.layers.0.self_attn.v_proj.weight", "blk.0.attn_v.weight", "blk.0.attn_v.scale" },
        { "model.embed_tokens.weight", "token_embd.weight", "token_embd.scale" },
        { "model.layers.0.mlp.up_proj.weight", "blk.0.ffn_up.weight", NULL },
    };
    rsd_model *model;
    gm_write("scaled", scales, 4, 1, NULL, NULL);
    CHECK_OK(rsd_model_open(in_scratch("scaled.gguf"), &model));
    assert_int_equal(rsd_model_count(model), GM_LLAMA); /* scales are no tensors of their own */
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const rsd_tensor *t = rsd_model_find(model, cases[c].name);
        const float scale = cases[c].scale ? gm_number(cases[c].scale, 0) : 1;
        float *x;
        size_t bytes;
        assert_non_null(t);
        CHECK_OK(rsd_array_alloc(t->elements, 1, sizeof *x, &x));
        CHECK_OK(rsd_model_read_flat(model, t, x));
        for (size_t i = 0; i < t->elements; i++)
            assert_true(x[i] == scale * gm_number(cases[c].weight, i));
        assert_int_equal(t->stored_bytes, 4 * t->elements + (cases[c].scale ? 4 : 0));
        assert_true(!rsd_model_bytes(model, t, &bytes) == (cases[c].scale != NULL));
        free(x);
    }
    rsd_model_close(model);
}

static void scales_of_another_kind_are_refused(void **state)
{
    (void)state;
    static const gm_tensor rows = { "blk.0.attn_v.scale", 8, 0 };
    gm_write("rows", &rows, 1, 1, NULL, NULL);
    OPEN_FAILS(in_scratch("rows.gguf"), RSD_EFORMAT,
               "'blk.0.attn_v.scale' holds 8 numbers of f32; a scale is 1 of f32");
}

/* ---- metadata ---- */

/* One more entry: the key below "llama.", and its value. */
typedef struct {
    const char *key;
    enum { U32, F32, BOOL, TEXT } kind;
    double value;
    const char *text;
} entry;

static const entry *now; /* what put_now puts */

static void put_now(rsd_gguf_writer *w)
{
    char key[96];
    snprintf(key, sizeof key, "llama.%s", now->key);
    if (now->kind == U32)
        CHECK_OK(rsd_gguf_put_u32(w, key, (uint32_t)now->value));
    else if (now->kind == F32)
        CHECK_OK(rsd_gguf_put_f32(w, key, (float)now->value));
    else if (now->kind == BOOL)
        CHECK_OK(rsd_gguf_put_bool(w, key, now->value != 0));
    else
        CHECK_OK(rsd_gguf_put_text(w, key, (rsd_gguf_string){ now->text, strlen(now->text) }));
}

/* The file opens, and its weights can be looked at, whatever the answer. */
static int configure(const entry *e, rsd_shape *shape)
{
    rsd_model *model;
    const rsd_arch *arch;
    now = e;
    gm_write("meta", NULL, 0, 1, NULL, put_now);
    CHECK_OK(rsd_model_open(in_scratch("meta.gguf"), &model));
    assert_int_equal(rsd_model_count(model), GM_LLAMA);
    const int err =
        rsd_arch_configure(rsd_model_architecture(model), rsd_model_config(model), &arch, shape);
    rsd_model_close(model);
    return err;
}

static void keys_that_change_nothing_are_accepted(void **state)
{
    (void)state;
    static const entry entries[] = {
        { "attention.causal", BOOL, 1, NULL },
        { "attention.sliding_window", U32, 0, NULL },
        { "attention.clamp_kqv", F32, 0, NULL },
        { "attention.max_alibi_bias", F32, 0, NULL },
        { "attn_logit_softcapping", F32, 0, NULL },
        { "final_logit_softcapping", F32, 0, NULL },
        { "logit_scale", F32, 1, NULL },
        { "embedding_scale", F32, 1, NULL },
        { "residual_scale", F32, 1, NULL },
        { "use_parallel_residual", BOOL, 0, NULL },
        { "expert_count", U32, 0, NULL },
        { "expert_used_count", U32, 0, NULL },
        { "attention.key_length", U32, 8, NULL },
        { "attention.value_length", U32, 8, NULL },
        { "rope.dimension_count", U32, 8, NULL },
        { "rope.freq_base", F32, 500000, NULL },
        { "rope.scaling.type", TEXT, 0, "none" },
        { "rope.scaling.factor", F32, 1, NULL },
        { "rope.scaling.attn_factor", F32, 1, NULL },
        { "rope.scaling.finetuned", BOOL, 0, NULL },
        { "rope.scaling.original_context_length", U32, 8192, NULL },
        { "vocab_size", U32, GM_VOCAB, NULL },
        { "tensor_data_layout", TEXT, 0, "Meta AI original pth" },
    };
    rsd_shape s;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        CHECK_OK(configure(&entries[i], &s));
        assert_true(s.rotary.scaling == RSD_ROPE_PLAIN && s.context == GM_CONTEXT);
    }
}

static void keys_that_ask_for_more_are_refused_by_name(void **state)
{
    (void)state;
    static const entry entries[] = {
        { "attention.causal", BOOL, 0, NULL },
        { "attention.clamp_kqv", F32, 8, NULL },
        { "attention.max_alibi_bias", F32, 8, NULL },
        { "attention.scale", F32, 0.5, NULL },
        { "attention.value_length", U32, 4, NULL },
        { "attention.sliding_window_pattern", U32, 2, NULL },
        { "attn_logit_softcapping", F32, 50, NULL },
        { "final_logit_softcapping", F32, 30, NULL },
        { "logit_scale", F32, 0.0625, NULL },
        { "embedding_scale", F32, 12, NULL },
        { "residual_scale", F32, 0.22, NULL },
        { "use_parallel_residual", BOOL, 1, NULL },
        { "swin_norm", BOOL, 1, NULL },
        { "nextn_predict_layers", U32, 1, NULL },
        { "rope.dimension_count", U32, 4, NULL },
        { "rope.dimension_count", TEXT, 0, "eight" },
        { "rope.dimension_sections", U32, 2, NULL },
        { "rope.freq_base_swa", F32, 10000, NULL },
        { "rope.scaling.type", TEXT, 0, "yarn" },
        { "rope.scaling.type", TEXT, 0, "longrope" },
        { "rope.scaling.type", TEXT, 0, "no such" },
        { "rope.scaling.attn_factor", F32, 1.2, NULL },
        { "tensor_data_layout", TEXT, 0, "upside down" },
        { "hidden_activation", TEXT, 0, "" },
        { "key_that_nobody_knows", U32, 0, NULL },
    };
    rsd_shape s;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++)
        CHECK_FAILS(configure(&entries[i], &s), RSD_EFORMAT, entries[i].key);
}

static void factors_without_a_type_are_linear(void **state)
{
    (void)state;
    static const entry factor = { "rope.scaling.factor", F32, 4, NULL };
    static const entry old = { "rope.scale_linear", F32, 2, NULL };
    rsd_shape s;
    CHECK_OK(configure(&factor, &s));
    assert_true(s.rotary.scaling == RSD_ROPE_LINEAR && s.rotary.factor == 4);
    CHECK_OK(configure(&old, &s));
    assert_true(s.rotary.scaling == RSD_ROPE_LINEAR && s.rotary.factor == 2);
}

/* A Llama with a window is a Mistral, as the configuration calls it. */
static void windows_are_a_mistrals(void **state)
{
    (void)state;
    static const entry window = { "attention.sliding_window", U32, 24, NULL };
    rsd_model *model;
    rsd_shape s;
    CHECK_OK(configure(&window, &s));
    CHECK_OK(rsd_model_open(in_scratch("meta.gguf"), &model));
    assert_string_equal(rsd_model_architecture(model), "mistral");
    assert_non_null(strstr(rsd_model_config(model), "\"sliding_window\": 24"));
    rsd_model_close(model);
}

static void put_nothing_of_norms(const char *name, const char *epsilon)
{
    rsd_gguf_writer *w;
    CHECK_OK(rsd_gguf_writer_alloc(&w));
    CHECK_OK(rsd_gguf_put_text(w, "general.architecture", (rsd_gguf_string){ "llama", 5 }));
    CHECK_OK(rsd_gguf_put_u32(w, "llama.vocab_size", GM_VOCAB));
    if (epsilon)
        CHECK_OK(rsd_gguf_put_f32(w, epsilon, 1e-5f));
    gm_finish(w, NULL, 0, name);
}

/* Configurations have a default where GGUF has none: what is missing must not become it. */
static void epsilons_of_another_norm_are_none(void **state)
{
    (void)state;
    rsd_model *model;
    const rsd_arch *arch;
    rsd_shape s;
    static const char *const keys[] = { NULL, "llama.attention.layer_norm_epsilon" };
    for (size_t i = 0; i < 2; i++) {
        put_nothing_of_norms("eps.gguf", keys[i]);
        CHECK_OK(rsd_model_open(in_scratch("eps.gguf"), &model));
        CHECK_FAILS(rsd_arch_configure("llama", rsd_model_config(model), &arch, &s), RSD_EFORMAT,
                    "llama.attention.layer_norm_rms_epsilon is \"missing (GGUF metadata)\"");
        rsd_model_close(model);
    }
}

/* ---- weights against metadata ---- */

static void put_vocab(rsd_gguf_writer *w) { CHECK_OK(rsd_gguf_put_u32(w, "llama.vocab_size", 24)); }

static void a_vocabulary_of_another_size_is_refused(void **state)
{
    (void)state;
    rsd_model *model;
    rsd_weights *w;
    gm_write("vocab", NULL, 0, 1, NULL, put_vocab);
    CHECK_OK(rsd_model_open(in_scratch("vocab.gguf"), &model));
    CHECK_FAILS(rsd_weights_load(model, &w), RSD_EFORMAT,
                "'model.embed_tokens.weight' is 20 x 16, the configuration says 24 x 16");
    rsd_model_close(model);
}

static void tensors_that_no_llama_has_are_refused_by_name(void **state)
{
    (void)state;
    static const gm_tensor tensors[] = {
        { "token_embd_norm.weight", GM_WIDTH, 0 },
        { "rope_factors_long.weight", 4, 0 },
        { "per_layer_token_embd.weight", GM_VOCAB, 8 },
        { "output_extra.weight", GM_VOCAB, GM_WIDTH },
        { "output.scale", 1, 0 }, /* of a head that is the token table */
        { "blk.0.attn_q_norm.weight", 8, 0 },
        { "blk.0.attn_k_norm.weight", 8, 0 },
        { "blk.0.attn_sub_norm.weight", GM_WIDTH, 0 },
        { "blk.0.post_attention_norm.weight", GM_WIDTH, 0 },
        { "blk.0.post_ffw_norm.weight", GM_WIDTH, 0 },
        { "blk.0.attn_output_norm.weight", GM_WIDTH, 0 },
        { "blk.0.layer_output_norm.weight", GM_WIDTH, 0 },
        { "blk.0.attn_sinks.weight", GM_HEADS, 0 },
        { "blk.0.attn_gate.weight", GM_WIDTH, GM_WIDTH },
        { "blk.0.ffn_gate_shexp.weight", GM_HIDDEN, GM_WIDTH },
        { "blk.0.ffn_down_scale.weight", GM_WIDTH, 0 },
        { "blk.0.nextn.eh_proj.weight", GM_WIDTH, GM_WIDTH },
        { "blk.0.attn_qkv.weight", GM_WIDTH, GM_WIDTH },
        { "unheard_of", 3, 0 },
    };
    rsd_model *model;
    rsd_weights *w;
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; i++) {
        gm_write("odd", &tensors[i], 1, 1, NULL, NULL);
        CHECK_OK(rsd_model_open(in_scratch("odd.gguf"), &model));
        assert_non_null(rsd_model_find(model, tensors[i].name));
        CHECK_FAILS(rsd_weights_load(model, &w), RSD_EFORMAT, tensors[i].name);
        rsd_model_close(model);
    }
    static const gm_tensor beyond = { "blk.3.attn_norm.weight", GM_WIDTH, 0 }; /* of one block */
    gm_write("odd", &beyond, 1, 1, NULL, NULL);
    CHECK_OK(rsd_model_open(in_scratch("odd.gguf"), &model));
    CHECK_FAILS(rsd_weights_load(model, &w), RSD_EFORMAT, "model.layers.3.input_layernorm.weight");
    rsd_model_close(model);
}

/* ---- frequencies that are stretched ---- */

static void write_factors(double factor, double low, double high, double original, double spoil)
{
    rsd_gguf_writer *w;
    enum { PAIRS = 64 };
    CHECK_OK(rsd_gguf_writer_alloc(&w));
    gm_put_sizes(w, "llama");
    CHECK_OK(rsd_gguf_put_u32(w, "llama.vocab_size", GM_VOCAB));
    CHECK_OK(rsd_gguf_put_u32(w, "llama.attention.key_length", 2 * PAIRS));
    CHECK_OK(rsd_gguf_put_u32(w, "llama.attention.value_length", 2 * PAIRS));
    gm_declare(w, &(gm_tensor){ "rope_freqs.weight", PAIRS, 0 });
    put_text("f.gguf", "");
    CHECK_OK(rsd_gguf_begin(w, in_scratch("f.gguf")));
    for (size_t k = 0; k < PAIRS; k++) {
        float x = gm_factor(k, PAIRS, factor, low, high, original);
        if (k == 7)
            x *= (float)spoil;
        CHECK_OK(rsd_gguf_data(w, &x, sizeof x));
    }
    CHECK_OK(rsd_gguf_commit(w));
    rsd_gguf_writer_free(w);
}

/* The four numbers come back from the tensor, in so far as it depends on them. */
static void llama3_is_found_in_its_frequencies(void **state)
{
    (void)state;
    static const double cases[][4] = {
        { 8, 1, 4, 8192 }, { 32, 1, 4, 8192 }, { 8, 1, 4, 64 }, { 2, 1, 4, 512 }, { 4, 1, 8, 256 },
    };
    rsd_model *model;
    const rsd_arch *arch;
    rsd_shape s;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_factors(cases[i][0], cases[i][1], cases[i][2], cases[i][3], 1);
        CHECK_OK(rsd_model_open(in_scratch("f.gguf"), &model));
        CHECK_OK(rsd_arch_configure("llama", rsd_model_config(model), &arch, &s));
        assert_int_equal(s.rotary.scaling, RSD_ROPE_LLAMA3);
        assert_true(s.rotary.factor == cases[i][0] && s.rotary.low_freq == cases[i][1]);
        assert_true(s.rotary.high_freq == cases[i][2] && s.rotary.original == cases[i][3]);
        rsd_model_close(model);
    }
    write_factors(8, 1, 4, 64, 1.01);
    CHECK_OK(rsd_model_open(in_scratch("f.gguf"), &model));
    assert_non_null(strstr(rsd_model_config(model), "\"rope_freqs.weight\""));
    rsd_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tensor_may_lie_in_any_part),
        cmocka_unit_test(parts_that_do_not_fit_are_refused),
        cmocka_unit_test(split_metadata_are_checked),
        cmocka_unit_test(scales_multiply_their_weights),
        cmocka_unit_test(scales_of_another_kind_are_refused),
        cmocka_unit_test(keys_that_change_nothing_are_accepted),
        cmocka_unit_test(keys_that_ask_for_more_are_refused_by_name),
        cmocka_unit_test(factors_without_a_type_are_linear),
        cmocka_unit_test(windows_are_a_mistrals),
        cmocka_unit_test(epsilons_of_another_norm_are_none),
        cmocka_unit_test(a_vocabulary_of_another_size_is_refused),
        cmocka_unit_test(tensors_that_no_llama_has_are_refused_by_name),
        cmocka_unit_test(llama3_is_found_in_its_frequencies),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
