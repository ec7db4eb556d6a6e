#include "transformer/arch.h"

#include <stdio.h>
#include <string.h>

#define ENTRY(name) extern const rsd_arch rsd_arch_##name;
#include "transformer/list.h"
#undef ENTRY

const rsd_arch *const rsd_archs[] = {
#define ENTRY(name) &rsd_arch_##name,
#include "transformer/list.h"
#undef ENTRY
    NULL
};

static int unknown(const char *name)
{
    char known[256] = "";
    size_t used = 0;
    for (const rsd_arch *const *a = rsd_archs; *a; a++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                 (*a)->name);
    return RSD_FAIL(RSD_ENOTFOUND, "architecture '%s' has no forward pass here; %s have", name,
                    known);
}

int rsd_arch_read_sizes(rsd_config *c, rsd_shape *s)
{
    RSD_TRY(rsd_config_size(c, "hidden_size", 1, 1 << 20, &s->width));
    RSD_TRY(rsd_config_size(c, "num_hidden_layers", 1, RSD_LAYERS_MAX, &s->layers));
    RSD_TRY(rsd_config_size(c, "num_attention_heads", 1, 1 << 16, &s->heads));
    RSD_TRY(rsd_config_size(c, "intermediate_size", 1, 1 << 24, &s->hidden));
    RSD_TRY(rsd_config_size(c, "vocab_size", 1, 1 << 28, &s->vocab));
    return rsd_config_size(c, "max_position_embeddings", 1, 1 << 24, &s->context);
}

int rsd_arch_read_activation(rsd_config *c, const char *key, const char *otherwise,
                             rsd_activation *out)
{
    const char *name = otherwise;
    RSD_TRY(rsd_config_text(c, key, &name));
    const int err = rsd_activation_find(name, out);
    return err ? rsd_fail_prefix(RSD_EFORMAT, "config.json: %s", key) : RSD_OK;
}

int rsd_arch_require(rsd_config *c, const char *key, bool otherwise, bool value)
{
    bool is = otherwise;
    RSD_TRY(rsd_config_flag(c, key, &is));
    return is == value ? RSD_OK
                       : RSD_FAIL(RSD_EFORMAT, "config.json: %s is %s; only %s is implemented", key,
                                  is ? "true" : "false", value ? "true" : "false");
}

/* The scaling that rope_scaling, or in newer files rope_parameters, asks for. */
static int read_scaling(rsd_config *c, const char *group, rsd_rotary_spec *out)
{
    char key[64];
    const char *type = "default";
    snprintf(key, sizeof key, "%s.type", group);
    RSD_TRY(rsd_config_text(c, key, &type));
    snprintf(key, sizeof key, "%s.rope_type", group);
    RSD_TRY(rsd_config_text(c, key, &type));
    if (strcmp(type, "default") == 0)
        return RSD_OK;
    if (strcmp(type, "linear") != 0 && strcmp(type, "llama3") != 0)
        return RSD_FAIL(RSD_EFORMAT,
                        "config.json: %s of type '%s'; default, linear and llama3 are "
                        "implemented",
                        group, type);
    out->scaling = strcmp(type, "linear") == 0 ? RSD_ROPE_LINEAR : RSD_ROPE_LLAMA3;
    const struct {
        const char *name;
        double *value;
    } numbers[] = { { "factor", &out->factor },
                    { "low_freq_factor", &out->low_freq },
                    { "high_freq_factor", &out->high_freq },
                    { "original_max_position_embeddings", &out->original } };
    for (size_t i = 0; i < (out->scaling == RSD_ROPE_LINEAR ? 1 : 4); i++) {
        snprintf(key, sizeof key, "%s.%s", group, numbers[i].name);
        if (!rsd_config_has(c, key))
            return RSD_FAIL(RSD_EFORMAT, "config.json: %s is missing", key);
        RSD_TRY(rsd_config_real(c, key, numbers[i].value));
    }
    return RSD_OK;
}

int rsd_arch_read_rope(rsd_config *c, size_t dims, size_t context, rsd_rotary_spec *out)
{
    *out = (rsd_rotary_spec){ .dims = dims, .context = context, .theta = 10000 };
    RSD_TRY(rsd_config_real(c, "rotary_emb_base", &out->theta));
    RSD_TRY(rsd_config_real(c, "rope_theta", &out->theta));
    RSD_TRY(rsd_config_real(c, "rope_parameters.rope_theta", &out->theta));
    RSD_TRY(read_scaling(c, "rope_scaling", out));
    return read_scaling(c, "rope_parameters", out);
}

/* What every architecture asks of its numbers. */
static int check(const rsd_shape *s)
{
    if (!s->layers || !s->width || !s->heads || !s->vocab || !s->hidden || !s->context)
        return RSD_FAIL(
            RSD_EFORMAT,
            "config.json: layers %zu, width %zu, heads %zu, vocabulary %zu, hidden %zu, "
            "context %zu: none may be 0 or missing",
            s->layers, s->width, s->heads, s->vocab, s->hidden, s->context);
    if (!s->kv_heads || s->heads % s->kv_heads)
        return RSD_FAIL(RSD_EFORMAT,
                        "config.json: %zu heads do not divide among %zu key-value heads", s->heads,
                        s->kv_heads);
    if (!s->head_size || s->rotary.dims > s->head_size || s->rotary.dims % 2)
        return RSD_FAIL(RSD_EFORMAT, "config.json: %zu of %zu dimensions of a head are rotated",
                        s->rotary.dims, s->head_size);
    if (s->layers > RSD_LAYERS_MAX)
        return RSD_FAIL(RSD_EFORMAT, "config.json: %zu layers; at most %d are implemented",
                        s->layers, RSD_LAYERS_MAX);
    return RSD_OK;
}

int rsd_arch_configure(const char *name, const char *config, const rsd_arch **arch,
                       rsd_shape *shape)
{
    const rsd_arch *const *a = rsd_archs;
    while (*a && strcmp((*a)->name, name) != 0)
        a++;
    if (!*a)
        return unknown(name);
    *arch = *a;
    *shape = (rsd_shape){ 0 };
    rsd_config *c = NULL;
    int err = rsd_config_parse(config, &c);
    if (!err)
        err = (*a)->configure(c, shape);
    if (!err)
        err = rsd_config_finish(c);
    rsd_config_free(c);
    return err ? rsd_fail_prefix(err, "%s", name) : check(shape);
}
