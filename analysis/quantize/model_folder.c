#include "quantize/model_folder.h"

#include "cli/console.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "mat.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

const rsd_spec *quantize_spec_of(const quantize_job *job, const rsd_model *model,
                                 const rsd_tensor *t)
{
    size_t count;
    if (!select_takes(job->select, model, t))
        return NULL;
    const rsd_spec *spec = select_specs_for(job->specs, t->name, &count);
    return count ? spec : NULL;
}

/* "tensor.section": how packed.safetensors calls a section. */
static int declare_sections(rsd_st_writer *w, const rsd_tensor *t, const rsd_spec *spec,
                            const rsd_packed *packed)
{
    char value[RSD_SPEC_MAX + 64];
    snprintf(value, sizeof value, "%s %zux%zu", spec->text, packed->m, packed->n);
    RSD_TRY(rsd_st_writer_metadata(w, t->name, value));
    for (size_t i = 0; i < packed->sections; i++) {
        const rsd_section *s = &packed->section[i];
        char *name = NULL;
        if (asprintf(&name, "%s.%s", t->name, s->name) < 0)
            return RSD_FAIL(RSD_ENOMEM, "name of a section");
        const int err = rsd_st_writer_declare(w, name, s->dtype, 1, &s->count, s->bytes);
        free(name);
        RSD_TRY(err);
    }
    return RSD_OK;
}

static int write_sections(rsd_st_writer *w, const rsd_packed *packed)
{
    for (size_t i = 0; i < packed->sections; i++)
        RSD_TRY(rsd_st_writer_data(w, packed->section[i].data, packed->section[i].bytes));
    return RSD_OK;
}

/* The dequantized matrix as the model stores it: turned back where it is stored in x out. */
static int write_matrix(rsd_st_writer *w, const rsd_tensor *t, rsd_mat Wq)
{
    if (!t->role.transposed)
        return rsd_st_writer_data(w, Wq.x, Wq.m * Wq.n * sizeof *Wq.x);
    float *row;
    RSD_TRY(rsd_array_alloc(Wq.m, 1, sizeof *row, &row));
    int err = RSD_OK;
    for (size_t j = 0; j < Wq.n && !err; j++) {
        for (size_t i = 0; i < Wq.m; i++)
            row[i] = Wq.x[i * Wq.ld + j];
        err = rsd_st_writer_data(w, row, Wq.m * sizeof *row);
    }
    free(row);
    return err;
}

/* One matrix read and packed.  W and Wq belong to the caller; packed is freed by it. */
static int quantize_one(const quantize_job *job, const rsd_model *model, const rsd_tensor *t,
                        const rsd_spec *spec, rsd_mat *Wq, rsd_packed *packed)
{
    rsd_mat W;
    rsd_quant_stats stats;
    layer_calibration k = { 0 };
    int err = RSD_OK;
    RSD_TRY(rsd_mat_alloc(t->rows, t->cols, &W));
    RSD_TRY_DONE(rsd_mat_alloc(t->rows, t->cols, Wq));
    RSD_TRY_DONE(rsd_model_read(model, t, W));
    RSD_TRY_DONE(calibration_read(job->calibration, t, &k));
    RSD_TRY_DONE(rsd_quantize(spec, W, k.any ? &k.c : NULL, *Wq, &stats, packed));
    err = job->report(job->context, t, spec, &stats, sqrt(rsd_mat_sumsq(W)));
done:
    layer_calibration_free(&k);
    rsd_mat_free(&W);
    return err ? rsd_fail_prefix(err, "%s", t->name) : RSD_OK;
}

/* Pass 1: sizes only. */
static int declare_matrix(const quantize_job *job, const rsd_model *model, const rsd_tensor *t,
                          const rsd_spec *spec, rsd_st_writer *main, rsd_st_writer *packed_writer)
{
    rsd_mat W;
    rsd_packed packed = { 0 };
    layer_calibration k = { 0 };
    int err = RSD_OK;
    RSD_TRY(rsd_mat_alloc(t->rows, t->cols, &W));
    RSD_TRY_DONE(rsd_model_read(model, t, W));
    RSD_TRY_DONE(calibration_read(job->calibration, t, &k));
    RSD_TRY_DONE(rsd_pack(spec, W, k.any ? &k.c : NULL, &packed));
    RSD_TRY_DONE(rsd_st_writer_declare(main, t->name, "F32", t->ndim, t->shape,
                                       t->elements * sizeof(float)));
    err = declare_sections(packed_writer, t, spec, &packed);
done:
    layer_calibration_free(&k);
    rsd_packed_free(&packed);
    rsd_mat_free(&W);
    return err ? rsd_fail_prefix(err, "%s", t->name) : RSD_OK;
}

/* Pass 2. */
static int put_matrix(const quantize_job *job, const rsd_model *model, const rsd_tensor *t,
                      const rsd_spec *spec, rsd_st_writer *main, rsd_st_writer *packed_writer)
{
    rsd_mat Wq = { 0 };
    rsd_packed packed = { 0 };
    int err = quantize_one(job, model, t, spec, &Wq, &packed);
    if (!err)
        err = write_matrix(main, t, Wq);
    if (!err)
        err = write_sections(packed_writer, &packed);
    rsd_packed_free(&packed);
    rsd_mat_free(&Wq);
    return err;
}

static int declare_as_is(const rsd_model *model, const rsd_tensor *t, rsd_st_writer *main)
{
    size_t bytes;
    if (rsd_model_bytes(model, t, &bytes))
        return rsd_st_writer_declare(main, t->name, rsd_dtype_name(t->dtype), t->ndim, t->shape,
                                     bytes);
    return rsd_st_writer_declare(main, t->name, "F32", t->ndim, t->shape,
                                 t->elements * sizeof(float));
}

static int put_as_is(const rsd_model *model, const rsd_tensor *t, rsd_st_writer *main)
{
    size_t bytes;
    const void *data = rsd_model_bytes(model, t, &bytes);
    if (data)
        return rsd_st_writer_data(main, data, bytes);
    float *x; /* made, not stored */
    RSD_TRY(rsd_array_alloc(t->elements, 1, sizeof *x, &x));
    int err = rsd_model_read_flat(model, t, x);
    if (!err)
        err = rsd_st_writer_data(main, x, t->elements * sizeof *x);
    free(x);
    return err;
}

static int declare_all(const quantize_job *job, const rsd_model *model, rsd_st_writer *main,
                       rsd_st_writer *packed_writer, size_t *taken)
{
    RSD_TRY(rsd_st_writer_metadata(main, "format", "pt"));
    *taken = 0;
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        const rsd_spec *spec = quantize_spec_of(job, model, t);
        if (spec)
            RSD_TRY(declare_matrix(job, model, t, spec, main, packed_writer));
        else
            RSD_TRY(declare_as_is(model, t, main));
        *taken += spec != NULL;
    }
    return *taken ? RSD_OK
                  : RSD_FAIL(RSD_EUSAGE, "%s: no matrix is selected; see --include and --map",
                             rsd_model_source(model));
}

static int put_all(const quantize_job *job, const rsd_model *model, rsd_st_writer *main,
                   rsd_st_writer *packed_writer, size_t taken)
{
    console_progress_begin("matrix", taken, (double)taken);
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        const rsd_spec *spec = quantize_spec_of(job, model, t);
        if (spec) {
            RSD_TRY(put_matrix(job, model, t, spec, main, packed_writer));
            console_progress_step(t->name, 1);
        } else
            RSD_TRY(put_as_is(model, t, main));
    }
    console_progress_end();
    return RSD_OK;
}

static int copy_file(const char *from, const char *to)
{
    rsd_map map;
    rsd_writer w = { 0 };
    RSD_TRY(rsd_map_open(from, &map));
    int err = rsd_writer_open(to, &w);
    if (!err)
        err = rsd_writer_put(&w, map.data, map.size);
    if (!err)
        err = rsd_writer_commit(&w);
    else
        rsd_writer_abandon(&w);
    rsd_map_close(&map);
    return err;
}

/* Configuration and tokenizer: .json, .txt and .model files that are no index of shards. */
static int is_companion(const struct dirent *e)
{
    static const char *const ends[] = { ".json", ".txt", ".model", NULL };
    const size_t n = strlen(e->d_name);
    if (strstr(e->d_name, ".index.json"))
        return 0;
    for (const char *const *end = ends; *end; end++)
        if (n > strlen(*end) && strcmp(e->d_name + n - strlen(*end), *end) == 0)
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
        char *a = rsd_path_join(from, entry[i]->d_name), *b = rsd_path_join(to, entry[i]->d_name);
        if (!err)
            err = a && b ? copy_file(a, b) : RSD_FAIL(RSD_ENOMEM, "path in %s", to);
        free(a);
        free(b);
        free(entry[i]);
    }
    free(entry);
    return err;
}

int quantize_to_folder(const quantize_job *job, const rsd_model *model)
{
    rsd_st_writer *main = NULL, *packed = NULL;
    char *main_path = rsd_path_join(job->output, "model.safetensors");
    char *packed_path = rsd_path_join(job->output, "packed.safetensors");
    size_t taken;
    int err = RSD_OK;
    if (!main_path || !packed_path) {
        err = RSD_FAIL(RSD_ENOMEM, "path in %s", job->output);
        goto done;
    }
    RSD_TRY_DONE(rsd_st_writer_alloc(&main));
    RSD_TRY_DONE(rsd_st_writer_alloc(&packed));
    RSD_TRY_DONE(declare_all(job, model, main, packed, &taken));
    RSD_TRY_DONE(rsd_make_folder(job->output));
    RSD_TRY_DONE(rsd_st_writer_begin(main, main_path));
    RSD_TRY_DONE(rsd_st_writer_begin(packed, packed_path));
    RSD_TRY_DONE(put_all(job, model, main, packed, taken));
    RSD_TRY_DONE(rsd_st_writer_commit(packed));
    RSD_TRY_DONE(rsd_st_writer_commit(main));
    err = copy_companions(rsd_model_source(model), job->output);
done:
    rsd_st_writer_free(main);
    rsd_st_writer_free(packed);
    free(main_path);
    free(packed_path);
    return err;
}

int quantize_to_npy(const quantize_job *job, const rsd_model *model)
{
    const rsd_tensor *t = rsd_model_tensor(model, 0);
    if (rsd_model_count(model) != 1 || !t->matrix)
        return RSD_FAIL(RSD_EUSAGE, "%s is not one matrix (%zu tensors): give -o FOLDER",
                        rsd_model_source(model), rsd_model_count(model));
    const rsd_spec *spec = quantize_spec_of(job, model, t);
    if (!spec)
        return RSD_FAIL(RSD_EUSAGE, "%s is not selected", t->name);

    rsd_mat Wq = { 0 };
    rsd_packed packed = { 0 };
    rsd_st_writer *w = NULL;
    char *path = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(quantize_one(job, model, t, spec, &Wq, &packed));
    if (asprintf(&path, "%.*s.packed.safetensors", (int)strlen(job->output) - 4, job->output) < 0) {
        path = NULL;
        err = RSD_FAIL(RSD_ENOMEM, "path beside %s", job->output);
        goto done;
    }
    RSD_TRY_DONE(rsd_st_writer_alloc(&w));
    RSD_TRY_DONE(declare_sections(w, t, spec, &packed));
    RSD_TRY_DONE(rsd_st_writer_begin(w, path));
    RSD_TRY_DONE(write_sections(w, &packed));
    RSD_TRY_DONE(rsd_st_writer_commit(w));
    err = rsd_npy_write(job->output, Wq.x, 2, (const size_t[]){ Wq.m, Wq.n });
done:
    rsd_st_writer_free(w);
    free(path);
    rsd_packed_free(&packed);
    rsd_mat_free(&Wq);
    return err;
}
