/* GPT-2: learned positions, one matrix for q, k and v, stored in x out. */
#include "transformer/arch.h"

#include <math.h>

/* The names that other architectures have for GPT-2's sizes are allowed where they agree. */
static int read_other_names(rsd_config *c, const rsd_shape *s)
{
    const struct {
        const char *key;
        size_t is;
    } names[] = { { "hidden_size", s->width },
                  { "num_hidden_layers", s->layers },
                  { "num_attention_heads", s->heads },
                  { "max_position_embeddings", s->context } };
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        size_t value = names[k].is;
        RSD_TRY(rsd_config_size(c, names[k].key, 0, 1 << 24, &value));
        if (value != names[k].is)
            return RSD_FAIL(RSD_EFORMAT, "config.json: %s is %zu, but GPT-2's own key says %zu",
                            names[k].key, value, names[k].is);
    }
    return RSD_OK;
}

static int configure(rsd_config *c, rsd_shape *s)
{
    bool upcast = false;
    RSD_TRY(rsd_config_size(c, "n_embd", 1, 1 << 20, &s->width));
    RSD_TRY(rsd_config_size(c, "n_layer", 1, RSD_LAYERS_MAX, &s->layers));
    RSD_TRY(rsd_config_size(c, "n_head", 1, 1 << 16, &s->heads));
    RSD_TRY(rsd_config_size(c, "vocab_size", 1, 1 << 28, &s->vocab));
    RSD_TRY(rsd_config_size(c, "n_positions", 1, 1 << 24, &s->context));
    s->hidden = 4 * s->width;
    s->kv_heads = s->heads;
    s->head_size = s->heads ? s->width / s->heads : 0;
    s->norm_eps = 1e-5;
    s->tied = true;
    s->positions = true;
    s->qkv = RSD_QKV_BLOCKS;
    RSD_TRY(rsd_config_size(c, "n_inner", 1, 1 << 24, &s->hidden));
    RSD_TRY(rsd_config_real(c, "layer_norm_epsilon", &s->norm_eps));
    RSD_TRY(rsd_config_flag(c, "tie_word_embeddings", &s->tied));
    RSD_TRY(rsd_arch_read_activation(c, "activation_function", "gelu_new", &s->activation));
    RSD_TRY(rsd_arch_require(c, "scale_attn_weights", true, true));
    RSD_TRY(rsd_arch_require(c, "scale_attn_by_inverse_layer_idx", false, false));
    RSD_TRY(rsd_arch_require(c, "add_cross_attention", false, false));
    RSD_TRY(rsd_config_flag(c, "reorder_and_upcast_attn", &upcast)); /* rounding only */
    RSD_TRY(read_other_names(c, s));
    s->attention_scale = 1 / sqrt((double)s->head_size);
    return rsd_arch_read_windows(c, s, 0, 0);
}

const rsd_arch rsd_arch_gpt2 = {
    .name = "gpt2",
    .summary = "LayerNorm, learned positions, tanh GELU, tied head",
    .reference = "Radford et al., Language models are unsupervised multitask learners, 2019",
    .norm1 = "h.%.ln_1",
    .norm2 = "h.%.ln_2",
    .final_norm = "ln_f",
    .configure = configure,
};
