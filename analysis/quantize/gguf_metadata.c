/* The numbers of a configuration under llama.cpp's names. */
#include "quantize/gguf_metadata.h"

#include <stdio.h>
#include <string.h>

int gguf_check_shape(const char *architecture, const rsd_shape *s)
{
    const bool llama = strcmp(architecture, "llama") == 0;
    const bool gelu = s->activation == RSD_GELU || s->activation == RSD_GELU_TANH;
    if (s->gated ? s->activation != RSD_SILU : !gelu)
        return RSD_FAIL(RSD_EFORMAT, "llama.cpp's %s computes %s, this model another activation",
                        architecture, s->gated ? "SiLU" : "GELU");
    if (!llama && s->heads * s->head_size != s->width)
        return RSD_FAIL(RSD_EFORMAT,
                        "%zu heads of %zu are not the width %zu, which llama.cpp's %s "
                        "requires",
                        s->heads, s->head_size, s->width, architecture);
    if (!llama && s->rotary.dims && s->rotary.scaling == RSD_ROPE_LLAMA3)
        return RSD_FAIL(RSD_EFORMAT, "llama.cpp's %s has no llama3 scaling of its frequencies",
                        architecture);
    return RSD_OK;
}

/* Keys of one architecture. */
typedef struct {
    rsd_gguf_writer *w;
    const char *architecture;
} keys;

static const char *spell(const keys *k, const char *key, char text[96])
{
    snprintf(text, 96, "%s.%s", k->architecture, key);
    return text;
}

static int put_size(const keys *k, const char *key, size_t value)
{
    char text[96];
    return rsd_gguf_put_u32(k->w, spell(k, key, text), (uint32_t)value);
}

static int put_real(const keys *k, const char *key, double value)
{
    char text[96];
    return rsd_gguf_put_f32(k->w, spell(k, key, text), (float)value);
}

static int put_text(rsd_gguf_writer *w, const char *key, const char *value)
{
    return rsd_gguf_put_text(w, key, (rsd_gguf_string){ value, strlen(value) });
}

/* llama.cpp lets every layer see all of its context: it is the window where layers see no more. */
static size_t context_of(const rsd_shape *s)
{
    bool slides = false;
    for (size_t i = 0; i < s->layers; i++)
        slides = slides || s->local[i];
    return slides && s->window < s->context ? s->window : s->context;
}

static int put_sizes(const keys *k, const rsd_shape *s)
{
    const struct {
        const char *key;
        size_t value;
    } sizes[] = { { "vocab_size", s->vocab },
                  { "context_length", context_of(s) },
                  { "embedding_length", s->width },
                  { "block_count", s->layers },
                  { "feed_forward_length", s->hidden },
                  { "attention.head_count", s->heads },
                  { "attention.head_count_kv", s->kv_heads } };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        RSD_TRY(put_size(k, sizes[i].key, sizes[i].value));
    if (s->heads * s->head_size == s->width)
        return RSD_OK; /* which is the default */
    RSD_TRY(put_size(k, "attention.key_length", s->head_size));
    return put_size(k, "attention.value_length", s->head_size);
}

static int put_rotary(const keys *k, const rsd_rotary_spec *r)
{
    char text[96];
    if (r->dims == 0)
        return RSD_OK;
    RSD_TRY(put_size(k, "rope.dimension_count", r->dims));
    RSD_TRY(put_real(k, "rope.freq_base", r->theta));
    if (r->scaling != RSD_ROPE_LINEAR)
        return RSD_OK;
    RSD_TRY(put_text(k->w, spell(k, "rope.scaling.type", text), "linear"));
    return put_real(k, "rope.scaling.factor", r->factor);
}

int gguf_put_shape(rsd_gguf_writer *w, const char *architecture, const char *name,
                   uint32_t file_type, const rsd_shape *s)
{
    enum { QUANTIZATION_VERSION = 2 }; /* of the block layouts; never another since 2023 */
    const keys k = { w, architecture };
    char text[96];
    RSD_TRY(put_text(w, "general.architecture", architecture));
    RSD_TRY(put_text(w, "general.type", "model"));
    RSD_TRY(put_text(w, "general.name", name));
    RSD_TRY(rsd_gguf_put_u32(w, "general.file_type", file_type));
    RSD_TRY(rsd_gguf_put_u32(w, "general.quantization_version", QUANTIZATION_VERSION));
    RSD_TRY(put_sizes(&k, s));
    RSD_TRY(put_real(&k,
                     s->norm == RSD_NORM_RMS ? "attention.layer_norm_rms_epsilon"
                                             : "attention.layer_norm_epsilon",
                     s->norm_eps));
    if (strcmp(architecture, "gptneox") == 0)
        RSD_TRY(rsd_gguf_put_bool(w, spell(&k, "use_parallel_residual", text), s->parallel));
    return put_rotary(&k, &s->rotary);
}
