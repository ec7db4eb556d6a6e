/* GGUF: the tensors that are accepted lie in the file, apart from one another; metadata can be
 * asked for as any kind, and a configuration made of them. */
#include "fuzz.h"

#include "err.h"
#include "io/gguf.h"
#include "io/gguf/gguf_config.h"
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
static void describe(const rsd_gguf *g, const uint8_t *data)
{
    static const char *const names[] = { "llama", "qwen2", "gpt2", "gptneox" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const rsd_gguf_arch *arch = rsd_gguf_arch_find(names[i], strlen(names[i]));
        char *text;
        const int err = rsd_gguf_config(g, data, arch, &text);
        PROMISE(err ? err == RSD_EFORMAT && !text : *text == '{');
        free(text);
        for (size_t k = 0; k < g->tensors; k++) {
            const rsd_gguf_row *row = rsd_gguf_row_find(arch, g->tensor[k].name);
            char *name = row ? rsd_gguf_rename(row, g->tensor[k].name, k) : NULL;
            PROMISE(!row || (name && *name));
            free(name);
        }
    }
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
    describe(g, data);
}

int fuzz_read(const uint8_t *data, size_t size)
{
    rsd_gguf g;
    const int err = rsd_gguf_parse(data, size, &g);
    if (!err)
        check(data, size, &g);
    else
        PROMISE(*rsd_errmsg() && !g.values && !g.tensors && !g.value && !g.tensor);
    rsd_gguf_free(&g);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_read(data, size);
    return 0;
}
