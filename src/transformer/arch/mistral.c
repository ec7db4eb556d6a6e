/* Mistral: Llama, for contexts that its sliding window does not cut. */
#include "transformer/arch.h"

static int configure(rsd_config *c, rsd_shape *s)
{
    static const rsd_bias_rule none = { RSD_BIAS_NONE, "a mistral has none" };
    size_t window = 4096; /* where the key is missing; null is none */
    RSD_TRY(rsd_arch_read_llama(c, s));
    RSD_TRY(rsd_arch_require(c, "attention_bias", false, false));
    RSD_TRY(rsd_arch_require(c, "mlp_bias", false, false));
    s->qkv_bias = s->o_bias = s->mlp_bias = none;
    if (rsd_config_is_null(c, "sliding_window"))
        window = 0;
    RSD_TRY(rsd_config_size(c, "sliding_window", 1, 1 << 24, &window));
    return rsd_arch_read_windows(c, s, window, 0);
}

const rsd_arch rsd_arch_mistral = {
    .name = "mistral",
    .summary = "Llama; sliding window",
    .reference = "Jiang et al., arXiv:2310.06825",
    .norm1 = "layers.%.input_layernorm",
    .norm2 = "layers.%.post_attention_layernorm",
    .final_norm = "norm",
    .configure = configure,
};
