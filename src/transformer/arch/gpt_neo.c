/* GPT-Neo: learned positions, no scale in attention, layers that see a window. */
#include "transformer/arch.h"

#include <string.h>

/* Which layers are local: attention_layers, or the pairs of attention_types. */
static int read_layers(rsd_config *c, rsd_shape *s)
{
    const char *kinds[RSD_LAYERS_MAX];
    bool found, other;
    RSD_TRY(rsd_config_texts(c, "attention_types", s->layers, kinds, &found));
    RSD_TRY(rsd_config_texts(c, "attention_layers", s->layers, kinds, &other));
    if (!found && !other)
        return RSD_FAIL(RSD_EFORMAT, "config.json: attention_types is missing");
    for (size_t i = 0; i < s->layers; i++) {
        s->local[i] = strcmp(kinds[i], "local") == 0;
        if (!s->local[i] && strcmp(kinds[i], "global") != 0)
            return RSD_FAIL(RSD_EFORMAT,
                            "config.json: attention '%s' of layer %zu; global and "
                            "local are implemented",
                            kinds[i], i);
    }
    return RSD_OK;
}

static int configure(rsd_config *c, rsd_shape *s)
{
    RSD_TRY(rsd_config_size(c, "hidden_size", 1, 1 << 20, &s->width));
    RSD_TRY(rsd_config_size(c, "num_layers", 1, RSD_LAYERS_MAX, &s->layers));
    RSD_TRY(rsd_config_size(c, "num_heads", 1, 1 << 16, &s->heads));
    RSD_TRY(rsd_config_size(c, "vocab_size", 1, 1 << 28, &s->vocab));
    RSD_TRY(rsd_config_size(c, "max_position_embeddings", 1, 1 << 24, &s->context));
    s->hidden = 4 * s->width;
    s->kv_heads = s->heads;
    s->head_size = s->heads ? s->width / s->heads : 0;
    s->norm_eps = 1e-5;
    s->tied = true;
    s->positions = true;
    s->window = 256;
    s->attention_scale = 1; /* its scores are not scaled */
    s->qkv_bias = (rsd_bias_rule){ RSD_BIAS_NONE, "a gpt_neo has none on q, k and v" };
    RSD_TRY(rsd_config_size(c, "intermediate_size", 1, 1 << 24, &s->hidden));
    RSD_TRY(rsd_config_size(c, "window_size", 1, 1 << 24, &s->window));
    RSD_TRY(rsd_config_real(c, "layer_norm_epsilon", &s->norm_eps));
    RSD_TRY(rsd_config_flag(c, "tie_word_embeddings", &s->tied));
    RSD_TRY(rsd_arch_read_activation(c, "activation_function", "gelu_new", &s->activation));
    RSD_TRY(rsd_arch_read_windows(c, s, 0, 0));
    return read_layers(c, s);
}

const rsd_arch rsd_arch_gpt_neo = {
    .name = "gpt_neo",
    .summary = "GPT-2 with alternating local attention, scores not scaled (TinyStories)",
    .reference = "Black et al., GPT-Neo, doi:10.5281/zenodo.5297715",
    .norm1 = "h.%.ln_1",
    .norm2 = "h.%.ln_2",
    .final_norm = "ln_f",
    .configure = configure,
};
