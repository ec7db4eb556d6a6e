#include "io/model/config_keys.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */

/* By name.  Where each comes from:
 * - the base class PretrainedConfig of transformers 4 and 5: names, versions, types that weights are
 *   kept in (they are computed with in another), what is returned, tasks and labels;
 * - GenerationConfig, whose values older files keep here: how text is drawn from the distribution;
 * - limits of a window: that of the forward pass is max_position_embeddings;
 * - how a computation is done, not what it computes: parallel, flash, checkpointed, cached;
 * - quantization, which the reader of the weights has judged by then. */
static const char *const names[] = {
    "architectures", "auto_map", "chunk_size_feed_forward", "cross_attention_hidden_size",
    "finetuning_task", "id2label", "label2id", "is_decoder", "keys_to_ignore_at_inference",
    "model_type", "name_or_path", "num_labels", "output_attentions", "output_hidden_states",
    "output_router_logits", "output_scores", "prefix", "problem_type", "return_dict",
    "return_dict_in_generate", "task_specific_params", "tf_legacy_loss", "torchscript",
    "dtype", "torch_dtype", "use_bfloat16", "use_return_dict", "attn_implementation",

    "bad_words_ids", "begin_suppress_tokens", "constraints", "diversity_penalty", "do_sample",
    "early_stopping", "encoder_no_repeat_ngram_size", "epsilon_cutoff", "eta_cutoff",
    "exponential_decay_length_penalty", "force_words_ids", "generation_config", "guidance_scale",
    "length_penalty", "low_memory", "max_length", "max_new_tokens", "max_time", "min_length",
    "min_new_tokens", "min_p", "no_repeat_ngram_size", "num_assistant_tokens", "num_beam_groups",
    "num_beams", "num_return_sequences", "penalty_alpha", "remove_invalid_values",
    "renormalize_logits", "repetition_penalty", "sequence_bias", "stop_strings", "suppress_tokens",
    "temperature", "top_k", "top_p", "typical_p",

    "max_seq_len", "max_seq_length", "max_sequence_length", "model_max_length", "n_ctx",
    "seq_length", "sequence_length", "max_window_layers",

    "gradient_checkpointing", "pretraining_tp", "reorder_and_upcast_attn", "use_flash_attn",
    "use_flash_attention", "use_flash_attention_2", "use_memory_efficient_attention",

    "compression_config", "quantization", "quantization_config",

    "is_llama_config", "language", "license", "transformers.js_config",
};

/* By a part of the name; ^ in front: at its beginning, $ behind: at its end.
 * - what begins with an underscore is private to the class that wrote it;
 * - special tokens and tokenizers; dropout, which evaluation does not have; how weights are
 *   initialised; weights of losses; heads that summarize or classify;
 * - trainers' own notes; the step sizes of state-space layers, which no architecture here has (and
 *   which hold the Infinity that transformers writes). */
static const char *const parts[] = {
    "^_", "_token_id$", "_token_ids$", "_token$", "_token_index$", "^tokenizer_",
    "dropout", "_pdrop$", "layerdrop", "initializer", "^init_std$", "aux_loss", "loss_coef",
    "^loss_", "^summary_", "^classifier_", "^transformers_", "^use_cache", "^cache_impl",
    "^unsloth", "^trl_", "^axolotl_", "^time_step_",
};

/* By value: what is done here is the one that stands beside the key. */
static const struct {
    const char *key, *value;
} neutral[] = {
    { "is_causal", "true" },             { "is_encoder_decoder", "false" },
    { "tie_encoder_decoder", "false" },  { "add_cross_attention", "false" },
    { "rope_interleaved", "false" },     { "partial_rotary_factor", "1" },
    { "rotary_pct", "1" },               { "use_mrope", "false" },
    { "use_rope", "true" },              { "use_rope_scaling", "false" },
    { "use_dynamic_ntk", "false" },      { "use_logn_attn", "false" },
    { "alibi", "false" },                { "use_alibi", "false" },
    { "qk_norm", "false" },              { "use_qk_norm", "false" },
    { "qk_layernorm", "false" },         { "qk_layer_norm", "false" },
    { "use_sliding_window", "false" },   { "use_parallel_residual", "false" },
    { "parallel_attn", "false" },        { "scale_embeddings", "false" },
    { "normalize_embedding", "false" },  { "embedding_multiplier", "1" },
    { "residual_multiplier", "1" },      { "logit_scale", "1" },
    { "logits_scaling", "1" },           { "num_experts", "0" },
    { "num_local_experts", "0" },        { "num_nextn_predict_layers", "0" },
};
/* clang-format on */

static bool has_part(const char *key, const char *part)
{
    const size_t n = strlen(part), length = strlen(key);
    const bool first = part[0] == '^', last = part[n - 1] == '$';
    const char *text = part + first;
    const size_t size = n - first - last;
    if (first && last)
        return length == size && memcmp(key, text, size) == 0;
    if (first)
        return strncmp(key, text, size) == 0;
    if (last)
        return length >= size && memcmp(key + length - size, text, size) == 0;
    return strstr(key, text) != NULL;
}

static bool is_named(const char *key)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], key) == 0)
            return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (has_part(key, parts[i]))
            return true;
    return false;
}

static bool asks_for_nothing(const json_t *j)
{
    return json_is_null(j) || (json_is_string(j) && json_string_length(j) == 0) ||
           (json_is_array(j) && json_array_size(j) == 0) ||
           (json_is_object(j) && json_object_size(j) == 0);
}

/* Is value what the text says: true, false or a number? */
static bool is_value(const json_t *value, const char *text)
{
    if (json_is_number(value))
        return json_number_value(value) == strtod(text, NULL) && strchr("0123456789", *text);
    return json_is_boolean(value) && strcmp(text, json_is_true(value) ? "true" : "false") == 0;
}

int rsd_config_refuse(const char *key, const json_t *value, const char *want)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    const int err =
        RSD_FAIL(RSD_EFORMAT, "config.json: %s is %.60s, not %s", key, text ? text : "?", want);
    free(text);
    return err;
}

int rsd_config_judge(const char *label, const char *key, const json_t *value)
{
    if (asks_for_nothing(value) || is_named(key))
        return RSD_OK;
    for (size_t i = 0; i < sizeof neutral / sizeof *neutral; i++)
        if (strcmp(neutral[i].key, key) == 0 && is_value(value, neutral[i].value))
            return RSD_OK;
        else if (strcmp(neutral[i].key, key) == 0)
            return rsd_config_refuse(label, value, neutral[i].value);
    return rsd_config_refuse(label, value,
                             "known here to change nothing; delete the key if that is so");
}
