/* Making a result file anew with additions. */
#include "config.h"

#include "result/amend.h"

#include "io/file.h"
#include "result/journal_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

int amend_open(const char *path, amend *a)
{
    struct stat st;
    *a = (amend){ .path = strdup(path), .lock = -1 };
    if (!a->path || asprintf(&a->folder, "%s.part", path) < 0) {
        a->folder = NULL;
        return RSD_FAIL(RSD_ENOMEM, "path of %s", path);
    }
    if (asprintf(&a->temporary, "%s.tmp", path) < 0) {
        a->temporary = NULL;
        return RSD_FAIL(RSD_ENOMEM, "path of %s", path);
    }
    const bool there = stat(path, &st) == 0;
    if (there && !S_ISREG(st.st_mode))
        return RSD_FAIL(RSD_EIO, "%s: not a regular file", path);
    RSD_TRY(rsd_make_folder(a->folder));
    a->lock = open(a->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (a->lock < 0)
        return RSD_FAIL(RSD_EIO, "%s: %s", a->folder, strerror(errno));
    if (flock(a->lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return RSD_FAIL(RSD_EIO, "%s: another run is writing it", path);
    return there ? rsd_store_open(path, RSD_STORE_READ, &a->old) : RSD_OK;
}

int amend_find_model(const amend *a, const journal_model *model, bool *found)
{
    char *path = result_model_path(model->name), *sha = NULL;
    int err = path ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", model->name);
    *found = !err && a->old && rsd_store_exists(a->old, path);
    if (*found)
        err = rsd_store_get_text(a->old, path, "sha256", &sha);
    if (!err && *found && strcmp(sha, model->sha256) != 0)
        err = RSD_FAIL(RSD_EUSAGE,
                       "%s holds another model called %s (sha256 %.12s..., %s has %.12s...); call "
                       "this one NAME=%s",
                       a->path, model->name, sha, model->source, model->sha256, model->source);
    free(sha);
    free(path);
    return err;
}

int amend_write_provenance(rsd_store *store, const char *path, const char *command_line,
                           uint64_t seed)
{
    char now[32];
    const time_t t = time(NULL);
    struct tm utc;
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &utc));
    RSD_TRY(rsd_store_set_text(store, path, "tool_version", PACKAGE_VERSION));
    RSD_TRY(rsd_store_set_text(store, path, "command_line", command_line));
    RSD_TRY(rsd_store_set_text(store, path, "created_utc", now));
    return rsd_store_set_int(store, path, "seed", (int64_t)seed);
}

/* The attributes of "/" that analyze wrote. */
static int copy_provenance(const amend *a)
{
    static const char *const texts[] = { "tool_version", "command_line", "created_utc",
                                         "analyze_options" };
    static const char *const integers[] = { "seed", "complete" };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char *text;
        if (!rsd_store_has(a->old, "/", texts[i]))
            continue;
        RSD_TRY(rsd_store_get_text(a->old, "/", texts[i], &text));
        const int err = rsd_store_set_text(a->to, "/", texts[i], text);
        free(text);
        RSD_TRY(err);
    }
    for (size_t i = 0; i < sizeof integers / sizeof *integers; i++) {
        int64_t n;
        if (!rsd_store_has(a->old, "/", integers[i]))
            continue;
        RSD_TRY(rsd_store_get_int(a->old, "/", integers[i], &n));
        RSD_TRY(rsd_store_set_int(a->to, "/", integers[i], n));
    }
    return RSD_OK;
}

/* Copy the members of a group that the new file lacks, but those in leave (NULL-terminated). */
static int copy_members(const amend *a, const char *path, const char *const *leave)
{
    rsd_names names;
    RSD_TRY(rsd_store_members(a->old, path, &names));
    int err = RSD_OK;
    for (size_t i = 0; !err && i < names.count; i++) {
        char *child = NULL;
        bool take = true;
        for (const char *const *l = leave; *l; l++)
            take = take && strcmp(*l, names.name[i]) != 0;
        if (asprintf(&child, "%s/%s", strcmp(path, "/") ? path : "", names.name[i]) < 0)
            err = RSD_FAIL(RSD_ENOMEM, "path in %s", path);
        else if (take && !rsd_store_exists(a->to, child))
            err = rsd_store_copy(a->old, child, a->to, child);
        free(child);
    }
    rsd_names_free(&names);
    return err;
}

/* A matrix without its H and G. */
static int copy_matrix(const amend *a, const char *path, const rsd_tensor *t)
{
    static const char *const leave[] = { "H", "G", NULL };
    char *status = NULL, *message = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_store_get_text(a->old, path, "status", &status));
    RSD_TRY_DONE(rsd_store_get_text(a->old, path, "message", &message));
    if (strcmp(status, "calibrated") == 0)
        goto done; /* nothing is left of it */
    RSD_TRY_DONE(result_write_matrix(a->to, path, t, status, message));
    err = copy_members(a, path, leave);
done:
    free(status);
    free(message);
    return err;
}

static int copy_without_calibration(const amend *a, const char *model, const rsd_model *tensors)
{
    int err = RSD_OK;
    for (size_t i = 0; !err && i < rsd_model_count(tensors); i++) {
        const rsd_tensor *t = rsd_model_tensor(tensors, i);
        char *path = result_matrix_path(model, t->name);
        if (!path)
            return RSD_FAIL(RSD_ENOMEM, "path of %s", t->name);
        if (rsd_store_exists(a->old, path))
            err = copy_matrix(a, path, t);
        free(path);
    }
    return err;
}

/* This run's model: its group, and what the old file holds of it. */
static int copy_own_model(const amend *a, const char *path, const journal_model *model,
                          const rsd_model *tensors, bool forget)
{
    static const char *const none[] = { NULL }, *const matrices[] = { "matrices", NULL };
    RSD_TRY(journal_write_model(a->to, model));
    if (!a->old || !rsd_store_exists(a->old, path))
        return RSD_OK;
    RSD_TRY(copy_members(a, path, forget ? matrices : none));
    return forget ? copy_without_calibration(a, model->name, tensors) : RSD_OK;
}

/* Models in the old file's order, a new one last. */
static int copy_models(const amend *a, const journal_model *model, const rsd_model *tensors,
                       bool forget)
{
    rsd_names names = { 0 };
    char *own = result_model_path(model->name);
    int err = own ? RSD_OK : RSD_FAIL(RSD_ENOMEM, "path of %s", model->name);
    if (!err && a->old && rsd_store_exists(a->old, "/models"))
        err = rsd_store_members(a->old, "/models", &names);
    for (size_t i = 0; !err && i < names.count; i++) {
        char *path = NULL;
        if (asprintf(&path, "/models/%s", names.name[i]) < 0)
            err = RSD_FAIL(RSD_ENOMEM, "path of %s", names.name[i]);
        else if (strcmp(path, own) == 0)
            err = copy_own_model(a, own, model, tensors, forget);
        else
            err = rsd_store_copy(a->old, path, a->to, path);
        free(path);
    }
    if (!err && !rsd_store_exists(a->to, own))
        err = copy_own_model(a, own, model, tensors, forget);
    rsd_names_free(&names);
    free(own);
    return err;
}

int amend_begin(amend *a, const journal_model *model, const rsd_model *tensors, bool forget,
                const char *command_line, uint64_t seed)
{
    const char *const leave[] = { a->leave, NULL };
    RSD_TRY(rsd_store_open(a->temporary, RSD_STORE_CREATE, &a->to));
    if (a->old)
        RSD_TRY(copy_provenance(a));
    else {
        RSD_TRY(amend_write_provenance(a->to, "/", command_line, seed));
        RSD_TRY(rsd_store_set_int(a->to, "/", "complete", 1));
    }
    RSD_TRY(copy_models(a, model, tensors, forget));
    return a->old ? copy_members(a, "/", leave) : RSD_OK;
}

int amend_begin_table(amend *a)
{
    const char *const leave[] = { a->leave, NULL };
    if (!a->old)
        return RSD_FAIL(RSD_ENOTFOUND, "%s: no such result file", a->path);
    RSD_TRY(rsd_store_open(a->temporary, RSD_STORE_CREATE, &a->to));
    RSD_TRY(copy_provenance(a));
    return copy_members(a, "/", leave);
}

int amend_commit(amend *a)
{
    rsd_store *to = a->to;
    RSD_TRY(rsd_store_close(a->old));
    a->old = NULL;
    a->to = NULL;
    int err = rsd_store_close(to);
    if (!err && rename(a->temporary, a->path) != 0)
        err = RSD_FAIL(RSD_EIO, "%s: %s", a->path, strerror(errno));
    if (err)
        unlink(a->temporary);
    return err;
}

void amend_close(amend *a)
{
    if (a->to) {
        const int dropped = rsd_store_close(a->to);
        (void)dropped; /* the file goes anyway */
        unlink(a->temporary);
    }
    const int closed = rsd_store_close(a->old);
    (void)closed; /* only read */
    if (a->folder)
        rmdir(a->folder); /* unless parts are in it */
    if (a->lock >= 0)
        close(a->lock);
    free(a->temporary);
    free(a->folder);
    free(a->path);
    *a = (amend){ .lock = -1 };
}
