/* A GGUF file, or the parts of one, as a model: names and order of rows as in the Hugging Face
 * checkpoint that it was made from. */
#include "io/gguf.h"
#include "io/gguf/gguf_config.h"
#include "io/gguf/names.h"
#include "io/model/sources.h"

#include <stdlib.h>
#include <string.h>

/* Bytes read before their pages are given back. */
enum { WINDOW = 4 << 20 };

/* Rows of blocks, in an order of their own. */
typedef struct {
    rsd_packing base;
    size_t file, offset;
    const rsd_ggml_type *type;
    rsd_gguf_order order;
    size_t heads;
} blocks;

/* Row of the checkpoint that the file's row r is; d rows a head. */
static size_t row_of(const blocks *b, size_t rows, size_t r)
{
    if (b->order == RSD_ROWS_SAME)
        return r;
    if (b->order == RSD_ROWS_QKV) {
        const size_t width = rows / 3, d = width / b->heads;
        const size_t part = r / width, head = r % width / d, i = r % d;
        return (head * 3 + part) * d + i;
    }
    const size_t d = rows / b->heads, head = r / d, i = r % d;
    return head * d + i % 2 * (d / 2) + i / 2;
}

/* A bias is a row of one number per output: the numbers are what changes places. */
static int read_vector(const blocks *b, const uint8_t *data, rsd_mat W)
{
    float *x;
    RSD_TRY(rsd_array_alloc(W.n, 1, sizeof *x, &x));
    b->type->decode(data, W.n / b->type->block, x);
    for (size_t r = 0; r < W.n; r++)
        W.x[row_of(b, W.n, r)] = x[r];
    free(x);
    return RSD_OK;
}

static int read_blocks(const rsd_packing *self, const rsd_map *file, rsd_mat W)
{
    const blocks *b = (const blocks *)self;
    const rsd_map *map = &file[b->file];
    const size_t per_row = W.n / b->type->block, bytes = per_row * b->type->bytes;
    size_t begin = b->offset, at = b->offset;
    int err = RSD_OK;
    if (!b->type->decode)
        return RSD_FAIL(RSD_EFORMAT, "stored as %s, which is listed but not read", b->type->name);
    RSD_TRY(rsd_map_check(map));
    if (W.m == 1 && b->order != RSD_ROWS_SAME)
        err = read_vector(b, map->data + at, W);
    else
        for (size_t r = 0; r < W.m; r++) {
            b->type->decode(map->data + at, per_row, W.x + row_of(b, W.m, r) * W.ld);
            at += bytes;
            if (at - begin >= WINDOW) {
                rsd_map_release(map, begin, at - begin);
                begin = at;
            }
        }
    rsd_map_release(map, begin, b->offset + W.m * bytes - begin);
    return err;
}

/* ---- tensors as entries ---- */

/* A part of the model that is being opened. */
typedef struct {
    rsd_model *model;
    const rsd_gguf *gguf;
    const rsd_gguf_arch *arch; /* NULL: not known */
    size_t file, heads, kv_heads;
} part;

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
static int check_order(const part *p, const char *name, rsd_gguf_order order, const rsd_tensor *to,
                       size_t *heads)
{
    const size_t rows = to->shape[0], unit = order == RSD_ROWS_QKV ? 3 : 2;
    *heads = order == RSD_ROWS_ROTARY_K ? p->kv_heads : p->heads;
    if (order == RSD_ROWS_SAME)
        return RSD_OK;
    if (to->ndim < 1 || to->ndim > 2)
        return RSD_FAIL(RSD_EFORMAT, "GGUF: tensor '%s': %zu dimensions", name, to->ndim);
    if (!*heads || rows % unit || rows / unit % *heads)
        return RSD_FAIL(RSD_EFORMAT, "GGUF: tensor '%s': %zu rows are no whole number of %zu heads",
                        name, rows, *heads);
    return RSD_OK;
}

static int pack(const part *p, const rsd_gguf_tensor *t, const rsd_gguf_row *row, rsd_entry *s)
{
    const rsd_gguf_order order = row ? row->order : RSD_ROWS_SAME;
    rsd_tensor *to = &s->tensor;
    size_t heads;
    RSD_TRY(check_order(p, t->name, order, to, &heads));
    if (plain_type(t->type, &to->dtype) && order == RSD_ROWS_SAME &&
        !(row && row->transposed && to->ndim == 2))
        return RSD_OK;
    if (!rsd_dtype_is_real(to->dtype))
        return RSD_FAIL(RSD_EFORMAT, "GGUF: tensor '%s': weights of type %s", t->name,
                        t->type->name);
    blocks *b = malloc(sizeof *b);
    if (!b)
        return rsd_model_no_memory(p->model);
    *b = (blocks){ { read_blocks }, p->file, s->offset, t->type, order, heads };
    s->packing = &b->base;
    to->dtype = RSD_F32;
    return RSD_OK;
}

/* The tensor, or the e-th of the matrices that a stack of experts holds. */
static int add_entry(const part *p, const rsd_gguf_tensor *t, const rsd_gguf_row *row, size_t e,
                     size_t experts)
{
    rsd_entry *s = &p->model->entry[p->model->count];
    const size_t first = experts ? 1 : 0, bytes = t->bytes / (experts ? experts : 1);
    *s = (rsd_entry){ .file = p->file, .offset = t->offset + e * bytes, .bytes = bytes };
    rsd_tensor *to = &s->tensor;
    to->name = row ? rsd_gguf_rename(row, t->name, e) : strdup(t->name);
    if (!to->name)
        return rsd_model_no_memory(p->model);
    p->model->count++;
    to->elements = 1;
    for (size_t k = first; k < t->ndim; k++) {
        to->shape[to->ndim++] = t->shape[k];
        to->elements *= t->shape[k];
    }
    if (row && row->transposed && to->ndim == 2) { /* as the checkpoint has it */
        to->shape[0] = t->shape[1];
        to->shape[1] = t->shape[0];
    }
    snprintf(to->stored, sizeof to->stored, "%s", t->type->name);
    to->stored_bytes = bytes;
    return pack(p, t, row, s);
}

static int add_tensors(const part *p)
{
    const rsd_gguf *g = p->gguf;
    for (size_t i = 0; i < g->tensors; i++) {
        const rsd_gguf_tensor *t = &g->tensor[i];
        const rsd_gguf_row *row = rsd_gguf_row_find(p->arch, t->name);
        const bool stacked = row && strchr(row->name, '#');
        if (stacked && t->ndim != 3)
            row = NULL;
        const size_t experts = row && stacked ? t->shape[0] : 0;
        RSD_TRY(rsd_source_room(p->model, experts ? experts : 1));
        for (size_t e = 0; e < (experts ? experts : 1); e++)
            RSD_TRY(add_entry(p, t, row, e, experts));
    }
    rsd_map_release(&p->model->file[p->file], 0, g->tensors ? g->tensor[0].offset : 0);
    return RSD_OK;
}

/* ---- the files ---- */

/* "dir/name-00001-of-00003.gguf" with another number; the caller frees. */
static int part_path(const char *path, size_t number, size_t count, char **out)
{
    char end[64];
    snprintf(end, sizeof end, "-%05d-of-%05zu.gguf", 1, count);
    if (!rsd_path_ends(path, end))
        return RSD_FAIL(RSD_EFORMAT, "%s: the first of %zu parts, but not named NAME%s", path,
                        count, end);
    const size_t stem = strlen(path) - strlen(end);
    if (asprintf(out, "%.*s-%05zu-of-%05zu.gguf", (int)stem, path, number, count) < 0)
        return RSD_FAIL(RSD_ENOMEM, "%s: name of a part", path);
    return RSD_OK;
}

static int add_part(const part *first, size_t number, size_t count)
{
    char *path = NULL;
    size_t no = 0, of = 0;
    rsd_gguf g = { 0 };
    part p = *first;
    RSD_TRY(part_path(p.model->file[0].path, number + 1, count, &path));
    int err = rsd_source_map(p.model, path);
    if (err) {
        free(path);
        return rsd_fail_prefix(err, "part %zu of %zu", number + 1, count);
    }
    p.file = p.model->files - 1;
    p.gguf = &g;
    const rsd_map *map = &p.model->file[p.file];
    RSD_TRY_DONE(rsd_gguf_parse(map->data, map->size, &g));
    RSD_TRY_DONE(rsd_gguf_size(&g, "split.no", &no));
    RSD_TRY_DONE(rsd_gguf_size(&g, "split.count", &of));
    if (no != number || of != count) {
        err = RSD_FAIL(RSD_EFORMAT, "says that it is part %zu of %zu, not %zu of %zu", no + 1, of,
                       number + 1, count);
        goto done;
    }
    err = add_tensors(&p);
done:
    rsd_gguf_free(&g);
    if (err)
        rsd_fail_prefix(err, "%s", path);
    free(path);
    return err;
}

static int add_parts(const part *p)
{
    size_t no = 0, count = 1;
    RSD_TRY(rsd_gguf_size(p->gguf, "split.no", &no));
    RSD_TRY(rsd_gguf_size(p->gguf, "split.count", &count));
    if (no)
        return RSD_FAIL(RSD_EFORMAT, "GGUF: part %zu of %zu; give the first", no + 1, count);
    for (size_t i = 1; i < count; i++)
        RSD_TRY(add_part(p, i, count));
    return RSD_OK;
}

/* Architecture, configuration and heads, from the first part's metadata. */
static int describe(part *p)
{
    rsd_model *model = p->model;
    const char *name = "unknown";
    size_t n = strlen(name);
    RSD_TRY(rsd_gguf_text(p->gguf, "general.architecture", &name, &n));
    p->arch = rsd_gguf_arch_find(name, n);
    model->architecture = p->arch ? strdup(p->arch->model_type) : strndup(name, n);
    if (!model->architecture)
        return rsd_model_no_memory(model);
    if (!p->arch)
        return RSD_OK;
    RSD_TRY(rsd_gguf_heads(p->gguf, p->arch->gguf, &p->heads, &p->kv_heads));
    return rsd_gguf_config(p->gguf, model->file[0].data, p->arch, &model->config);
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
    model->architecture = strndup(at, strcspn(at, "\""));
    return model->architecture ? RSD_OK : rsd_model_no_memory(model);
}

int rsd_source_gguf(rsd_model *model)
{
    rsd_gguf gguf;
    int err = rsd_gguf_parse(model->file[0].data, model->file[0].size, &gguf);
    part p = { .model = model, .gguf = &gguf };
    if (!err)
        err = describe(&p);
    if (!err)
        err = name_architecture(model);
    if (!err)
        err = add_tensors(&p);
    if (!err)
        err = add_parts(&p);
    rsd_gguf_free(&gguf);
    if (err)
        return rsd_fail_prefix(err, "%s", model->file[0].path);
    rsd_source_roles(model);
    return RSD_OK;
}
