/* A GGUF file, or the parts of one, as a model: names and order of rows as in the Hugging Face
 * checkpoint that it was made from. */
#include "alloc.h"
#include "io/gguf/gguf_config.h"
#include "io/gguf/names.h"
#include "io/gguf/scale.h"
#include "io/gguf/split.h"
#include "io/model/gguf_rows.h"
#include "io/model/sources.h"

#include <stdlib.h>
#include <string.h>

/* ---- tensors as entries ---- */

/* The model that is being opened; part i of it is the model's file i. */
typedef struct {
    rsd_model *model;
    rsd_gguf_parts parts;
    const rsd_gguf_arch *arch; /* NULL: not known */
    size_t heads, kv_heads;
} opening;

static bool plain_type(const rsd_ggml_type *type, rsd_dtype *out)
{
    static const struct {
        const char *name;
        rsd_dtype dtype;
    } plain[] = {
        { "f32", RSD_F32 }, { "f16", RSD_F16 }, { "bf16", RSD_BF16 }, { "f64", RSD_F64 },
        { "i8", RSD_I8 },   { "i16", RSD_I16 }, { "i32", RSD_I32 },   { "i64", RSD_I64 },
    };
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (strcmp(plain[i].name, type->name) == 0) {
            *out = plain[i].dtype;
            return true;
        }
    return false;
}

/* The heads must divide the rows that they are said to be. */
static int check_order(const opening *o, const char *name, rsd_gguf_order order,
                       const rsd_tensor *to, size_t *heads)
{
    const size_t rows = to->shape[0], unit = order == RSD_ROWS_QKV ? 3 : 2;
    *heads = order == RSD_ROWS_ROTARY_K ? o->kv_heads : o->heads;
    if (order == RSD_ROWS_SAME)
        return RSD_OK;
    if (to->ndim < 1 || to->ndim > 2)
        return RSD_FAIL(RSD_EFORMAT, "GGUF: tensor '%s': %zu dimensions", name, to->ndim);
    if (!*heads || rows % unit || rows / unit % *heads)
        return RSD_FAIL(RSD_EFORMAT, "GGUF: tensor '%s': %zu rows are no whole number of %zu heads",
                        name, rows, *heads);
    return RSD_OK;
}

static int pack(const opening *o, const rsd_gguf_tensor *t, const rsd_gguf_row *row, float scale,
                rsd_entry *s)
{
    const rsd_gguf_order order = row ? row->order : RSD_ROWS_SAME;
    rsd_tensor *to = &s->tensor;
    rsd_gguf_rows *rows;
    size_t heads;
    RSD_TRY(check_order(o, t->name, order, to, &heads));
    if (plain_type(t->type, &to->dtype) && order == RSD_ROWS_SAME && scale == 1 &&
        !(row && row->transposed && to->ndim == 2))
        return RSD_OK;
    if (!rsd_dtype_is_real(to->dtype))
        return RSD_FAIL(RSD_EFORMAT, "GGUF: tensor '%s': weights of type %s", t->name,
                        t->type->name);
    RSD_TRY(rsd_zeroed(1, sizeof *rows, &rows));
    *rows =
        (rsd_gguf_rows){ { rsd_gguf_rows_read }, s->file, s->offset, t->type, order, heads, scale };
    s->packing = &rows->base;
    to->dtype = RSD_F32;
    return RSD_OK;
}

/* Out x in, also where the checkpoint has the transpose: rsd_model_orient settles that. */
static void set_shape(const rsd_gguf_tensor *t, bool stacked, rsd_tensor *to)
{
    to->elements = 1;
    for (size_t k = stacked; k < t->ndim; k++) {
        to->shape[to->ndim++] = t->shape[k];
        to->elements *= t->shape[k];
    }
}

/* The tensor, or the e-th of the matrices that a stack of experts holds. */
static int add_entry(const opening *o, size_t file, const rsd_gguf_tensor *t,
                     const rsd_gguf_row *row, size_t e, size_t experts)
{
    rsd_entry *s = &o->model->entry[o->model->count];
    const size_t bytes = t->bytes / (experts ? experts : 1);
    size_t more;
    float scale;
    char *name;
    RSD_TRY(rsd_gguf_scale_of(&o->parts, t, e, experts, &scale, &more));
    RSD_TRY(row ? rsd_gguf_rename(row, t->name, e, &name) : rsd_copy_text(t->name, &name));
    *s = (rsd_entry){
        .file = file, .offset = t->offset + e * bytes, .bytes = bytes, .out_by_in = true
    };
    s->tensor.name = name;
    o->model->count++;
    set_shape(t, experts != 0, &s->tensor);
    snprintf(s->tensor.stored, sizeof s->tensor.stored, "%s", t->type->name);
    s->tensor.stored_bytes = bytes + more;
    return pack(o, t, row, scale, s);
}

static int add_tensors(const opening *o, size_t file)
{
    const rsd_gguf *g = &o->parts.part[file].gguf;
    for (size_t i = 0; i < g->tensors; i++) {
        const rsd_gguf_tensor *t = &g->tensor[i];
        const rsd_gguf_row *row = rsd_gguf_row_find(o->arch, t->name);
        const bool stacked = row && strchr(row->name, '#');
        if (rsd_gguf_is_scale(&o->parts, t))
            continue;
        if (stacked && t->ndim != 3)
            row = NULL;
        const size_t experts = row && stacked ? t->shape[0] : 0;
        RSD_TRY(rsd_source_room(o->model, experts ? experts : 1));
        for (size_t e = 0; e < (experts ? experts : 1); e++)
            RSD_TRY(add_entry(o, file, t, row, e, experts));
    }
    rsd_map_release(&o->model->file[file], 0, g->tensors ? g->tensor[0].offset : 0);
    return RSD_OK;
}

/* ---- the files ---- */

/* Where another part than the first was given: the first one's map in place of its. */
static int begin_at_first(rsd_model *model, size_t *count)
{
    rsd_map *map = &model->file[0];
    rsd_gguf g;
    size_t no;
    char *path = NULL;
    RSD_TRY(rsd_gguf_parse(map->data, map->size, &g));
    int err = rsd_gguf_split(&g, &no, count);
    rsd_gguf_free(&g);
    if (!err && *count > 1)
        err = rsd_gguf_part_path(map->path, no, *count, 0, &path);
    if (!err && no) {
        rsd_map_close(map);
        model->files = 0;
        err = rsd_source_map(model, path);
        if (err)
            err = rsd_fail_prefix(err, "part 1 of %zu", *count);
    }
    free(path);
    return err;
}

static int map_part(rsd_model *model, size_t no, size_t count)
{
    char *path;
    RSD_TRY(rsd_gguf_part_path(model->file[0].path, 0, count, no, &path));
    const int err = rsd_source_map(model, path);
    free(path);
    return err ? rsd_fail_prefix(err, "part %zu of %zu", no + 1, count) : RSD_OK;
}

static int add_parts(opening *o)
{
    rsd_model *model = o->model;
    size_t count = 1;
    RSD_TRY(begin_at_first(model, &count));
    for (size_t i = 0; i < count; i++) {
        if (i)
            RSD_TRY(map_part(model, i, count));
        const rsd_map *map = &model->file[i];
        const int err = rsd_gguf_parts_add(&o->parts, map->data, map->size);
        if (err)
            return i ? rsd_fail_prefix(err, "%s", map->path) : err;
    }
    return rsd_gguf_parts_check(&o->parts);
}

/* Architecture, configuration and heads. */
static int describe(opening *o)
{
    rsd_model *model = o->model;
    const rsd_gguf *g = &o->parts.part[0].gguf;
    const char *name = "unknown";
    size_t n = strlen(name);
    RSD_TRY(rsd_gguf_text(g, "general.architecture", &name, &n));
    o->arch = rsd_gguf_arch_find(name, n);
    RSD_TRY(o->arch ? rsd_copy_text(o->arch->model_type, &model->architecture)
                    : rsd_format(&model->architecture, "%.*s", (int)n, name));
    if (!o->arch)
        return RSD_OK;
    RSD_TRY(rsd_gguf_heads(g, o->arch->gguf, &o->heads, &o->kv_heads));
    return rsd_gguf_config(&o->parts, o->arch, &model->config);
}

/* GGUF's own architecture says llama where the configuration says mistral or mixtral. */
static int name_architecture(rsd_model *model)
{
    static const char key[] = "\"model_type\": \"";
    const char *at = model->config ? strstr(model->config, key) : NULL;
    if (!at)
        return RSD_OK;
    at += strlen(key);
    free(model->architecture);
    return rsd_format(&model->architecture, "%.*s", (int)strcspn(at, "\""), at);
}

static int open_all(opening *o)
{
    RSD_TRY(add_parts(o));
    RSD_TRY(describe(o));
    RSD_TRY(name_architecture(o->model));
    for (size_t i = 0; i < o->parts.parts; i++)
        RSD_TRY(add_tensors(o, i));
    return RSD_OK;
}

int rsd_source_gguf(rsd_model *model)
{
    opening o = { .model = model };
    const int err = open_all(&o);
    rsd_gguf_parts_free(&o.parts);
    if (err)
        return model->files ? rsd_fail_prefix(err, "%s", model->file[0].path) : err;
    rsd_source_roles(model);
    return RSD_OK;
}
