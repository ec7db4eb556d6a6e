#include "io/gguf/names.h"

#include "alloc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Llama and what shares its names. */
/* clang-format off */
static const rsd_gguf_row llama[] = {
    { "token_embd", "model.embed_tokens", 0, 0 },
    { "output", "lm_head", 0, 0 },
    { "blk.%.attn_v", "model.layers.%.self_attn.v_proj", 0, 0 },
    { "blk.%.attn_output", "model.layers.%.self_attn.o_proj", 0, 0 },
    { "blk.%.ffn_gate", "model.layers.%.mlp.gate_proj", 0, 0 },
    { "blk.%.ffn_up", "model.layers.%.mlp.up_proj", 0, 0 },
    { "blk.%.ffn_down", "model.layers.%.mlp.down_proj", 0, 0 },
    { 0 },
};
/* clang-format on */
/* clang-format off */
static const rsd_gguf_row rotary[] = {
    { "blk.%.attn_q", "model.layers.%.self_attn.q_proj", RSD_ROWS_ROTARY_Q, 0 },
    { "blk.%.attn_k", "model.layers.%.self_attn.k_proj", RSD_ROWS_ROTARY_K, 0 },
    { 0 },
};
/* clang-format on */
/* clang-format off */
static const rsd_gguf_row halves[] = {
    { "blk.%.attn_q", "model.layers.%.self_attn.q_proj", 0, 0 },
    { "blk.%.attn_k", "model.layers.%.self_attn.k_proj", 0, 0 },
    { "blk.%.attn_q_norm", "model.layers.%.self_attn.q_norm", 0, 0 },
    { "blk.%.attn_k_norm", "model.layers.%.self_attn.k_norm", 0, 0 },
    { 0 },
};
/* clang-format on */
/* Not for Gemma, whose norms the converter stores plus one. */
/* clang-format off */
static const rsd_gguf_row norms[] = {
    { "blk.%.attn_norm", "model.layers.%.input_layernorm", 0, 0 },
    { "blk.%.ffn_norm", "model.layers.%.post_attention_layernorm", 0, 0 },
    { "output_norm", "model.norm", 0, 0 },
    { 0 },
};
/* clang-format on */

/* Mixtures of experts. */
/* clang-format off */
static const rsd_gguf_row mixtral[] = {
    { "blk.%.ffn_gate_inp", "model.layers.%.block_sparse_moe.gate", 0, 0 },
    { "blk.%.ffn_gate_exps", "model.layers.%.block_sparse_moe.experts.#.w1", 0, 0 },
    { "blk.%.ffn_up_exps", "model.layers.%.block_sparse_moe.experts.#.w3", 0, 0 },
    { "blk.%.ffn_down_exps", "model.layers.%.block_sparse_moe.experts.#.w2", 0, 0 },
    { 0 },
};
/* clang-format on */
/* clang-format off */
static const rsd_gguf_row qwen_experts[] = {
    { "blk.%.ffn_gate_inp", "model.layers.%.mlp.gate", 0, 0 },
    { "blk.%.ffn_gate_exps", "model.layers.%.mlp.experts.#.gate_proj", 0, 0 },
    { "blk.%.ffn_up_exps", "model.layers.%.mlp.experts.#.up_proj", 0, 0 },
    { "blk.%.ffn_down_exps", "model.layers.%.mlp.experts.#.down_proj", 0, 0 },
    { "blk.%.ffn_gate_inp_shexp", "model.layers.%.mlp.shared_expert_gate", 0, 0 },
    { "blk.%.ffn_gate_shexp", "model.layers.%.mlp.shared_expert.gate_proj", 0, 0 },
    { "blk.%.ffn_up_shexp", "model.layers.%.mlp.shared_expert.up_proj", 0, 0 },
    { "blk.%.ffn_down_shexp", "model.layers.%.mlp.shared_expert.down_proj", 0, 0 },
    { 0 },
};
/* clang-format on */

/* clang-format off */
static const rsd_gguf_row phi2[] = {
    { "token_embd", "model.embed_tokens", 0, 0 },
    { "output", "lm_head", 0, 0 },
    { "output_norm", "model.final_layernorm", 0, 0 },
    { "blk.%.attn_norm", "model.layers.%.input_layernorm", 0, 0 },
    { "blk.%.attn_v", "model.layers.%.self_attn.v_proj", 0, 0 },
    { "blk.%.attn_output", "model.layers.%.self_attn.dense", 0, 0 },
    { "blk.%.ffn_up", "model.layers.%.mlp.fc1", 0, 0 },
    { "blk.%.ffn_down", "model.layers.%.mlp.fc2", 0, 0 },
    { 0 },
};
/* clang-format on */
/* clang-format off */
static const rsd_gguf_row phi3[] = {
    { "token_embd", "model.embed_tokens", 0, 0 },
    { "output", "lm_head", 0, 0 },
    { "blk.%.attn_qkv", "model.layers.%.self_attn.qkv_proj", 0, 0 },
    { "blk.%.attn_output", "model.layers.%.self_attn.o_proj", 0, 0 },
    { "blk.%.ffn_up", "model.layers.%.mlp.gate_up_proj", 0, 0 },
    { "blk.%.ffn_down", "model.layers.%.mlp.down_proj", 0, 0 },
    { 0 },
};
/* clang-format on */

/* clang-format off */
static const rsd_gguf_row gpt2[] = {
    { "token_embd", "transformer.wte", 0, 0 },
    { "position_embd", "transformer.wpe", 0, 0 },
    { "output", "lm_head", 0, 0 },
    { "output_norm", "transformer.ln_f", 0, 0 },
    { "blk.%.attn_norm", "transformer.h.%.ln_1", 0, 0 },
    { "blk.%.ffn_norm", "transformer.h.%.ln_2", 0, 0 },
    { "blk.%.attn_qkv", "transformer.h.%.attn.c_attn", 0, true },
    { "blk.%.attn_output", "transformer.h.%.attn.c_proj", 0, true },
    { "blk.%.ffn_up", "transformer.h.%.mlp.c_fc", 0, true },
    { "blk.%.ffn_down", "transformer.h.%.mlp.c_proj", 0, true },
    { 0 },
};
/* clang-format on */
/* clang-format off */
static const rsd_gguf_row gpt_neox[] = {
    { "token_embd", "gpt_neox.embed_in", 0, 0 },
    { "output", "embed_out", 0, 0 },
    { "output_norm", "gpt_neox.final_layer_norm", 0, 0 },
    { "blk.%.attn_norm", "gpt_neox.layers.%.input_layernorm", 0, 0 },
    { "blk.%.ffn_norm", "gpt_neox.layers.%.post_attention_layernorm", 0, 0 },
    { "blk.%.attn_qkv", "gpt_neox.layers.%.attention.query_key_value", RSD_ROWS_QKV, 0 },
    { "blk.%.attn_output", "gpt_neox.layers.%.attention.dense", 0, 0 },
    { "blk.%.ffn_up", "gpt_neox.layers.%.mlp.dense_h_to_4h", 0, 0 },
    { "blk.%.ffn_down", "gpt_neox.layers.%.mlp.dense_4h_to_h", 0, 0 },
    { 0 },
};
/* clang-format on */
/* clang-format off */
static const rsd_gguf_row bloom[] = {
    { "token_embd", "transformer.word_embeddings", 0, 0 },
    { "token_embd_norm", "transformer.word_embeddings_layernorm", 0, 0 },
    { "output", "lm_head", 0, 0 },
    { "output_norm", "transformer.ln_f", 0, 0 },
    { "blk.%.attn_norm", "transformer.h.%.input_layernorm", 0, 0 },
    { "blk.%.ffn_norm", "transformer.h.%.post_attention_layernorm", 0, 0 },
    { "blk.%.attn_qkv", "transformer.h.%.self_attention.query_key_value", RSD_ROWS_QKV, 0 },
    { "blk.%.attn_output", "transformer.h.%.self_attention.dense", 0, 0 },
    { "blk.%.ffn_up", "transformer.h.%.mlp.dense_h_to_4h", 0, 0 },
    { "blk.%.ffn_down", "transformer.h.%.mlp.dense_4h_to_h", 0, 0 },
    { 0 },
};
/* clang-format on */

/* Of any other architecture only the experts are renamed: one matrix each. */
/* clang-format off */
static const rsd_gguf_row experts[] = {
    { "blk.%.ffn_gate_exps", "blk.%.ffn_gate_exps.#", 0, 0 },
    { "blk.%.ffn_up_exps", "blk.%.ffn_up_exps.#", 0, 0 },
    { "blk.%.ffn_down_exps", "blk.%.ffn_down_exps.#", 0, 0 },
    { 0 },
};
/* clang-format on */

static const rsd_gguf_arch archs[] = {
    { "llama", "llama", { llama, rotary, norms, mixtral } }, /* Mistral and Mixtral too */
    { "qwen2", "qwen2", { llama, halves, norms } },
    { "qwen2moe", "qwen2_moe", { llama, halves, norms, qwen_experts } },
    { "qwen3", "qwen3", { llama, halves, norms } },
    { "qwen3moe", "qwen3_moe", { llama, halves, norms, qwen_experts } },
    { "gemma", "gemma", { llama, halves } },
    { "gemma2", "gemma2", { llama, halves } },
    { "gemma3", "gemma3_text", { llama, halves } },
    { "phi2", "phi", { phi2, halves } },
    { "phi3", "phi3", { phi3, norms } },
    { "gpt2", "gpt2", { gpt2 } },
    { "gptneox", "gpt_neox", { gpt_neox } },
    { "bloom", "bloom", { bloom } },
};
static const rsd_gguf_arch unknown = { "", "", { experts } };

const rsd_gguf_arch *rsd_gguf_arch_find(const char *name, size_t n)
{
    for (size_t i = 0; i < sizeof archs / sizeof *archs; i++)
        if (strlen(archs[i].gguf) == n && memcmp(archs[i].gguf, name, n) == 0)
            return &archs[i];
    return NULL;
}

/* Where .weight or .bias begins; the end where there is neither. */
static size_t stem(const char *tensor)
{
    const char *dot = strrchr(tensor, '.');
    return dot && (strcmp(dot, ".weight") == 0 || strcmp(dot, ".bias") == 0)
               ? (size_t)(dot - tensor)
               : strlen(tensor);
}

/* Does pattern match tensor[0..n)?  *number, *digits: what stands for %. */
static bool matches(const char *pattern, const char *tensor, size_t n, const char **number,
                    size_t *digits)
{
    const char *end = tensor + n;
    *number = "";
    *digits = 0;
    for (; *pattern; pattern++) {
        if (*pattern != '%') {
            if (tensor == end || *tensor++ != *pattern)
                return false;
            continue;
        }
        *number = tensor;
        while (tensor < end && isdigit((unsigned char)*tensor))
            tensor++;
        *digits = (size_t)(tensor - *number);
        if (!*digits)
            return false;
    }
    return tensor == end;
}

const rsd_gguf_row *rsd_gguf_row_find(const rsd_gguf_arch *arch, const char *tensor)
{
    const char *number;
    size_t digits;
    const size_t n = stem(tensor);
    if (!arch)
        arch = &unknown;
    for (size_t t = 0; t < RSD_GGUF_TABLES && arch->table[t]; t++)
        for (const rsd_gguf_row *row = arch->table[t]; row->gguf; row++)
            if (matches(row->gguf, tensor, n, &number, &digits))
                return row;
    return NULL;
}

int rsd_gguf_rename(const rsd_gguf_row *row, const char *tensor, size_t expert, char **out)
{
    const char *number, *percent = strchr(row->name, '%'), *hash = strchr(row->name, '#');
    size_t digits;
    const size_t n = stem(tensor);
    matches(row->gguf, tensor, n, &number, &digits);
    if (!percent)
        return rsd_format(out, "%s%s", row->name, tensor + n);
    const int before = (int)(percent - row->name);
    if (!hash)
        return rsd_format(out, "%.*s%.*s%s%s", before, row->name, (int)digits, number, percent + 1,
                          tensor + n);
    return rsd_format(out, "%.*s%.*s%.*s%zu%s%s", before, row->name, (int)digits, number,
                      (int)(hash - percent - 1), percent + 1, expert, hash + 1, tensor + n);
}
