/* The folder of a training: begun, found again, kept up to date. */
#include "pretrain/training_folder.h"

#include "alloc.h"
#include "io/file.h"
#include "mat.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- CONFIG and what lies beside it ---- */

static bool readable(const char *path) { return path && access(path, F_OK) == 0; }

static int missing_path(void) { return RSD_FAIL(RSD_ENOMEM, "a path"); }

int pretrain_config(const char *source, char **text)
{
    char *inside = rsd_path_join(source, "config.json");
    rsd_map map;
    *text = NULL;
    if (!inside)
        return missing_path();
    int err = rsd_map_open(readable(inside) ? inside : source, &map);
    free(inside);
    RSD_TRY(err);
    err = rsd_array_alloc(map.size + 1, 1, 1, text);
    if (!err) {
        memcpy(*text, map.size ? (const void *)map.data : "", map.size);
        (*text)[map.size] = 0;
        if (strlen(*text) != map.size)
            err = RSD_FAIL(RSD_EFORMAT, "%s: a byte 0 in the text", source);
    }
    rsd_map_close(&map);
    return err;
}

char *pretrain_tokenizer(const char *source)
{
    char *path = rsd_path_join(source, "tokenizer.json"); /* CONFIG is a folder ... */
    if (readable(path))
        return path;
    free(path);
    const char *slash = strrchr(source, '/'); /* ... or a file in one */
    if (rsd_format(&path, "%.*stokenizer.json", slash ? (int)(slash - source + 1) : 0, source) ==
            0 &&
        readable(path))
        return path;
    free(path);
    return NULL;
}

/* ---- files of the folder ---- */

static bool has(const pretrain_folder *f, const char *name)
{
    char *path = rsd_path_join(f->path, name);
    const bool is = readable(path);
    free(path);
    return is;
}

static int write_file(const pretrain_folder *f, const char *name, const void *data, size_t size)
{
    char *path = rsd_path_join(f->path, name);
    const int err = path ? rsd_file_write(path, data, size) : missing_path();
    free(path);
    return err;
}

static int write_config(const pretrain_folder *f, const char *name)
{
    return write_file(f, name, f->config, strlen(f->config));
}

static int copy_tokenizer(const pretrain_folder *f, const char *source)
{
    char *from = pretrain_tokenizer(source);
    rsd_map map = { 0 };
    int err = from ? rsd_map_open(from, &map) : RSD_OK;
    if (from && !err)
        err = write_file(f, "tokenizer.json", map.data, map.size);
    rsd_map_close(&map);
    free(from);
    return err;
}

static int make_folder(const pretrain_folder *f, const char *name)
{
    char *path = rsd_path_join(f->path, name);
    const int err = path ? rsd_make_folder(path) : missing_path();
    free(path);
    return err;
}

static int forget(const pretrain_folder *f, const char *name)
{
    char *path = rsd_path_join(f->path, name);
    int err = path ? RSD_OK : missing_path();
    if (path && unlink(path) && errno != ENOENT)
        err = RSD_FAIL(RSD_EIO, "%s: %s", path, strerror(errno));
    free(path);
    return err;
}

/* ---- starting and going on ---- */

static int other_training(const pretrain_folder *f)
{
    return rsd_fail_prefix(RSD_EUSAGE, "another training is in %s (--force starts over)", f->path);
}

static int check_config(const pretrain_folder *f)
{
    char *path = rsd_path_join(f->path, "initial"), *text;
    int err = path ? pretrain_config(path, &text) : missing_path();
    free(path);
    RSD_TRY(err);
    if (strcmp(text, f->config) != 0) {
        (void)RSD_FAIL(RSD_EUSAGE, "its config.json differs");
        err = other_training(f);
    }
    free(text);
    return err;
}

/* Its config.json comes last: where that is, the model is whole. */
static int create_initial(const pretrain_folder *f, uint64_t seed)
{
    char *path = rsd_path_join(f->path, "initial/model.safetensors");
    int err = path ? make_folder(f, "initial") : missing_path();
    if (!err)
        err = rsd_create(f->config, seed, path);
    free(path);
    return err ? err : write_config(f, "initial/config.json");
}

int pretrain_folder_start(const pretrain_folder *f, const char *source, uint64_t seed, bool force,
                          rsd_model **initial)
{
    if (force) {
        RSD_TRY(forget(f, "training.safetensors"));
        RSD_TRY(forget(f, "initial/config.json"));
    } else if (has(f, "model.safetensors") && !has(f, "training.safetensors"))
        return RSD_FAIL(RSD_EUSAGE,
                        "%s holds a model that was not trained there; --force replaces "
                        "it",
                        f->path);
    if (has(f, "initial/config.json") && has(f, "training.safetensors"))
        RSD_TRY(check_config(f));
    else
        RSD_TRY(create_initial(f, seed));
    RSD_TRY(write_config(f, "config.json"));
    RSD_TRY(copy_tokenizer(f, source));
    char *path = rsd_path_join(f->path, "initial");
    const int err = path ? rsd_model_open(path, initial) : missing_path();
    free(path);
    return err;
}

int pretrain_folder_resume(const pretrain_folder *f, rsd_pretrain *p, rsd_progress *progress)
{
    char *path = rsd_path_join(f->path, "training.safetensors");
    int err = path ? RSD_OK : missing_path();
    if (readable(path))
        err = rsd_checkpoint_read(p, progress, path);
    free(path);
    return err == RSD_EARG ? other_training(f) : err;
}

/* ---- what training leaves ---- */

static int write_model(const pretrain_folder *f, const rsd_pretrain *p, const char *name)
{
    char *path = rsd_path_join(f->path, name);
    const int err = path ? rsd_parameters_write(&p->parameters, f->dtype, path) : missing_path();
    free(path);
    return err;
}

/* The state first: it alone decides where a training goes on, and the model follows from it. */
int pretrain_folder_checkpoint(const pretrain_folder *f, const rsd_pretrain *p,
                               const rsd_progress *progress)
{
    char *path = rsd_path_join(f->path, "training.safetensors");
    const int err = path ? rsd_checkpoint_write(p, progress, path) : missing_path();
    free(path);
    return err ? err : write_model(f, p, "model.safetensors");
}

int pretrain_folder_best(const pretrain_folder *f, const rsd_pretrain *p)
{
    RSD_TRY(make_folder(f, "best"));
    RSD_TRY(write_config(f, "best/config.json"));
    return write_model(f, p, "best/model.safetensors");
}
