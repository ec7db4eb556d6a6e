/* Parts of a run that is under way: begun, finished, found again. */
#include "result/journal_parts.h"

#include "cli/console.h"
#include "io/file.h"
#include "mat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int by_text(const void *a, const void *b) { return strcmp(a, b); }

static char *done_key(const char *matrix_path, const char *spec)
{
    char *key = NULL;
    return asprintf(&key, "%s\t%s", matrix_path, spec) < 0 ? NULL : key;
}

static int mark_done(journal *j, const char *matrix_path, const char *spec)
{
    char *key = done_key(matrix_path, spec);
    void *const *node = key ? tsearch(key, &j->done, by_text) : NULL;
    if (!node) {
        free(key);
        return RSD_FAIL(RSD_ENOMEM, "list of finished matrices");
    }
    if (*node != key)
        free(key);
    return RSD_OK;
}

bool journal_has(const journal *j, const char *matrix_path, const char *spec)
{
    char *key = done_key(matrix_path, spec);
    const bool has = key && tfind(key, &j->done, by_text);
    free(key);
    return has;
}

bool journal_matrix_ok(const rsd_store *store, const char *matrix_path)
{
    char *status = NULL;
    if (!rsd_store_has(store, matrix_path, "status") ||
        rsd_store_get_text(store, matrix_path, "status", &status))
        return false;
    const bool ok = strcmp(status, "ok") == 0;
    free(status);
    return ok;
}

/* "a=1,b=2" and "a=1,b=3": the first item that differs, in either text. */
static int contradiction(const char *where, const char *held, const char *wanted)
{
    size_t start = 0, i = 0;
    for (; held[i] && held[i] == wanted[i]; i++)
        if (held[i] == ',')
            start = i + 1;
    return RSD_FAIL(RSD_EUSAGE,
                    "%s was made with '%.*s', this command says '%.*s'; --force starts over, -o "
                    "writes another file",
                    where, (int)strcspn(held + start, ","), held + start,
                    (int)strcspn(wanted + start, ","), wanted + start);
}

static int check_options(const journal *j, const rsd_store *store, const char *where)
{
    if (!rsd_store_has(store, "/", "analyze_options"))
        return RSD_OK; /* another command's results; analyze may add its own */
    char *held = NULL;
    RSD_TRY(rsd_store_get_text(store, "/", "analyze_options", &held));
    const int err =
        strcmp(held, j->run.options) ? contradiction(where, held, j->run.options) : RSD_OK;
    free(held);
    return err;
}

int journal_matrices(const rsd_store *store, const char *model_name, rsd_names *out)
{
    *out = (rsd_names){ 0 };
    char *model = result_model_path(model_name), *group = NULL;
    if (!model || asprintf(&group, "%s/matrices", model) < 0)
        return RSD_FAIL(RSD_ENOMEM, "path of model %s", model_name);
    int err = RSD_OK;
    if (rsd_store_exists(store, group))
        err = rsd_store_members(store, group, out);
    for (size_t i = 0; !err && i < out->count; i++) {
        char *full = NULL;
        if (asprintf(&full, "%s/%s", group, out->name[i]) < 0)
            err = RSD_FAIL(RSD_ENOMEM, "path of %s", out->name[i]);
        else {
            free(out->name[i]);
            out->name[i] = full;
        }
    }
    free(group);
    free(model);
    if (err)
        rsd_names_free(out);
    return err;
}

static int scan_spec(journal *j, const rsd_store *store, const char *matrix, const char *spec)
{
    char *path;
    RSD_TRY(mark_done(j, matrix, spec));
    if (asprintf(&path, "%s/quantized/%s/GRH", matrix, spec) < 0)
        return RSD_FAIL(RSD_ENOMEM, "path in %s", matrix);
    const char *key = path + strlen(matrix) + strlen("/quantized/");
    const int err = rsd_store_exists(store, path) ? mark_done(j, matrix, key) : RSD_OK;
    free(path);
    return err;
}

/* Note what a file holds of one matrix. */
static int scan_matrix(journal *j, const rsd_store *store, const char *matrix)
{
    if (!journal_matrix_ok(store, matrix))
        return RSD_OK; /* failed ones are tried again */
    RSD_TRY(mark_done(j, matrix, ""));
    char *quantized = NULL;
    if (asprintf(&quantized, "%s/quantized", matrix) < 0)
        return RSD_FAIL(RSD_ENOMEM, "path in %s", matrix);
    rsd_names specs = { 0 };
    int err = RSD_OK;
    if (rsd_store_exists(store, quantized))
        err = rsd_store_members(store, quantized, &specs);
    for (size_t i = 0; !err && i < specs.count; i++)
        err = scan_spec(j, store, matrix, specs.name[i]);
    rsd_names_free(&specs);
    free(quantized);
    return err;
}

static int know_model(journal *j, const rsd_store *store, const char *name)
{
    for (size_t i = 0; i < j->known_models; i++)
        if (strcmp(j->known_model[i].name, name) == 0)
            return RSD_OK;
    journal_model *grown = realloc(j->known_model, (j->known_models + 1) * sizeof *grown);
    if (!grown)
        return RSD_FAIL(RSD_ENOMEM, "list of models");
    j->known_model = grown;
    journal_model *m = &grown[j->known_models];
    *m = (journal_model){ .name = strdup(name) };
    if (!m->name)
        return RSD_FAIL(RSD_ENOMEM, "list of models");
    j->known_models++;

    char *path = result_model_path(name), *sha = NULL, *source = NULL;
    int err = path ? rsd_store_get_text(store, path, "sha256", &sha) : RSD_FAIL(RSD_ENOMEM, "path");
    if (!err)
        err = rsd_store_get_text(store, path, "source", &source);
    if (!err)
        snprintf(m->sha256, sizeof m->sha256, "%s", sha);
    m->source = source;
    free(sha);
    free(path);
    return err;
}

/* Note what a file holds; *matrix, if asked for, gets the path of its last matrix (caller frees).
 */
static int scan(journal *j, const rsd_store *store, const char *where, char **matrix)
{
    RSD_TRY(check_options(j, store, where));
    rsd_names models = { 0 }, matrices = { 0 };
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_store_names(store, "/models", &models));
    for (size_t i = 0; i < models.count; i++) {
        RSD_TRY_DONE(know_model(j, store, models.name[i]));
        RSD_TRY_DONE(journal_matrices(store, models.name[i], &matrices));
        for (size_t k = 0; k < matrices.count; k++)
            RSD_TRY_DONE(scan_matrix(j, store, matrices.name[k]));
        if (matrix && matrices.count) {
            free(*matrix);
            *matrix = strdup(matrices.name[matrices.count - 1]);
        }
        rsd_names_free(&matrices);
    }
done:
    rsd_names_free(&matrices);
    rsd_names_free(&models);
    return err;
}

int journal_open_old(const journal *j, rsd_store **out)
{
    *out = NULL;
    if (j->replace || access(j->path, F_OK) != 0)
        return RSD_OK;
    return rsd_store_open(j->path, RSD_STORE_READ, out);
}

static int scan_old(journal *j)
{
    rsd_store *old;
    RSD_TRY(journal_open_old(j, &old));
    if (!old)
        return RSD_OK;
    int err = scan(j, old, j->path, NULL);
    const int closed = rsd_store_close(old);
    return err ? err : closed;
}

/* Takes both texts over. */
static int add_part(journal *j, char *path, char *matrix)
{
    journal_part *grown = path && matrix ? realloc(j->part, (j->parts + 1) * sizeof *grown) : NULL;
    if (!grown) {
        free(path);
        free(matrix);
        return RSD_FAIL(RSD_ENOMEM, "list of parts");
    }
    j->part = grown;
    j->part[j->parts++] = (journal_part){ path, matrix };
    return RSD_OK;
}

/* A part that cannot be read is dropped: its matrix is simply done again. */
static int scan_part(journal *j, char *path)
{
    rsd_store *store;
    char *matrix = NULL;
    if (rsd_store_open(path, RSD_STORE_READ, &store)) {
        console_note("%s: not readable, done again (%s)", path, rsd_errmsg());
        unlink(path);
        free(path);
        return RSD_OK;
    }
    int err = scan(j, store, j->folder, &matrix);
    const int closed = rsd_store_close(store);
    if (err || closed) {
        free(matrix);
        free(path);
        return err ? err : closed;
    }
    return add_part(j, path, matrix);
}

/* Parts are 000001.h5, 000002.h5, ...: sorted by name they are sorted by age. */
static int is_part(const struct dirent *e)
{
    const size_t n = strspn(e->d_name, "0123456789");
    return n > 0 && strcmp(e->d_name + n, ".h5") == 0;
}

static int scan_parts(journal *j)
{
    struct dirent **entry = NULL;
    const int n = scandir(j->folder, &entry, is_part, alphasort);
    if (n < 0)
        return RSD_FAIL(RSD_EIO, "%s: %s", j->folder, strerror(errno));
    int err = RSD_OK;
    for (int i = 0; i < n; i++) {
        if (!err) {
            j->next = strtoul(entry[i]->d_name, NULL, 10) + 1;
            err = scan_part(j, rsd_path_join(j->folder, entry[i]->d_name));
        }
        free(entry[i]);
    }
    free(entry);
    return err;
}

/* --force: forget the parts, and leave a mark so that a resumed run ignores F.h5 as well.  F.h5
 * itself stays until its successor is whole. */
static int start_over(journal *j)
{
    struct dirent **entry = NULL;
    const int n = scandir(j->folder, &entry, is_part, NULL);
    for (int i = 0; i < n; i++) {
        char *path = rsd_path_join(j->folder, entry[i]->d_name);
        if (path)
            unlink(path);
        free(path);
        free(entry[i]);
    }
    free(entry);
    const int fd = openat(j->folder_fd, "replace", O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return RSD_FAIL(RSD_EIO, "%s/replace: %s", j->folder, strerror(errno));
    close(fd);
    return RSD_OK;
}

int journal_open(const char *path, const journal_run *run, bool force, journal **out)
{
    journal *j = calloc(1, sizeof *j);
    *out = j;
    if (!j)
        return RSD_FAIL(RSD_ENOMEM, "journal of %s", path);
    j->run = *run;
    j->next = 1;
    j->folder_fd = -1;
    pthread_mutex_init(&j->lock, NULL);
    j->path = strdup(path);
    if (!j->path || asprintf(&j->folder, "%s.part", path) < 0) {
        j->folder = NULL;
        return RSD_FAIL(RSD_ENOMEM, "journal of %s", path);
    }
    struct stat st;
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return RSD_FAIL(RSD_EIO, "%s: not a regular file", path);
    RSD_TRY(rsd_make_folder(j->folder));
    j->folder_fd = open(j->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (j->folder_fd < 0)
        return RSD_FAIL(RSD_EIO, "%s: %s", j->folder, strerror(errno));
    if (flock(j->folder_fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return RSD_FAIL(RSD_EIO, "%s: another run is writing it", path);
    if (force)
        RSD_TRY(start_over(j));
    j->replace = faccessat(j->folder_fd, "replace", F_OK, 0) == 0;
    RSD_TRY(scan_old(j));
    return scan_parts(j);
}

void journal_close(journal *j)
{
    if (!j)
        return;
    rmdir(j->folder ? j->folder : ""); /* when nothing is left in it */
    if (j->folder_fd >= 0)
        close(j->folder_fd);
    tdestroy(j->done, free);
    for (size_t i = 0; i < j->parts; i++) {
        free(j->part[i].path);
        free(j->part[i].matrix);
    }
    for (size_t i = 0; i < j->known_models; i++) {
        free((char *)(uintptr_t)j->known_model[i].name);
        free((char *)(uintptr_t)j->known_model[i].source);
    }
    free(j->part);
    free(j->known_model);
    free(j->model);
    free(j->folder);
    free(j->path);
    pthread_mutex_destroy(&j->lock);
    free(j);
}

const char *journal_source(const journal *j, const char *model)
{
    for (size_t i = 0; i < j->known_models; i++)
        if (strcmp(j->known_model[i].name, model) == 0)
            return j->known_model[i].source;
    return NULL;
}

int journal_add_model(journal *j, const journal_model *model)
{
    for (size_t i = 0; i < j->models; i++)
        if (strcmp(j->model[i].name, model->name) == 0)
            return RSD_FAIL(RSD_EUSAGE, "two models are called %s; name one: NAME=%s", model->name,
                            model->source);
    for (size_t i = 0; i < j->known_models; i++)
        if (strcmp(j->known_model[i].name, model->name) == 0 &&
            strcmp(j->known_model[i].sha256, model->sha256) != 0)
            return RSD_FAIL(RSD_EUSAGE,
                            "%s holds another model called %s (sha256 %.12s..., %s has %.12s...); "
                            "call this one NAME=%s, or --force",
                            j->path, model->name, j->known_model[i].sha256, model->source,
                            model->sha256, model->source);
    journal_model *grown = realloc(j->model, (j->models + 1) * sizeof *grown);
    if (!grown)
        return RSD_FAIL(RSD_ENOMEM, "list of models");
    j->model = grown;
    j->model[j->models++] = *model;
    return RSD_OK;
}

int journal_write_model(rsd_store *store, const journal_model *m)
{
    char *path = result_model_path(m->name);
    if (!path)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", m->name);
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_store_group(store, path));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "source", m->source));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "architecture", m->architecture));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "config", m->config));
    RSD_TRY_DONE(rsd_store_set_text(store, path, "sha256", m->sha256));
    RSD_TRY_DONE(rsd_store_set_int(store, path, "parameters", (int64_t)m->parameters));
    if (m->control)
        RSD_TRY_DONE(rsd_store_set_int(store, path, "control", 1));
done:
    free(path);
    return err;
}

static int write_part(journal *j, const char *path, const journal_model *model,
                      int (*fill)(rsd_store *, void *), void *context)
{
    rsd_store *store;
    RSD_TRY(rsd_store_open(path, RSD_STORE_CREATE, &store));
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_store_set_text(store, "/", "analyze_options", j->run.options));
    RSD_TRY_DONE(journal_write_model(store, model));
    err = fill(store, context);
done:;
    const int closed = rsd_store_close(store);
    return err ? err : closed;
}

void journal_lock(journal *j) { pthread_mutex_lock(&j->lock); }
void journal_unlock(journal *j) { pthread_mutex_unlock(&j->lock); }

int journal_put(journal *j, const journal_model *model, const char *matrix_path,
                int (*fill)(rsd_store *store, void *context), void *context)
{
    pthread_mutex_lock(&j->lock);
    char *temporary = rsd_path_join(j->folder, "writing.tmp"), *path = NULL;
    int err = RSD_OK;
    if (!temporary || asprintf(&path, "%s/%06zu.h5", j->folder, j->next) < 0)
        err = RSD_FAIL(RSD_ENOMEM, "path in %s", j->folder);
    if (!err)
        err = write_part(j, temporary, model, fill, context);
    if (!err && rename(temporary, path) != 0)
        err = RSD_FAIL(RSD_EIO, "%s: %s", path, strerror(errno));
    if (!err) {
        err = add_part(j, path, strdup(matrix_path));
        path = NULL;
        j->next++;
    } else if (temporary)
        unlink(temporary);
    free(path);
    free(temporary);
    pthread_mutex_unlock(&j->lock);
    return err;
}
