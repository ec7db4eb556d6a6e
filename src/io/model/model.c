/* A model from its sources to its numbers. */
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

static int sort(rsd_model *model)
{
    if (model->count)
        qsort(model->entry, model->count, sizeof *model->entry, natural_order);
    RSD_TRY(rsd_entries_sort(model, &model->by_name));
    return model->generated ? RSD_OK : rsd_entries_unique(model, model->by_name);
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
    if (stat(path, &st))
        return RSD_FAIL(errno == ENOENT || errno == ENOTDIR ? RSD_ENOTFOUND : RSD_EIO, "%s: %s",
                        path, strerror(errno));
    const bool is_folder = S_ISDIR(st.st_mode);
    if (!(model->name = name_of(path, is_folder)))
        return rsd_model_no_memory(model);
    RSD_TRY(is_folder ? rsd_source_folder(model, path) : rsd_source_file(model, path));
    RSD_TRY(sort(model));
    rsd_model_orient(model);
    return RSD_OK;
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
        free((void *)model->entry[i].tensor.name);
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
    const rsd_entry *s = rsd_entries_get(model->by_name, model->count, name);
    return s ? &s->tensor : NULL;
}

/* ---- reading ---- */

static const rsd_entry *entry_of(const rsd_model *model, const rsd_tensor *t)
{
    const rsd_entry *s = (const rsd_entry *)t;
    assert(model->entry <= s && s < model->entry + model->count);
    return s;
}

/* The matrix as the bytes or the packing give it, which is W or, where turned, its transpose. */
static int read_given(const rsd_model *model, const rsd_entry *s, rsd_mat given)
{
    if (s->packing)
        return s->packing->read(s->packing, model->file, given);
    return rsd_read_matrix(&model->file[s->file], s->offset, s->tensor.dtype, given);
}

static int read_turned(const rsd_model *model, const rsd_entry *s, rsd_mat W)
{
    if (!s->packing)
        return rsd_read_transposed(&model->file[s->file], s->offset, s->tensor.dtype, W);
    rsd_mat given;
    RSD_TRY(rsd_mat_alloc(W.n, W.m, &given));
    const int err = read_given(model, s, given);
    for (size_t i = 0; i < W.m && !err; i++)
        for (size_t j = 0; j < W.n; j++)
            W.x[i * W.ld + j] = given.x[j * given.ld + i];
    rsd_mat_free(&given);
    return err;
}

int rsd_model_read(const rsd_model *model, const rsd_tensor *t, rsd_mat W)
{
    const rsd_entry *s = entry_of(model, t);
    assert(t->matrix && W.m == t->rows && W.n == t->cols);
    if (model->generated)
        return rsd_synthetic_fill(&model->synthetic, s->offset, W);
    return s->turned ? read_turned(model, s, W) : read_given(model, s, W);
}

/* A matrix is listed as shape[0] x shape[1], which is W's transpose where role.transposed. */
static int read_flat_matrix(const rsd_model *model, const rsd_entry *s, float *x)
{
    const size_t m = s->tensor.shape[0], n = s->tensor.shape[1];
    const rsd_mat listed = { x, m, n, n };
    return s->tensor.role.transposed != s->turned ? read_turned(model, s, listed)
                                                  : read_given(model, s, listed);
}

int rsd_model_read_flat(const rsd_model *model, const rsd_tensor *t, float *x)
{
    const rsd_entry *s = entry_of(model, t);
    const size_t n = t->ndim ? t->shape[t->ndim - 1] : 1, m = n ? t->elements / n : 0;
    if (model->generated)
        return rsd_synthetic_fill(&model->synthetic, s->offset,
                                  (rsd_mat){ x, t->rows, t->cols, t->cols });
    if (t->matrix)
        return read_flat_matrix(model, s, x);
    if (s->packing)
        return s->packing->read(s->packing, model->file, (rsd_mat){ x, m, n, n });
    assert(rsd_dtype_is_real(t->dtype));
    return rsd_read_flat(&model->file[s->file], s->offset, t->dtype, t->elements, x);
}

const void *rsd_model_bytes(const rsd_model *model, const rsd_tensor *t, size_t *bytes)
{
    const rsd_entry *s = entry_of(model, t);
    *bytes = s->bytes;
    if (model->generated || (s->packing && rsd_dtype_is_real(t->dtype)) ||
        s->turned != t->role.transposed)
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
