#include "io/gguf_layout.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *model_type, *gguf;
} architectures[] = {
    { "llama", "llama" }, { "mistral", "llama" },    { "qwen2", "qwen2" },
    { "gpt2", "gpt2" },   { "gpt_neox", "gptneox" },
};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

/* Buffers, not weights: what transformers computes itself when it loads. */
static const char *const buffers[] = {
    "layers.%.self_attn.rotary_emb", /* .inv_freq */
    "layers.%.attention.rotary_emb",
    "layers.%.attention", /* .bias, .masked_bias: the causal mask */
    "h.%.attn",
};
enum { BUFFERS = sizeof buffers / sizeof *buffers };

int rsd_gguf_architecture(const char *model_type, const char **out)
{
    char known[128] = "";
    size_t used = 0;
    for (size_t k = 0; k < ARCHITECTURES; k++) {
        if (strcmp(architectures[k].model_type, model_type) == 0) {
            *out = architectures[k].gguf;
            return RSD_OK;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                 architectures[k].model_type);
    }
    return RSD_FAIL(RSD_ENOTFOUND, "a model of architecture '%s' cannot be written as GGUF; %s can",
                    model_type, known);
}

/* Does pattern match all of s[n]?  *number: the digits that % stood for. */
static bool matches(const char *pattern, const char *s, size_t n, rsd_gguf_string *number)
{
    const char *end = s + n;
    *number = (rsd_gguf_string){ "", 0 };
    for (; *pattern; pattern++) {
        if (*pattern != '%') {
            if (s == end || *s++ != *pattern)
                return false;
            continue;
        }
        *number = (rsd_gguf_string){ s, 0 };
        while (s < end && isdigit((unsigned char)*s))
            s++, number->n++;
        if (number->n == 0)
            return false;
    }
    return s == end;
}

/* A prefix ends in a dot and numbers nothing: "h.0.ln_1" is no "ln_1", "model.norm" is a "norm". */
static bool is_prefix(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isdigit((unsigned char)s[i]) && (i == 0 || s[i - 1] == '.'))
            return false;
    return n == 0 || s[n - 1] == '.';
}

/* Does the module end in pattern, after a prefix or nothing? */
static bool ends_in(const char *module, size_t n, const char *pattern, rsd_gguf_string *number)
{
    for (size_t i = 0; i < n; i++)
        if (is_prefix(module, i) && matches(pattern, module + i, n - i, number))
            return true;
    return false;
}

/* The names' own prefix ("model.", "transformer.") is one that may be missing. */
static const char *without_prefix(const char *name)
{
    const char *dot = strchr(name, '.');
    return dot ? dot + 1 : name;
}

static const rsd_gguf_row *find(const rsd_gguf_arch *arch, const char *module, size_t n,
                                rsd_gguf_string *number)
{
    for (size_t t = 0; t < RSD_GGUF_TABLES && arch->table[t]; t++)
        for (const rsd_gguf_row *row = arch->table[t]; row->gguf; row++)
            if (ends_in(module, n, without_prefix(row->name), number))
                return row;
    return NULL;
}

static bool is_buffer(const char *module, size_t n)
{
    rsd_gguf_string number;
    for (size_t k = 0; k < BUFFERS; k++)
        if (ends_in(module, n, buffers[k], &number))
            return true;
    return false;
}

/* The row's name with the block's number and the tensor's ending. */
static int spell(const rsd_gguf_row *row, rsd_gguf_string number, const char *end, char *out)
{
    const char *percent = strchr(row->gguf, '%');
    const int before = percent ? (int)(percent - row->gguf) : (int)strlen(row->gguf);
    return snprintf(out, RSD_GGUF_NAME_MAX + 1, "%.*s%.*s%s%s", before, row->gguf, (int)number.n,
                    number.byte, percent ? percent + 1 : "", end);
}

int rsd_gguf_place_of(const char *model_type, const char *tensor, rsd_gguf_place *out)
{
    const char *architecture, *end = strrchr(tensor, '.');
    rsd_gguf_string number;
    *out = (rsd_gguf_place){ 0 };
    RSD_TRY(rsd_gguf_architecture(model_type, &architecture));
    const rsd_gguf_arch *arch = rsd_gguf_arch_find(architecture, strlen(architecture));
    const size_t n = end ? (size_t)(end - tensor) : 0;
    const rsd_gguf_row *row = arch ? find(arch, tensor, n, &number) : NULL;
    const bool weight = end && (strcmp(end, ".weight") == 0 || strcmp(end, ".bias") == 0);
    if (row && weight) {
        out->order = row->order;
        if (spell(row, number, end, out->name) > RSD_GGUF_NAME_MAX)
            return RSD_FAIL(RSD_EFORMAT, "tensor '%s': its name in GGUF has more than %d bytes",
                            tensor, RSD_GGUF_NAME_MAX);
        return RSD_OK;
    }
    return is_buffer(tensor, n)
               ? RSD_OK
               : RSD_FAIL(RSD_EFORMAT, "tensor '%s' has no place in a GGUF file of a %s", tensor,
                          model_type);
}

/* ---- rows ---- */

/* The row of the checkpoint that is row i of the file. */
static size_t source_row(rsd_gguf_order order, size_t m, size_t d, size_t i)
{
    if (order != RSD_ROWS_QKV) {
        const size_t head = i / d, pair = i % d / 2, half = i % 2;
        return head * d + half * (d / 2) + pair;
    }
    const size_t heads = m / (3 * d), part = i / (heads * d), head = i / d % heads;
    return (head * 3 + part) * d + i % d;
}

static int check_rows(rsd_gguf_order order, size_t m, size_t d)
{
    const size_t unit = order == RSD_ROWS_QKV ? 3 * d : d;
    if (d == 0 || d > SIZE_MAX / 3 || m % unit || (order != RSD_ROWS_QKV && d % 2))
        return RSD_FAIL(RSD_EFORMAT, "%zu rows do not divide into heads of %zu", m, d);
    return RSD_OK;
}

/* Cycle by cycle: one row is lifted, the others follow into the gap.  A second matrix would double
 * the memory that the largest layer takes. */
int rsd_gguf_order_rows(rsd_gguf_order order, size_t d, rsd_mat W)
{
    float *lifted = NULL;
    size_t *from = NULL;
    int err = RSD_OK;
    if (order == RSD_ROWS_SAME)
        return RSD_OK;
    RSD_TRY(check_rows(order, W.m, d));
    RSD_TRY_DONE(rsd_array_alloc(W.n, 1, sizeof *lifted, &lifted));
    RSD_TRY_DONE(rsd_array_alloc(W.m, 1, sizeof *from, &from));
    for (size_t i = 0; i < W.m; i++)
        from[i] = source_row(order, W.m, d, i);
    const size_t bytes = W.n * sizeof *lifted;
    for (size_t first = 0; first < W.m; first++) {
        if (from[first] == first)
            continue;
        size_t to = first;
        memcpy(lifted, W.x + first * W.ld, bytes);
        while (from[to] != first) {
            const size_t next = from[to];
            memcpy(W.x + to * W.ld, W.x + next * W.ld, bytes);
            from[to] = to;
            to = next;
        }
        memcpy(W.x + to * W.ld, lifted, bytes);
        from[to] = to;
    }
done:
    free(lifted);
    free(from);
    return err;
}

void rsd_gguf_rope_factors(double theta, size_t dims, double factor, double low_freq,
                           double high_freq, double original, float *out)
{
    for (size_t i = 0; i < dims / 2; i++) {
        const double f = (float)pow(theta, -2.0 * (double)i / (double)dims);
        const double turns = original * f / (2 * M_PI); /* within the original context */
        double share = (turns - low_freq) / (high_freq - low_freq);
        share = share < 0 ? 0 : share > 1 ? 1 : share;
        out[i] = (float)(1 / ((1 - share) / factor + share));
    }
}
