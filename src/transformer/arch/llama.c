/* Llama, and what several architectures read as it does. */
#include "transformer/arch.h"

#include <math.h>

int rsd_arch_read_llama(rsd_config *c, rsd_shape *s)
{
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
    s->attention_scale = 1 / sqrt((double)s->head_size);
    return RSD_OK;
}

/* Files older than the two flags have biases or not, as they are stored. */
static int configure(rsd_config *c, rsd_shape *s)
{
    size_t window = 0;
    RSD_TRY(rsd_arch_read_llama(c, s));
    RSD_TRY(rsd_arch_read_bias(c, "attention_bias", "attention_bias is true",
                               "attention_bias is false", &s->qkv_bias));
    RSD_TRY(
        rsd_arch_read_bias(c, "mlp_bias", "mlp_bias is true", "mlp_bias is false", &s->mlp_bias));
    s->o_bias = s->qkv_bias;
    RSD_TRY(rsd_config_size(c, "sliding_window", 0, 1 << 24, &window));
    if (window && window < s->context)
        return RSD_FAIL(RSD_EFORMAT,
                        "config.json: sliding_window is %zu, but a llama attends to all %zu "
                        "positions; as a mistral it is implemented",
                        window, s->context);
    return rsd_arch_read_windows(c, s, 0, 0);
}

const rsd_arch rsd_arch_llama = {
    .name = "llama",
    .summary = "RMSNorm, rotary positions, grouped-query attention, SwiGLU",
    .reference = "Touvron et al., arXiv:2302.13971; Llama 3: arXiv:2407.21783",
    .norm1 = "layers.%.input_layernorm",
    .norm2 = "layers.%.post_attention_layernorm",
    .final_norm = "norm",
    .configure = configure,
};
