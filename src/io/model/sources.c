/* The kinds of source: safetensors files and folders of them, .npy, synthetic. */
#include "io/model/sources.h"

#include "alloc.h"
#include "io/model/hf_folder.h"
#include "io/model/prequantized.h"

#include <stdlib.h>
#include <string.h>

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
    *s =
        (rsd_entry){ .offset = npy.offset, .bytes = map->size - npy.offset, .turned = npy.fortran };
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
    RSD_TRY(rsd_room(&model->file, model->files, 1, sizeof *model->file));
    RSD_TRY(rsd_map_open(path, &model->file[model->files]));
    model->files++;
    return RSD_OK;
}

void rsd_source_roles(rsd_model *model)
{
    const char *naming = model->architecture;
    for (size_t i = 0; i < model->count && !naming; i++)
        naming = rsd_role_architecture(model->entry[i].tensor.name);
    for (size_t i = 0; i < model->count; i++)
        model->entry[i].tensor.role = rsd_role_of(naming, model->entry[i].tensor.name);
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
    RSD_TRY(rsd_prequantized_fold(model, NULL));
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

/* What the index promises is there, before any arrays are put together.  (A tensor that it does not
 * mention is read all the same, as the libraries that load whole shards do.) */
static int check_index(const rsd_model *model, const rsd_st_index *index)
{
    rsd_entry **sorted;
    int err = RSD_OK;
    RSD_TRY(rsd_entries_sort(model, &sorted));
    RSD_TRY_DONE(rsd_entries_unique(model, sorted));
    for (size_t i = 0; i < index->count && !err; i++) {
        const char *tensor = index->entry[i].tensor, *file = index->entry[i].file;
        const rsd_entry *s = rsd_entries_get(sorted, model->count, tensor);
        const char *there = s ? rsd_entry_file(model, s) : NULL;
        if (!s || strcmp(there, file) != 0)
            err = RSD_FAIL(RSD_EFORMAT, "%s: the index puts tensor '%s' in %s, it is in %s",
                           model->source, tensor, file, s ? there : "none of the shards");
    }
done:
    free(sorted);
    return err;
}

int rsd_source_folder(rsd_model *model, const char *path)
{
    rsd_hf_folder folder;
    RSD_TRY(rsd_hf_folder_open(path, &folder));
    model->architecture = folder.architecture;
    model->config = folder.config;
    folder.architecture = folder.config = NULL;
    int err = open_shards(model, path, &folder);
    if (!err)
        err = check_index(model, &folder.index);
    if (!err)
        err = rsd_prequantized_fold(model, folder.quantization);
    if (!err)
        rsd_source_roles(model);
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
    RSD_TRY(rsd_copy_text(text, &model->config));
    return rsd_copy_text("synthetic", &model->architecture);
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
        RSD_TRY(rsd_format(&name, "layers.%zu.weight", i));
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
