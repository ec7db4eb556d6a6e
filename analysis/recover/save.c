/* A run's adapters, and the base that they stand on, as folders; read back before it is said. */
#include "recover/save.h"

#include "adapters/peft_folder.h"
#include "alloc.h"
#include "boot.h"
#include "cli/console.h"
#include "figures/caption.h"
#include "io/file.h"
#include "mat.h"
#include "quantize/dense_folder.h"
#include "recover/losses.h"
#include "recover/save_readme.h"
#include "rng.h"

#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is to be written ---- */

/* May this run's W_q be another than what its quantizer makes of W? */
static bool moves_base(const recover_params *p, const recover_run *run)
{
    const bool answers = p->numbers.sequence && !run->init->init->trains_only;
    return answers || rsd_init_moves_base(run->init);
}

static bool writes_base(const recover_params *p, const recover_run *run)
{
    return p->save_base == SAVE_BASE_DENSE ||
           (p->save_base == SAVE_BASE_AUTO && moves_base(p, run));
}

int save_check(const recover_params *p, const recover_plan *plan)
{
    if (p->save_base != SAVE_BASE_AUTO && !p->save_adapters)
        return RSD_FAIL(RSD_EUSAGE, "--save-base goes with --save-adapters DIR");
    if (p->save_adapters && p->numbers.straight)
        return RSD_FAIL(RSD_EUSAGE, "--save-adapters: what --quantization-aware trains is "
                                    "quantize(W + s B A), which no adapter beside W is");
    for (size_t i = 0; i < plan->runs; i++) {
        const recover_run *run = &plan->run[i];
        if (!run->control && p->save_base == SAVE_BASE_NONE && moves_base(p, run))
            return RSD_FAIL(RSD_EUSAGE,
                            "--save-base none: %s%s moves the base, and its adapters are of no use "
                            "without it",
                            run->init->text, p->numbers.sequence ? " with --sequence" : "");
    }
    return RSD_OK;
}

/* DIR/RUN, where RUN is a name that every file system takes. */
static int run_folder(const sweep *s, const recover_run *run, char **folder)
{
    enum { LONGEST = 200 };
    char *name;
    RSD_TRY(rsd_copy_text(run->name, &name));
    caption_file_name(name);
    const int err = strlen(name) > LONGEST
                        ? rsd_format(folder, "%s/%.*s-%016llx", s->params->save_adapters, LONGEST,
                                     name, (unsigned long long)rsd_seed(0, run->name))
                        : rsd_format(folder, "%s/%s", s->params->save_adapters, name);
    free(name);
    return err;
}

/* Where something lies whatever folder a program is started in; what is no path stays as it is. */
static int absolute(const char *path, char **out)
{
    char real[PATH_MAX];
    return rsd_copy_text(realpath(path, real) ? real : path, out);
}

/* ---- the base ---- */

/* The layer of a student that a tensor is; false where it is none. */
static bool find_layer(const student *m, const rsd_tensor *t, size_t *layer, rsd_slot *slot)
{
    for (*layer = 0; *layer < m->weights->shape.layers; ++*layer)
        for (*slot = 0; *slot < RSD_LINEARS; ++*slot)
            if (m->weights->block[*layer].tensor[*slot] == t)
                return true;
    return false;
}

static bool is_layer(void *context, const rsd_tensor *t)
{
    size_t layer;
    rsd_slot slot;
    return find_layer(context, t, &layer, &slot);
}

static int base_weight(void *context, const rsd_tensor *t, rsd_mat W)
{
    const student *m = context;
    size_t layer;
    rsd_slot slot;
    return find_layer(m, t, &layer, &slot) ? student_base(m, layer, slot, W)
                                           : rsd_model_read(m->sweep->model, t, W);
}

static int write_base(const student *m, const char *folder, char **base)
{
    student view = *m; /* callbacks read it only */
    char *path;
    RSD_TRY(rsd_format(&path, "%s/base", folder));
    const dense_folder dense = { .model = m->sweep->model,
                                 .output = path,
                                 .takes = is_layer,
                                 .weight = base_weight,
                                 .context = &view,
                                 .narrow = true };
    int err = dense_folder_write(&dense);
    if (!err)
        err = absolute(path, base);
    free(path);
    return err;
}

/* ---- the adapters ---- */

int save_student(const student *m, saved *out)
{
    const recover_params *p = m->sweep->params;
    char *model = NULL;
    int err = RSD_OK;
    *out = (saved){ 0 };
    if (!p->save_adapters || m->run->control)
        return RSD_OK;
    RSD_TRY_DONE(run_folder(m->sweep, m->run, &out->folder));
    RSD_TRY_DONE(rsd_make_folder(out->folder));
    RSD_TRY_DONE(absolute(m->sweep->entry.source, &model));
    if (writes_base(p, m->run))
        RSD_TRY_DONE(write_base(m, out->folder, &out->base));
    const rsd_peft_options options = { .base = out->base ? out->base : model,
                                       .rslora = p->numbers.rslora };
    err = rsd_peft_write(out->folder, &m->adapters, m->weights, &options);
done:
    free(model);
    return err;
}

void saved_free(saved *files)
{
    free(files->folder);
    free(files->base);
    *files = (saved){ 0 };
}

/* ---- reading back ---- */

/* A model as its files say: the base that was written, or the model quantized once more. */
typedef struct {
    rsd_model *model; /* the base's; NULL: the sweep's, quantized by plain */
    rsd_weights *weights;
    student plain;
} reread;

static int reread_open(const sweep *s, const recover_run *run, const saved *files, reread *r)
{
    *r = (reread){ 0 };
    if (!files->base)
        return student_make(s, run, STUDENT_PLAIN, &r->plain);
    RSD_TRY(rsd_model_open(files->base, &r->model));
    return rsd_weights_load(r->model, &r->weights);
}

static void reread_close(reread *r)
{
    student_free(&r->plain);
    rsd_weights_free(r->weights);
    rsd_model_close(r->model);
}

/* The mean loss of the base with the adapters of a folder. */
static int reread_loss(const sweep *s, const reread *r, const char *folder, double *mean)
{
    const size_t rows = s->pass * s->eval.context;
    rsd_weights *w = r->weights ? r->weights : r->plain.weights;
    rsd_transformer *pass = NULL;
    rsd_adapters adapters = { 0 };
    rsd_adapted *hook = NULL;
    double *loss = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_peft_read(folder, w, &adapters));
    RSD_TRY_DONE(rsd_transformer_alloc(w, s->train.precision, RSD_KEEP_NOTHING, rows, &pass));
    const rsd_adapted_options o = { .weights = w,
                                    .base = r->weights ? NULL : &r->plain.base,
                                    .adapters = &adapters,
                                    .rows = rows };
    RSD_TRY_DONE(rsd_adapted_alloc(&o, rsd_transformer_mm(pass), &hook));
    RSD_TRY_DONE(rsd_transformer_hook(pass, rsd_adapted_hook(hook)));
    RSD_TRY_DONE(rsd_array_alloc(s->eval.windows, 1, sizeof *loss, &loss));
    RSD_TRY_DONE(sweep_losses(s, pass, loss));
    *mean = rsd_mean(loss, s->eval.windows);
done:
    free(loss);
    rsd_transformer_free(pass);
    rsd_adapted_free(hook);
    rsd_adapters_free(&adapters);
    return err;
}

/* Adapters of a variant that PEFT lacks are multiplied out, which rounds: in bfloat16 to 8 bits. */
static double rounding(const sweep *s, double loss)
{
    return (s->train.precision == RSD_PRECISION_BF16 ? 1e-3 : 2e-6) * fmax(1, fabs(loss));
}

static int compare(const sweep *s, const reread *r, const char *folder, double said, double *read)
{
    RSD_TRY(reread_loss(s, r, folder, read));
    if (!(fabs(*read - said) <= rounding(s, said)))
        return RSD_FAIL(RSD_EIO,
                        "%s: the adapters and base that were written have a loss of %.6f, the run "
                        "%.6f: they are not what was trained",
                        folder, *read, said);
    console_note("saved %s: loss %.6f, read back %.6f%s", folder, said, *read,
                 r->model ? ", with its base" : "");
    return RSD_OK;
}

int save_read_back(const sweep *s, const recover_run *run, const outcome *o, const saved *files)
{
    reread r = { 0 };
    double read;
    int err = RSD_OK;
    if (!files->folder)
        return RSD_OK;
    RSD_TRY_DONE(reread_open(s, run, files, &r));
    const double said = rsd_mean(o->trained, s->eval.windows);
    RSD_TRY_DONE(compare(s, &r, files->folder, said, &read));
    const save_readme readme = { .sweep = s, .run = run, .base = files->base };
    err = save_readme_write(&readme, files->folder, said, read);
done:
    reread_close(&r);
    return err;
}

int save_note_missing(const sweep *s, const outcome *outcomes)
{
    size_t missing = 0;
    for (size_t i = 0; s->params->save_adapters && i < s->plan.runs; i++) {
        char *folder = NULL, *config = NULL;
        if (!outcomes[i].done || s->plan.run[i].control || s->plan.run[i].same_bytes)
            continue;
        int err = run_folder(s, &s->plan.run[i], &folder);
        if (!err)
            err = rsd_format(&config, "%s/adapter_config.json", folder);
        missing += !err && access(config, F_OK) != 0;
        free(config);
        free(folder);
        RSD_TRY(err);
    }
    if (missing)
        console_note("--save-adapters: %zu %s before, without adapters; --force does them again",
                     missing, missing == 1 ? "run was done" : "runs were done");
    return RSD_OK;
}
