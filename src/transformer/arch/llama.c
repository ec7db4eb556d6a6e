#include "transformer/arch.h"

#include <math.h>

int rsd_arch_read_llama(rsd_config *c, rsd_shape *s)
{
    bool ignored = false;
    RSD_TRY(rsd_arch_read_sizes(c, s));
    s->kv_heads = s->heads;
    s->head_size = s->heads ? s->width / s->heads : 0;
    s->norm = RSD_NORM_RMS;
    s->norm_eps = 1e-6;
    s->gated = true;
    RSD_TRY(rsd_config_size(c, "num_key_value_heads", 1, 1 << 16, &s->kv_heads));
    RSD_TRY(rsd_config_size(c, "head_dim", 1, 1 << 16, &s->head_size));
    RSD_TRY(rsd_config_real(c, "rms_norm_eps", &s->norm_eps));
    RSD_TRY(rsd_config_flag(c, "tie_word_embeddings", &s->tied));
    RSD_TRY(rsd_arch_read_activation(c, "hidden_act", "silu", &s->activation));
    RSD_TRY(rsd_arch_read_rope(c, s->head_size, s->context, &s->rotary));
    /* biases are there or not in the weights, whatever these say */
    RSD_TRY(rsd_config_flag(c, "attention_bias", &ignored));
    RSD_TRY(rsd_config_flag(c, "mlp_bias", &ignored));
    s->attention_scale = 1 / sqrt((double)s->head_size);
    return RSD_OK;
}

const rsd_arch rsd_arch_llama = {
    .name = "llama",
    .summary = "RMSNorm, rotary positions, grouped-query attention, SwiGLU",
    .source = "Touvron et al., arXiv:2302.13971; Llama 3: arXiv:2407.21783",
    .norm1 = "layers.%.input_layernorm",
    .norm2 = "layers.%.post_attention_layernorm",
    .final_norm = "norm",
    .configure = rsd_arch_read_llama,
};
