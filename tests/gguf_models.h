/* Small Llamas as GGUF files for tests: which tensor lies in which part, and what the metadata say
 * beside the usual, is the test's. */
#ifndef RSD_GGUF_MODELS_H
#define RSD_GGUF_MODELS_H

#include "scratch.h"

#include "io/gguf_write.h"

#include <math.h>

/* Two heads of 8 share keys and values; one block. */
enum { GM_WIDTH = 16, GM_HEADS = 2, GM_HIDDEN = 24, GM_VOCAB = 20, GM_CONTEXT = 64 };

typedef struct {
    const char *name;
    size_t rows, cols; /* cols 0: a vector */
} gm_tensor;

static const gm_tensor gm_llama[] = {
    { "token_embd.weight", GM_VOCAB, GM_WIDTH },
    { "output_norm.weight", GM_WIDTH, 0 },
    { "blk.0.attn_norm.weight", GM_WIDTH, 0 },
    { "blk.0.ffn_norm.weight", GM_WIDTH, 0 },
    { "blk.0.attn_q.weight", GM_WIDTH, GM_WIDTH },
    { "blk.0.attn_k.weight", GM_WIDTH / 2, GM_WIDTH },
    { "blk.0.attn_v.weight", GM_WIDTH / 2, GM_WIDTH },
    { "blk.0.attn_output.weight", GM_WIDTH, GM_WIDTH },
    { "blk.0.ffn_gate.weight", GM_HIDDEN, GM_WIDTH },
    { "blk.0.ffn_up.weight", GM_HIDDEN, GM_WIDTH },
    { "blk.0.ffn_down.weight", GM_WIDTH, GM_HIDDEN },
};
enum { GM_LLAMA = sizeof gm_llama / sizeof *gm_llama };

/* Number i of a tensor: a hash of its name and i, in [-1, 1). */
static inline float gm_number(const char *name, size_t i)
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    h = (h ^ (uint32_t)i) * 2654435761u;
    h = (h ^ h >> 15) * 2246822519u;
    return (float)(h >> 8) * 0x1p-23f - 1;
}

/* A frequency's divisor as a Llama 3 of this factor and original context has it. */
static inline float gm_factor(size_t pair, size_t pairs, double factor, double low, double high,
                              double original)
{
    const double f = pow(10000, -(double)pair / (double)pairs);
    double s = (original * f / (2 * M_PI) - low) / (high - low);
    s = s < 0 ? 0 : s > 1 ? 1 : s;
    return (float)(1 / ((1 - s) / factor + s));
}

/* The metadata of a Llama of these sizes. */
static inline void gm_put_sizes(rsd_gguf_writer *w, const char *arch)
{
    static const struct {
        const char *key;
        uint32_t value;
    } sizes[] = { { "context_length", GM_CONTEXT },
                  { "embedding_length", GM_WIDTH },
                  { "block_count", 1 },
                  { "feed_forward_length", GM_HIDDEN },
                  { "attention.head_count", GM_HEADS },
                  { "attention.head_count_kv", 1 } };
    char key[96];
    CHECK_OK(rsd_gguf_put_text(w, "general.architecture", (rsd_gguf_string){ arch, strlen(arch) }));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        snprintf(key, sizeof key, "%s.%s", arch, sizes[i].key);
        CHECK_OK(rsd_gguf_put_u32(w, key, sizes[i].value));
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", arch);
    CHECK_OK(rsd_gguf_put_f32(w, key, 1e-5f));
}

static inline void gm_declare(rsd_gguf_writer *w, const gm_tensor *t)
{
    CHECK_OK(rsd_gguf_declare(w, t->name, rsd_ggml_type_by_name("f32"), t->cols ? 2 : 1,
                              (const size_t[]){ t->rows, t->cols }));
}

/* The tensor's numbers; a scale's, and rope_freqs', are of the kind that they are. */
static inline void gm_put_data(rsd_gguf_writer *w, const gm_tensor *t)
{
    const size_t n = t->rows * (t->cols ? t->cols : 1);
    for (size_t i = 0; i < n; i++) {
        float x = gm_number(t->name, i);
        if (strcmp(t->name, "rope_freqs.weight") == 0)
            x = gm_factor(i, n, 8, 1, 4, 64);
        CHECK_OK(rsd_gguf_data(w, &x, sizeof x));
    }
}

/* Begin the file, put all data, and let it appear. */
static inline void gm_finish(rsd_gguf_writer *w, const gm_tensor *const *t, size_t count,
                             const char *name)
{
    put_text(name, ""); /* makes its folder */
    CHECK_OK(rsd_gguf_begin(w, in_scratch(name)));
    for (size_t i = 0; i < count; i++)
        gm_put_data(w, t[i]);
    CHECK_OK(rsd_gguf_commit(w));
    rsd_gguf_writer_free(w);
}

/* NAME.gguf, or its parts NAME-00001-of-0000N.gguf: tensor i of llama's and then of more's lies in
 * part where[i] (all in one file where it is NULL).  put: metadata of one's own, or NULL. */
static inline void gm_write(const char *name, const gm_tensor *more, size_t count, size_t parts,
                            const size_t *where, void (*put)(rsd_gguf_writer *w))
{
    const gm_tensor *all[64];
    size_t n = 0;
    for (size_t i = 0; i < GM_LLAMA; i++)
        all[n++] = &gm_llama[i];
    for (size_t i = 0; i < count; i++)
        all[n++] = &more[i];
    for (size_t part = 0; part < parts; part++) {
        const gm_tensor *here[64];
        size_t k = 0;
        char file[128];
        rsd_gguf_writer *w;
        CHECK_OK(rsd_gguf_writer_alloc(&w));
        if (part == 0)
            gm_put_sizes(w, "llama");
        if (part == 0 && put)
            put(w);
        if (parts > 1) {
            CHECK_OK(rsd_gguf_put_u32(w, "split.no", (uint32_t)part));
            CHECK_OK(rsd_gguf_put_u32(w, "split.count", (uint32_t)parts));
            CHECK_OK(rsd_gguf_put_u32(w, "split.tensors.count", (uint32_t)n));
        }
        for (size_t i = 0; i < n; i++)
            if (!where || where[i] == part)
                here[k++] = all[i];
        for (size_t i = 0; i < k; i++)
            gm_declare(w, here[i]);
        if (parts > 1)
            snprintf(file, sizeof file, "%s-%05zu-of-%05zu.gguf", name, part + 1, parts);
        else
            snprintf(file, sizeof file, "%s.gguf", name);
        gm_finish(w, here, k, file);
    }
}

#endif
