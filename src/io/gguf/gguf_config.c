#include "io/gguf/gguf_config.h"

#include "io/gguf/config_parts.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 128 };

typedef rsd_gguf_configuration writer;

static int put_size(const writer *w, const char *name, size_t value)
{
    return rsd_gguf_config_put(w->json, name, json_integer((json_int_t)value));
}

static int put_text(const writer *w, const char *name, const char *value)
{
    return rsd_gguf_config_put(w->json, name, json_string(value));
}

static size_t get_size(writer *w, const char *name, size_t otherwise)
{
    rsd_gguf_keys_size(&w->keys, name, &otherwise);
    return otherwise;
}

static const rsd_gguf_found *find(const writer *w, const char *tensor)
{
    return rsd_gguf_parts_find(w->parts, tensor, strlen(tensor));
}

/* Copies, where the file has the key and a whole number under it. */
typedef struct {
    const char *gguf, *config;
} pair;

static int copy_sizes(writer *w, const pair *rows)
{
    for (; rows->gguf; rows++) {
        const size_t value = get_size(w, rows->gguf, SIZE_MAX);
        if (value != SIZE_MAX)
            RSD_TRY(put_size(w, rows->config, value));
    }
    return RSD_OK;
}

/* The norms' epsilon, which must be there: configurations have a default, GGUF has none. */
static int put_epsilon(writer *w, const char *name, const char *config)
{
    char key[KEY];
    double value = 0;
    snprintf(key, sizeof key, "%s.%s", w->keys.prefix, name);
    if (!rsd_gguf_keys_has(&w->keys, name))
        return put_text(w, key, "missing (GGUF metadata)");
    rsd_gguf_keys_real(&w->keys, name, &value);
    return rsd_gguf_config_real(w->json, config, value);
}

/* Rows of the token table, and whether it is the head as well.  Where the key says another number
 * than the table, both reach the reader of the weights, who names them. */
static int put_vocabulary(writer *w)
{
    const rsd_gguf_found *tokens = find(w, "token_embd.weight");
    size_t vocab = tokens && tokens->tensor->ndim == 2 ? tokens->tensor->shape[0] : 0;
    rsd_gguf_keys_size(&w->keys, "vocab_size", &vocab);
    RSD_TRY(put_size(w, "vocab_size", vocab));
    return rsd_gguf_config_put(w->json, "tie_word_embeddings",
                               json_boolean(!find(w, "output.weight")));
}

/* ---- architectures ---- */

/* Dimensions of a head.  Keys and values must have the same; where the width says it, no other. */
static size_t head_size(writer *w, bool free)
{
    const size_t width = get_size(w, "embedding_length", 0);
    const size_t heads = get_size(w, "attention.head_count", 0);
    const size_t usual = heads ? width / heads : 0;
    const size_t size = get_size(w, "attention.key_length", usual);
    if (get_size(w, "attention.value_length", usual) != size)
        rsd_gguf_keys_refuse(&w->keys, "attention.value_length");
    if (!free && size != usual)
        rsd_gguf_keys_refuse(&w->keys, "attention.key_length");
    return size;
}

/* Contexts up to the size of a sliding window do not feel it; 0: there is none. */
static int put_window(writer *w)
{
    const bool llama = strcmp(w->keys.prefix, "llama") == 0;
    const size_t window = get_size(w, "attention.sliding_window", 0);
    const size_t context = get_size(w, "context_length", 0);
    if (window && llama) {
        RSD_TRY(put_text(w, "model_type", "mistral"));
        RSD_TRY(put_size(w, "sliding_window", window));
    } else if (window && window < context)
        RSD_TRY(put_size(w, "max_position_embeddings", window));
    return RSD_OK;
}

static int put_experts(writer *w)
{
    static const pair sizes[] = { { "expert_count", "num_local_experts" },
                                  { "expert_used_count", "num_experts_per_tok" },
                                  { 0 } };
    if (!get_size(w, "expert_count", 0))
        return RSD_OK;
    RSD_TRY(copy_sizes(w, sizes));
    return strcmp(w->keys.prefix, "llama") == 0 ? put_text(w, "model_type", "mixtral") : RSD_OK;
}

static int write_llama(writer *w)
{
    static const pair sizes[] = {
        { "embedding_length", "hidden_size" },
        { "block_count", "num_hidden_layers" },
        { "attention.head_count", "num_attention_heads" },
        { "attention.head_count_kv", "num_key_value_heads" },
        { "feed_forward_length", "intermediate_size" },
        { "context_length", "max_position_embeddings" },
        { "attention.key_length", "head_dim" },
        { 0 },
    };
    const size_t size = head_size(w, true);
    RSD_TRY(copy_sizes(w, sizes));
    RSD_TRY(put_epsilon(w, "attention.layer_norm_rms_epsilon", "rms_norm_eps"));
    RSD_TRY(put_text(w, "hidden_act", "silu"));
    if (get_size(w, "rope.dimension_count", size) != size) /* no Llama turns parts of its heads */
        rsd_gguf_keys_refuse(&w->keys, "rope.dimension_count");
    RSD_TRY(put_window(w));
    RSD_TRY(put_experts(w));
    return rsd_gguf_config_rope(w, "rope_theta", size);
}

/* Every head has keys and values of its own. */
static void require_all_heads(writer *w)
{
    const size_t heads = get_size(w, "attention.head_count", 0);
    if (get_size(w, "attention.head_count_kv", heads) != heads)
        rsd_gguf_keys_refuse(&w->keys, "attention.head_count_kv");
}

static int write_gpt2(writer *w)
{
    static const pair sizes[] = {
        { "embedding_length", "n_embd" },     { "block_count", "n_layer" },
        { "attention.head_count", "n_head" }, { "feed_forward_length", "n_inner" },
        { "context_length", "n_positions" },  { 0 },
    };
    head_size(w, false);
    require_all_heads(w);
    RSD_TRY(copy_sizes(w, sizes));
    RSD_TRY(put_epsilon(w, "attention.layer_norm_epsilon", "layer_norm_epsilon"));
    return put_text(w, "activation_function", "gelu_new");
}

/* The share of a head that is rotated, such that share * size is the number of dimensions again
 * when it is cut to a whole one. */
static double share_of(size_t rotated, size_t size)
{
    const double share = (double)rotated / (double)size;
    return (size_t)(share * (double)size) == rotated ? share : nextafter(share, 2);
}

static int write_gpt_neox(writer *w)
{
    static const pair sizes[] = {
        { "embedding_length", "hidden_size" },
        { "block_count", "num_hidden_layers" },
        { "attention.head_count", "num_attention_heads" },
        { "feed_forward_length", "intermediate_size" },
        { "context_length", "max_position_embeddings" },
        { 0 },
    };
    bool parallel = true;
    const size_t size = head_size(w, false);
    const size_t rotated = get_size(w, "rope.dimension_count", size);
    require_all_heads(w);
    RSD_TRY(copy_sizes(w, sizes));
    RSD_TRY(put_epsilon(w, "attention.layer_norm_epsilon", "layer_norm_eps"));
    rsd_gguf_keys_flag(&w->keys, "use_parallel_residual", &parallel);
    RSD_TRY(rsd_gguf_config_put(w->json, "use_parallel_residual", json_boolean(parallel)));
    RSD_TRY(put_text(w, "hidden_act", "gelu"));
    if (size && rotated <= size)
        RSD_TRY(rsd_gguf_config_put(w->json, "rotary_pct", json_real(share_of(rotated, size))));
    else
        rsd_gguf_keys_refuse(&w->keys, "rope.dimension_count");
    return rsd_gguf_config_rope(w, "rotary_emb_base", rotated);
}

static const struct {
    const char *gguf;
    int (*write)(writer *w);
} architectures[] = { { "llama", write_llama },
                      { "qwen2", write_llama },
                      { "gpt2", write_gpt2 },
                      { "gptneox", write_gpt_neox } };

static int write_known(writer *w, const rsd_gguf_arch *arch)
{
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (strcmp(architectures[i].gguf, arch->gguf) == 0) {
            RSD_TRY(put_vocabulary(w));
            RSD_TRY(architectures[i].write(w));
            return rsd_gguf_keys_judge(&w->keys, w->json);
        }
    return RSD_OK;
}

int rsd_gguf_config(const rsd_gguf_parts *parts, const rsd_gguf_arch *arch, char **out)
{
    writer w = { .parts = parts, .json = json_object() };
    int err = RSD_OK;
    *out = NULL;
    RSD_TRY_DONE(rsd_gguf_keys_open(&parts->part[0].gguf, arch->gguf, &w.keys));
    RSD_TRY_DONE(put_text(&w, "model_type", arch->model_type));
    RSD_TRY_DONE(write_known(&w, arch));
    *out = json_dumps(w.json, JSON_INDENT(1));
    if (!*out)
        err = RSD_FAIL(RSD_ENOMEM, "configuration");
done:
    rsd_gguf_keys_free(&w.keys);
    json_decref(w.json);
    return err;
}

int rsd_gguf_heads(const rsd_gguf *gguf, const char *arch, size_t *heads, size_t *kv_heads)
{
    char key[KEY];
    *heads = 0;
    snprintf(key, sizeof key, "%s.attention.head_count", arch);
    RSD_TRY(rsd_gguf_size(gguf, key, heads));
    *kv_heads = *heads;
    snprintf(key, sizeof key, "%s.attention.head_count_kv", arch);
    return rsd_gguf_size(gguf, key, kv_heads);
}
