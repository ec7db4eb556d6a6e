#include "io/gguf/gguf_config.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 128 };

/* The configuration that is being written. */
typedef struct {
    const rsd_gguf *gguf;
    const uint8_t *data;
    const char *prefix; /* of the metadata's keys: the architecture */
    json_t *json;
} writer;

static const char *key_of(const writer *w, const char *name, char key[KEY])
{
    snprintf(key, KEY, "%s.%s", w->prefix, name);
    return key;
}

static bool has(const writer *w, const char *name)
{
    char key[KEY];
    return rsd_gguf_find(w->gguf, key_of(w, name, key)) != NULL;
}

static int get_size(const writer *w, const char *name, size_t *value)
{
    char key[KEY];
    return rsd_gguf_size(w->gguf, key_of(w, name, key), value);
}

static int get_real(const writer *w, const char *name, double *value)
{
    char key[KEY];
    return rsd_gguf_real(w->gguf, key_of(w, name, key), value);
}

static void put_size(json_t *json, const char *name, size_t value)
{
    json_object_set_new(json, name, json_integer((json_int_t)value));
}

/* A float32 as the decimal number that it was meant to be: 1e-05, not 9.99999974737875e-06. */
static void put_real(json_t *json, const char *name, double value)
{
    char text[40];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if ((float)strtod(text, NULL) == (float)value)
            break;
    }
    json_object_set_new(json, name,
                        json_real((double)(float)value == value ? strtod(text, NULL) : value));
}

/* Copies, where the file has the key. */
typedef struct {
    const char *gguf, *config;
} pair;

static int copy_sizes(const writer *w, const pair *rows)
{
    for (; rows->gguf; rows++) {
        size_t value = 0;
        if (!has(w, rows->gguf))
            continue;
        RSD_TRY(get_size(w, rows->gguf, &value));
        put_size(w->json, rows->config, value);
    }
    return RSD_OK;
}

static int copy_reals(const writer *w, const pair *rows)
{
    for (; rows->gguf; rows++) {
        double value = 0;
        if (!has(w, rows->gguf))
            continue;
        RSD_TRY(get_real(w, rows->gguf, &value));
        put_real(w->json, rows->config, value);
    }
    return RSD_OK;
}

/* Rows of the token table, and whether it is the head as well. */
static void put_vocabulary(const writer *w)
{
    const rsd_gguf_tensor *tokens = rsd_gguf_find_tensor(w->gguf, "token_embd.weight");
    if (tokens && tokens->ndim == 2)
        put_size(w->json, "vocab_size", tokens->shape[0]);
    json_object_set_new(w->json, "tie_word_embeddings",
                        json_boolean(!rsd_gguf_find_tensor(w->gguf, "output.weight")));
}

/* ---- rotary positions ---- */

/* Llama 3 divides its frequencies by numbers that the file gives as a tensor; its configuration
 * gives what they are computed from.  All its releases use the same three constants beside the
 * factor, which is the last number.  False where the numbers are others. */
static bool is_llama3(const writer *w, const rsd_gguf_tensor *t, double theta, double *factor)
{
    const double low = 1, high = 4, original = 8192;
    const size_t n = t->elements;
    if (strcmp(t->type->name, "f32") != 0 || !n)
        return false;
    for (size_t k = n; k-- > 0;) {
        float given;
        memcpy(&given, w->data + t->offset + k * sizeof given, sizeof given);
        if (k == n - 1)
            *factor = (double)given;
        const double wavelength = 2 * M_PI * pow(theta, (double)k / (double)n);
        const double smooth = (original / wavelength - low) / (high - low);
        double want = 1 / ((1 - smooth) / *factor + smooth);
        if (wavelength < original / high)
            want = 1;
        else if (wavelength > original / low)
            want = *factor;
        if (!(fabs((double)given - want) <= 1e-4 * want))
            return false;
    }
    return true;
}

static int put_scaling(const writer *w, double theta)
{
    const rsd_gguf_tensor *factors = rsd_gguf_find_tensor(w->gguf, "rope_freqs.weight");
    const char *type = "none";
    char key[KEY];
    size_t n = 4;
    double factor = 1;
    RSD_TRY(rsd_gguf_text(w->gguf, key_of(w, "rope.scaling.type", key), &type, &n));
    if (has(w, "rope.scale_linear")) { /* how it was said at first */
        RSD_TRY(get_real(w, "rope.scale_linear", &factor));
        type = factor == 1 ? "none" : "linear";
        n = strlen(type);
    }
    RSD_TRY(get_real(w, "rope.scaling.factor", &factor));
    json_t *scaling = json_object();
    if (factors && is_llama3(w, factors, theta, &factor)) {
        json_object_set_new(scaling, "rope_type", json_string("llama3"));
        put_real(scaling, "factor", factor);
        put_real(scaling, "low_freq_factor", 1);
        put_real(scaling, "high_freq_factor", 4);
        put_size(scaling, "original_max_position_embeddings", 8192);
    } else if (factors) {
        json_object_set_new(scaling, "rope_type", json_string("rope_freqs.weight"));
    } else if (n != 4 || memcmp(type, "none", 4) != 0) {
        json_t *name = json_stringn(type, n); /* NULL where it is no UTF-8 */
        json_object_set_new(scaling, "rope_type", name ? name : json_string("unreadable"));
        put_real(scaling, "factor", factor);
    }
    if (json_object_size(scaling))
        json_object_set(w->json, "rope_scaling", scaling);
    json_decref(scaling);
    return RSD_OK;
}

/* ---- architectures ---- */

static int write_llama(const writer *w)
{
    static const pair sizes[] = {
        { "embedding_length", "hidden_size" },
        { "block_count", "num_hidden_layers" },
        { "attention.head_count", "num_attention_heads" },
        { "attention.head_count_kv", "num_key_value_heads" },
        { "feed_forward_length", "intermediate_size" },
        { "context_length", "max_position_embeddings" },
        { "attention.key_length", "head_dim" },
        { "attention.sliding_window", "sliding_window" },
        { "expert_count", "num_local_experts" },
        { "expert_used_count", "num_experts_per_tok" },
        { 0 },
    };
    static const pair reals[] = { { "attention.layer_norm_rms_epsilon", "rms_norm_eps" },
                                  { "rope.freq_base", "rope_theta" },
                                  { 0 } };
    double theta = 10000;
    size_t width = 0, heads = 1, size, rotated;
    RSD_TRY(copy_sizes(w, sizes));
    RSD_TRY(copy_reals(w, reals));
    json_object_set_new(w->json, "hidden_act", json_string("silu"));
    RSD_TRY(get_real(w, "rope.freq_base", &theta));
    RSD_TRY(get_size(w, "embedding_length", &width));
    RSD_TRY(get_size(w, "attention.head_count", &heads));
    size = heads ? width / heads : 0;
    RSD_TRY(get_size(w, "attention.key_length", &size));
    rotated = size;
    RSD_TRY(get_size(w, "rope.dimension_count", &rotated));
    if (rotated != size) /* no Llama does that: let the reader refuse it by name */
        put_real(w->json, "partial_rotary_factor", (double)rotated / (double)size);
    if (strcmp(w->prefix, "llama") == 0 && has(w, "expert_count"))
        json_object_set_new(w->json, "model_type", json_string("mixtral"));
    else if (strcmp(w->prefix, "llama") == 0 && has(w, "attention.sliding_window"))
        json_object_set_new(w->json, "model_type", json_string("mistral"));
    return put_scaling(w, theta);
}

static int write_gpt2(const writer *w)
{
    static const pair sizes[] = {
        { "embedding_length", "n_embd" },     { "block_count", "n_layer" },
        { "attention.head_count", "n_head" }, { "feed_forward_length", "n_inner" },
        { "context_length", "n_positions" },  { 0 },
    };
    static const pair reals[] = { { "attention.layer_norm_epsilon", "layer_norm_epsilon" }, { 0 } };
    RSD_TRY(copy_sizes(w, sizes));
    RSD_TRY(copy_reals(w, reals));
    json_object_set_new(w->json, "activation_function", json_string("gelu_new"));
    return RSD_OK;
}

/* The share of a head that is rotated, such that share * size is the number of dimensions again
 * when it is cut to a whole one. */
static double share_of(size_t rotated, size_t size)
{
    const double share = (double)rotated / (double)size;
    return (size_t)(share * (double)size) == rotated ? share : nextafter(share, 2);
}

static int write_gpt_neox(const writer *w)
{
    static const pair sizes[] = {
        { "embedding_length", "hidden_size" },
        { "block_count", "num_hidden_layers" },
        { "attention.head_count", "num_attention_heads" },
        { "feed_forward_length", "intermediate_size" },
        { "context_length", "max_position_embeddings" },
        { 0 },
    };
    static const pair reals[] = { { "attention.layer_norm_epsilon", "layer_norm_eps" },
                                  { "rope.freq_base", "rotary_emb_base" },
                                  { 0 } };
    char key[KEY];
    bool parallel = true;
    size_t width = 0, heads = 0, rotated = 0;
    RSD_TRY(copy_sizes(w, sizes));
    RSD_TRY(copy_reals(w, reals));
    RSD_TRY(rsd_gguf_flag(w->gguf, key_of(w, "use_parallel_residual", key), &parallel));
    json_object_set_new(w->json, "use_parallel_residual", json_boolean(parallel));
    json_object_set_new(w->json, "hidden_act", json_string("gelu"));
    RSD_TRY(get_size(w, "embedding_length", &width));
    RSD_TRY(get_size(w, "attention.head_count", &heads));
    RSD_TRY(get_size(w, "rope.dimension_count", &rotated));
    if (rotated && heads && width / heads)
        json_object_set_new(w->json, "rotary_pct", json_real(share_of(rotated, width / heads)));
    return RSD_OK;
}

static const struct {
    const char *gguf;
    int (*write)(const writer *w);
} architectures[] = { { "llama", write_llama },
                      { "qwen2", write_llama },
                      { "gpt2", write_gpt2 },
                      { "gptneox", write_gpt_neox } };

int rsd_gguf_config(const rsd_gguf *gguf, const uint8_t *data, const rsd_gguf_arch *arch,
                    char **out)
{
    const writer w = { gguf, data, arch->gguf, json_object() };
    int err = RSD_OK;
    *out = NULL;
    json_object_set_new(w.json, "model_type", json_string(arch->model_type));
    for (size_t i = 0; i < sizeof architectures / sizeof *architectures; i++)
        if (strcmp(architectures[i].gguf, arch->gguf) == 0) {
            put_vocabulary(&w);
            RSD_TRY_DONE(architectures[i].write(&w));
        }
    *out = json_dumps(w.json, JSON_INDENT(1));
    if (!*out)
        err = RSD_FAIL(RSD_ENOMEM, "configuration");
done:
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
