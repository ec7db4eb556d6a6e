/* Writing a model folder that other programs load. */
#include "quantize/dense_folder.h"

#include "alloc.h"
#include "fp.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "mat.h"
#include "quantize/config_text.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* ---- tensors ---- */

static const rsd_fp *format_of(rsd_dtype t)
{
    return t == RSD_F16 ? &rsd_fp16 : t == RSD_BF16 ? &rsd_bf16 : NULL;
}

static bool is_exact(const rsd_fp *f, rsd_mat W)
{
    for (size_t i = 0; i < W.m; i++)
        for (size_t j = 0; j < W.n; j++) {
            const float x = W.x[i * W.ld + j];
            if (!(rsd_fp_decode(f, rsd_fp_encode(f, x, true)) == x))
                return false;
        }
    return true;
}

/* The number type that t is written in. */
static int type_of(const dense_folder *f, const rsd_tensor *t, rsd_dtype *type)
{
    size_t bytes;
    const bool stored = rsd_model_bytes(f->model, t, &bytes) != NULL;
    const bool new = f->takes(f->context, t);
    *type = stored && !new ? t->dtype : RSD_F32;
    if (!new || !stored || !f->narrow || !format_of(t->dtype))
        return RSD_OK;
    rsd_mat W;
    RSD_TRY(rsd_mat_alloc(t->rows, t->cols, &W));
    const int err = f->weight(f->context, t, W);
    if (!err && is_exact(format_of(t->dtype), W))
        *type = t->dtype;
    rsd_mat_free(&W);
    return err;
}

static int declare_all(const dense_folder *f, rsd_dtype *type, rsd_st_writer *file)
{
    RSD_TRY(rsd_st_writer_metadata(file, "format", "pt"));
    for (size_t i = 0; i < rsd_model_count(f->model); i++) {
        const rsd_tensor *t = rsd_model_tensor(f->model, i);
        RSD_TRY(type_of(f, t, &type[i]));
        RSD_TRY(rsd_st_writer_declare(file, t->name, rsd_dtype_name(type[i]), t->ndim, t->shape,
                                      t->elements * rsd_dtype_bytes(type[i])));
    }
    return RSD_OK;
}

/* One row of numbers in the type of the file. */
static int put_row(rsd_st_writer *file, rsd_dtype type, const float *x, uint16_t *code, size_t n)
{
    if (type == RSD_F32)
        return rsd_st_writer_data(file, x, n * sizeof *x);
    rsd_fp_encode_array(format_of(type), x, code, n, true);
    return rsd_st_writer_data(file, code, n * sizeof *code);
}

/* As the model stores it: turned back where it is stored in x out. */
static int put_matrix(rsd_st_writer *file, const rsd_tensor *t, rsd_dtype type, rsd_mat W)
{
    const bool turned = t->role.transposed;
    const size_t rows = turned ? W.n : W.m, n = turned ? W.m : W.n;
    float *row = NULL;
    uint16_t *code = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *row, &row));
    RSD_TRY_DONE(rsd_array_alloc(n, 1, sizeof *code, &code));
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < n; j++)
            row[j] = turned ? W.x[j * W.ld + i] : W.x[i * W.ld + j];
        RSD_TRY_DONE(put_row(file, type, row, code, n));
    }
done:
    free(code);
    free(row);
    return err;
}

static int put_new(const dense_folder *f, const rsd_tensor *t, rsd_dtype type, rsd_st_writer *file)
{
    rsd_mat W;
    RSD_TRY(rsd_mat_alloc(t->rows, t->cols, &W));
    int err = f->weight(f->context, t, W);
    if (!err)
        err = put_matrix(file, t, type, W);
    rsd_mat_free(&W);
    if (!err && f->done)
        f->done(f->context, t);
    return err;
}

static int put_as_is(const dense_folder *f, const rsd_tensor *t, rsd_st_writer *file)
{
    size_t bytes;
    const void *data = rsd_model_bytes(f->model, t, &bytes);
    if (data)
        return rsd_st_writer_data(file, data, bytes);
    float *x; /* made, not stored */
    RSD_TRY(rsd_array_alloc(t->elements, 1, sizeof *x, &x));
    int err = rsd_model_read_flat(f->model, t, x);
    if (!err)
        err = rsd_st_writer_data(file, x, t->elements * sizeof *x);
    free(x);
    return err;
}

static int write_tensors(const dense_folder *f, rsd_dtype *type, const char *path)
{
    rsd_st_writer *file;
    int err = RSD_OK;
    RSD_TRY(rsd_st_writer_alloc(&file));
    RSD_TRY_DONE(declare_all(f, type, file));
    RSD_TRY_DONE(rsd_st_writer_begin(file, path));
    for (size_t i = 0; i < rsd_model_count(f->model); i++) {
        const rsd_tensor *t = rsd_model_tensor(f->model, i);
        RSD_TRY_DONE(f->takes(f->context, t) ? put_new(f, t, type[i], file)
                                             : put_as_is(f, t, file));
    }
    err = rsd_st_writer_commit(file);
done:
    rsd_st_writer_free(file);
    return err;
}

/* ---- what lies beside them ---- */

/* Programs that load in the type which the configuration names must not round what was written. */
static const char *widest(const dense_folder *f, const rsd_dtype *type)
{
    rsd_dtype first = RSD_F32;
    size_t reals = 0;
    for (size_t i = 0; i < rsd_model_count(f->model); i++) {
        if (!rsd_dtype_is_real(type[i]))
            continue;
        if (reals++ && type[i] != first)
            return "float32"; /* holds all that are mixed */
        first = type[i];
    }
    return first == RSD_F16 ? "float16" : first == RSD_BF16 ? "bfloat16" : "float32";
}

static int write_config(const dense_folder *f, const rsd_dtype *type, const char *path)
{
    char *text;
    if (strcmp(rsd_model_config(f->model), "{}") == 0) /* the model has none */
        return RSD_OK;
    RSD_TRY(config_of_numbers(rsd_model_config(f->model), widest(f, type), &text));
    const int err = rsd_file_write(path, text, strlen(text));
    free(text);
    return err;
}

static int copy_file(const char *from, const char *to)
{
    rsd_map map;
    RSD_TRY(rsd_map_open(from, &map));
    const int err = rsd_file_write(to, map.data, map.size);
    rsd_map_close(&map);
    return err;
}

/* Tokenizer, template, generation: .json, .txt, .model and .jinja files that say nothing of how
 * weights are stored. */
static int is_companion(const struct dirent *e)
{
    static const char *const ends[] = { ".json", ".txt", ".model", ".jinja" };
    static const char *const others[] = { "config.json", "quantize_config.json",
                                          "quant_config.json", "hf_quant_config.json",
                                          "adapter_config.json" };
    if (strstr(e->d_name, ".index.json"))
        return 0;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strcmp(e->d_name, others[i]) == 0)
            return 0;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (rsd_path_ends(e->d_name, ends[i]))
            return 1;
    return 0;
}

static int copy_companions(const char *from, const char *to)
{
    struct stat st;
    struct dirent **entry = NULL;
    if (stat(from, &st) != 0 || !S_ISDIR(st.st_mode))
        return RSD_OK; /* a single file has none */
    const int n = scandir(from, &entry, is_companion, alphasort);
    if (n < 0)
        return RSD_FAIL(RSD_EIO, "%s: %s", from, strerror(errno));
    int err = RSD_OK;
    for (int i = 0; i < n; i++) {
        char *a = NULL, *b = NULL;
        if (!err)
            err = rsd_format(&a, "%s/%s", from, entry[i]->d_name);
        if (!err)
            err = rsd_format(&b, "%s/%s", to, entry[i]->d_name);
        if (!err)
            err = copy_file(a, b);
        free(a);
        free(b);
        free(entry[i]);
    }
    free(entry);
    return err;
}

int dense_folder_write(const dense_folder *f)
{
    char *tensors = NULL, *config = NULL;
    rsd_dtype *type = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_format(&tensors, "%s/model.safetensors", f->output));
    RSD_TRY_DONE(rsd_format(&config, "%s/config.json", f->output));
    RSD_TRY_DONE(rsd_array_alloc(rsd_model_count(f->model), 1, sizeof *type, &type));
    RSD_TRY_DONE(rsd_make_folder(f->output));
    RSD_TRY_DONE(write_tensors(f, type, tensors));
    RSD_TRY_DONE(copy_companions(rsd_model_source(f->model), f->output));
    err = write_config(f, type, config);
done:
    free(type);
    free(config);
    free(tensors);
    return err;
}
