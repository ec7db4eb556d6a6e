/* GGUF: the tensors that are accepted lie in the file, apart from one another; metadata can be
 * asked for as any kind, and a configuration and a tokenizer made of them.  Where the magic number
 * is in the data again, another part of a split model begins there. */
#include "fuzz.h"

#include "err.h"
#include "io/gguf.h"
#include "io/gguf/gguf_config.h"
#include "io/gguf/scale.h"
#include "io/gguf/split.h"
#include "io/tokens/tokenizer_parts.h"
#include "mat.h"

#include <string.h>

/* Decoding touches every byte that the header claims: a sanitizer sees one too many. */
static void decode(const uint8_t *data, const rsd_gguf_tensor *t)
{
    float *x;
    if (!t->type->decode || t->elements > 1 << 20 || rsd_array_alloc(t->elements, 1, sizeof *x, &x))
        return;
    t->type->decode(data + t->offset, t->elements / t->type->block, x);
    free(x);
}

/* Answers may be refusals, but nothing outside the file is looked at. */
static void ask(const rsd_gguf *g, const uint8_t *data, size_t size, const rsd_gguf_value *v)
{
    size_t n = 0, whole;
    double real;
    bool flag;
    const char *text = NULL;
    PROMISE(v->at >= data && v->at <= data + size && rsd_gguf_find(g, v->key) == v);
    PROMISE(*rsd_gguf_type_name(v->type));
    const int errs[] = { rsd_gguf_size(g, v->key, &whole), rsd_gguf_real(g, v->key, &real),
                         rsd_gguf_flag(g, v->key, &flag) };
    for (size_t i = 0; i < sizeof errs / sizeof *errs; i++)
        PROMISE(errs[i] == RSD_OK || errs[i] == RSD_EFORMAT);
    if (rsd_gguf_text(g, v->key, &text, &n) == RSD_OK)
        PROMISE(n <= size && (const uint8_t *)text + n <= data + size);
}

/* The configuration of every architecture that has one, and the tensors' names in it. */
static void describe(const rsd_gguf_parts *parts)
{
    static const char *const names[] = { "llama", "qwen2", "gpt2", "gptneox" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const rsd_gguf_arch *arch = rsd_gguf_arch_find(names[i], strlen(names[i]));
        char *text;
        PROMISE(rsd_gguf_config(parts, arch, &text) == RSD_OK && *text == '{');
        free(text);
        for (size_t k = 0; k < parts->names.count; k++) {
            const rsd_gguf_tensor *t = parts->found[k].tensor;
            const rsd_gguf_row *row = rsd_gguf_row_find(arch, t->name);
            char *name = NULL;
            float scale;
            size_t bytes;
            PROMISE(!row || (rsd_gguf_rename(row, t->name, k, &name) == RSD_OK && *name));
            const int err = rsd_gguf_scale_of(parts, t, 0, 0, &scale, &bytes);
            PROMISE(err == RSD_OK || err == RSD_EFORMAT);
            free(name);
        }
    }
}

/* Where the part that begins at p ends. */
static size_t part_end(const uint8_t *p, size_t n)
{
    for (size_t k = 4; k + 4 <= n; k++)
        if (memcmp(p + k, "GGUF", 4) == 0)
            return k;
    return n;
}

static int read_parts(const uint8_t *data, size_t size)
{
    rsd_gguf_parts parts = { 0 };
    int err = RSD_OK;
    size_t at = 0;
    do {
        const size_t n = part_end(data + at, size - at);
        err = rsd_gguf_parts_add(&parts, data + at, n);
        at += n;
    } while (!err && at < size);
    if (!err)
        err = rsd_gguf_parts_check(&parts);
    if (!err)
        describe(&parts);
    rsd_gguf_parts_free(&parts);
    return err;
}

static void check(const uint8_t *data, size_t size, const rsd_gguf *g)
{
    size_t at = 0;
    PROMISE(g->alignment && !(g->alignment & (g->alignment - 1)));
    for (size_t i = 0; i < g->values; i++)
        ask(g, data, size, &g->value[i]);
    for (size_t i = 0; i < g->tensors; i++) {
        const rsd_gguf_tensor *t = &g->tensor[i];
        size_t elements = 1;
        PROMISE(t->name && t->type && t->ndim <= RSD_GGUF_DIMS_MAX && t->offset >= at);
        for (size_t k = 0; k < t->ndim; k++)
            elements *= t->shape[k];
        PROMISE(elements == t->elements && t->bytes == elements / t->type->block * t->type->bytes);
        PROMISE(t->offset <= size && t->bytes <= size - t->offset);
        for (size_t k = 0; k < i && i < 100; k++)
            PROMISE(strcmp(g->tensor[k].name, t->name) != 0);
        at = t->offset + t->bytes;
        decode(data, t);
    }
}

/* A vocabulary that is accepted encodes; ids lie in it. */
static void tokenize(const rsd_gguf *g)
{
    static const uint8_t text[] = "<s> ab \xc3\xa9 12";
    rsd_encoding e = { 0 };
    rsd_tokenizer *t;
    const int err = rsd_tokenizer_from_gguf(g, &t);
    PROMISE(err ? err == RSD_EFORMAT && !t : t != NULL);
    if (err)
        return;
    if (rsd_tokenizer_encode(t, text, sizeof text - 1, true, &e) == RSD_OK)
        for (size_t i = 0; i < e.count; i++)
            PROMISE(e.id[i] >= 0 && (size_t)e.id[i] < rsd_tokenizer_vocab(t));
    rsd_encoding_free(&e);
    rsd_tokenizer_free(t);
}

int fuzz_read(const uint8_t *data, size_t size)
{
    rsd_gguf g;
    const size_t n = part_end(data, size);
    int err = rsd_gguf_parse(data, n, &g);
    if (!err) {
        check(data, n, &g);
        tokenize(&g);
    } else
        PROMISE(*rsd_errmsg() && !g.values && !g.tensors && !g.value && !g.tensor);
    rsd_gguf_free(&g);
    return err ? err : read_parts(data, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read(data, size);
    return 0;
}
