/* What an analysis has already: read from the file and from the parts beside it. */
#include "analyze/finished.h"

#include "alloc.h"
#include "result/control.h"
#include "result/result.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    finished *f;
    const finished_terms *terms;
    const char *path; /* F.h5, for messages */
} reading;

static int mark(finished *f, const char *matrix, const char *spec)
{
    char *key;
    size_t at;
    RSD_TRY(rsd_format(&key, "%s\t%s", matrix, spec));
    const int err = text_index_add(&f->done, key, 0, &at);
    free(key);
    return err;
}

bool finished_has(const finished *f, const char *matrix_path, const char *spec)
{
    char *key;
    if (rsd_format(&key, "%s\t%s", matrix_path, spec))
        return false; /* then it is done again */
    const bool has = text_index_find(&f->done, key, NULL);
    free(key);
    return has;
}

bool finished_has_model(const finished *f, const char *name)
{
    return text_index_find(&f->models, name, NULL);
}

static bool says(const rsd_store *store, const char *path, const char *name, const char *text)
{
    char *held = NULL;
    const bool same = rsd_store_has(store, path, name) &&
                      !rsd_store_get_text(store, path, name, &held) && strcmp(held, text) == 0;
    free(held);
    return same;
}

static int note_calibration(finished *f, const rsd_store *store, const char *matrix,
                            const char *spec, const char *path)
{
    finished_calibration c = { 0 };
    int err = RSD_OK;
    if (!rsd_store_has(store, path, "calibration"))
        return RSD_OK;
    RSD_TRY_DONE(rsd_room(&f->seen, f->count, 1, sizeof *f->seen));
    RSD_TRY_DONE(rsd_copy_text(matrix, &c.matrix));
    RSD_TRY_DONE(rsd_copy_text(spec, &c.spec));
    RSD_TRY_DONE(rsd_store_get_text(store, path, "calibration", &c.calibration));
    f->seen[f->count++] = c;
    c = (finished_calibration){ 0 };
done:
    free(c.matrix);
    free(c.spec);
    return err;
}

/* What a checkpoint (it has a source) or the control lacks, it will lack again. */
static bool to_do_again(const rsd_store *store, const char *path)
{
    return says(store, path, "status", "failed") && !rsd_store_has(store, path, "source");
}

static int read_spec(reading *r, const rsd_store *store, const char *matrix, const char *spec,
                     bool control)
{
    char *path = NULL, *grh = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_format(&path, "%s/quantized/%s", matrix, spec));
    RSD_TRY_DONE(rsd_format(&grh, "%s/GRH", path));
    if (!control && to_do_again(store, path))
        goto done;
    RSD_TRY_DONE(mark(r->f, matrix, spec));
    RSD_TRY_DONE(note_calibration(r->f, store, matrix, spec, path));
    if (rsd_store_exists(store, grh))
        err = mark(r->f, matrix, grh + strlen(matrix) + strlen("/quantized/"));
done:
    free(grh);
    free(path);
    return err;
}

static int read_matrix(reading *r, const rsd_store *store, const char *matrix, bool control)
{
    char *group = NULL;
    rsd_names specs = { 0 };
    int err = RSD_OK;
    if (!says(store, matrix, "status", "ok"))
        return RSD_OK; /* a failed one is tried again */
    RSD_TRY_DONE(mark(r->f, matrix, ""));
    RSD_TRY_DONE(rsd_format(&group, "%s/quantized", matrix));
    if (rsd_store_exists(store, group))
        RSD_TRY_DONE(rsd_store_members(store, group, &specs));
    for (size_t i = 0; i < specs.count; i++)
        RSD_TRY_DONE(read_spec(r, store, matrix, specs.name[i], control));
done:
    rsd_names_free(&specs);
    free(group);
    return err;
}

static int read_matrices(reading *r, const rsd_store *store, const char *model, bool control)
{
    rsd_names names;
    int err = RSD_OK;
    RSD_TRY(result_matrices(store, model, &names));
    for (size_t i = 0; !err && i < names.count; i++) {
        char *path = result_matrix_path(model, names.name[i]);
        err = path ? read_matrix(r, store, path, control)
                   : RSD_FAIL(RSD_ENOMEM, "path of %s", names.name[i]);
        free(path);
    }
    rsd_names_free(&names);
    return err;
}

static int note_control(finished *f, const rsd_store *store, const char *model)
{
    if (f->control)
        return RSD_OK;
    char *path = result_model_path(model);
    int err = path ? rsd_copy_text(model, &f->control) : RSD_FAIL(RSD_ENOMEM, "path of %s", model);
    if (!err)
        err = rsd_store_get_text(store, path, "source", &f->control_source);
    free(path);
    return err;
}

static int read_terms(const reading *r, const rsd_store *store)
{
    const finished_terms *t = r->terms;
    bool found;
    RSD_TRY(provenance_agree_at(store, "/", "analyze_options", r->path, t->options));
    if (rsd_store_has(store, "/", "analyze_options"))
        RSD_TRY(provenance_agree_at(store, "/", "analyze_inputs", r->path, t->inputs));
    for (size_t i = 0; i < t->models; i++)
        RSD_TRY(result_model_find(store, t->model[i], &found));
    return RSD_OK;
}

static int read_store(const rsd_store *store, bool part, void *context)
{
    reading *r = context;
    rsd_names models = { 0 };
    int err = RSD_OK;
    (void)part;
    RSD_TRY(read_terms(r, store));
    RSD_TRY(rsd_store_names(store, "/models", &models));
    for (size_t i = 0; !err && i < models.count; i++) {
        const bool control = result_is_control(store, models.name[i]);
        size_t at;
        err = text_index_add(&r->f->models, models.name[i], 0, &at);
        if (!err && control)
            err = note_control(r->f, store, models.name[i]);
        if (!err)
            err = read_matrices(r, store, models.name[i], control);
    }
    rsd_names_free(&models);
    return err;
}

int finished_read(parts *p, const finished_terms *terms, finished *out)
{
    reading r = { out, terms, parts_path(p) };
    *out = (finished){ 0 };
    return parts_each(p, read_store, &r);
}

int finished_write_terms(rsd_store *store, const finished_terms *terms)
{
    RSD_TRY(rsd_store_set_text(store, "/", "analyze_options", terms->options));
    return rsd_store_set_text(store, "/", "analyze_inputs", terms->inputs);
}

void finished_free(finished *f)
{
    text_index_free(&f->done);
    text_index_free(&f->models);
    for (size_t i = 0; i < f->count; i++) {
        free(f->seen[i].matrix);
        free(f->seen[i].spec);
        free(f->seen[i].calibration);
    }
    free(f->seen);
    free(f->control);
    free(f->control_source);
    *f = (finished){ 0 };
}
