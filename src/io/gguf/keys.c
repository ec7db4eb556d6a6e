#include "io/gguf/keys.h"

#include "alloc.h"
#include "io/gguf/config_json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY = 128 };

int rsd_gguf_keys_open(const rsd_gguf *gguf, const char *prefix, rsd_gguf_keys *out)
{
    *out = (rsd_gguf_keys){ gguf, prefix, NULL };
    return rsd_zeroed(gguf->values, sizeof *out->read, &out->read);
}

void rsd_gguf_keys_free(rsd_gguf_keys *keys) { free(keys->read); }

static const char *full(const rsd_gguf_keys *keys, const char *name, char key[KEY])
{
    snprintf(key, KEY, "%s.%s", keys->prefix, name);
    return key;
}

static const rsd_gguf_value *find(const rsd_gguf_keys *keys, const char *name)
{
    char key[KEY];
    return rsd_gguf_find(keys->gguf, full(keys, name, key));
}

bool rsd_gguf_keys_has(const rsd_gguf_keys *keys, const char *name)
{
    return find(keys, name) != NULL;
}

static void note(rsd_gguf_keys *keys, const char *name, bool read)
{
    const rsd_gguf_value *v = find(keys, name);
    if (v)
        keys->read[v - keys->gguf->value] = read;
}

void rsd_gguf_keys_size(rsd_gguf_keys *keys, const char *name, size_t *value)
{
    char key[KEY];
    note(keys, name, rsd_gguf_size(keys->gguf, full(keys, name, key), value) == RSD_OK);
}

void rsd_gguf_keys_real(rsd_gguf_keys *keys, const char *name, double *value)
{
    char key[KEY];
    note(keys, name, rsd_gguf_real(keys->gguf, full(keys, name, key), value) == RSD_OK);
}

void rsd_gguf_keys_flag(rsd_gguf_keys *keys, const char *name, bool *value)
{
    char key[KEY];
    note(keys, name, rsd_gguf_flag(keys->gguf, full(keys, name, key), value) == RSD_OK);
}

bool rsd_gguf_keys_says(rsd_gguf_keys *keys, const char *name, const char *text)
{
    char key[KEY];
    const char *given = text;
    size_t n = strlen(text);
    const bool same = rsd_gguf_text(keys->gguf, full(keys, name, key), &given, &n) == RSD_OK &&
                      n == strlen(text) && memcmp(given, text, n) == 0;
    if (same)
        note(keys, name, true);
    return same;
}

void rsd_gguf_keys_refuse(rsd_gguf_keys *keys, const char *name) { note(keys, name, false); }

/* ---- what nobody read ---- */

/* Keys that say, with this value, what the forward pass does anyway; numbers, or 0 and 1 for truth
 * values.  What is about training, about experts that a dense model has none of, or about vectors
 * that an embedding model would make of the result, changes nothing. */
static const struct {
    const char *name;
    bool any;
    double value;
} harmless[] = {
    { "attention.causal", false, 1 },
    { "attention.sliding_window", false, 0 },
    { "attention.clamp_kqv", false, 0 },
    { "attention.max_alibi_bias", false, 0 },
    { "attention.scale", false, 0 }, /* llama.cpp: 1 / sqrt(size of a head) */
    { "attn_logit_softcapping", false, 0 },
    { "final_logit_softcapping", false, 0 },
    { "use_parallel_residual", false, 0 },
    { "swin_norm", false, 0 },
    { "logit_scale", false, 1 },
    { "embedding_scale", false, 1 },
    { "residual_scale", false, 1 },
    { "rope.scaling.attn_factor", false, 1 },
    { "rope.scaling.alpha", false, 0 },
    { "rope.scaling.original_context_length", true, 0 },
    { "rope.scaling.finetuned", true, 0 },
    { "expert_count", false, 0 },
    { "expert_used_count", false, 0 },
    { "expert_group_count", false, 0 },
    { "expert_group_used_count", false, 0 },
    { "expert_shared_count", false, 0 },
    { "expert_feed_forward_length", false, 0 },
    { "expert_shared_feed_forward_length", false, 0 },
    { "leading_dense_block_count", false, 0 },
    { "nextn_predict_layers", false, 0 },
    { "pooling_type", true, 0 },
};

static bool is_number(const rsd_gguf *gguf, const char *key, double want)
{
    bool flag = false;
    double given = 0;
    if (rsd_gguf_flag(gguf, key, &flag) == RSD_OK)
        return (double)flag == want;
    return rsd_gguf_real(gguf, key, &given) == RSD_OK && given == want;
}

/* Old files say which of two orders the rows of queries and keys have: that of all files. */
static bool is_usual_layout(const rsd_gguf *gguf, const char *key)
{
    const char *text = "";
    size_t n = 0;
    return rsd_gguf_text(gguf, key, &text, &n) == RSD_OK &&
           ((n == strlen("reference") && memcmp(text, "reference", n) == 0) ||
            (n == strlen("Meta AI original pth") && memcmp(text, "Meta AI original pth", n) == 0));
}

static bool is_harmless(const rsd_gguf_keys *keys, const rsd_gguf_value *v)
{
    const char *name = v->key + strlen(keys->prefix) + 1;
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strcmp(harmless[i].name, name) == 0)
            return harmless[i].any || is_number(keys->gguf, v->key, harmless[i].value);
    return strcmp(name, "tensor_data_layout") == 0 && is_usual_layout(keys->gguf, v->key);
}

/* The value for a message, which says where it comes from; what is no single number, truth value or
 * text is called by its type. */
static int put_value(const rsd_gguf *gguf, const rsd_gguf_value *v, json_t *config)
{
    static const char from[] = " (GGUF metadata)";
    char text[80];
    bool flag;
    double real;
    const char *given;
    size_t n;
    snprintf(text, sizeof text, "%s%s%s", v->array ? "an array of " : "a ",
             rsd_gguf_type_name(v->type), from);
    if (rsd_gguf_flag(gguf, v->key, &flag) == RSD_OK)
        snprintf(text, sizeof text, "%s%s", flag ? "true" : "false", from);
    else if (rsd_gguf_real(gguf, v->key, &real) == RSD_OK)
        snprintf(text, sizeof text, "%.9g%s", real, from);
    else if (rsd_gguf_text(gguf, v->key, &given, &n) == RSD_OK)
        snprintf(text, sizeof text, "%.*s%s", n < 40 ? (int)n : 40, given, from);
    json_t *j = json_string(text);
    return rsd_gguf_config_put(config, v->key, j ? j : json_string("a text that is not UTF-8"));
}

int rsd_gguf_keys_judge(const rsd_gguf_keys *keys, json_t *config)
{
    const size_t n = strlen(keys->prefix);
    for (size_t i = 0; i < keys->gguf->values; i++) {
        const rsd_gguf_value *v = &keys->gguf->value[i];
        if (!keys->read[i] && strncmp(v->key, keys->prefix, n) == 0 && v->key[n] == '.' &&
            !is_harmless(keys, v))
            RSD_TRY(put_value(keys->gguf, v, config));
    }
    return RSD_OK;
}
