#include "transformer/arch.h"

static int configure(rsd_config *c, rsd_shape *s)
{
    size_t ignored = 0;
    RSD_TRY(rsd_arch_read_llama(c, s));
    RSD_TRY(rsd_arch_require(c, "use_sliding_window", false, false));
    RSD_TRY(rsd_config_size(c, "sliding_window", 0, 1 << 24, &ignored));  /* not used, then */
    return rsd_config_size(c, "max_window_layers", 0, 1 << 16, &ignored); /* likewise */
}

const rsd_arch rsd_arch_qwen2 = {
    .name = "qwen2",
    .summary = "Llama with biases on queries, keys and values",
    .source = "Yang et al., arXiv:2407.10671",
    .norm1 = "layers.%.input_layernorm",
    .norm2 = "layers.%.post_attention_layernorm",
    .final_norm = "norm",
    .configure = configure,
};
