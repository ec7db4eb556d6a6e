/* Which arrays of a checkpoint belong together, and the matrix that takes their place. */
#include "io/model/prequantized.h"

#include "alloc.h"
#include "io/file.h"
#include "io/model/prequantized_arrays.h"
#include "mat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the arrays of a layer ---- */

rsd_entry *rsd_layer_take(rsd_layer *l, const char *name)
{
    char full[1024];
    const rsd_arrays *all = l->all;
    const char *dot = *l->module ? "." : "";
    if ((size_t)snprintf(full, sizeof full, "%s%s%s", l->module, dot, name) >= sizeof full)
        return NULL;
    rsd_entry *hit = rsd_entries_get(all->sorted, all->model->count, full);
    if (!hit || all->used[hit - all->model->entry])
        return NULL;
    all->used[hit - all->model->entry] = true;
    l->bytes += hit->bytes;
    return hit;
}

int rsd_layer_lacks(const rsd_layer *l, const char *what, const char *with)
{
    return RSD_FAIL(RSD_EFORMAT, "%s: %s without %s", l->module, what, with);
}

/* The array whose presence tells that a layer is quantized, and how. */
static const struct {
    const char *ending;
    rsd_layout *layout;
} marks[] = {
    { ".qweight", rsd_layout_words },
    { ".SCB", rsd_layout_bnb8 },
    { ".weight.quant_state.bitsandbytes__nf4", rsd_layout_bnb4 },
    { ".weight.quant_state.bitsandbytes__fp4", rsd_layout_bnb4 },
    { ".weight_packed", rsd_layout_compressed },
};

/* The name before an ending; NULL where the name ends otherwise.  The caller frees. */
static int stem_of(const char *name, const char *ending, char **out)
{
    *out = NULL;
    if (!rsd_path_ends(name, ending))
        return RSD_OK;
    return rsd_format(out, "%.*s", (int)(strlen(name) - strlen(ending)), name);
}

/* One matrix in the place of its codes. */
static int fold_layer(const rsd_arrays *all, const char *module, rsd_layout *layout,
                      const rsd_quantized_config *config, rsd_entry *out)
{
    rsd_layer l = { .module = module, .all = all };
    char *name = NULL;
    *out = (rsd_entry){ .tensor = { .dtype = RSD_F32, .ndim = 2 } };
    int err = layout(&l, config, out);
    if (!err)
        err = rsd_format(&name, "%s%sweight", module, *module ? "." : "");
    if (err) {
        free(out->packing);
        out->packing = NULL;
        return err;
    }
    rsd_tensor *t = &out->tensor;
    t->name = name;
    t->elements = t->shape[0] * t->shape[1];
    out->file = l.codes->file;
    out->offset = l.codes->offset;
    out->bytes = t->stored_bytes = l.bytes;
    return RSD_OK;
}

static int fold_marked(const rsd_arrays *all, const rsd_quantized_config *config, rsd_entry *folded,
                       size_t *count)
{
    for (size_t i = 0; i < all->model->count; i++)
        for (size_t k = 0; k < sizeof marks / sizeof *marks; k++) {
            char *module;
            RSD_TRY(stem_of(all->model->entry[i].tensor.name, marks[k].ending, &module));
            if (!module)
                continue;
            const int err = fold_layer(all, module, marks[k].layout, config, &folded[*count]);
            free(module);
            RSD_TRY(err);
            ++*count;
        }
    return RSD_OK;
}

/* ---- numbers with a scale beside them ---- */

/* Of a type that stands for weights only together with a scale, or (float8) may. */
static bool may_be_scaled(const rsd_tensor *t)
{
    static const rsd_dtype types[] = { RSD_E4M3, RSD_E5M2, RSD_I8, RSD_U8, RSD_I16, RSD_I32 };
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        if (t->ndim == 2 && t->elements && t->dtype == types[k])
            return true;
    return false;
}

/* "a.b.weight" is of module a.b, "weight" of "", and a bare "a.b" of none. */
static int module_of(const rsd_tensor *t, char **out)
{
    *out = NULL;
    if (strcmp(t->name, "weight") == 0)
        return rsd_copy_text("", out);
    return stem_of(t->name, ".weight", out);
}

static int fold_scaled(const rsd_arrays *all, const rsd_quantized_config *config, rsd_entry *folded,
                       size_t *count)
{
    const rsd_model *model = all->model;
    for (size_t i = 0; i < model->count; i++) {
        rsd_entry *s = &model->entry[i];
        char *module;
        bool found = false;
        if (all->used[i] || !may_be_scaled(&s->tensor))
            continue;
        RSD_TRY(module_of(&s->tensor, &module));
        if (!module) {
            RSD_TRY(rsd_scale_beside_bare(all, s));
            continue;
        }
        int err = rsd_scale_beside(all, s, module, &found);
        if (!err && found)
            err = fold_layer(all, module, rsd_layout_scaled, config, &folded[*count]);
        free(module);
        RSD_TRY(err);
        *count += found;
    }
    return RSD_OK;
}

/* A weight of a linear layer, or a table, whose numbers say nothing without a scale (or, where
 * `scaled`, float8 that lacks the scale it should have): listed, and reading it says why not. */
static int mark_unread(rsd_model *model, bool scaled)
{
    for (size_t i = 0; i < model->count; i++) {
        rsd_entry *s = &model->entry[i];
        const rsd_tensor *t = &s->tensor;
        const rsd_role role = rsd_role_of(NULL, t->name);
        const bool lacks = scaled && (t->dtype == RSD_E4M3 || t->dtype == RSD_E5M2);
        if (s->packing || t->ndim != 2 || !(role.linear || role.embedding) ||
            (rsd_dtype_is_real(t->dtype) && !lacks))
            continue;
        RSD_TRY(rsd_unread_alloc(&s->packing,
                                 "stored as %s without a scale beside it: its values are not known",
                                 t->stored));
    }
    return RSD_OK;
}

/* ---- all of them ---- */

/* Take the used entries out and put the folded ones in. */
static int replace(rsd_model *model, const bool *used, const rsd_entry *folded, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < model->count; i++)
        if (used[i])
            free((void *)model->entry[i].tensor.name);
        else
            model->entry[kept++] = model->entry[i];
    const size_t before = model->count;
    model->count = kept;
    if (kept + count > before)
        return RSD_FAIL(RSD_EFORMAT, "%zu layers of %zu arrays", count, before - kept);
    for (size_t i = 0; i < count; i++)
        model->entry[model->count++] = folded[i];
    return RSD_OK;
}

static void free_folded(rsd_entry *folded, size_t count)
{
    for (size_t i = 0; folded && i < count; i++) {
        free((void *)folded[i].tensor.name);
        free(folded[i].packing);
    }
    free(folded);
}

static int fold(rsd_model *model, const rsd_quantized_config *config)
{
    rsd_arrays all = { .model = model };
    rsd_entry *folded = NULL;
    size_t count = 0, marked = 0;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_zeroed(model->count, sizeof *folded, &folded));
    RSD_TRY_DONE(rsd_zeroed(model->count, sizeof *all.used, &all.used));
    RSD_TRY_DONE(rsd_entries_sort(model, &all.sorted));
    RSD_TRY_DONE(fold_marked(&all, config, folded, &count));
    marked = count;
    RSD_TRY_DONE(fold_scaled(&all, config, folded, &count));
    RSD_TRY_DONE(rsd_foreign_check(&all, config));
    RSD_TRY_DONE(replace(model, all.used, folded, count));
    const bool scaled = config->scaled || count > marked;
    count = 0; /* they belong to the model now */
    err = mark_unread(model, scaled);
done:
    free_folded(folded, count);
    free(all.sorted);
    free(all.used);
    return err;
}

int rsd_prequantized_fold(rsd_model *model, const char *description)
{
    rsd_quantized_config config;
    int err = rsd_quantized_config_parse(model->config, description, &config);
    if (!err && model->count)
        err = fold(model, &config);
    return err ? rsd_fail_prefix(err, "%s", model->source) : RSD_OK;
}
