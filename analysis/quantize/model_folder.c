/* Writing a quantized model, tensor by tensor: its numbers, and the bytes they stand for. */
#include "quantize/model_folder.h"

#include "alloc.h"
#include "cli/console.h"
#include "io/file.h"
#include "io/safetensors.h"
#include "mat.h"
#include "quantize/dense_folder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
        char *name;
        RSD_TRY(rsd_format(&name, "%s.%s", t->name, s->name));
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

/* One matrix read, packed and unpacked into Wq, of its shape; packed is freed by the caller. */
static int quantize_one(const quantize_job *job, const rsd_model *model, const rsd_tensor *t,
                        const rsd_spec *spec, rsd_mat Wq, rsd_packed *packed)
{
    rsd_mat W;
    rsd_quant_stats stats;
    layer_calibration k = { 0 };
    int err = RSD_OK;
    RSD_TRY(rsd_mat_alloc(t->rows, t->cols, &W));
    RSD_TRY_DONE(rsd_model_read(model, t, W));
    RSD_TRY_DONE(calibration_read(job->calibration, t, &k));
    RSD_TRY_DONE(rsd_quantize(spec, W, k.any ? &k.c : NULL, Wq, &stats, packed));
    err = job->report(job->context, t, spec, &stats, sqrt(rsd_mat_sumsq(W)));
done:
    layer_calibration_free(&k);
    rsd_mat_free(&W);
    return err ? rsd_fail_prefix(err, "%s", t->name) : RSD_OK;
}

/* What both passes over the matrices share. */
typedef struct {
    const quantize_job *job;
    const rsd_model *model;
    rsd_st_writer *packed;
} folder;

static bool takes(void *context, const rsd_tensor *t)
{
    const folder *f = context;
    return quantize_spec_of(f->job, f->model, t) != NULL;
}

/* Pass 1: sizes only. */
static int declare_matrix(const folder *f, const rsd_tensor *t, const rsd_spec *spec)
{
    rsd_mat W;
    rsd_packed packed = { 0 };
    layer_calibration k = { 0 };
    int err = RSD_OK;
    RSD_TRY(rsd_mat_alloc(t->rows, t->cols, &W));
    RSD_TRY_DONE(rsd_model_read(f->model, t, W));
    RSD_TRY_DONE(calibration_read(f->job->calibration, t, &k));
    RSD_TRY_DONE(rsd_pack(spec, W, k.any ? &k.c : NULL, &packed));
    err = declare_sections(f->packed, t, spec, &packed);
done:
    layer_calibration_free(&k);
    rsd_packed_free(&packed);
    rsd_mat_free(&W);
    return err ? rsd_fail_prefix(err, "%s", t->name) : RSD_OK;
}

static int declare_all(const folder *f, size_t *taken)
{
    *taken = 0;
    for (size_t i = 0; i < rsd_model_count(f->model); i++) {
        const rsd_tensor *t = rsd_model_tensor(f->model, i);
        const rsd_spec *spec = quantize_spec_of(f->job, f->model, t);
        if (spec)
            RSD_TRY(declare_matrix(f, t, spec));
        *taken += spec != NULL;
    }
    return *taken ? RSD_OK
                  : RSD_FAIL(RSD_EUSAGE, "%s: no matrix is selected; see --include and --map",
                             rsd_model_source(f->model));
}

/* Pass 2. */
static int quantized_weight(void *context, const rsd_tensor *t, rsd_mat Wq)
{
    const folder *f = context;
    rsd_packed packed = { 0 };
    const rsd_spec *spec = quantize_spec_of(f->job, f->model, t);
    int err = quantize_one(f->job, f->model, t, spec, Wq, &packed);
    if (!err)
        err = write_sections(f->packed, &packed);
    rsd_packed_free(&packed);
    return err;
}

static void written(void *context, const rsd_tensor *t)
{
    (void)context;
    console_progress_step(t->name, 1);
}

int quantize_to_folder(const quantize_job *job, const rsd_model *model)
{
    folder f = { .job = job, .model = model };
    const dense_folder dense = { .model = model,
                                 .output = job->output,
                                 .takes = takes,
                                 .weight = quantized_weight,
                                 .done = written,
                                 .context = &f };
    char *path = NULL;
    size_t taken;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_format(&path, "%s/packed.safetensors", job->output));
    RSD_TRY_DONE(rsd_st_writer_alloc(&f.packed));
    RSD_TRY_DONE(declare_all(&f, &taken));
    RSD_TRY_DONE(rsd_make_folder(job->output));
    RSD_TRY_DONE(rsd_st_writer_begin(f.packed, path));
    console_progress_begin("matrix", taken, (double)taken);
    err = dense_folder_write(&dense);
    console_progress_end();
    if (!err)
        err = rsd_st_writer_commit(f.packed);
    if (!err && rsd_path_ends(rsd_model_source(model), ".gguf"))
        console_note("%s: the vocabulary of a GGUF file goes into GGUF files alone: no "
                     "tokenizer.json is written",
                     job->output);
done:
    rsd_st_writer_free(f.packed);
    free(path);
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
    RSD_TRY_DONE(rsd_mat_alloc(t->rows, t->cols, &Wq));
    RSD_TRY_DONE(quantize_one(job, model, t, spec, Wq, &packed));
    RSD_TRY_DONE(
        rsd_format(&path, "%.*s.packed.safetensors", (int)strlen(job->output) - 4, job->output));
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
