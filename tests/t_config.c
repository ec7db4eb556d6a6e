/* Configurations: every key is used, or judged; a value of false or 0 excuses none. */
#include "test.h"

#include "err.h"
#include "transformer/arch.h"

#define LLAMA                                                                                      \
    "\"hidden_size\": 8, \"num_hidden_layers\": 2, \"num_attention_heads\": 2, "                   \
    "\"intermediate_size\": 12, \"vocab_size\": 11, \"max_position_embeddings\": 32"
#define GPT2 "\"n_embd\": 8, \"n_layer\": 2, \"n_head\": 2, \"vocab_size\": 11, \"n_positions\": 32"
#define GPT_NEO                                                                                    \
    "\"hidden_size\": 8, \"num_layers\": 2, \"num_heads\": 2, \"vocab_size\": 11, "                \
    "\"max_position_embeddings\": 32"
#define LOCAL "\"attention_types\": [[[\"global\", \"local\"], 1]]"

static const struct {
    const char *name, *sizes;
} families[] = {
    { "llama", LLAMA }, { "mistral", LLAMA },
    { "qwen2", LLAMA }, { "gpt_neox", LLAMA ", \"rotary_pct\": 0.5" },
    { "gpt2", GPT2 },   { "gpt_neo", GPT_NEO ", " LOCAL },
};
enum { FAMILIES = sizeof families / sizeof *families };

/* The sizes of an architecture with more keys behind them. */
static int configure(const char *name, const char *sizes, const char *more, rsd_shape *shape)
{
    char text[2048];
    const rsd_arch *arch;
    snprintf(text, sizeof text, "{%s%s%s}", sizes, *more ? ", " : "", more);
    return rsd_arch_configure(name, text, &arch, shape);
}

/* What published files, and transformers 4 and 5, write beside what is computed with. */
static void keys_that_change_nothing(void **state)
{
    (void)state;
    static const char *const keys[] = {
        "",
        "\"is_llama_config\": true, \"rope_interleaved\": false",
        "\"_num_labels\": 2, \"_name_or_path\": \"x\", \"_anything\": {\"a\": 1}",
        "\"unsloth_fixed\": true, \"unsloth_version\": \"2025.3\"",
        "\"transformers.js_config\": {\"dtype\": \"q4\", \"kv_cache_dtype\": {\"q4f16\": "
        "\"float16\"}}",
        "\"time_step_limit\": [0.0, Infinity]",
        "\"layer_types\": [\"full_attention\", \"full_attention\"]",
        "\"is_causal\": true, \"is_encoder_decoder\": false, \"pruned_heads\": {}",
        "\"bos_token_id\": null, \"eos_token_id\": [1, 2], \"image_token_index\": 7",
        "\"temperature\": 0.6, \"top_p\": 0.9, \"max_length\": 20, \"do_sample\": false",
        "\"router_aux_loss_coef\": 0.001, \"initializer_range\": 0.02, \"some_dropout\": 0.1",
        "\"id2label\": {\"0\": \"a\"}, \"architectures\": [\"X\"], \"torch_dtype\": \"bfloat16\"",
        "\"model_max_length\": 1000000000000000019884624838656",
        "\"unknown\": null, \"unknown_too\": [], \"unknown_three\": \"\"",
    };
    for (size_t f = 0; f < FAMILIES; f++)
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            rsd_shape s;
            const int err = configure(families[f].name, families[f].sizes, keys[k], &s);
            if (err)
                fail_msg("%s with %s: %s", families[f].name, keys[k], rsd_errmsg());
        }
}

/* What changes the forward pass, or might, by its name: whatever the architecture. */
static void keys_that_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *key, *text;
    } keys[] = {
        { "\"is_causal\": false", "is_causal is false, not true" },
        { "\"never_heard_of\": 3", "never_heard_of is 3, not known here to change nothing" },
        { "\"never_heard_of\": false", "never_heard_of is false" },
        { "\"never_heard_of\": 0", "never_heard_of is 0" },
        { "\"never_heard_of\": Infinity", "never_heard_of is \"Infinity\"" },
        { "\"alibi\": true", "alibi is true, not false" },
        { "\"rope_interleaved\": true", "rope_interleaved is true, not false" },
        { "\"embedding_multiplier\": 12.0", "embedding_multiplier is 12.0, not 1" },
        { "\"embedding_multiplier\": 0", "embedding_multiplier is 0, not 1" },
        { "\"add_cross_attention\": true", "add_cross_attention is true" },
        { "\"layer_types\": [\"full_attention\"]", "layer_types has 1 items, not 2" },
        { "\"layer_types\": [\"full_attention\", \"linear_attention\"]",
          "'linear_attention' of layer 1" },
        { "\"hidden_size\": NaN", "duplicate" },
    };
    for (size_t f = 0; f < FAMILIES; f++)
        for (size_t k = 0; k < sizeof keys / sizeof *keys; k++) {
            rsd_shape s;
            const bool twice = strstr(keys[k].text, "duplicate") != NULL;
            if (twice && !strstr(families[f].sizes, "hidden_size"))
                continue;
            CHECK_FAILS(configure(families[f].name, families[f].sizes, keys[k].key, &s),
                        RSD_EFORMAT, keys[k].text);
        }
}

static void numbers_that_are_none(void **state)
{
    (void)state;
    rsd_shape s;
    CHECK_FAILS(configure("llama", LLAMA, "\"rms_norm_eps\": Infinity", &s), RSD_EFORMAT,
                "rms_norm_eps is \"Infinity\", not a number");
    CHECK_FAILS(configure("llama", LLAMA, "\"rope_theta\": -Infinity", &s), RSD_EFORMAT,
                "rope_theta is \"-Infinity\", not a number");
    CHECK_FAILS(configure("llama", LLAMA, "\"head_dim\": NaN", &s), RSD_EFORMAT,
                "head_dim is \"NaN\", not a whole number");
    CHECK_FAILS(configure("llama", LLAMA, "\"num_key_value_heads\": 99999999999999999999", &s),
                RSD_EFORMAT, "num_key_value_heads is 1e20, not a whole number");
    CHECK_FAILS(configure("llama", LLAMA, "\"rope_theta\": 0", &s), RSD_EFORMAT, "rope_theta is 0");
    CHECK_OK(
        configure("llama", LLAMA, "\"_a\": \"Infinity and -12345678901234567890 \\\"NaN\"", &s));
}

/* Rotary scaling is an object with a type, in one place. */
static void rotary_scaling(void **state)
{
    (void)state;
    static const struct {
        const char *key, *text;
    } bad[] = {
        { "\"rope_scaling\": 4.0", "rope_scaling is 4.0, not an object" },
        { "\"rope_scaling\": true", "rope_scaling is true, not an object" },
        { "\"rope_scaling\": {\"factor\": 4.0}", "factor is 4, but its type is 'default'" },
        { "\"rope_scaling\": {\"rope_type\": \"default\", \"factor\": 2}", "factor is 2" },
        { "\"rope_scaling\": {\"type\": \"linear\"}", "rope_scaling.factor is missing" },
        { "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 0}", "not above 0" },
        { "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2, \"attention_factor\": 3}",
          "rope_scaling.attention_factor is 3" },
        { "\"rope_scaling\": {\"type\": \"dynamic\", \"factor\": 2}", "type 'dynamic'" },
        { "\"rope_parameters\": {\"rope_type\": \"yarn\", \"factor\": 2}", "type 'yarn'" },
        { "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}",
          "rope_parameters.full_attention is" },
        { "\"rope_parameters\": {\"partial_rotary_factor\": 0.5}", "partial_rotary_factor is 0.5" },
        { "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}, "
          "\"rope_parameters\": {\"rope_theta\": 3}",
          "both there" },
    };
    rsd_shape s;
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++)
        CHECK_FAILS(configure("llama", LLAMA, bad[k].key, &s), RSD_EFORMAT, bad[k].text);
    CHECK_OK(configure("llama", LLAMA,
                       "\"rope_scaling\": null, \"rope_parameters\": {\"rope_type\": \"linear\", "
                       "\"factor\": 2, \"rope_theta\": 77.0, \"partial_rotary_factor\": 1.0}",
                       &s));
    assert_true(s.rotary.scaling == RSD_ROPE_LINEAR && s.rotary.factor == 2 &&
                s.rotary.theta == 77);
    CHECK_OK(configure("gpt_neox", LLAMA, "\"rotary_emb_base\": 500, \"rotary_pct\": 0.5", &s));
    assert_true(s.rotary.theta == 500);
}

/* Which layers see a window: Mistral all, Qwen2 the last, where its flag says so. */
static void sliding_windows(void **state)
{
    (void)state;
    static const struct {
        const char *name, *keys;
        size_t window;
        bool local[2];
    } cases[] = {
        { "mistral", "\"sliding_window\": 8", 8, { true, true } },
        { "mistral", "\"sliding_window\": null", 0, { false, false } },
        { "mistral", "", 0, { false, false } }, /* 4096, beyond the context */
        { "qwen2", "\"sliding_window\": 8", 0, { false, false } },
        { "qwen2",
          "\"use_sliding_window\": true, \"sliding_window\": 8, \"max_window_layers\": 1",
          8,
          { false, true } },
        { "qwen2",
          "\"use_sliding_window\": true, \"sliding_window\": 8, \"max_window_layers\": 0, "
          "\"layer_types\": [\"sliding_attention\", \"full_attention\"]",
          8,
          { true, false } },
        { "qwen2",
          "\"use_sliding_window\": true, \"sliding_window\": 64, "
          "\"layer_types\": [\"sliding_attention\", \"full_attention\"]",
          0,
          { false, false } },
        { "llama", "\"sliding_window\": 4096", 0, { false, false } },
    };
    rsd_shape s;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        CHECK_OK(configure(cases[c].name, LLAMA, cases[c].keys, &s));
        assert_true(s.window == cases[c].window && s.context == 32);
        assert_true(s.local[0] == cases[c].local[0] && s.local[1] == cases[c].local[1]);
    }
    CHECK_FAILS(configure("llama", LLAMA, "\"sliding_window\": 8", &s), RSD_EFORMAT,
                "sliding_window is 8, but a llama");
    CHECK_FAILS(configure("qwen2", LLAMA,
                          "\"layer_types\": [\"full_attention\", \"sliding_attention\"]", &s),
                RSD_EFORMAT, "layer 1 is sliding_attention, but no sliding window");
}

/* Lists that repeat nothing, or that never end. */
static void lists_of_attention_types(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "[[[], 1000000000000]]",
        "[[[], 2]]",
        "[[[\"global\"], 0]]",
        "[[[\"global\"], -3]]",
        "[[[\"global\"], 1000000000000000]]",
        "[[[\"global\", [[\"local\"], 1000000000000]], 1000000000000]]",
        "[]",
        "[[]]",
        "[[[\"global\"]]]",
        "[[[\"global\"], Infinity]]",
    };
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        rsd_shape s;
        char keys[256];
        snprintf(keys, sizeof keys, "\"attention_types\": %s", bad[k]);
        CHECK_FAILS(configure("gpt_neo", GPT_NEO, keys, &s), RSD_EFORMAT, "attention_types");
    }
}

/* GPT-2's sizes under the names of others: allowed where they agree. */
static void other_names_of_sizes(void **state)
{
    (void)state;
    rsd_shape s;
    CHECK_OK(configure("gpt2", GPT2, "\"hidden_size\": 8, \"num_hidden_layers\": 2", &s));
    CHECK_FAILS(configure("gpt2", GPT2, "\"hidden_size\": 16", &s), RSD_EFORMAT,
                "hidden_size is 16, but GPT-2's own key says 8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_that_change_nothing), cmocka_unit_test(keys_that_are_refused),
        cmocka_unit_test(numbers_that_are_none),    cmocka_unit_test(rotary_scaling),
        cmocka_unit_test(sliding_windows),          cmocka_unit_test(lists_of_attention_types),
        cmocka_unit_test(other_names_of_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
