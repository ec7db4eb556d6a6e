/* journal_finish: the old file and the parts become one new file. */
#include "config.h"

#include "result/journal_parts.h"

#include "alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A file that the result is merged from. */
typedef struct {
    rsd_store *store;
    spectra_rows rows;
    char **matrix; /* path of each row's matrix */
} source;

typedef struct {
    journal *j;
    rsd_store *to;
    source old; /* store NULL when there is none */
    spectra_rows rows;
} merge;

static int read_rows(source *s)
{
    RSD_TRY(spectra_read(s->store, &s->rows));
    RSD_TRY(rsd_zeroed(s->rows.count, sizeof *s->matrix, &s->matrix));
    for (size_t i = 0; i < s->rows.count; i++) {
        s->matrix[i] = result_matrix_path(s->rows.row[i].model, s->rows.row[i].tensor);
        if (!s->matrix[i])
            return RSD_FAIL(RSD_ENOMEM, "path of a matrix");
    }
    return RSD_OK;
}

static int source_open(const char *path, source *s)
{
    *s = (source){ 0 };
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &s->store));
    return read_rows(s);
}

static int source_close(source *s)
{
    for (size_t i = 0; s->matrix && i < s->rows.count; i++)
        free(s->matrix[i]);
    free(s->matrix);
    spectra_free(&s->rows);
    return rsd_store_close(s->store);
}

/* Copy the children of a matrix' group that the destination lacks (depth 2), of "quantized" those
 * of its specs (depth 1), and of a spec its spectra (depth 0). */
static int fill_missing(const rsd_store *from, const char *path, rsd_store *to, int depth)
{
    rsd_names names;
    RSD_TRY(rsd_store_members(from, path, &names));
    int err = RSD_OK;
    for (size_t i = 0; !err && i < names.count; i++) {
        char *child = NULL;
        if (asprintf(&child, "%s/%s", path, names.name[i]) < 0)
            err = RSD_FAIL(RSD_ENOMEM, "path in %s", path);
        else if (!rsd_store_exists(to, child))
            err = rsd_store_copy(from, child, to, child);
        else if (depth == 1 || (depth == 2 && strcmp(names.name[i], "quantized") == 0))
            err = fill_missing(from, child, to, depth - 1);
        free(child);
    }
    rsd_names_free(&names);
    return err;
}

/* A later attempt that failed leaves what was there and says so. */
static int note_failure(const rsd_store *from, const char *path, rsd_store *to)
{
    char *message = NULL;
    if (journal_matrix_ok(from, path) || !rsd_store_has(from, path, "message"))
        return RSD_OK;
    RSD_TRY(rsd_store_get_text(from, path, "message", &message));
    int err = rsd_store_set_text(to, path, "status", "failed");
    if (!err)
        err = rsd_store_set_text(to, path, "message", message);
    free(message);
    return err;
}

/* Rows of one matrix, unless an earlier source gave them; `first` is where its rows begin. */
static int take_rows(merge *m, const source *s, const char *matrix, size_t first)
{
    for (size_t r = 0; r < s->rows.count; r++) {
        bool take = strcmp(s->matrix[r], matrix) == 0;
        for (size_t i = first; take && i < m->rows.count; i++)
            take = !spectra_same(&s->rows.row[r], &m->rows.row[i]);
        if (take)
            RSD_TRY(spectra_add(&m->rows, &s->rows.row[r]));
    }
    return RSD_OK;
}

static int merge_from(merge *m, const source *s, const char *matrix, size_t first)
{
    if (!s->store || !rsd_store_exists(s->store, matrix))
        return RSD_OK;
    if (!rsd_store_exists(m->to, matrix))
        RSD_TRY(rsd_store_copy(s->store, matrix, m->to, matrix));
    else {
        RSD_TRY(fill_missing(s->store, matrix, m->to, 2));
        RSD_TRY(note_failure(s->store, matrix, m->to));
    }
    return take_rows(m, s, matrix, first);
}

static int merge_part(merge *m, const journal_part *part, size_t first)
{
    source s;
    int err = source_open(part->path, &s);
    if (!err)
        err = merge_from(m, &s, part->matrix, first);
    const int closed = source_close(&s);
    return err ? err : closed;
}

/* What calibrate wrote into a matrix' group: no part has it. */
static int merge_calibration(merge *m, const char *matrix)
{
    static const char *const names[] = { "H", "G" };
    int err = RSD_OK;
    for (size_t i = 0; !err && i < sizeof names / sizeof *names; i++) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", matrix, names[i]) < 0)
            return RSD_FAIL(RSD_ENOMEM, "path in %s", matrix);
        if (rsd_store_exists(m->old.store, path) && !rsd_store_exists(m->to, path))
            err = rsd_store_copy(m->old.store, path, m->to, path);
        free(path);
    }
    return err;
}

/* The old file comes first where it holds a good matrix, and counts only where no part has the
 * matrix if it holds a failed one.  Parts are opened one at a time: there may be thousands. */
static int merge_matrix(merge *m, const char *matrix)
{
    if (rsd_store_exists(m->to, matrix))
        return RSD_OK; /* given twice */
    const size_t first = m->rows.count;
    const bool old_first = m->old.store && journal_matrix_ok(m->old.store, matrix);
    if (old_first)
        RSD_TRY(merge_from(m, &m->old, matrix, first));
    for (size_t i = 0; i < m->j->parts; i++)
        if (strcmp(m->j->part[i].matrix, matrix) == 0)
            RSD_TRY(merge_part(m, &m->j->part[i], first));
    if (!old_first && !rsd_store_exists(m->to, matrix))
        RSD_TRY(merge_from(m, &m->old, matrix, first));
    return m->old.store ? merge_calibration(m, matrix) : RSD_OK;
}

/* Models and matrices of the old file that this run did not name, and what other commands wrote. */
static int merge_rest(merge *m)
{
    const rsd_store *old = m->old.store;
    rsd_names top = { 0 }, models = { 0 }, matrices = { 0 };
    int err = RSD_OK;
    if (!old)
        return RSD_OK;
    RSD_TRY_DONE(rsd_store_names(old, "/models", &models));
    for (size_t i = 0; i < models.count; i++) {
        char *path = result_model_path(models.name[i]);
        const bool there = path && rsd_store_exists(m->to, path);
        err = !path ? RSD_FAIL(RSD_ENOMEM, "path") : RSD_OK;
        if (!err)
            err = journal_matrices(old, models.name[i], &matrices);
        for (size_t k = 0; !err && k < matrices.count; k++)
            err = there ? merge_matrix(m, matrices.name[k])
                        : take_rows(m, &m->old, matrices.name[k], m->rows.count);
        if (!err && !there)
            err = rsd_store_copy(old, path, m->to, path);
        free(path);
        rsd_names_free(&matrices);
        if (err)
            goto done;
    }
    RSD_TRY_DONE(rsd_store_members(old, "/", &top));
    for (size_t i = 0; i < top.count; i++) {
        char path[512];
        snprintf(path, sizeof path, "/%s", top.name[i]);
        if (strcmp(path, "/spectra") != 0 && !rsd_store_exists(m->to, path))
            RSD_TRY_DONE(rsd_store_copy(old, path, m->to, path));
    }
done:
    rsd_names_free(&top);
    rsd_names_free(&models);
    rsd_names_free(&matrices);
    return err;
}

static int write_provenance(const merge *m, bool complete)
{
    const journal_run *run = &m->j->run;
    char now[32];
    const time_t t = time(NULL);
    struct tm utc;
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &utc));
    RSD_TRY(rsd_store_set_text(m->to, "/", "tool_version", PACKAGE_VERSION));
    RSD_TRY(rsd_store_set_text(m->to, "/", "command_line", run->command_line));
    RSD_TRY(rsd_store_set_text(m->to, "/", "created_utc", now));
    RSD_TRY(rsd_store_set_int(m->to, "/", "seed", (int64_t)run->seed));
    RSD_TRY(rsd_store_set_text(m->to, "/", "analyze_options", run->options));
    return rsd_store_set_int(m->to, "/", "complete", complete);
}

static int write_all(merge *m, bool complete, const char *const *order, size_t count)
{
    RSD_TRY(write_provenance(m, complete));
    for (size_t i = 0; i < m->j->models; i++)
        RSD_TRY(journal_write_model(m->to, &m->j->model[i]));
    for (size_t i = 0; i < count; i++)
        RSD_TRY(merge_matrix(m, order[i]));
    RSD_TRY(merge_rest(m));
    return spectra_write(&m->rows, m->to);
}

static void remove_parts(journal *j)
{
    for (size_t i = 0; i < j->parts; i++) {
        unlink(j->part[i].path);
        free(j->part[i].path);
        free(j->part[i].matrix);
    }
    j->parts = 0;
    unlinkat(j->folder_fd, "replace", 0);
    unlinkat(j->folder_fd, "writing.tmp", 0);
}

static bool nothing_to_do(const journal *j, const rsd_store *old, bool complete)
{
    int64_t was = 0;
    return old && j->parts == 0 && rsd_store_has(old, "/", "complete") &&
           !rsd_store_get_int(old, "/", "complete", &was) && was == complete;
}

int journal_finish(journal *j, bool complete, const char *const *order, size_t count)
{
    merge m = { .j = j };
    char *temporary = NULL;
    int err = RSD_OK;
    if (asprintf(&temporary, "%s.tmp", j->path) < 0)
        return RSD_FAIL(RSD_ENOMEM, "path of %s", j->path);
    RSD_TRY_DONE(journal_open_old(j, &m.old.store));
    if (nothing_to_do(j, m.old.store, complete))
        goto done;
    if (m.old.store)
        RSD_TRY_DONE(read_rows(&m.old));
    RSD_TRY_DONE(rsd_store_open(temporary, RSD_STORE_CREATE, &m.to));
    RSD_TRY_DONE(write_all(&m, complete, order, count));
    err = rsd_store_close(m.to);
    m.to = NULL;
    if (!err && rename(temporary, j->path) != 0)
        err = RSD_FAIL(RSD_EIO, "%s: %s", j->path, strerror(errno));
done:
    if (m.to && rsd_store_close(m.to) && !err)
        err = RSD_EIO;
    if (source_close(&m.old) && !err)
        err = RSD_EIO;
    if (err)
        unlink(temporary);
    else
        remove_parts(j);
    spectra_free(&m.rows);
    free(temporary);
    return err;
}
