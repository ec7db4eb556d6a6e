#include "io/model/sources.h"

#include "io/model/hf_folder.h"
#include "io/model/prequantized.h"

#include <stdlib.h>
#include <string.h>

int rsd_model_no_memory(const rsd_model *model)
{
    return RSD_FAIL(RSD_ENOMEM, "%s: description of the model", model->source);
}

int rsd_source_room(rsd_model *model, size_t more)
{
    rsd_entry *grown = realloc(model->entry, (model->count + more + 1) * sizeof *grown);
    if (!grown)
        return rsd_model_no_memory(model);
    model->entry = grown;
    return RSD_OK;
}

/* Stored as plain numbers. */
static void set_stored(rsd_tensor *t, size_t bytes)
{
    snprintf(t->stored, sizeof t->stored, "%s", rsd_dtype_name(t->dtype));
    t->stored_bytes = bytes;
}

/* Takes over the entry's name. */
static void add_entry(rsd_model *model, size_t file, rsd_st_entry *e)
{
    rsd_entry *s = &model->entry[model->count++];
    *s = (rsd_entry){ .file = file, .offset = e->offset, .bytes = e->bytes };
    s->tensor = (rsd_tensor){ .name = e->name, .dtype = e->dtype, .ndim = e->ndim, .elements = 1 };
    e->name = NULL;
    set_stored(&s->tensor, e->bytes);
    for (size_t k = 0; k < e->ndim; k++) {
        s->tensor.shape[k] = e->shape[k];
        s->tensor.elements *= e->shape[k];
    }
}

static int add_safetensors(rsd_model *model, size_t file)
{
    const rsd_map *map = &model->file[file];
    rsd_safetensors st;
    int err = rsd_safetensors_parse(map->data, map->size, &st);
    if (err)
        return rsd_fail_prefix(err, "%s", map->path);
    err = rsd_source_room(model, st.count);
    for (size_t i = 0; i < st.count && !err; i++)
        add_entry(model, file, &st.entry[i]);
    if (!err)
        rsd_map_release(map, 0, st.count ? st.entry[0].offset : map->size);
    rsd_safetensors_free(&st);
    return err;
}

static int add_npy(rsd_model *model)
{
    static const rsd_role role = { .role = "other", .layer = -1, .linear = true };
    const rsd_map *map = &model->file[0];
    rsd_npy npy;
    const int err = rsd_npy_parse(map->data, map->size, &npy);
    if (err)
        return rsd_fail_prefix(err, "%s", map->path);
    if (npy.ndim != 2 || !npy.count)
        return RSD_FAIL(RSD_EFORMAT, "%s: npy: %zu elements in %zu dimensions, not a matrix",
                        map->path, npy.count, npy.ndim);
    if (!rsd_dtype_is_real(npy.dtype))
        return RSD_FAIL(RSD_EFORMAT, "%s: npy: elements are %s, weights are float", map->path,
                        rsd_dtype_name(npy.dtype));
    RSD_TRY(rsd_source_room(model, 1));
    rsd_entry *s = &model->entry[0];
    *s = (rsd_entry){ .offset = npy.offset,
                      .bytes = map->size - npy.offset,
                      .fortran = npy.fortran };
    s->tensor = (rsd_tensor){ .name = strdup(model->name),
                              .dtype = npy.dtype,
                              .ndim = 2,
                              .shape = { npy.shape[0], npy.shape[1] },
                              .role = role,
                              .rows = npy.shape[0],
                              .cols = npy.shape[1],
                              .matrix = true,
                              .elements = npy.count };
    if (!s->tensor.name)
        return rsd_model_no_memory(model);
    set_stored(&s->tensor, s->bytes);
    model->count = 1;
    return RSD_OK;
}

int rsd_source_map(rsd_model *model, const char *path)
{
    rsd_map *grown = realloc(model->file, (model->files + 1) * sizeof *grown);
    if (!grown)
        return rsd_model_no_memory(model);
    model->file = grown;
    RSD_TRY(rsd_map_open(path, &model->file[model->files]));
    model->files++;
    return RSD_OK;
}

void rsd_source_roles(rsd_model *model)
{
    const char *naming = model->architecture;
    for (size_t i = 0; i < model->count && !naming; i++)
        naming = rsd_role_architecture(model->entry[i].tensor.name);
    for (size_t i = 0; i < model->count; i++) {
        rsd_tensor *t = &model->entry[i].tensor;
        t->role = rsd_role_of(naming, t->name);
        t->matrix = t->ndim == 2 && t->elements && rsd_dtype_is_real(t->dtype);
        if (!t->matrix)
            continue;
        t->rows = t->shape[t->role.transposed ? 1 : 0];
        t->cols = t->shape[t->role.transposed ? 0 : 1];
    }
}

int rsd_source_file(rsd_model *model, const char *path)
{
    if (rsd_is_pickle_name(path))
        return rsd_fail_pickle(path);
    RSD_TRY(rsd_source_map(model, path));
    const rsd_map *map = &model->file[0];
    if (rsd_is_pickle_data(map->data, map->size))
        return rsd_fail_pickle(path);
    if (rsd_path_ends(path, ".npy") || (map->size >= 6 && memcmp(map->data, "\x93NUMPY", 6) == 0))
        return add_npy(model);
    if (rsd_path_ends(path, ".gguf") || (map->size >= 4 && memcmp(map->data, "GGUF", 4) == 0))
        return rsd_source_gguf(model);
    if (!rsd_path_ends(path, ".safetensors") && !(map->size > 8 && map->data[8] == '{'))
        return RSD_FAIL(RSD_EFORMAT,
                        "%s: is neither a .safetensors nor a .npy nor a .gguf file, by its name "
                        "and by its first bytes",
                        path);
    RSD_TRY(add_safetensors(model, 0));
    RSD_TRY(rsd_prequantized_fold(model));
    rsd_source_roles(model);
    return RSD_OK;
}

static int open_shards(rsd_model *model, const char *path, const rsd_hf_folder *folder)
{
    for (size_t i = 0; i < folder->count; i++) {
        char *file = rsd_path_join(path, folder->file[i]);
        int err = file ? rsd_source_map(model, file) : rsd_model_no_memory(model);
        free(file);
        if (err && folder->index.count)
            return rsd_fail_prefix(err, "shard %zu of %zu of the index", i + 1, folder->count);
        RSD_TRY(err);
        RSD_TRY(add_safetensors(model, i));
    }
    return RSD_OK;
}

int rsd_source_folder(rsd_model *model, const char *path, rsd_st_index *index)
{
    rsd_hf_folder folder;
    RSD_TRY(rsd_hf_folder_open(path, &folder));
    model->architecture = folder.architecture;
    model->config = folder.config;
    folder.architecture = folder.config = NULL;
    int err = open_shards(model, path, &folder);
    if (!err)
        err = rsd_prequantized_fold(model);
    if (!err)
        rsd_source_roles(model);
    *index = folder.index;
    folder.index = (rsd_st_index){ 0 };
    rsd_hf_folder_free(&folder);
    return err;
}

/* The parameters as a JSON object: every value of the table is a number. */
static int synthetic_config(rsd_model *model)
{
    char text[1024] = "{\"model_type\": \"synthetic\"", value[64];
    size_t used = strlen(text);
    for (const rsd_opt *opt = rsd_synthetic_options; opt->name; opt++) {
        rsd_opt_value(opt, &model->synthetic, value, sizeof value);
        used += (size_t)snprintf(text + used, sizeof text - used, ", \"%s\": %s", opt->name, value);
    }
    snprintf(text + used, sizeof text - used, "}");
    model->config = strdup(text);
    model->architecture = strdup("synthetic");
    return model->config && model->architecture ? RSD_OK : rsd_model_no_memory(model);
}

int rsd_source_synthetic(rsd_model *model, const char *text)
{
    rsd_synthetic *p = &model->synthetic;
    size_t elements, total;
    int err = rsd_synthetic_parse(text, p);
    if (err)
        return rsd_fail_prefix(err, "synthetic");
    if (__builtin_mul_overflow(p->rows, p->cols, &elements) ||
        __builtin_mul_overflow(elements, p->count * sizeof(float), &total))
        return RSD_FAIL(RSD_EUSAGE, "synthetic: %zu matrices of %zu x %zu overflow", p->count,
                        p->rows, p->cols);
    model->generated = true;
    RSD_TRY(synthetic_config(model));
    RSD_TRY(rsd_source_room(model, p->count));
    for (size_t i = 0; i < p->count; i++) {
        char *name;
        if (asprintf(&name, "layers.%zu.weight", i) < 0)
            return rsd_model_no_memory(model);
        rsd_entry *entry = &model->entry[model->count++];
        *entry = (rsd_entry){ .offset = i };
        entry->tensor = (rsd_tensor){
            .name = name,
            .dtype = RSD_F32,
            .ndim = 2,
            .shape = { p->rows, p->cols },
            .role = { .role = "other", .layer = (int)i, .linear = true },
            .rows = p->rows,
            .cols = p->cols,
            .matrix = true,
            .elements = elements,
        };
        set_stored(&entry->tensor, 0);
    }
    return RSD_OK;
}
