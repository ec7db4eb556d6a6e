#include "io/config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { READ_MAX = 64, KEY_MAX = 64 };

struct rsd_config {
    json_t *json;
    size_t reads;
    char read[READ_MAX][KEY_MAX]; /* keys, the outermost part */
};

/* Keys that change nothing about a forward pass without dropout. */
/* clang-format off */
static const char *const harmless[] = {
    "_name_or_path", "architectures", "auto_map", "bos_token_id", "eos_token_id", "pad_token_id",
    "decoder_start_token_id", "sep_token_id", "model_type", "transformers_version", "torch_dtype",
    "dtype", "use_cache", "initializer_range", "initializer_factor", "attention_dropout",
    "attn_pdrop", "embd_pdrop", "resid_pdrop", "hidden_dropout", "attention_probs_dropout_prob",
    "hidden_dropout_prob", "embed_dropout", "resid_dropout", "classifier_dropout",
    "summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type",
    "summary_use_proj", "task_specific_params", "gradient_checkpointing", "pretraining_tp",
    "output_attentions", "output_hidden_states", "return_dict", "id2label", "label2id",
    "problem_type", "n_ctx", "tokenizer_class",
    "_attn_implementation", "_attn_implementation_autoset", "_commit_hash", "is_decoder",
    "chunk_size_feed_forward",
    "quantization_config", /* the reader of the weights has judged it */
    /* how text is generated, which older files keep here */
    "length_penalty", "max_length", "min_length", "num_beams", "num_beam_groups", "top_k", "top_p",
    "temperature", "typical_p", "repetition_penalty", "encoder_no_repeat_ngram_size",
    "no_repeat_ngram_size", "do_sample", "early_stopping", "diversity_penalty",
    "num_return_sequences", "bad_words_ids", "forced_bos_token_id", "forced_eos_token_id",
    "remove_invalid_values", "exponential_decay_length_penalty", "suppress_tokens",
    "begin_suppress_tokens", "prefix", "output_scores", "return_dict_in_generate",
};
/* clang-format on */

int rsd_config_parse(const char *text, rsd_config **out)
{
    json_error_t error;
    *out = calloc(1, sizeof **out);
    if (!*out)
        return RSD_FAIL(RSD_ENOMEM, "configuration");
    (*out)->json = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!(*out)->json)
        return RSD_FAIL(RSD_EFORMAT, "config.json: line %d: %s", error.line, error.text);
    if (!json_is_object((*out)->json))
        return RSD_FAIL(RSD_EFORMAT, "config.json: not an object");
    return RSD_OK;
}

void rsd_config_free(rsd_config *c)
{
    if (!c)
        return;
    json_decref(c->json);
    free(c);
}

static json_t *look_up(const rsd_config *c, const char *key)
{
    const char *dot = strchr(key, '.');
    json_t *at = c->json;
    if (dot) {
        char outer[KEY_MAX];
        snprintf(outer, sizeof outer, "%.*s", (int)(dot - key), key);
        at = json_object_get(at, outer);
        key = dot + 1;
    }
    at = json_object_get(at, key);
    return json_is_null(at) ? NULL : at;
}

static json_t *take(rsd_config *c, const char *key)
{
    const int n = (int)strcspn(key, ".");
    bool known = false;
    for (size_t i = 0; i < c->reads; i++)
        known = known || (strncmp(c->read[i], key, (size_t)n) == 0 && !c->read[i][n]);
    if (!known && c->reads < READ_MAX)
        snprintf(c->read[c->reads++], KEY_MAX, "%.*s", n, key);
    return look_up(c, key);
}

static int wrong_type(const char *key, const json_t *j, const char *want)
{
    char *text = json_dumps(j, JSON_COMPACT | JSON_ENCODE_ANY);
    const int err =
        RSD_FAIL(RSD_EFORMAT, "config.json: %s is %.60s, not %s", key, text ? text : "?", want);
    free(text);
    return err;
}

int rsd_config_size(rsd_config *c, const char *key, size_t least, size_t most, size_t *value)
{
    const json_t *j = take(c, key);
    if (!j)
        return RSD_OK;
    const json_int_t v = json_integer_value(j);
    if (!json_is_integer(j) || v < 0 || (size_t)v < least || (size_t)v > most) {
        char want[80];
        snprintf(want, sizeof want, "a whole number from %zu to %zu", least, most);
        return wrong_type(key, j, want);
    }
    *value = (size_t)v;
    return RSD_OK;
}

int rsd_config_real(rsd_config *c, const char *key, double *value)
{
    const json_t *j = take(c, key);
    if (!j)
        return RSD_OK;
    if (!json_is_number(j))
        return wrong_type(key, j, "a number");
    *value = json_number_value(j);
    return RSD_OK;
}

int rsd_config_flag(rsd_config *c, const char *key, bool *value)
{
    const json_t *j = take(c, key);
    if (!j)
        return RSD_OK;
    if (!json_is_boolean(j))
        return wrong_type(key, j, "true or false");
    *value = json_is_true(j);
    return RSD_OK;
}

int rsd_config_text(rsd_config *c, const char *key, const char **value)
{
    const json_t *j = take(c, key);
    if (!j)
        return RSD_OK;
    if (!json_is_string(j))
        return wrong_type(key, j, "a string");
    *value = json_string_value(j);
    return RSD_OK;
}

bool rsd_config_has(const rsd_config *c, const char *key) { return look_up(c, key) != NULL; }

/* Append the texts of list; *used counts them, also beyond count. */
static int append(const char *key, const json_t *list, size_t count, const char **texts,
                  size_t *used)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        if (json_is_string(item)) {
            if (*used < count)
                texts[*used] = json_string_value(item);
            ++*used;
            continue;
        }
        const json_t *inner = json_array_get(item, 0);
        const json_int_t times = json_integer_value(json_array_get(item, 1));
        if (!json_is_array(inner) || json_is_array(json_array_get(inner, 0)))
            return wrong_type(key, item, "a text or a list of texts and a number of times");
        for (json_int_t k = 0; k < times && *used <= count; k++)
            RSD_TRY(append(key, inner, count, texts, used));
    }
    return RSD_OK;
}

int rsd_config_texts(rsd_config *c, const char *key, size_t count, const char **texts, bool *found)
{
    const json_t *j = take(c, key);
    *found = j != NULL;
    if (!j)
        return RSD_OK;
    if (!json_is_array(j))
        return wrong_type(key, j, "a list");
    size_t used = 0;
    RSD_TRY(append(key, j, count, texts, &used));
    if (used != count)
        return RSD_FAIL(RSD_EFORMAT, "config.json: %s has %zu%s items, not %zu", key, used,
                        used > count ? " or more" : "", count);
    return RSD_OK;
}

static bool is_harmless(const rsd_config *c, const char *key)
{
    for (size_t i = 0; i < c->reads; i++)
        if (strcmp(c->read[i], key) == 0)
            return true;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcmp(harmless[i], key) == 0)
            return true;
    return false;
}

/* null, false, 0, "", [] and {} ask for nothing. */
static bool asks_for_nothing(const json_t *j)
{
    return json_is_null(j) || json_is_false(j) ||
           (json_is_number(j) && json_number_value(j) == 0) ||
           (json_is_string(j) && json_string_length(j) == 0) ||
           (json_is_array(j) && json_array_size(j) == 0) ||
           (json_is_object(j) && json_object_size(j) == 0);
}

int rsd_config_finish(const rsd_config *c)
{
    const char *key;
    json_t *value;
    json_object_foreach(
        c->json, key,
        value) if (!is_harmless(c, key) &&
                   !asks_for_nothing(
                       value)) return wrong_type(key, value,
                                                 "something that this program implements");
    return RSD_OK;
}
