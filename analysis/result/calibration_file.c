/* Reading a calibration: from a result file, or from an importance matrix. */
#include "result/calibration_file.h"

#include "alloc.h"
#include "io/file.h"
#include "io/gguf_layout.h"
#include "mat.h"
#include "result/provenance.h"
#include "result/result.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Path of the group H or G that holds the arrays: another's where the input is shared. */
static int group_of(const rsd_store *store, const char *matrix, const char *what, char **out)
{
    char *path, *shared;
    RSD_TRY(rsd_format(&path, "%s/%s", matrix, what));
    *out = path;
    if (!rsd_store_exists(store, path) || !rsd_store_has(store, path, "shared_with"))
        return RSD_OK;
    const int err = rsd_store_get_text(store, path, "shared_with", &shared);
    free(path);
    *out = err ? NULL : shared;
    return err;
}

static int array_path(const rsd_store *store, const char *matrix, const char *what,
                      const char *name, char **out)
{
    char *group = NULL;
    RSD_TRY(group_of(store, matrix, what, &group));
    const int err = rsd_format(out, "%s/%s", group, name);
    free(group);
    return err;
}

bool calibration_has_moment(const rsd_store *store, const char *matrix, const char *what)
{
    char *path = NULL;
    const bool there =
        !array_path(store, matrix, what, "moment", &path) && rsd_store_exists(store, path);
    free(path);
    return there;
}

int calibration_tokens(const rsd_store *store, const char *matrix, const char *what,
                       int64_t *tokens)
{
    char *group = NULL;
    RSD_TRY(group_of(store, matrix, what, &group));
    const int err = rsd_store_get_int(store, group, "tokens", tokens);
    free(group);
    return err;
}

int calibration_array(const rsd_store *store, const char *matrix, const char *what,
                      const char *name, size_t n, double **x)
{
    char *path = NULL;
    size_t ndim, shape[2];
    const bool square = strcmp(name, "moment") == 0;
    const size_t cols = square ? n : 1;
    RSD_TRY(array_path(store, matrix, what, name, &path));
    int err = rsd_store_read_array(store, path, x, &ndim, shape);
    if (!err && (ndim != (square ? 2 : 1) || shape[0] != n || shape[1] != cols)) {
        err = RSD_FAIL(RSD_EFORMAT, "%s: %s is %zu x %zu, the matrix asks for %zu x %zu",
                       rsd_store_path(store), path, shape[0], shape[1], n, cols);
        free(*x);
        *x = NULL;
    }
    free(path);
    return err;
}

/* ---- a model's calibration ---- */

/* Is this model of the file ours?  Errors: RSD_EUSAGE where its weights are and its configuration
 * is not. */
static int is_model(const calibration *k, const char *name, const rsd_model *model,
                    const char *sha256, bool *same)
{
    char *path = result_model_path(name), *held = NULL, *config = NULL;
    int err = path ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", name);
    *same = false;
    if (err || !rsd_store_has(k->store, path, "sha256"))
        goto done;
    RSD_TRY_DONE(rsd_store_get_text(k->store, path, "sha256", &held));
    *same = strcmp(held, sha256) == 0;
    if (!*same || !rsd_store_has(k->store, path, "config"))
        goto done;
    RSD_TRY_DONE(rsd_store_get_text(k->store, path, "config", &config));
    if (strcmp(config, rsd_model_config(model)) != 0)
        err = RSD_FAIL(RSD_EUSAGE,
                       "%s is a calibration of %s with another configuration (config.json %s, %s "
                       "has %s): residuum calibrate again",
                       rsd_store_path(k->store), name, short_hash_of(config).text,
                       rsd_model_source(model), short_hash_of(rsd_model_config(model)).text);
done:
    free(config);
    free(held);
    free(path);
    return err;
}

static int find_model(calibration *k, const rsd_model *model)
{
    char sha256[65];
    rsd_names names = { 0 };
    int err = RSD_OK;
    RSD_TRY(rsd_model_sha256(model, sha256));
    RSD_TRY(rsd_store_names(k->store, "/models", &names));
    for (size_t i = 0; !err && !k->model && i < names.count; i++) {
        bool same = false;
        err = is_model(k, names.name[i], model, sha256, &same);
        if (!err && same)
            err = rsd_copy_text(names.name[i], &k->model);
    }
    rsd_names_free(&names);
    return err;
}

static int no_model(const calibration *k, const rsd_model *model)
{
    char sha256[65];
    RSD_TRY(rsd_model_sha256(model, sha256));
    return RSD_FAIL(RSD_EUSAGE,
                    "%s holds no calibration of %s: it is of another model, none of it has these "
                    "weights (sha256 %.12s...)",
                    rsd_store_path(k->store), rsd_model_source(model), sha256);
}

static int layer_path(const calibration *k, const rsd_tensor *t, char **out)
{
    *out = result_matrix_path(k->model, t->name);
    return *out ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", t->name);
}

static int check_calibrated(const calibration *k, const rsd_model *model)
{
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        char *path = NULL;
        if (!t->matrix)
            continue;
        RSD_TRY(layer_path(k, t, &path));
        const bool there = calibration_has_moment(k->store, path, "H");
        free(path);
        if (there)
            return RSD_OK;
    }
    return RSD_FAIL(RSD_EUSAGE, "%s: no layer of %s is calibrated; residuum calibrate does that",
                    rsd_store_path(k->store), k->model);
}

/* ---- importance matrices ---- */

static int find_importance(const calibration *k, const rsd_tensor *t, const rsd_imatrix_entry **out)
{
    rsd_gguf_place place;
    RSD_TRY(rsd_gguf_place_of(k->model_type, t->name, &place));
    *out = rsd_imatrix_find(&k->imatrix, place.name);
    return RSD_OK;
}

static int open_imatrix(const char *path, const rsd_model *model, calibration *out)
{
    const rsd_imatrix_entry *e = NULL;
    out->model_type = rsd_model_architecture(model);
    RSD_TRY(rsd_imatrix_read(path, &out->imatrix));
    for (size_t i = 0; !e && i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        if (t->matrix)
            RSD_TRY(find_importance(out, t, &e));
    }
    return e ? RSD_OK
             : RSD_FAIL(RSD_EUSAGE, "%s: none of its %zu entries, '%s' the first, is a layer of %s",
                        path, out->imatrix.count, out->imatrix.entry[0].name,
                        rsd_model_source(model));
}

static int read_importance(const calibration *k, const rsd_tensor *t, layer_calibration *out)
{
    const rsd_imatrix_entry *e;
    if (!t->matrix)
        return RSD_OK;
    RSD_TRY(find_importance(k, t, &e));
    if (!e)
        return RSD_OK;
    if (e->n != t->cols)
        return RSD_FAIL(RSD_EFORMAT, "importance of '%s' is of %zu inputs, %s has %zu", e->name,
                        e->n, t->name, t->cols);
    RSD_TRY(rsd_array_alloc(e->n, 1, sizeof *out->square, &out->square));
    memcpy(out->square, e->square, e->n * sizeof *out->square);
    out->c.square = out->square;
    out->any = true;
    return RSD_OK;
}

/* ---- either ---- */

/* Does the file begin as HDF5 does?  What cannot be read is the store's to say. */
static bool is_result(const char *path)
{
    static const char signature[] = "\211HDF\r\n\032\n";
    rsd_map map;
    if (rsd_map_open(path, &map))
        return true;
    const size_t n = sizeof signature - 1;
    const bool result = map.size < n || memcmp(map.data, signature, n) == 0;
    rsd_map_close(&map);
    return result;
}

int calibration_open(const char *path, const rsd_model *model, calibration *out)
{
    *out = (calibration){ .path = path };
    if (!path)
        return RSD_OK;
    if (!is_result(path)) {
        RSD_TRY(rsd_zeroed(1, sizeof *out->tally, &out->tally));
        return open_imatrix(path, model, out);
    }
    RSD_TRY(calibration_find(path, model, out));
    return out->model ? check_calibrated(out, model) : no_model(out, model);
}

int calibration_find(const char *path, const rsd_model *model, calibration *out)
{
    *out = (calibration){ .path = path };
    RSD_TRY(rsd_zeroed(1, sizeof *out->tally, &out->tally));
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &out->store));
    return find_model(out, model);
}

void calibration_close(calibration *k)
{
    const int closed = rsd_store_close(k->store);
    (void)closed; /* only read */
    if (k->tally) {
        calibration_tally_note(k->tally, k->path);
        calibration_tally_free(k->tally);
        free(k->tally);
    }
    rsd_imatrix_free(&k->imatrix);
    free(k->model);
    *k = (calibration){ 0 };
}

bool calibration_has_both(const calibration *k, const rsd_tensor *t)
{
    char *path = NULL;
    if (!k->store || !k->model || layer_path(k, t, &path))
        return false;
    const bool both =
        calibration_has_moment(k->store, path, "H") && calibration_has_moment(k->store, path, "G");
    free(path);
    return both;
}

static int read_input(const calibration *k, const char *path, size_t n, layer_calibration *l)
{
    int64_t tokens;
    RSD_TRY(calibration_array(k->store, path, "H", "moment", n, &l->H));
    RSD_TRY(calibration_array(k->store, path, "H", "mean_abs", n, &l->mean_abs));
    RSD_TRY(calibration_array(k->store, path, "H", "max_abs", n, &l->max_abs));
    RSD_TRY(rsd_array_alloc(n, 1, sizeof *l->square, &l->square));
    for (size_t i = 0; i < n; i++)
        l->square[i] = l->H[i * n + i];
    RSD_TRY(calibration_tokens(k->store, path, "H", &tokens));
    l->c.tokens = tokens > 0 ? (size_t)tokens : 0;
    return RSD_OK;
}

static int read_stored(const calibration *k, const rsd_tensor *t, layer_calibration *out)
{
    char *path = NULL;
    int err = RSD_OK;
    RSD_TRY(layer_path(k, t, &path));
    const bool H = calibration_has_moment(k->store, path, "H"),
               G = calibration_has_moment(k->store, path, "G");
    if (H)
        err = read_input(k, path, t->cols, out);
    if (!err && G)
        err = calibration_array(k->store, path, "G", "moment", t->rows, &out->G);
    free(path);
    out->any = H || G;
    out->c.H = out->H;
    out->c.G = out->G;
    out->c.square = out->square;
    out->c.mean_abs = out->mean_abs;
    out->c.max_abs = out->max_abs;
    return err;
}

int calibration_read(const calibration *k, const rsd_tensor *t, layer_calibration *out)
{
    *out = (layer_calibration){ .c = { .m = t->rows, .n = t->cols } };
    if (!k->imatrix.count && !k->model)
        return RSD_OK;
    RSD_TRY(k->imatrix.count ? read_importance(k, t, out) : read_stored(k, t, out));
    return k->tally ? calibration_tally_add(k->tally, t, out->any ? &out->c : NULL) : RSD_OK;
}

void layer_calibration_free(layer_calibration *l)
{
    free(l->H);
    free(l->G);
    free(l->square);
    free(l->mean_abs);
    free(l->max_abs);
    *l = (layer_calibration){ 0 };
}
