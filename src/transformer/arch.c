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

int rsd_arch_read_bias(rsd_config *c, const char *key, const char *yes, const char *no,
                       rsd_bias_rule *rule)
{
    bool is = false;
    RSD_TRY(rsd_config_flag(c, key, &is));
    if (rsd_config_has(c, key))
        *rule = (rsd_bias_rule){ is ? RSD_BIAS_ALL : RSD_BIAS_NONE, is ? yes : no };
    return RSD_OK;
}

/* ---- sliding windows ---- */

static int read_layer_types(rsd_config *c, const rsd_shape *s, size_t window, bool *found,
                            bool *local)
{
    const char *types[RSD_LAYERS_MAX];
    RSD_TRY(rsd_config_texts(c, "layer_types", s->layers, types, found));
    for (size_t i = 0; *found && i < s->layers; i++) {
        local[i] = strcmp(types[i], "sliding_attention") == 0;
        if (!local[i] && strcmp(types[i], "full_attention") != 0)
            return RSD_FAIL(RSD_EFORMAT,
                            "config.json: layer_types: '%s' of layer %zu; full_attention and "
                            "sliding_attention are implemented",
                            types[i], i);
        if (local[i] && !window)
            return RSD_FAIL(RSD_EFORMAT,
                            "config.json: layer_types: layer %zu is sliding_attention, but no "
                            "sliding window is said for it",
                            i);
    }
    return RSD_OK;
}

int rsd_arch_read_windows(rsd_config *c, rsd_shape *s, size_t window, size_t first)
{
    bool local[RSD_LAYERS_MAX] = { 0 }, found;
    for (size_t i = first; window && i < s->layers; i++)
        local[i] = true;
    RSD_TRY(read_layer_types(c, s, window, &found, local));
    if (!window || window >= s->context) /* no window of tokens reaches beyond it */
        return RSD_OK;
    s->window = window;
    memcpy(s->local, local, sizeof local);
    return RSD_OK;
}

/* ---- rotary positions ---- */

/* The numbers of a scaling, and which of them are there. */
typedef struct {
    double factor, low_freq, high_freq, original;
} scaling;

static int read_numbers(rsd_config *c, const char *group, size_t needed, scaling *out)
{
    const struct {
        const char *name;
        double *value;
    } numbers[] = { { "factor", &out->factor },
                    { "low_freq_factor", &out->low_freq },
                    { "high_freq_factor", &out->high_freq },
                    { "original_max_position_embeddings", &out->original } };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char key[80];
        snprintf(key, sizeof key, "%s.%s", group, numbers[i].name);
        if (i < needed && !rsd_config_has(c, key))
            return RSD_FAIL(RSD_EFORMAT, "config.json: %s is missing", key);
        RSD_TRY(rsd_config_real(c, key, numbers[i].value));
        if (i < needed && !(*numbers[i].value > 0))
            return RSD_FAIL(RSD_EFORMAT, "config.json: %s is %g, not above 0", key,
                            *numbers[i].value);
    }
    return RSD_OK;
}

/* The scaling that an object asks for; one without a type that has a factor contradicts itself. */
static int read_scaling(rsd_config *c, const char *group, rsd_rotary_spec *out)
{
    char key[64];
    const char *type = "default";
    scaling s = { .factor = 1 };
    snprintf(key, sizeof key, "%s.type", group);
    RSD_TRY(rsd_config_text(c, key, &type));
    snprintf(key, sizeof key, "%s.rope_type", group);
    RSD_TRY(rsd_config_text(c, key, &type));
    const bool linear = strcmp(type, "linear") == 0, llama3 = strcmp(type, "llama3") == 0;
    if (!linear && !llama3 && strcmp(type, "default") != 0)
        return RSD_FAIL(RSD_EFORMAT,
                        "config.json: %s of type '%s'; default, linear and llama3 are "
                        "implemented",
                        group, type);
    RSD_TRY(read_numbers(c, group, linear ? 1 : llama3 ? 4 : 0, &s));
    if (!linear && !llama3)
        return s.factor == 1 ? RSD_OK
                             : RSD_FAIL(RSD_EFORMAT,
                                        "config.json: %s.factor is %g, but its type is '%s'; "
                                        "linear and llama3 have factors",
                                        group, s.factor, type);
    out->scaling = linear ? RSD_ROPE_LINEAR : RSD_ROPE_LLAMA3;
    out->factor = s.factor;
    out->low_freq = s.low_freq;
    out->high_freq = s.high_freq;
    out->original = s.original;
    return RSD_OK;
}

int rsd_arch_read_rope(rsd_config *c, size_t dims, size_t context, rsd_rotary_spec *out)
{
    bool older, newer;
    const double theta = out->theta > 0 ? out->theta : 10000;
    *out = (rsd_rotary_spec){ .dims = dims, .context = context, .theta = theta };
    RSD_TRY(rsd_config_group(c, "rope_scaling", &older));
    RSD_TRY(rsd_config_group(c, "rope_parameters", &newer));
    if (older && newer)
        return RSD_FAIL(RSD_EFORMAT,
                        "config.json: rope_scaling and rope_parameters are both there; one says "
                        "how positions are rotated");
    RSD_TRY(rsd_config_real(c, "rope_theta", &out->theta));
    RSD_TRY(rsd_config_real(c, "rope_parameters.rope_theta", &out->theta));
    RSD_TRY(rsd_config_real(c, "rope_scaling.rope_theta", &out->theta));
    if (!(out->theta > 0))
        return RSD_FAIL(RSD_EFORMAT, "config.json: rope_theta is %g, not above 0", out->theta);
    return read_scaling(c, newer ? "rope_parameters" : "rope_scaling", out);
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
