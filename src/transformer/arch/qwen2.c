/* Qwen2: Llama with biases of q, k and v. */
#include "transformer/arch.h"

static int configure(rsd_config *c, rsd_shape *s)
{
    static const rsd_bias_rule none = { RSD_BIAS_NONE, "a qwen2 has biases on q, k and v alone" };
    bool slides = false;
    size_t window = 4096, first = 28; /* where the keys are missing */
    RSD_TRY(rsd_arch_read_llama(c, s));
    RSD_TRY(rsd_arch_require(c, "attention_bias", true, true));
    RSD_TRY(rsd_arch_require(c, "mlp_bias", false, false));
    s->o_bias = s->mlp_bias = none;
    RSD_TRY(rsd_config_flag(c, "use_sliding_window", &slides));
    RSD_TRY(rsd_config_size(c, "sliding_window", 0, 1 << 24, &window));
    RSD_TRY(rsd_config_size(c, "max_window_layers", 0, 1 << 16, &first));
    if (rsd_config_is_null(c, "sliding_window"))
        window = 0;
    return rsd_arch_read_windows(c, s, slides ? window : 0, first);
}

const rsd_arch rsd_arch_qwen2 = {
    .name = "qwen2",
    .summary = "Llama with biases on queries, keys and values; sliding window in its last layers",
    .reference = "Yang et al., arXiv:2407.10671",
    .norm1 = "layers.%.input_layernorm",
    .norm2 = "layers.%.post_attention_layernorm",
    .final_norm = "norm",
    .configure = configure,
};
