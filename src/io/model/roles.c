#include "io/model/roles.h"

#include <ctype.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

typedef enum {
    OUTSIDE,  /* not in a block, not a table */
    LINEAR,   /* y = W x in a block, stored out x in */
    CONV1D,   /* the same, stored in x out by the Conv1D families, out x in by the others:
               * rsd_model_orient judges */
    EMBEDDING /* token or position table, or the head */
} kind;

/* Names without their last ".weight".  % is the block's number, # any other number; a pattern
 * matches when it ends the name and begins it or follows a dot, so prefixes need no rows. */
static const struct {
    const char *pattern, *role;
    kind kind;
} names[] = {
    /* Llama, Mistral, Qwen2, Qwen3, Gemma, StableLM, Phi, Phi-3; OPT's and BART's attention */
    { "layers.%.self_attn.q_proj", "q", LINEAR },
    { "layers.%.self_attn.k_proj", "k", LINEAR },
    { "layers.%.self_attn.v_proj", "v", LINEAR },
    { "layers.%.self_attn.o_proj", "o", LINEAR },
    { "layers.%.self_attn.out_proj", "o", LINEAR },
    { "layers.%.self_attn.dense", "o", LINEAR },
    { "layers.%.self_attn.qkv_proj", "qkv", LINEAR },
    { "layers.%.mlp.gate_proj", "gate", LINEAR },
    { "layers.%.mlp.up_proj", "up", LINEAR },
    { "layers.%.mlp.gate_up_proj", "up", LINEAR },
    { "layers.%.mlp.down_proj", "down", LINEAR },
    { "layers.%.mlp.fc1", "up", LINEAR },
    { "layers.%.mlp.fc2", "down", LINEAR },
    { "embed_tokens", "embedding", EMBEDDING },
    { "lm_head", "head", EMBEDDING },
    /* mixtures of experts: Mixtral, Qwen2-MoE, DeepSeek */
    { "layers.%.block_sparse_moe.experts.#.w1", "gate", LINEAR },
    { "layers.%.block_sparse_moe.experts.#.w3", "up", LINEAR },
    { "layers.%.block_sparse_moe.experts.#.w2", "down", LINEAR },
    { "layers.%.mlp.experts.#.gate_proj", "gate", LINEAR },
    { "layers.%.mlp.experts.#.up_proj", "up", LINEAR },
    { "layers.%.mlp.experts.#.down_proj", "down", LINEAR },
    { "layers.%.mlp.shared_expert.gate_proj", "gate", LINEAR },
    { "layers.%.mlp.shared_expert.up_proj", "up", LINEAR },
    { "layers.%.mlp.shared_expert.down_proj", "down", LINEAR },
    /* OPT */
    { "layers.%.fc1", "up", LINEAR },
    { "layers.%.fc2", "down", LINEAR },
    { "embed_positions", "position", EMBEDDING },
    /* GPT-NeoX (Pythia) */
    { "layers.%.attention.query_key_value", "qkv", LINEAR },
    { "layers.%.attention.dense", "o", LINEAR },
    { "layers.%.mlp.dense_h_to_4h", "up", LINEAR },
    { "layers.%.mlp.dense_4h_to_h", "down", LINEAR },
    { "embed_in", "embedding", EMBEDDING },
    { "embed_out", "head", EMBEDDING },
    /* BLOOM, Falcon */
    { "h.%.self_attention.query_key_value", "qkv", LINEAR },
    { "h.%.self_attention.dense", "o", LINEAR },
    { "h.%.mlp.dense_h_to_4h", "up", LINEAR },
    { "h.%.mlp.dense_4h_to_h", "down", LINEAR },
    /* GPT-2, where Conv1D; GPT-Neo's feed-forward and GPT-BigCode, where not */
    { "h.%.attn.c_attn", "qkv", CONV1D },
    { "h.%.attn.c_proj", "o", CONV1D },
    { "h.%.mlp.c_fc", "up", CONV1D },
    { "h.%.mlp.c_proj", "down", CONV1D },
    { "wte", "embedding", EMBEDDING },
    { "wpe", "position", EMBEDDING },
    /* GPT-Neo */
    { "h.%.attn.attention.q_proj", "q", LINEAR },
    { "h.%.attn.attention.k_proj", "k", LINEAR },
    { "h.%.attn.attention.v_proj", "v", LINEAR },
    { "h.%.attn.attention.out_proj", "o", LINEAR },
    /* GPT-J */
    { "h.%.attn.q_proj", "q", LINEAR },
    { "h.%.attn.k_proj", "k", LINEAR },
    { "h.%.attn.v_proj", "v", LINEAR },
    { "h.%.attn.out_proj", "o", LINEAR },
    { "h.%.mlp.fc_in", "up", LINEAR },
    { "h.%.mlp.fc_out", "down", LINEAR },
    /* BERT, RoBERTa */
    { "layer.%.attention.self.query", "q", LINEAR },
    { "layer.%.attention.self.key", "k", LINEAR },
    { "layer.%.attention.self.value", "v", LINEAR },
    { "layer.%.attention.output.dense", "o", LINEAR },
    { "layer.%.intermediate.dense", "up", LINEAR },
    { "layer.%.output.dense", "down", LINEAR },
    { "embeddings.word_embeddings", "embedding", EMBEDDING },
    { "embeddings.position_embeddings", "position", EMBEDDING },
    { "embeddings.token_type_embeddings", "embedding", EMBEDDING },
    { "word_embeddings", "embedding", EMBEDDING }, /* BLOOM, Falcon */
    { "pooler.dense", "other", OUTSIDE },
    /* T5 */
    { "block.%.layer.#.SelfAttention.q", "q", LINEAR },
    { "block.%.layer.#.SelfAttention.k", "k", LINEAR },
    { "block.%.layer.#.SelfAttention.v", "v", LINEAR },
    { "block.%.layer.#.SelfAttention.o", "o", LINEAR },
    { "block.%.layer.#.EncDecAttention.q", "q", LINEAR },
    { "block.%.layer.#.EncDecAttention.k", "k", LINEAR },
    { "block.%.layer.#.EncDecAttention.v", "v", LINEAR },
    { "block.%.layer.#.EncDecAttention.o", "o", LINEAR },
    { "block.%.layer.#.DenseReluDense.wi", "up", LINEAR },
    { "block.%.layer.#.DenseReluDense.wi_0", "gate", LINEAR },
    { "block.%.layer.#.DenseReluDense.wi_1", "up", LINEAR },
    { "block.%.layer.#.DenseReluDense.wo", "down", LINEAR },
    { "shared", "embedding", EMBEDDING },
    /* GGUF files of an architecture whose checkpoint's names are not known */
    { "blk.%.attn_q", "q", LINEAR },
    { "blk.%.attn_k", "k", LINEAR },
    { "blk.%.attn_v", "v", LINEAR },
    { "blk.%.attn_qkv", "qkv", LINEAR },
    { "blk.%.attn_output", "o", LINEAR },
    { "blk.%.ffn_gate", "gate", LINEAR },
    { "blk.%.ffn_up", "up", LINEAR },
    { "blk.%.ffn_down", "down", LINEAR },
    { "blk.%.ffn_gate_exps.#", "gate", LINEAR },
    { "blk.%.ffn_up_exps.#", "up", LINEAR },
    { "blk.%.ffn_down_exps.#", "down", LINEAR },
    { "token_embd", "embedding", EMBEDDING },
    { "position_embd", "position", EMBEDDING },
};
enum { NAMES = sizeof names / sizeof *names };

/* What contains numbered blocks. */
static const char *const containers[] = { "layers", "h", "layer", "blocks", "block", "blk" };
enum { CONTAINERS = sizeof containers / sizeof *containers };

/* Does pattern match all of s[0..n)? */
static bool matches(const char *pattern, const char *s, size_t n)
{
    const char *end = s + n;
    for (; *pattern; pattern++) {
        if (*pattern != '%' && *pattern != '#') {
            if (s == end || *s++ != *pattern)
                return false;
            continue;
        }
        const char *first = s;
        while (s < end && isdigit((unsigned char)*s))
            s++;
        if (s == first)
            return false;
    }
    return s == end;
}

/* The row whose pattern ends name[0..n), or NAMES. */
static size_t find(const char *name, size_t n)
{
    for (size_t row = 0; row < NAMES; row++)
        for (size_t i = 0; i < n; i++)
            if ((i == 0 || name[i - 1] == '.') && matches(names[row].pattern, name + i, n - i))
                return row;
    return NAMES;
}

static bool is_container(const char *s, size_t n)
{
    for (size_t k = 0; k < CONTAINERS; k++)
        if (strlen(containers[k]) == n && memcmp(containers[k], s, n) == 0)
            return true;
    return false;
}

/* The number after the first container: 7 in "model.layers.7.mlp.up_proj.weight", else -1. */
static int layer_number(const char *name)
{
    for (const char *part = name; part; part = strchr(part, '.')) {
        part += *part == '.';
        const size_t n = strcspn(part, ".");
        if (!part[n] || !is_container(part, n))
            continue;
        long layer = 0;
        const char *s = part + n + 1;
        for (; isdigit((unsigned char)*s) && layer < INT_MAX / 10; s++)
            layer = 10 * layer + (*s - '0');
        if (s > part + n + 1 && (*s == '.' || !*s))
            return (int)layer;
    }
    return -1;
}

static bool ends_with(const char *s, size_t n, const char *end)
{
    const size_t k = strlen(end);
    return n >= k && memcmp(s + n - k, end, k) == 0;
}

/* The module is named "...norm...", "ln_f", "ln1": name[0..n) is without ".weight". */
static bool is_norm(const char *name, size_t n)
{
    size_t first = n;
    while (first && name[first - 1] != '.')
        first--;
    const char *s = name + first;
    n -= first;
    for (size_t i = 0; i + 4 <= n; i++)
        if (strncasecmp(s + i, "norm", 4) == 0)
            return true;
    return n >= 2 && s[0] == 'l' && s[1] == 'n' &&
           (n == 2 || s[2] == '_' || isdigit((unsigned char)s[2]));
}

/* The families whose layers of these names are Conv1D; the names alone mean it when nothing else is
 * known.  (GPT-BigCode and Qwen's first version took the names and made the layers linear.) */
static bool stores_conv1d(const char *architecture)
{
    static const char *const families[] = { "unknown",  "gpt2", "openai-gpt",
                                            "imagegpt", "jais", "decision_transformer" };
    for (size_t k = 0; architecture && k < sizeof families / sizeof *families; k++)
        if (strcmp(architecture, families[k]) == 0)
            return true;
    return !architecture;
}

rsd_role rsd_role_of(const char *architecture, const char *tensor_name)
{
    rsd_role role = { .role = "other", .layer = layer_number(tensor_name) };
    size_t n = strlen(tensor_name);
    if (ends_with(tensor_name, n, ".bias") || ends_with(tensor_name, n, ".beta")) {
        role.role = "bias";
        return role;
    }
    if (ends_with(tensor_name, n, ".gamma")) {
        role.role = "norm"; /* the old names of LayerNorm's two vectors */
        return role;
    }
    if (!ends_with(tensor_name, n, ".weight"))
        return role;
    n -= strlen(".weight");
    const size_t row = find(tensor_name, n);
    if (row < NAMES) {
        role.role = names[row].role;
        role.linear = names[row].kind == LINEAR || names[row].kind == CONV1D;
        role.embedding = names[row].kind == EMBEDDING;
        role.conv1d = names[row].kind == CONV1D;
        role.transposed = role.conv1d && stores_conv1d(architecture);
    } else if (is_norm(tensor_name, n)) {
        role.role = "norm";
    }
    return role;
}

const char *rsd_role_architecture(const char *tensor_name)
{
    if (strstr(tensor_name, ".attn.attention."))
        return "gpt_neo";
    return NULL;
}
