/* Roles from tensor names, family by family. */
#include "test.h"

#include "err.h"
#include "io/model/roles.h"

/* What a name must give: role, layer, and L linear, E embedding, T turned. */
static void check_role(const char *architecture, const char *name, const char *role, int layer,
                       const char *flags)
{
    const rsd_role r = rsd_role_of(architecture, name);
    if (strcmp(r.role, role) != 0 || r.layer != layer || r.linear != !!strchr(flags, 'L') ||
        r.embedding != !!strchr(flags, 'E') || r.transposed != !!strchr(flags, 'T'))
        fail_msg("%s '%s': %s layer %d%s%s%s, want %s layer %d %s",
                 architecture ? architecture : "-", name, r.role, r.layer, r.linear ? " L" : "",
                 r.embedding ? " E" : "", r.transposed ? " T" : "", role, layer, flags);
}

static const struct {
    const char *architecture, *name, *role;
    int layer;
    const char *flags;
} roles[] = {
    { "gpt_neox", "gpt_neox.embed_in.weight", "embedding", -1, "E" },
    { "gpt_neox", "embed_out.weight", "head", -1, "E" },
    { "gpt_neox", "gpt_neox.layers.11.attention.query_key_value.weight", "qkv", 11, "L" },
    { "gpt_neox", "gpt_neox.layers.0.attention.dense.weight", "o", 0, "L" },
    { "gpt_neox", "gpt_neox.layers.0.mlp.dense_h_to_4h.weight", "up", 0, "L" },
    { "gpt_neox", "gpt_neox.layers.0.mlp.dense_4h_to_h.weight", "down", 0, "L" },
    { "gpt_neox", "gpt_neox.layers.3.attention.dense.bias", "bias", 3, "" },
    { "gpt_neox", "gpt_neox.layers.3.post_attention_layernorm.weight", "norm", 3, "" },
    { "gpt_neox", "gpt_neox.layers.3.attention.rotary_emb.inv_freq", "other", 3, "" },
    { "gpt_neox", "gpt_neox.final_layer_norm.weight", "norm", -1, "" },

    { "gpt2", "transformer.h.10.attn.c_attn.weight", "qkv", 10, "LT" },
    { "gpt2", "h.10.attn.c_proj.weight", "o", 10, "LT" },
    { "gpt2", "h.2.mlp.c_fc.weight", "up", 2, "LT" },
    { "gpt2", "h.2.mlp.c_proj.weight", "down", 2, "LT" },
    { "gpt2", "h.2.ln_1.weight", "norm", 2, "" },
    { "gpt2", "h.2.ln_1.bias", "bias", 2, "" },
    { "gpt2", "ln_f.weight", "norm", -1, "" },
    { "gpt2", "wte.weight", "embedding", -1, "E" },
    { "gpt2", "transformer.wpe.weight", "position", -1, "E" },
    { "gpt2", "lm_head.weight", "head", -1, "E" },
    { NULL, "h.2.mlp.c_fc.weight", "up", 2, "LT" },
    { "unknown", "h.2.mlp.c_fc.weight", "up", 2, "LT" },
    { "gpt_bigcode", "transformer.h.2.attn.c_attn.weight", "qkv", 2, "L" },

    { "llama", "model.embed_tokens.weight", "embedding", -1, "E" },
    { "llama", "model.layers.7.self_attn.q_proj.weight", "q", 7, "L" },
    { "mistral", "model.layers.7.self_attn.k_proj.weight", "k", 7, "L" },
    { "qwen2", "model.layers.7.self_attn.v_proj.weight", "v", 7, "L" },
    { "qwen3", "model.layers.7.self_attn.o_proj.weight", "o", 7, "L" },
    { "qwen3", "model.layers.7.self_attn.q_norm.weight", "norm", 7, "" },
    { "qwen2", "model.layers.7.self_attn.q_proj.bias", "bias", 7, "" },
    { "llama", "model.layers.123.mlp.gate_proj.weight", "gate", 123, "L" },
    { "llama", "model.layers.123.mlp.up_proj.weight", "up", 123, "L" },
    { "llama", "model.layers.123.mlp.down_proj.weight", "down", 123, "L" },
    { "llama", "model.norm.weight", "norm", -1, "" },
    { NULL, "layers.0.self_attn.q_proj.weight", "q", 0, "L" },
    { "qwen2_moe", "model.layers.1.mlp.experts.59.up_proj.weight", "up", 1, "L" },
    { "qwen2_moe", "model.layers.1.mlp.shared_expert.down_proj.weight", "down", 1, "L" },
    { "mixtral", "model.layers.1.block_sparse_moe.experts.7.w2.weight", "down", 1, "L" },
    { "mixtral", "model.layers.1.block_sparse_moe.gate.weight", "other", 1, "" },
    { "phi3", "model.layers.1.self_attn.qkv_proj.weight", "qkv", 1, "L" },

    { "gpt_neo", "transformer.h.4.attn.attention.q_proj.weight", "q", 4, "L" },
    { "gpt_neo", "transformer.h.4.attn.attention.k_proj.weight", "k", 4, "L" },
    { "gpt_neo", "transformer.h.4.attn.attention.v_proj.weight", "v", 4, "L" },
    { "gpt_neo", "transformer.h.4.attn.attention.out_proj.weight", "o", 4, "L" },
    { "gpt_neo", "transformer.h.4.mlp.c_fc.weight", "up", 4, "L" },
    { "gpt_neo", "transformer.h.4.mlp.c_proj.weight", "down", 4, "L" },

    { "opt", "model.decoder.embed_tokens.weight", "embedding", -1, "E" },
    { "opt", "model.decoder.embed_positions.weight", "position", -1, "E" },
    { "opt", "model.decoder.project_in.weight", "other", -1, "" },
    { "opt", "decoder.layers.5.self_attn.out_proj.weight", "o", 5, "L" },
    { "opt", "model.decoder.layers.5.self_attn.q_proj.weight", "q", 5, "L" },
    { "opt", "model.decoder.layers.5.fc1.weight", "up", 5, "L" },
    { "opt", "model.decoder.layers.5.fc2.weight", "down", 5, "L" },
    { "opt", "model.decoder.layers.5.final_layer_norm.weight", "norm", 5, "" },

    { "bert", "bert.embeddings.word_embeddings.weight", "embedding", -1, "E" },
    { "bert", "bert.embeddings.position_embeddings.weight", "position", -1, "E" },
    { "bert", "embeddings.token_type_embeddings.weight", "embedding", -1, "E" },
    { "bert", "bert.embeddings.LayerNorm.gamma", "norm", -1, "" },
    { "bert", "bert.embeddings.LayerNorm.beta", "bias", -1, "" },
    { "bert", "bert.encoder.layer.9.attention.self.query.weight", "q", 9, "L" },
    { "bert", "bert.encoder.layer.9.attention.self.key.weight", "k", 9, "L" },
    { "bert", "bert.encoder.layer.9.attention.self.value.weight", "v", 9, "L" },
    { "bert", "bert.encoder.layer.9.attention.output.dense.weight", "o", 9, "L" },
    { "bert", "bert.encoder.layer.9.intermediate.dense.weight", "up", 9, "L" },
    { "bert", "bert.encoder.layer.9.output.dense.weight", "down", 9, "L" },
    { "bert", "bert.pooler.dense.weight", "other", -1, "" },

    { "bloom", "transformer.word_embeddings.weight", "embedding", -1, "E" },
    { "falcon", "transformer.h.3.self_attention.query_key_value.weight", "qkv", 3, "L" },
    { "gptj", "transformer.h.3.mlp.fc_in.weight", "up", 3, "L" },
    { "t5", "encoder.block.3.layer.0.SelfAttention.q.weight", "q", 3, "L" },
    { "t5", "decoder.block.3.layer.2.DenseReluDense.wi_0.weight", "gate", 3, "L" },

    { NULL, "", "other", -1, "" },
    { NULL, ".weight", "other", -1, "" },
    { NULL, "backbone.layers.7.mixer.in_proj.weight", "other", 7, "" },
    { NULL, "layers.7", "other", 7, "" },
    { NULL, "layers.7x.weight", "other", -1, "" },
    { NULL, "layers..weight", "other", -1, "" },
    { NULL, "h.99999999999999999999.w", "other", -1, "" },
    { NULL, "mylayers.7.self_attn.q_proj.weight", "other", -1, "" },
    { NULL, "xwte.weight", "other", -1, "" },
    { NULL, "model.layers.7.self_attn.q_proj.weight.extra", "other", 7, "" },
    { NULL, "model.layers.7.self_attn.q_proj", "other", 7, "" },
};

static void roles_of_every_family(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        check_role(roles[i].architecture, roles[i].name, roles[i].role, roles[i].layer,
                   roles[i].flags);
    assert_string_equal(rsd_role_architecture("h.0.attn.attention.k_proj.weight"), "gpt_neo");
    assert_null(rsd_role_architecture("h.0.attn.c_attn.weight"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roles_of_every_family),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
