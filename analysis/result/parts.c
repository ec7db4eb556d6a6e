/* Parts of a run: begun, marked, found again, and made into the file. */
#include "result/parts_private.h"

#include "alloc.h"
#include "cli/console.h"
#include "io/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NUMBERS = 1000000 }; /* of parts; larger ones are names */

/* Which model's part a file is; parts of any model lack it. */
static const char scope_attribute[] = "part_of";

const char *parts_path(const parts *p) { return p->path; }
const char *parts_folder(const parts *p) { return p->folder; }
size_t parts_count(const parts *p) { return p->count; }
bool parts_replace(const parts *p) { return p->replace; }
void parts_lock(parts *p) { pthread_mutex_lock(&p->mutex); }
void parts_unlock(parts *p) { pthread_mutex_unlock(&p->mutex); }

int parts_file(const parts *p, const char *name, char **out)
{
    return rsd_format(out, "%s/%s%s", p->folder, p->kind->prefix, name);
}

/* ---- what is in the folder ---- */

/* PREFIX, digits, ".h5". */
static bool is_part(const parts *p, const char *name)
{
    const size_t n = strlen(p->kind->prefix);
    if (strncmp(name, p->kind->prefix, n) != 0)
        return false;
    const size_t digits = strspn(name + n, "0123456789abcdef");
    return digits > 0 && strcmp(name + n + digits, ".h5") == 0;
}

/* Of an older program, which did not say whose a part is, runs have it in their row. */
static int read_scope(const rsd_store *store, char **out)
{
    static const char runs[] = "/recovery/runs";
    rsd_table t;
    *out = NULL;
    if (rsd_store_has(store, "/", scope_attribute))
        return rsd_store_get_text(store, "/", scope_attribute, out);
    if (!rsd_store_exists(store, runs))
        return RSD_OK;
    RSD_TRY(rsd_store_read_table(store, runs, &t));
    const size_t at = rsd_table_column(&t, "model");
    const bool said = t.rows > 0 && at != SIZE_MAX && t.column[at].type == RSD_COLUMN_TEXT;
    const int err = said ? rsd_copy_text(t.value[at].text, out) : RSD_OK;
    rsd_table_free(&t);
    return err;
}

/* What a killed run was writing; nobody else writes this kind now. */
static bool is_leftover(const parts *p, const char *name)
{
    const size_t n = strlen(p->kind->prefix);
    if (strncmp(name, p->kind->prefix, n) != 0)
        return false;
    const size_t digits = strspn(name + n, "0123456789abcdef");
    return strcmp(name + n, "writing.tmp") == 0 || strcmp(name + n, "last.tmp") == 0 ||
           (digits > 0 && strcmp(name + n + digits, ".tmp") == 0);
}

static int add_part(parts *p, const char *path)
{
    for (size_t i = 0; i < p->count; i++)
        if (strcmp(p->part[i], path) == 0)
            return RSD_OK;
    RSD_TRY(rsd_room(&p->part, p->count, 1, sizeof *p->part));
    RSD_TRY(rsd_copy_text(path, &p->part[p->count]));
    p->count++;
    return RSD_OK;
}

/* Enter a part of our scope into the list, or forget it; what cannot be read is done again. */
static int find_part(parts *p, const char *path)
{
    rsd_store *store;
    char *scope = NULL;
    if (rsd_store_open(path, RSD_STORE_READ, &store)) {
        console_note("%s: not readable, done again (%s)", path, rsd_errmsg());
        unlink(path);
        return RSD_OK;
    }
    int err = p->scope ? read_scope(store, &scope) : RSD_OK;
    const int closed = rsd_store_close(store);
    const bool ours = !err && !closed && (!p->scope || (scope && strcmp(scope, p->scope) == 0));
    if (ours && p->forced)
        unlink(path);
    else if (ours)
        err = add_part(p, path);
    free(scope);
    return err ? err : closed;
}

/* Numbered parts sort by age. */
static int find_parts(parts *p)
{
    struct dirent **entry = NULL;
    const int n = scandir(p->folder, &entry, NULL, alphasort);
    int err = n < 0 ? RSD_FAIL(RSD_EIO, "%s: %s", p->folder, strerror(errno)) : RSD_OK;
    for (int i = 0; i < n; i++) {
        const char *name = entry[i]->d_name;
        char *path = NULL;
        if (!err)
            err = rsd_format(&path, "%s/%s", p->folder, name);
        if (!err && is_leftover(p, name))
            unlink(path);
        if (!err && is_part(p, name)) {
            const unsigned long number = strtoul(name + strlen(p->kind->prefix), NULL, 10);
            p->next = number >= p->next && number < NUMBERS ? number + 1 : p->next;
            err = find_part(p, path);
        }
        free(path);
        free(entry[i]);
    }
    free(entry);
    return err;
}

/* ---- --force ---- */

/* A mark that names the scope, so that a resumed run too leaves out what F.h5 holds of it. */
static int write_mark(const parts *p)
{
    char *path = NULL;
    rsd_writer w = { 0 };
    int err = parts_file(p, PARTS_MARK, &path);
    if (!err)
        err = rsd_writer_open(path, &w);
    if (!err && p->scope)
        err = rsd_writer_put(&w, p->scope, strlen(p->scope));
    if (!err)
        err = rsd_writer_commit(&w);
    else
        rsd_writer_abandon(&w);
    free(path);
    return err;
}

int parts_begin(parts *p)
{
    if (!p->forced)
        return RSD_OK;
    RSD_TRY(find_parts(p));
    RSD_TRY(write_mark(p));
    p->forced = false;
    return RSD_OK;
}

/* An empty mark, an older program's, is of whatever scope resumes. */
static int read_mark(parts *p)
{
    char *path = NULL;
    rsd_map map = { 0 };
    RSD_TRY(parts_file(p, PARTS_MARK, &path));
    if (access(path, F_OK) != 0) {
        free(path);
        return RSD_OK;
    }
    const int err = rsd_map_open(path, &map);
    if (!err) {
        const size_t n = p->scope ? strlen(p->scope) : 0;
        p->replace |=
            map.size == 0 || (p->scope && map.size == n && memcmp(map.data, p->scope, n) == 0);
        rsd_map_close(&map);
    }
    free(path);
    return err;
}

/* ---- opening ---- */

static int find_model(const parts *p, const result_model *model)
{
    rsd_store *store;
    bool found;
    if (!model || access(p->path, F_OK) != 0)
        return RSD_OK;
    RSD_TRY(rsd_store_open(p->path, RSD_STORE_READ, &store));
    const int err = result_model_find(store, model, &found), closed = rsd_store_close(store);
    return err ? err : closed;
}

int parts_open(const parts_kind *kind, const char *path, const result_model *model, bool force,
               parts **out)
{
    struct stat st;
    char *lock = NULL;
    RSD_TRY(rsd_zeroed(1, sizeof **out, out));
    parts *p = *out;
    p->kind = kind;
    p->next = 1;
    p->lock.fd = -1;
    pthread_mutex_init(&p->mutex, NULL);
    RSD_TRY(rsd_copy_text(path, &p->path));
    RSD_TRY(rsd_copy_text(model ? model->name : NULL, &p->scope));
    RSD_TRY(rsd_format(&p->folder, "%s.part", path));
    if (stat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return RSD_FAIL(RSD_EIO, "%s: not a regular file", path);
    RSD_TRY(rsd_format(&lock, "%s.lock", kind->command));
    const int err = file_lock_take(p->folder, lock, path, kind->command, false, &p->lock);
    free(lock);
    RSD_TRY(err);
    RSD_TRY(find_model(p, model));
    p->forced = force;
    p->replace = force || kind->always;
    if (force)
        return RSD_OK;
    RSD_TRY(find_parts(p));
    return read_mark(p);
}

void parts_close(parts *p)
{
    if (!p)
        return;
    file_lock_release(&p->lock);
    if (p->folder)
        rmdir(p->folder); /* when nothing is left in it */
    for (size_t i = 0; i < p->count; i++)
        free(p->part[i]);
    free(p->part);
    free(p->folder);
    free(p->scope);
    free(p->path);
    pthread_mutex_destroy(&p->mutex);
    free(p);
}

/* ---- reading and writing ---- */

static int read_store(const char *path, bool part,
                      int (*read)(const rsd_store *store, bool part, void *context), void *context)
{
    rsd_store *store;
    RSD_TRY(rsd_store_open(path, RSD_STORE_READ, &store));
    const int err = read(store, part, context), closed = rsd_store_close(store);
    return err ? err : closed;
}

int parts_each(parts *p, int (*read)(const rsd_store *store, bool part, void *context),
               void *context)
{
    if (!p->replace && access(p->path, F_OK) == 0)
        RSD_TRY(read_store(p->path, false, read, context));
    for (size_t i = 0; i < p->count; i++)
        RSD_TRY(read_store(p->part[i], true, read, context));
    return RSD_OK;
}

int parts_write(const char *path, const char *scope, int (*fill)(rsd_store *store, void *context),
                void *context)
{
    rsd_store *store;
    RSD_TRY(rsd_store_open(path, RSD_STORE_CREATE, &store));
    int err = scope ? rsd_store_set_text(store, "/", scope_attribute, scope) : RSD_OK;
    if (!err)
        err = fill(store, context);
    const int closed = rsd_store_close(store);
    return err ? err : closed;
}

static int put(parts *p, const char *name, int (*fill)(rsd_store *store, void *context),
               void *context)
{
    char *temporary = NULL, *path = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(parts_begin(p));
    RSD_TRY_DONE(parts_file(p, "writing.tmp", &temporary)); /* the kind is locked: it is ours */
    if (name)
        RSD_TRY_DONE(rsd_format(&path, "%s/%s%s.h5", p->folder, p->kind->prefix, name));
    else
        RSD_TRY_DONE(rsd_format(&path, "%s/%s%06lu.h5", p->folder, p->kind->prefix, p->next));
    err = parts_write(temporary, p->scope, fill, context);
    if (!err && rename(temporary, path) != 0)
        err = RSD_FAIL(RSD_EIO, "%s: %s", path, strerror(errno));
    if (err) {
        unlink(temporary);
        goto done;
    }
    p->next += !name;
    err = add_part(p, path);
done:
    free(path);
    free(temporary);
    return err;
}

int parts_put(parts *p, const char *name, int (*fill)(rsd_store *store, void *context),
              void *context)
{
    parts_lock(p);
    const int err = put(p, name, fill, context);
    parts_unlock(p);
    return err;
}
