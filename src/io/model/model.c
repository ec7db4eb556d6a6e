#include "io/model.h"

#include "io/model/sources.h"
#include "io/read.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* ---- order and consistency ---- */

static int natural_order(const void *a, const void *b)
{
    const rsd_entry *p = a, *q = b;
    if (p->tensor.role.layer != q->tensor.role.layer)
        return p->tensor.role.layer < q->tensor.role.layer ? -1 : 1;
    if (p->file != q->file)
        return p->file < q->file ? -1 : 1;
    if (p->offset != q->offset)
        return p->offset < q->offset ? -1 : 1;
    if (p->bytes != q->bytes)
        return p->bytes < q->bytes ? -1 : 1;
    return strcmp(p->tensor.name, q->tensor.name);
}

static int name_order(const void *a, const void *b)
{
    const rsd_entry *const *p = a, *const *q = b;
    return strcmp((*p)->tensor.name, (*q)->tensor.name);
}

static int sort(rsd_model *model)
{
    RSD_TRY(rsd_array_alloc(model->count, 1, sizeof *model->by_name, &model->by_name));
    if (!model->count)
        return RSD_OK;
    qsort(model->entry, model->count, sizeof *model->entry, natural_order);
    for (size_t i = 0; i < model->count; i++)
        model->by_name[i] = &model->entry[i];
    qsort(model->by_name, model->count, sizeof *model->by_name, name_order);
    for (size_t i = 1; i < model->count; i++) {
        const rsd_entry *p = model->by_name[i - 1], *q = model->by_name[i];
        if (strcmp(p->tensor.name, q->tensor.name) == 0)
            return RSD_FAIL(RSD_EFORMAT, "%s: tensor '%s' is in two shards, %s and %s",
                            model->source, p->tensor.name, base_name(model->file[p->file].path),
                            base_name(model->file[q->file].path));
    }
    return RSD_OK;
}

static const rsd_entry *find(const rsd_model *model, const char *name)
{
    const rsd_entry key = { .tensor.name = name }, *at = &key;
    const rsd_entry **hit = NULL;
    if (model->count)
        hit = bsearch(&at, model->by_name, model->count, sizeof *model->by_name, name_order);
    return hit ? *hit : NULL;
}

/* What the index promises is there.  (A tensor that it does not mention is read all the same, as
 * the libraries that load whole shards do.) */
static int check_index(const rsd_model *model, const rsd_st_index *index)
{
    for (size_t i = 0; i < index->count; i++) {
        const char *tensor = index->entry[i].tensor, *file = index->entry[i].file;
        const rsd_entry *s = find(model, tensor);
        const char *there = s ? base_name(model->file[s->file].path) : NULL;
        if (!s || strcmp(there, file) != 0)
            return RSD_FAIL(RSD_EFORMAT, "%s: the index puts tensor '%s' in %s, it is in %s",
                            model->source, tensor, file, s ? there : "none of the shards");
    }
    return RSD_OK;
}

/* ---- opening and closing ---- */

/* "dir/pythia-70m/" -> "pythia-70m", "a/W.npy" -> "W". */
static char *name_of(const char *path, bool folder)
{
    const char *base = base_name(path);
    if (!folder) {
        const bool known = rsd_path_ends(base, ".safetensors") || rsd_path_ends(base, ".npy") ||
                           rsd_path_ends(base, ".gguf");
        const char *end = known ? strrchr(base, '.') : base + strlen(base);
        return end > base ? strndup(base, (size_t)(end - base)) : strdup(base);
    }
    if (*base && strcmp(base, ".") != 0 && strcmp(base, "..") != 0)
        return strdup(base);
    char *real = realpath(path, NULL);
    char *name = strdup(real && *base_name(real) ? base_name(real) : "model");
    free(real);
    return name;
}

static int open_path(rsd_model *model, const char *path)
{
    struct stat st;
    rsd_st_index index = { 0 };
    if (stat(path, &st))
        return RSD_FAIL(errno == ENOENT || errno == ENOTDIR ? RSD_ENOTFOUND : RSD_EIO, "%s: %s",
                        path, strerror(errno));
    const bool is_folder = S_ISDIR(st.st_mode);
    if (!(model->name = name_of(path, is_folder)))
        return rsd_model_no_memory(model);
    int err = is_folder ? rsd_source_folder(model, path, &index) : rsd_source_file(model, path);
    if (!err)
        err = sort(model);
    if (!err)
        err = check_index(model, &index);
    rsd_st_index_free(&index);
    return err;
}

static int open_source(rsd_model *model)
{
    static const char prefix[] = "synthetic:";
    if (strncmp(model->source, prefix, strlen(prefix)) == 0) {
        RSD_TRY(rsd_source_synthetic(model, model->source + strlen(prefix)));
        model->name = strdup("synthetic");
        return model->name ? sort(model) : rsd_model_no_memory(model);
    }
    char *path = strdup(model->source);
    if (!path)
        return rsd_model_no_memory(model);
    for (size_t n = strlen(path); n > 1 && path[n - 1] == '/'; n--)
        path[n - 1] = 0;
    const int err = open_path(model, path);
    free(path);
    return err;
}

int rsd_model_open(const char *source, rsd_model **out)
{
    rsd_model *model = calloc(1, sizeof *model);
    *out = NULL;
    if (!model || !(model->source = strdup(source))) {
        free(model);
        return RSD_FAIL(RSD_ENOMEM, "%s: description of the model", source);
    }
    const int err = open_source(model);
    if (err)
        rsd_model_close(model);
    else
        *out = model;
    return err;
}

void rsd_model_close(rsd_model *model)
{
    if (!model)
        return;
    for (size_t i = 0; i < model->count; i++) {
        free((char *)model->entry[i].tensor.name);
        free(model->entry[i].packing);
    }
    for (size_t i = 0; i < model->files; i++)
        rsd_map_close(&model->file[i]);
    free(model->entry);
    free(model->by_name);
    free(model->file);
    free(model->source);
    free(model->name);
    free(model->architecture);
    free(model->config);
    free(model);
}

/* ---- looking ---- */

const char *rsd_model_source(const rsd_model *model) { return model->source; }

const char *rsd_model_name(const rsd_model *model) { return model->name; }

const char *rsd_model_architecture(const rsd_model *model)
{
    return model->architecture ? model->architecture : "unknown";
}

const char *rsd_model_config(const rsd_model *model)
{
    return model->config ? model->config : "{}";
}

size_t rsd_model_parameters(const rsd_model *model)
{
    size_t sum = 0;
    for (size_t i = 0; i < model->count; i++)
        if (rsd_dtype_is_real(model->entry[i].tensor.dtype))
            sum += model->entry[i].tensor.elements;
    return sum;
}

size_t rsd_model_count(const rsd_model *model) { return model->count; }

const rsd_tensor *rsd_model_tensor(const rsd_model *model, size_t i)
{
    assert(i < model->count);
    return &model->entry[i].tensor;
}

const rsd_tensor *rsd_model_find(const rsd_model *model, const char *name)
{
    const rsd_entry *s = find(model, name);
    return s ? &s->tensor : NULL;
}

/* ---- reading ---- */

static const rsd_entry *entry_of(const rsd_model *model, const rsd_tensor *t)
{
    const rsd_entry *s = (const rsd_entry *)t;
    assert(model->entry <= s && s < model->entry + model->count);
    return s;
}

/* A Conv1D weight, and an array in Fortran order, lie transposed in the file.  A packing knows by
 * itself how it lies. */
int rsd_model_read(const rsd_model *model, const rsd_tensor *t, rsd_mat W)
{
    const rsd_entry *s = entry_of(model, t);
    assert(t->matrix && W.m == t->rows && W.n == t->cols);
    if (model->generated)
        return rsd_synthetic_fill(&model->synthetic, s->offset, W);
    if (s->packing)
        return s->packing->read(s->packing, model->file, W);
    const rsd_map *map = &model->file[s->file];
    return t->role.transposed != s->fortran ? rsd_read_transposed(map, s->offset, t->dtype, W)
                                            : rsd_read_matrix(map, s->offset, t->dtype, W);
}

/* A packing gives out x in: turn it for who wants it as the checkpoint of its name stores it. */
static int read_packed_flat(const rsd_model *model, const rsd_entry *s, float *x)
{
    const rsd_tensor *t = &s->tensor;
    const size_t n = t->ndim ? t->shape[t->ndim - 1] : 1, m = n ? t->elements / n : 0;
    if (!t->role.transposed)
        return s->packing->read(s->packing, model->file, (rsd_mat){ x, m, n, n });
    rsd_mat W;
    RSD_TRY(rsd_mat_alloc(n, m, &W));
    const int err = s->packing->read(s->packing, model->file, W);
    for (size_t i = 0; i < m && !err; i++)
        for (size_t j = 0; j < n; j++)
            x[i * n + j] = W.x[j * W.ld + i];
    rsd_mat_free(&W);
    return err;
}

int rsd_model_read_flat(const rsd_model *model, const rsd_tensor *t, float *x)
{
    const rsd_entry *s = entry_of(model, t);
    assert(rsd_dtype_is_real(t->dtype));
    if (model->generated)
        return rsd_synthetic_fill(&model->synthetic, s->offset,
                                  (rsd_mat){ x, t->rows, t->cols, t->cols });
    if (s->packing)
        return read_packed_flat(model, s, x);
    return rsd_read_flat(&model->file[s->file], s->offset, t->dtype, t->elements, x);
}

const void *rsd_model_bytes(const rsd_model *model, const rsd_tensor *t, size_t *bytes)
{
    const rsd_entry *s = entry_of(model, t);
    *bytes = s->bytes;
    if (model->generated || s->packing)
        return NULL;
    return model->file[s->file].data + s->offset;
}

/* ---- checksum ---- */

static int sha_of_shards(const rsd_model *model, char hex[65])
{
    char *lines = NULL;
    size_t size = 0;
    int err = RSD_OK;
    FILE *f = open_memstream(&lines, &size);
    if (!f)
        return rsd_model_no_memory(model);
    for (size_t i = 0; i < model->files && !err; i++) { /* they were opened in order of name */
        err = rsd_file_sha256(model->file[i].path, hex);
        fprintf(f, "%s  %s\n", hex, base_name(model->file[i].path));
    }
    if (fclose(f) && !err)
        err = rsd_model_no_memory(model);
    if (!err)
        rsd_sha256(lines, size, hex);
    free(lines);
    return err;
}

int rsd_model_sha256(const rsd_model *model, char hex[65])
{
    if (model->generated) {
        char text[1024] = "synthetic:";
        const size_t n = strlen(text);
        rsd_opt_format(rsd_synthetic_options, &model->synthetic, text + n, sizeof text - n);
        rsd_sha256(text, strlen(text), hex);
        return RSD_OK;
    }
    return model->files == 1 ? rsd_file_sha256(model->file[0].path, hex)
                             : sha_of_shards(model, hex);
}
