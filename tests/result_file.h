/* Small result files with known numbers: spectra, runs with their windows, single layers. */
#ifndef RSD_TEST_RESULT_FILE_H
#define RSD_TEST_RESULT_FILE_H

#include "result/a_priori_group.h"
#include "result/recovery_table.h"
#include "result/result.h"
#include "result/sensitivity_table.h"
#include "scratch.h"
#include "spectra/curves.h"

/* One file on its way; tables are written at its end. */
typedef struct {
    rsd_store *store;
    spectra_rows spectra;
    size_t runs, layers, singles;
    recovery_row run[256];
    recovery_layer layer[4096];
    sensitivity_row single[512];
} result_file;

static inline char *text_of(const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return strdup(text);
}

static inline result_file *file_begin(const char *name)
{
    result_file *f = calloc(1, sizeof *f);
    CHECK_OK(rsd_store_open(in_scratch(name), RSD_STORE_CREATE, &f->store));
    return f;
}

static inline void put_model(result_file *f, const char *model, const char *sha256,
                             const char *source)
{
    char *path = result_model_path(model);
    CHECK_OK(rsd_store_group(f->store, path));
    CHECK_OK(rsd_store_set_text(f->store, path, "sha256", sha256));
    CHECK_OK(rsd_store_set_text(f->store, path, "source", source));
    free(path);
}

/* A curve of energies of s[n], at <group>/<name>. */
static inline void put_curve(result_file *f, const char *group, const char *name, const double *s,
                             size_t n)
{
    double curve[64], total = 0;
    for (size_t k = 0; k < n; k++)
        total += s[k] * s[k];
    rsd_cumulative_energy(s, n, total, curve);
    CHECK_OK(rsd_store_group(f->store, group));
    CHECK_OK(result_write_curve(f->store, group, name, curve, n, "share", "test"));
}

/* The curve of a null of R in one weighting; energy NaN: not said, as in files of old. */
static inline void put_null(result_file *f, const char *model, const char *tensor, const char *spec,
                            rsd_weighting_kind kind, const char *null, double energy,
                            const double *s, size_t n)
{
    char *path = result_spectrum_path(model, tensor, spec, spectrum_seen(kind));
    char *group = text_of("%s/null/%s", path, null);
    put_curve(f, group, "cumulative_energy", s, n);
    if (!isnan(energy))
        CHECK_OK(rsd_store_set_real(f->store, group, "energy", energy));
    free(group);
    free(path);
}

/* What is predicted of a square residual without it: a curve of energies of s[n]. */
static inline void put_a_priori(result_file *f, const char *model, const char *tensor,
                                const char *spec, double energy, const double *s, size_t n)
{
    double curve[64], total = 0;
    for (size_t k = 0; k < n; k++)
        total += s[k] * s[k];
    rsd_cumulative_energy(s, n, total, curve);
    const a_priori_curve c = { .place = { model, tensor, "q", 0, n, n },
                               .spec = spec,
                               .energy = energy,
                               .n = n,
                               .share = curve };
    CHECK_OK(a_priori_write(f->store, &c));
}

/* A square residual with these singular values in one weighting. */
static inline void put_residual(result_file *f, const char *model, const char *tensor, int layer,
                                const char *spec, rsd_weighting_kind kind, const double *s,
                                size_t n)
{
    char *group = result_spectrum_path(model, tensor, spec, spectrum_seen(kind));
    spectra_row row;
    double sum = 0;
    memcpy(&row, spectra_schema.blank, sizeof row);
    for (size_t k = 0; k < n; k++)
        sum += s[k] * s[k];
    row.model = model;
    row.tensor = tensor;
    row.role = "q";
    row.spec = spec;
    row.method = "gram";
    row.layer = layer;
    row.rows = row.cols = (int64_t)n;
    row.what = spectrum_seen(kind);
    row.complete = 1;
    row.metrics.frobenius = sqrt(sum);
    CHECK_OK(spectra_add(&f->spectra, &row));
    put_curve(f, group, "cumulative_energy", s, n);
    free(group);
}

static inline void file_end(result_file *f)
{
    CHECK_OK(spectra_write(&f->spectra, f->store));
    if (f->runs)
        CHECK_OK(rows_write(&recovery_rows_schema, f->store, f->run, f->runs));
    if (f->layers)
        CHECK_OK(rows_write(&recovery_layers_schema, f->store, f->layer, f->layers));
    if (f->singles)
        CHECK_OK(rows_write(&sensitivity_schema, f->store, f->single, f->singles));
    CHECK_OK(rsd_store_close(f->store));
    spectra_free(&f->spectra);
    for (size_t i = 0; i < f->runs; i++)
        rows_free_texts(&recovery_rows_schema, &f->run[i]);
    for (size_t i = 0; i < f->layers; i++)
        rows_free_texts(&recovery_layers_schema, &f->layer[i]);
    for (size_t i = 0; i < f->singles; i++)
        rows_free_texts(&sensitivity_schema, &f->single[i]);
    free(f);
}

/* A run of a quantized model: loss 1 of the original, 2 quantized; recovered is what training won
 * back, half of it at the start of a start that corrects.  weights: that were quantized. */
static inline recovery_row *put_run(result_file *f, const char *model, const char *spec,
                                    const char *init, size_t rank, size_t weights, double recovered)
{
    recovery_row *r = &f->run[f->runs++];
    const bool corrects = strcmp(init, "zero") != 0;
    *r = recovery_no_row;
    r->run = text_of("%s_%s_r%zu_%s", model, spec, rank, init);
    r->model = strdup(model);
    r->spec = strdup(spec);
    r->init = strdup(init);
    r->variant = strdup("lora");
    r->objective = strdup("ce");
    r->base = strdup("dense");
    r->status = strdup("ok");
    r->message = strdup("");
    r->rank = (int64_t)rank;
    r->steps = 10;
    r->bf16_bytes = (int64_t)(2 * weights);
    r->loss_fp = 1;
    r->loss_q = 2;
    r->recovered_init = corrects ? recovered / 2 : 0;
    r->loss_init = 2 - r->recovered_init;
    r->recovered_fraction = recovered;
    r->loss_trained = 2 - recovered;
    return r;
}

static inline recovery_layer *put_layer(result_file *f, const recovery_row *run, const char *tensor,
                                        int layer, size_t side, size_t rank)
{
    recovery_layer *l = &f->layer[f->layers++];
    *l = recovery_no_layer;
    l->run = strdup(run->run);
    l->model = strdup(run->model);
    l->tensor = strdup(tensor);
    l->role = strdup("q");
    l->layer = layer;
    l->rows = l->cols = (int64_t)side;
    l->rank = (int64_t)rank;
    l->weight_error = 0.1;
    return l;
}

/* Its losses by window. */
static inline void put_windows(result_file *f, recovery_row *run, const char *name, const double *x,
                               size_t n)
{
    char *path = recovery_path(run->run);
    run->windows = (int64_t)n;
    CHECK_OK(rsd_store_group(f->store, path));
    CHECK_OK(recovery_write_array(f->store, path, name, x, n, "window", "nat/token", "test"));
    free(path);
}

static inline sensitivity_row *put_single(result_file *f, const char *model, const char *tensor,
                                          int layer, const char *spec, double increase)
{
    sensitivity_row *s = &f->single[f->singles++];
    *s = (sensitivity_row){ .model = strdup(model),
                            .tensor = strdup(tensor),
                            .role = strdup("q"),
                            .spec = strdup(spec),
                            .init = strdup(""),
                            .layer = layer,
                            .windows = 8,
                            .context = 16,
                            .increase = increase };
    return s;
}

#endif
