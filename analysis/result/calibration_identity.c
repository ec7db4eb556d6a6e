/* Hashing what a calibration measured. */
#include "result/calibration_identity.h"

#include "alloc.h"
#include "io/file.h"
#include "result/result.h"

#include <stdlib.h>
#include <string.h>

static void mix(char hex[65], const void *data, size_t size)
{
    char both[129];
    memcpy(both, hex, 64);
    rsd_sha256(data, size, both + 64);
    rsd_sha256(both, 128, hex);
}

static int mix_moment(const calibration *k, const char *path, const char *what, size_t n,
                      char hex[65])
{
    static const char *const names[] = { "eigenvalues", "mean_abs", "max_abs" };
    int64_t tokens;
    RSD_TRY(calibration_tokens(k->store, path, what, &tokens));
    mix(hex, what, 1);
    mix(hex, &tokens, sizeof tokens);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        double *x;
        RSD_TRY(calibration_array(k->store, path, what, names[i], n, &x));
        mix(hex, x, n * sizeof *x);
        free(x);
    }
    return RSD_OK;
}

static int mix_layer(const calibration *k, const rsd_tensor *t, char hex[65], bool *any)
{
    char *path = result_matrix_path(k->model, t->name);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", t->name);
    int err = RSD_OK;
    const bool H = calibration_has_moment(k->store, path, "H");
    const bool G = calibration_has_moment(k->store, path, "G");
    if (H)
        err = mix_moment(k, path, "H", t->cols, hex);
    if (!err && G)
        err = mix_moment(k, path, "G", t->rows, hex);
    free(path);
    *any |= H || G;
    return err;
}

static int mix_importance(const calibration *k, const rsd_tensor *t, char hex[65], bool *any)
{
    calibration quiet = *k; /* what is only hashed needs no remark */
    layer_calibration l;
    quiet.tally = NULL;
    const int err = calibration_read(&quiet, t, &l);
    if (!err && l.any)
        mix(hex, l.square, t->cols * sizeof *l.square);
    *any |= !err && l.any;
    layer_calibration_free(&l);
    return err;
}

static int mix_either(const calibration *k, const rsd_tensor *t, char hex[65], bool *any)
{
    if (!t->matrix)
        return RSD_OK;
    if (k->imatrix.count)
        return mix_importance(k, t, hex, any);
    return k->store && k->model ? mix_layer(k, t, hex, any) : RSD_OK;
}

static void begin(char hex[65]) { rsd_sha256("", 0, hex); }

static void end(const char hex[65], bool any, char out[17])
{
    strcpy(out, "none");
    if (!any)
        return;
    memcpy(out, hex, 16);
    out[16] = 0;
}

int calibration_layer_identity(const calibration *k, const rsd_tensor *t, char out[17])
{
    char hex[65];
    bool any = false;
    begin(hex);
    RSD_TRY(mix_either(k, t, hex, &any));
    end(hex, any, out);
    return RSD_OK;
}

int calibration_identity(const calibration *k, const rsd_model *model, char out[17])
{
    char hex[65];
    bool any = false;
    begin(hex);
    for (size_t i = 0; i < rsd_model_count(model); i++) {
        const rsd_tensor *t = rsd_model_tensor(model, i);
        bool here = false;
        RSD_TRY(mix_either(k, t, hex, &here));
        if (here)
            mix(hex, t->name, strlen(t->name));
        any |= here;
    }
    end(hex, any, out);
    return RSD_OK;
}
