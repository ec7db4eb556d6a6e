/* Which arrays of a checkpoint belong together, and what its configuration says of them. */
#include "io/model/prequantized.h"

#include "io/json.h"
#include "io/model/prequantized_arrays.h"
#include "mat.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- quantization_config ---- */

static int not_read(const char *what, const char *value, const char *known)
{
    return RSD_FAIL(RSD_EFORMAT, "quantization_config: %s '%s' is not read; %s %s", what, value,
                    known, strchr(known, ' ') ? "are" : "is");
}

/* j[key] as a text; "" where it is missing. */
static int text_of(const json_t *j, const char *key, const char **text)
{
    const json_t *value = json_object_get(j, key);
    *text = "";
    if (!value || json_is_null(value))
        return RSD_OK;
    if (!json_is_string(value))
        return RSD_FAIL(RSD_EFORMAT, "quantization_config: %s is not a text", key);
    *text = json_string_value(value);
    return RSD_OK;
}

static size_t size_of(const json_t *j, const char *key)
{
    const json_int_t v = json_integer_value(json_object_get(j, key));
    return v > 0 ? (size_t)v : 0; /* group_size is -1 for one group a row */
}

static int parse_gptq(const json_t *j, rsd_quantized_config *out)
{
    const char *format;
    RSD_TRY(text_of(j, "checkpoint_format", &format));
    if (*format && strcmp(format, "gptq") != 0 && strcmp(format, "gptq_v2") != 0)
        return not_read("checkpoint_format", format, "gptq, gptq_v2");
    if (json_is_true(json_object_get(j, "is_marlin_format")))
        return not_read("checkpoint_format", "marlin", "gptq, gptq_v2");
    out->zeros_plus_one = strcmp(format, "gptq_v2") != 0;
    out->mixed = json_object_size(json_object_get(j, "dynamic")) > 0;
    return RSD_OK;
}

static int parse_awq(const json_t *j)
{
    const char *version;
    RSD_TRY(text_of(j, "version", &version));
    if (*version && strcasecmp(version, "gemm") != 0)
        return not_read("AWQ's version", version, "gemm");
    return RSD_OK;
}

static int parse_method(const json_t *j, rsd_quantized_config *out)
{
    const char *method;
    RSD_TRY(text_of(j, "quant_method", &method));
    out->bits = size_of(j, "bits");
    out->group = size_of(j, "group_size");
    if (strcmp(method, "gptq") == 0)
        return parse_gptq(j, out);
    if (strcmp(method, "awq") == 0)
        return parse_awq(j);
    if (strcmp(method, "bitsandbytes") != 0)
        return not_read("quant_method", method, "gptq, awq, bitsandbytes");
    out->bits = out->group = 0; /* every layer says its own */
    return RSD_OK;
}

static int parse_config(const char *config, rsd_quantized_config *out)
{
    int err = RSD_OK;
    *out = (rsd_quantized_config){ .zeros_plus_one = true };
    json_t *root = config ? json_loads(config, 0, NULL) : NULL; /* it was parsed before */
    const json_t *j = json_object_get(root, "quantization_config");
    if (json_is_object(j))
        err = parse_method(j, out);
    json_decref(root);
    return err;
}

/* ---- the arrays of a layer ---- */

/* The model's entries by name; entries that were used are marked. */
typedef struct {
    const rsd_model *model;
    rsd_entry **sorted;
    bool *used; /* [model->count], by the entry's number */
} lookup;

static int by_name(const void *a, const void *b)
{
    return strcmp((*(rsd_entry *const *)a)->tensor.name, (*(rsd_entry *const *)b)->tensor.name);
}

/* The array module.name, marked as used; NULL where there is none. */
static rsd_entry *take(const lookup *l, const char *module, const char *name)
{
    char full[1024];
    if ((size_t)snprintf(full, sizeof full, "%s.%s", module, name) >= sizeof full)
        return NULL;
    rsd_entry key = { .tensor.name = full }, *at = &key;
    rsd_entry **hit = bsearch(&at, l->sorted, l->model->count, sizeof *l->sorted, by_name);
    if (hit)
        l->used[*hit - l->model->entry] = true;
    return hit ? *hit : NULL;
}

static const char *const states[] = { "weight.quant_state.bitsandbytes__nf4",
                                      "weight.quant_state.bitsandbytes__fp4" };

/* The array whose presence tells that a layer is quantized, and so its name; NULL: none. */
static char *module_of(const rsd_entry *s)
{
    static const char *const marks[] = { ".qweight", ".SCB" };
    const char *name = s->tensor.name;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (rsd_path_ends(name, marks[i]))
            return strndup(name, strlen(name) - strlen(marks[i]));
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (rsd_path_ends(name, states[i]) && strlen(name) > strlen(states[i]))
            return strndup(name, strlen(name) - strlen(states[i]) - 1);
    return NULL;
}

static int missing(const char *module, const char *what, const char *with)
{
    return RSD_FAIL(RSD_EFORMAT, "%s: %s without %s", module, what, with);
}

static int layout_of(const lookup *l, const char *module, const rsd_quantized_config *config,
                     rsd_quantized_arrays *a, rsd_entry *out)
{
    *a = (rsd_quantized_arrays){ .module = module };
    if ((a->qweight = take(l, module, "qweight"))) {
        a->qzeros = take(l, module, "qzeros");
        a->scales = take(l, module, "scales");
        a->g_idx = take(l, module, "g_idx");
        if (!a->qzeros || !a->scales)
            return missing(module, "qweight", a->qzeros ? "scales" : "qzeros");
        return rsd_layout_words(a, config, out);
    }
    a->weight = take(l, module, "weight");
    if ((a->scb = take(l, module, "SCB"))) {
        take(l, module, "weight_format"); /* 0, by rows: what is stored on disk never is another */
        return a->weight ? rsd_layout_bnb8(a, out) : missing(module, "SCB", "weight");
    }
    for (size_t i = 0; i < sizeof states / sizeof *states && !a->state; i++)
        a->state = take(l, module, states[i]);
    a->absmax = take(l, module, "weight.absmax");
    a->quant_map = take(l, module, "weight.quant_map");
    a->nested_absmax = take(l, module, "weight.nested_absmax");
    a->nested_map = take(l, module, "weight.nested_quant_map");
    if (!a->weight || !a->absmax || !a->quant_map)
        return missing(module, "quant_state",
                       !a->weight   ? "weight"
                       : !a->absmax ? "weight.absmax"
                                    : "weight.quant_map");
    return rsd_layout_bnb4(a, l->model->file, out);
}

static size_t bytes_of(const rsd_quantized_arrays *a)
{
    const rsd_entry *const all[] = { a->qweight,    a->qzeros, a->scales,    a->g_idx,
                                     a->weight,     a->absmax, a->quant_map, a->nested_absmax,
                                     a->nested_map, a->scb };
    size_t sum = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        sum += all[i] ? all[i]->bytes : 0;
    return sum;
}

/* One matrix in the place of its codes. */
static int fold_layer(const lookup *l, const char *module, const rsd_quantized_config *config,
                      rsd_entry *out)
{
    rsd_quantized_arrays a;
    *out = (rsd_entry){ .tensor = { .dtype = RSD_F32, .ndim = 2 } };
    int err = layout_of(l, module, config, &a, out);
    if (!err) {
        const rsd_entry *codes = a.qweight ? a.qweight : a.weight;
        rsd_tensor *t = &out->tensor;
        char *name = NULL;
        out->file = codes->file;
        out->offset = codes->offset;
        out->bytes = t->stored_bytes = bytes_of(&a);
        t->elements = t->shape[0] * t->shape[1];
        if (asprintf(&name, "%s.weight", module) < 0)
            err = rsd_model_no_memory(l->model);
        else
            t->name = name;
    }
    if (err) {
        free(out->packing);
        out->packing = NULL;
    }
    return err;
}

/* ---- all of them ---- */

/* Take the used entries out and put the folded ones in. */
static int replace(rsd_model *model, const bool *used, const rsd_entry *folded, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < model->count; i++)
        if (used[i])
            free((char *)(uintptr_t)model->entry[i].tensor.name);
        else
            model->entry[kept++] = model->entry[i];
    model->count = kept;
    RSD_TRY(rsd_source_room(model, count));
    for (size_t i = 0; i < count; i++)
        model->entry[model->count++] = folded[i];
    return RSD_OK;
}

static void free_folded(rsd_entry *folded, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free((char *)(uintptr_t)folded[i].tensor.name);
        free(folded[i].packing);
    }
}

static int fold_all(const lookup *l, const rsd_quantized_config *config, rsd_entry *folded,
                    size_t *count)
{
    for (size_t i = 0; i < l->model->count; i++) {
        char *module = module_of(&l->model->entry[i]);
        if (!module)
            continue;
        const int err = fold_layer(l, module, config, &folded[*count]);
        free(module);
        RSD_TRY(err);
        ++*count;
    }
    return RSD_OK;
}

int rsd_prequantized_fold(rsd_model *model)
{
    rsd_quantized_config config;
    lookup l = { .model = model };
    rsd_entry *folded = NULL;
    size_t count = 0;
    int err = parse_config(model->config, &config);
    if (err || !model->count)
        return err ? rsd_fail_prefix(err, "%s", model->source) : RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(model->count, 1, sizeof *folded, &folded));
    RSD_TRY_DONE(rsd_array_alloc(model->count, 1, sizeof *l.sorted, &l.sorted));
    RSD_TRY_DONE(rsd_array_alloc(model->count, 1, sizeof *l.used, &l.used));
    memset(l.used, 0, model->count * sizeof *l.used);
    for (size_t i = 0; i < model->count; i++)
        l.sorted[i] = &model->entry[i];
    qsort(l.sorted, model->count, sizeof *l.sorted, by_name);
    RSD_TRY_DONE(fold_all(&l, &config, folded, &count));
    if (count) {
        err = replace(model, l.used, folded, count);
        count = err ? count : 0; /* they belong to the model now */
    }
done:
    if (folded)
        free_folded(folded, count);
    free(folded);
    free(l.sorted);
    free(l.used);
    return err ? rsd_fail_prefix(err, "%s", model->source) : RSD_OK;
}
