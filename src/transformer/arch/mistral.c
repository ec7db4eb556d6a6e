#include "transformer/arch.h"

/* The sliding window is not implemented: contexts up to its size do not feel it. */
static int configure(rsd_config *c, rsd_shape *s)
{
    RSD_TRY(rsd_arch_read_llama(c, s));
    size_t window = s->context;
    RSD_TRY(rsd_config_size(c, "sliding_window", 1, 1 << 24, &window));
    if (window < s->context)
        s->context = window;
    return RSD_OK;
}

const rsd_arch rsd_arch_mistral = {
    .name = "mistral",
    .summary = "Llama; contexts up to the size of its sliding window",
    .source = "Jiang et al., arXiv:2310.06825",
    .norm1 = "layers.%.input_layernorm",
    .norm2 = "layers.%.post_attention_layernorm",
    .final_norm = "norm",
    .configure = configure,
};
