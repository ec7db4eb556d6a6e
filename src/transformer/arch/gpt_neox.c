/* GPT-NeoX (Pythia): rotary in a part of each head, attention and MLP side by side. */
#include "transformer/arch.h"

#include <math.h>

static int configure(rsd_config *c, rsd_shape *s)
{
    double share = 0.25;
    RSD_TRY(rsd_arch_read_sizes(c, s));
    s->kv_heads = s->heads;
    s->head_size = s->heads ? s->width / s->heads : 0;
    s->norm_eps = 1e-5;
    s->parallel = true;
    s->qkv = RSD_QKV_HEADS;
    RSD_TRY(rsd_config_real(c, "layer_norm_eps", &s->norm_eps));
    RSD_TRY(rsd_config_flag(c, "use_parallel_residual", &s->parallel));
    RSD_TRY(rsd_config_flag(c, "tie_word_embeddings", &s->tied));
    RSD_TRY(rsd_arch_read_bias(c, "attention_bias", "attention_bias is true",
                               "attention_bias is false", &s->qkv_bias));
    s->o_bias = s->qkv_bias;
    RSD_TRY(rsd_arch_read_activation(c, "hidden_act", "gelu", &s->activation));
    RSD_TRY(rsd_config_real(c, "rotary_pct", &share));
    RSD_TRY(rsd_config_real(c, "partial_rotary_factor", &share));
    RSD_TRY(rsd_config_real(c, "rope_parameters.partial_rotary_factor", &share));
    if (!(share >= 0 && share <= 1))
        return RSD_FAIL(RSD_EFORMAT, "config.json: rotary_pct is %g, not a share", share);
    s->attention_scale = 1 / sqrt((double)s->head_size);
    const size_t dims = (size_t)((double)s->head_size * share);
    RSD_TRY(rsd_config_real(c, "rotary_emb_base", &s->rotary.theta));
    RSD_TRY(rsd_arch_read_windows(c, s, 0, 0));
    return rsd_arch_read_rope(c, dims, s->context, &s->rotary);
}

const rsd_arch rsd_arch_gpt_neox = {
    .name = "gpt_neox",
    .summary = "Pythia: parallel residual, partial rotary positions",
    .reference = "Black et al., arXiv:2204.06745; Biderman et al., arXiv:2304.01373",
    .norm1 = "layers.%.input_layernorm",
    .norm2 = "layers.%.post_attention_layernorm",
    .final_norm = "final_layer_norm",
    .configure = configure,
};
