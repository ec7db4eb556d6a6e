/* What stands beside a weight, told by its name: scales, zero points, what is for activations, and
 * what nobody here knows. */
#include "io/model/prequantized_arrays.h"

#include <string.h>
#include <strings.h>

typedef enum { NOTHING, SCALE, ZERO, ASIDE, STRANGE } companion;

static bool is_one_of(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(name, *list) == 0)
            return true;
    return false;
}

static bool holds_one_of(const char *name, const char *const *list)
{
    for (; *list; list++)
        if (strcasestr(name, *list))
            return true;
    return false;
}

static const char *const scales[] = { "weight_scale",  "weight_scale_inv", "scale_weight",
                                      "qscale_weight", "scales",           "scale",
                                      "qscale",        "weight.scale",     NULL };
static const char *const activations[] = { "input", "output", "_act", "activation", NULL };
static const char *const zeros[] = { "weight_zero_point", "zero_point", NULL };
/* of FP4, beside its weight_scale */
static const char *const factors[] = { "weight_scale_2", "weight_global_scale", NULL };

/* What an array does that is called so beside a weight.  Scales of activations, and of the cache of
 * keys and values, are for kernels that compute in few bits. */
static companion kind_of(const char *name)
{
    static const char *const notes[] = { "comfy_quant", "weight_format", "k_scale",
                                         "v_scale",     "q_scale",       NULL };
    static const char *const bnb[] = { "weight.absmax", "weight.quant_map", "weight.nested_absmax",
                                       "weight.nested_quant_map", NULL }; /* without a state */
    static const char *const strange[] = { "scale",  "scaling", "zero_point", "absmax",
                                           "scb",    "amax",    "quant",      "codebook",
                                           "smooth", "lut",     "shift",      NULL };
    if (is_one_of(name, scales) || is_one_of(name, factors))
        return SCALE;
    if (is_one_of(name, zeros))
        return ZERO;
    if (is_one_of(name, notes))
        return ASIDE;
    if (is_one_of(name, bnb) || !holds_one_of(name, strange))
        return NOTHING;
    return holds_one_of(name, activations) && !strcasestr(name, "pre_quant") ? ASIDE : STRANGE;
}

/* Calls for every array module.NAME: its NAME, and what it is. */
static int each_companion(const rsd_arrays *all, const rsd_entry *weight, const char *module,
                          int (*call)(void *context, rsd_entry *s, const char *name,
                                      companion kind),
                          void *context)
{
    const size_t n = strlen(module), skip = n + (n > 0), count = all->model->count;
    for (size_t i = rsd_entries_find(all->sorted, count, module); i < count; i++) {
        const char *name = all->sorted[i]->tensor.name;
        if (strncmp(name, module, n) != 0)
            break;
        if ((n && name[n] != '.') || all->sorted[i] == weight)
            continue;
        const companion kind = kind_of(name + skip);
        if (kind != NOTHING && (n || !strchr(name, '.')))
            RSD_TRY(call(context, all->sorted[i], name + skip, kind));
    }
    return RSD_OK;
}

typedef struct {
    const char *module;
    const rsd_entry *weight;
    bool found;
} question;

static int ask(void *context, rsd_entry *s, const char *name, companion kind)
{
    question *q = context;
    q->found = q->found || kind == SCALE;
    if (kind != STRANGE)
        return RSD_OK;
    return RSD_FAIL(RSD_EFORMAT, "%s: weight is %s, and what '%s' (%s) beside it does is not known",
                    q->module, q->weight->tensor.stored, name, s->tensor.stored);
}

int rsd_scale_beside(const rsd_arrays *all, const rsd_entry *weight, const char *module,
                     bool *found)
{
    question q = { .module = module, .weight = weight };
    RSD_TRY(each_companion(all, weight, module, ask, &q));
    *found = q.found;
    return RSD_OK;
}

int rsd_scale_beside_bare(const rsd_arrays *all, rsd_entry *weight)
{
    const char *stem = weight->tensor.name;
    const size_t n = strlen(stem), count = all->model->count;
    for (size_t i = rsd_entries_find(all->sorted, count, stem); i < count; i++) {
        const char *name = all->sorted[i]->tensor.name;
        if (strncmp(name, stem, n) != 0)
            break;
        if ((name[n] == '_' || name[n] == '.') && strstr(name + n, "scale") &&
            !holds_one_of(name + n, activations))
            return rsd_unread_alloc(&weight->packing,
                                    "stored as %s, and what '%s' beside it does is not known",
                                    weight->tensor.stored, name);
    }
    return RSD_OK;
}

static int set_aside(void *context, rsd_entry *s, const char *name, companion kind)
{
    const rsd_arrays *all = context;
    (void)name;
    if (kind == ASIDE)
        all->used[s - all->model->entry] = true;
    return RSD_OK;
}

int rsd_layer_set_aside(const rsd_layer *l, const rsd_entry *codes)
{
    return each_companion(l->all, codes, l->module, set_aside, (void *)l->all);
}

int rsd_layer_take_beside(rsd_layer *l, rsd_beside what, const rsd_entry **out)
{
    const char *const *const lists[] = {
        [RSD_BESIDE_SCALE] = scales, [RSD_BESIDE_ZERO] = zeros, [RSD_BESIDE_FACTOR] = factors
    };
    const char *first = NULL;
    *out = NULL;
    for (const char *const *name = lists[what]; *name; name++) {
        const rsd_entry *s = rsd_layer_take(l, *name);
        if (s && *out)
            return RSD_FAIL(RSD_EFORMAT, "%s: both %s and %s are beside the weight", l->module,
                            first, *name);
        if (s) {
            *out = s;
            first = *name;
        }
    }
    return RSD_OK;
}
