#include "transformer/weights_unused.h"

#include <stdlib.h>
#include <string.h>

/* Names by their end, after a dot or from the beginning on, in blocks and outside. */
static const char *const buffers[] = {
    "inv_freq",          "original_inv_freq", "cos_cached",     "sin_cached", /* rotary positions */
    "rope_freqs.weight", /* read with a GGUF's configuration */
    "masked_bias",       "position_ids",      "token_type_ids", "k_scale",
    "v_scale",           "scaled_fp8", /* of a cache; ComfyUI's mark */
};
/* A causal mask, of more dimensions than a bias has. */
static const char *const masks[] = { "attn.bias", "attention.bias" };
/* Heads of other tasks, and of trainers, over the same blocks. */
static const char *const heads[] = { "score",  "classifier", "qa_outputs",
                                     "v_head", "summary",    "multiple_choice_head" };

#define COUNT(list) (sizeof(list) / sizeof *(list))

static bool ends(const char *name, const char *end)
{
    const size_t n = strlen(name), k = strlen(end);
    return n >= k && strcmp(name + n - k, end) == 0 && (n == k || name[n - k - 1] == '.');
}

/* Is a part of the name, between dots, this word? */
static bool holds(const char *name, const char *word)
{
    const size_t n = strlen(word);
    for (const char *part = name; part; part = strchr(part, '.')) {
        part += *part == '.';
        if (strncmp(part, word, n) == 0 && (part[n] == '.' || !part[n]))
            return true;
    }
    return false;
}

static bool is_known(const rsd_tensor *t)
{
    for (size_t i = 0; i < COUNT(buffers); i++)
        if (ends(t->name, buffers[i]))
            return true;
    for (size_t i = 0; i < COUNT(masks) && t->ndim > 1; i++)
        if (ends(t->name, masks[i]))
            return true;
    for (size_t i = 0; i < COUNT(heads) && t->role.layer < 0; i++)
        if (holds(t->name, heads[i]))
            return true;
    return false;
}

/* All of one model, so of one array. */
static int by_address(const void *a, const void *b)
{
    const rsd_tensor *p = *(const rsd_tensor *const *)a, *q = *(const rsd_tensor *const *)b;
    return p < q ? -1 : p > q;
}

int rsd_weights_check_unused(const rsd_model *model, const rsd_tensor **used, size_t count,
                             const char *arch)
{
    qsort(used, count, sizeof *used, by_address);
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        if (bsearch(&t, used, count, sizeof *used, by_address) || is_known(t))
            continue;
        return RSD_FAIL(RSD_EFORMAT,
                        "%s: tensor '%s' is a weight that the forward pass of a %s does not have: "
                        "its losses would be those of another model",
                        rsd_model_source(model), t->name, arch);
    }
    return RSD_OK;
}
