/* A configuration against the weights beside it: tables, heads, biases, and what has no place. */
#include "stored_arrays.h"

#include "transformer/weights.h"

enum { V = 11, C = 8, F = 12 };

/* A llama of one layer; what a case adds, or leaves out by its name. */
static const array llama[] = {
    { "model.embed_tokens.weight", "F32", 2, { V, C }, NULL },
    { "model.norm.weight", "F32", 1, { C }, NULL },
    { "lm_head.weight", "F32", 2, { V, C }, NULL },
    { "model.layers.0.input_layernorm.weight", "F32", 1, { C }, NULL },
    { "model.layers.0.post_attention_layernorm.weight", "F32", 1, { C }, NULL },
    { "model.layers.0.self_attn.q_proj.weight", "F32", 2, { C, C }, NULL },
    { "model.layers.0.self_attn.k_proj.weight", "F32", 2, { C, C }, NULL },
    { "model.layers.0.self_attn.v_proj.weight", "F32", 2, { C, C }, NULL },
    { "model.layers.0.self_attn.o_proj.weight", "F32", 2, { C, C }, NULL },
    { "model.layers.0.mlp.gate_proj.weight", "F32", 2, { F, C }, NULL },
    { "model.layers.0.mlp.up_proj.weight", "F32", 2, { F, C }, NULL },
    { "model.layers.0.mlp.down_proj.weight", "F32", 2, { C, F }, NULL },
};
enum { LLAMA = sizeof llama / sizeof *llama };

#define CONFIG(type, keys)                                                                         \
    "{\"model_type\": \"" type "\", \"hidden_size\": 8, \"num_hidden_layers\": 1, "                \
    "\"num_attention_heads\": 2, \"intermediate_size\": 12, \"vocab_size\": 11, "                  \
    "\"max_position_embeddings\": 32, " keys "}"
#define UNTIED "\"tie_word_embeddings\": false"
#define TIED   "\"tie_word_embeddings\": true"

static void write_llama(const char *config, const char *without, const array *more, size_t count)
{
    array all[LLAMA + 8];
    size_t n = 0;
    for (size_t i = 0; i < LLAMA; i++)
        if (!without || strcmp(llama[i].name, without) != 0)
            all[n++] = llama[i];
    for (size_t i = 0; i < count; i++)
        all[n++] = more[i];
    put_arrays(all, n, config);
}

static int load(rsd_model **model, rsd_weights **w)
{
    *w = NULL;
    CHECK_OK(rsd_model_open(in_scratch("stored"), model));
    return rsd_weights_load(*model, w);
}

#define LOADS(config, without, ...)                                                                \
    do {                                                                                           \
        const array more_[] = { __VA_ARGS__ };                                                     \
        write_llama(config, without, more_, sizeof more_ / sizeof *more_);                         \
        rsd_model *model_;                                                                         \
        rsd_weights *w_;                                                                           \
        CHECK_OK(load(&model_, &w_));                                                              \
        rsd_weights_free(w_);                                                                      \
        rsd_model_close(model_);                                                                   \
    } while (0)
#define STOPS(config, text, without, ...)                                                          \
    do {                                                                                           \
        const array more_[] = { __VA_ARGS__ };                                                     \
        write_llama(config, without, more_, sizeof more_ / sizeof *more_);                         \
        rsd_model *model_;                                                                         \
        rsd_weights *w_;                                                                           \
        CHECK_FAILS(load(&model_, &w_), RSD_EFORMAT, text);                                        \
        CHECK_FAILS(rsd_weights_load_frame(model_, &w_), RSD_EFORMAT, text);                       \
        rsd_model_close(model_);                                                                   \
    } while (0)

/* One more tensor: a layer's, or the model's. */
#define VECTOR(name, n)                                                                            \
    {                                                                                              \
        name, "F32", 1, { n }, NULL                                                                \
    }
#define ATTN "model.layers.0.self_attn."

/* What no llama has, in a block or outside: each would change the losses. */
static void weights_without_a_place_are_refused(void **state)
{
    (void)state;
    static const array strange[] = {
        VECTOR(ATTN "q_norm.weight", 4),
        VECTOR(ATTN "k_norm.weight", 4),
        VECTOR(ATTN "sinks", 2),
        VECTOR("model.layers.0.pre_feedforward_layernorm.weight", C),
        VECTOR("model.layers.0.post_feedforward_layernorm.weight", C),
        VECTOR("model.layers.0.layer_scalar", 1),
        VECTOR("model.layers.0.input_layernorm.scale", C),
        VECTOR("model.layers.1.input_layernorm.weight", C),
        { "model.layers.0.mlp.experts.0.up_proj.weight", "F32", 2, { F, C }, NULL },
        { "model.layers.0.mlp.gate.weight", "F32", 2, { 4, C }, NULL },
        { "model.layers.0.self_attn.q_proj.lora_A.weight", "F32", 2, { 2, C }, NULL },
        VECTOR("lm_head.bias", V),
        VECTOR("model.embed_norm.weight", C),
        { "model.projection.weight", "F32", 2, { C, C }, NULL },
        VECTOR(ATTN "attn.bias", C), /* one number an output: no mask */
    };
    for (size_t i = 0; i < sizeof strange / sizeof *strange; i++)
        STOPS(CONFIG("llama", UNTIED), strange[i].name, NULL, strange[i]);
}

static void buffers_are_no_weights(void **state)
{
    (void)state;
    static const array buffers[] = {
        VECTOR(ATTN "rotary_emb.inv_freq", 2),
        VECTOR("model.rotary_emb.inv_freq", 2),
        VECTOR(ATTN "masked_bias", 1),
        { ATTN "attn.bias", "BOOL", 3, { 1, 4, 4 }, NULL },
        { "model.position_ids", "I64", 2, { 1, 8 }, NULL },
        VECTOR(ATTN "k_scale", 1),
        { "score.weight", "F32", 2, { 2, C }, NULL },
        VECTOR("v_head.summary.bias", 1),
    };
    for (size_t i = 0; i < sizeof buffers / sizeof *buffers; i++)
        LOADS(CONFIG("llama", UNTIED), NULL, buffers[i]);
}

/* Flags and biases, all on one side. */
static void biases_agree_with_their_flags(void **state)
{
    (void)state;
#define B(name, n) VECTOR("model.layers.0." name ".bias", n)
#define QKV        B("self_attn.q_proj", C), B("self_attn.k_proj", C), B("self_attn.v_proj", C)
#define O          B("self_attn.o_proj", C)
#define MLP        B("mlp.gate_proj", F), B("mlp.up_proj", F), B("mlp.down_proj", C)
    LOADS(CONFIG("llama", UNTIED), NULL, QKV, O, MLP); /* nothing said: as stored */
    LOADS(CONFIG("llama", UNTIED ", \"attention_bias\": true, \"mlp_bias\": true"), NULL, QKV, O,
          MLP);
    LOADS(CONFIG("qwen2", UNTIED), NULL, QKV);
    STOPS(CONFIG("llama", UNTIED ", \"attention_bias\": false"),
          "q_proj.bias' is stored, but attention_bias is false", NULL, QKV, O);
    STOPS(CONFIG("llama", UNTIED ", \"attention_bias\": false"),
          "o_proj.bias' is stored, but attention_bias is false", NULL, O);
    STOPS(CONFIG("llama", UNTIED ", \"mlp_bias\": false"),
          "gate_proj.bias' is stored, but mlp_bias is false", NULL, MLP);
    STOPS(CONFIG("llama", UNTIED ", \"attention_bias\": true"),
          "no tensor 'model.layers.0.self_attn.o_proj.bias', but attention_bias is true", NULL,
          QKV);
    STOPS(CONFIG("llama", UNTIED ", \"mlp_bias\": true"), "bias', but mlp_bias is true", NULL, QKV);
    STOPS(CONFIG("mistral", UNTIED), "q_proj.bias' is stored, but a mistral has none", NULL, QKV);
    LOADS(CONFIG("qwen2", UNTIED), NULL, B("self_attn.q_proj", C)); /* what is not there is zero */
    STOPS(CONFIG("qwen2", UNTIED), "but a qwen2 has biases on q, k and v alone", NULL, O);
}

/* The flag and what is stored: one table, one under the other's name, the same twice, two. */
static void heads(void **state)
{
    (void)state;
    static float table[V * C];
    for (size_t i = 0; i < V * C; i++)
        table[i] = (float)i;
    const array other = { "lm_head.weight", "F32", 2, { V, C }, table };
    rsd_model *model;
    rsd_weights *w;

    write_llama(CONFIG("llama", TIED), "lm_head.weight", NULL, 0);
    CHECK_OK(load(&model, &w));
    assert_true(w->shape.tied && w->head.W.x == w->embedding.E);
    rsd_weights_free(w);
    rsd_model_close(model);

    write_llama(CONFIG("llama", TIED), "model.embed_tokens.weight", NULL, 0);
    CHECK_OK(load(&model, &w));
    assert_true(w->shape.tied && w->head.W.x == w->embedding.E && w->embedding.E);
    rsd_weights_free(w);
    rsd_model_close(model);

    write_llama(CONFIG("llama", TIED), NULL, NULL, 0); /* both, the same numbers */
    CHECK_OK(load(&model, &w));
    assert_true(w->shape.tied && w->head.W.x == w->embedding.E);
    rsd_weights_free(w);
    rsd_model_close(model);

    write_llama(CONFIG("llama", TIED), "lm_head.weight", &other, 1); /* both, and they differ */
    CHECK_OK(load(&model, &w));
    assert_true(!w->shape.tied && w->head.W.x != w->embedding.E);
    for (size_t i = 0; i < V * C; i++)
        assert_true(w->head.W.x[i] == (float)i);
    rsd_weights_free(w);
    rsd_model_close(model);

    STOPS(CONFIG("llama", UNTIED), "no tensor for the head, and tie_word_embeddings is false",
          "lm_head.weight", VECTOR(ATTN "rotary_emb.inv_freq", 2));
    STOPS(CONFIG("llama", UNTIED), "no tensor for the token table", "model.embed_tokens.weight",
          VECTOR(ATTN "rotary_emb.inv_freq", 2));
}

/* A weight that is listed but not read stops a forward pass by its name. */
static void unread_weights_stop(void **state)
{
    (void)state;
    static const char q[] = ATTN "q_proj.weight";
    const array whole = { q, "I8", 2, { C, C }, NULL };
    rsd_model *model;
    rsd_weights *w;
    write_llama(CONFIG("llama", UNTIED), q, &whole, 1);
    CHECK_FAILS(load(&model, &w), RSD_EFORMAT,
                "self_attn.q_proj.weight: stored as I8 without a scale beside it");
    rsd_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_without_a_place_are_refused),
        cmocka_unit_test(buffers_are_no_weights),
        cmocka_unit_test(biases_agree_with_their_flags),
        cmocka_unit_test(heads),
        cmocka_unit_test(unread_weights_stop),
    };
    return cmocka_run_group_tests(tests, scratch_make, scratch_remove);
}
