/* parts_publish: what F.h5 holds by now, and the parts, become the new F.h5. */
#include "result/parts_private.h"

#include "alloc.h"
#include "mat.h"
#include "result/provenance.h"
#include "result/union.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    parts *p;
    const parts_publication *what;
    const rsd_store *old; /* while the last part is written */
    bool is_new, changes;
} publishing;

/* The last part; a file that is new says in "/" what made it, unless `last` says it better. */
static int fill_last(rsd_store *store, void *context)
{
    publishing *b = context;
    if (b->is_new) {
        RSD_TRY(provenance_write(store, "/", b->what->command_line, b->what->seed));
        RSD_TRY(rsd_store_set_int(store, "/", "complete", 1));
    }
    return b->what->last(b->old, store, &b->changes, b->what->context);
}

static int write_last(publishing *b, const char *path)
{
    rsd_store *old = NULL;
    if (access(b->p->path, F_OK) == 0)
        RSD_TRY(rsd_store_open(b->p->path, RSD_STORE_READ, &old));
    b->old = old;
    b->is_new = !old;
    const int err = parts_write(path, NULL, fill_last, b), closed = rsd_store_close(old);
    return err ? err : closed;
}

static int join_all(const publishing *b, const char *last, rsd_store *to)
{
    const parts *p = b->p;
    const union_forget forget = { .writes = p->replace ? p->kind->writes : NULL,
                                  .scope = p->scope,
                                  .models = p->replace && p->kind->replaces_model };
    const union_order order = { b->what->order, b->what->count, p->kind->old_first };
    const char **source;
    RSD_TRY(rsd_array_alloc(p->count + 2, 1, sizeof *source, &source));
    source[0] = b->is_new ? NULL : p->path;
    for (size_t i = 0; i < p->count; i++)
        source[1 + i] = p->part[i];
    source[1 + p->count] = last;
    const int err = union_write(source, p->count + 2, &forget, &order, to);
    free(source);
    return err;
}

static int make_file(const publishing *b, const char *last, const char *temporary)
{
    rsd_store *to;
    RSD_TRY(rsd_store_open(temporary, RSD_STORE_CREATE, &to));
    int err = join_all(b, last, to);
    const int closed = rsd_store_close(to);
    err = err ? err : closed;
    if (!err && rename(temporary, b->p->path) != 0)
        err = RSD_FAIL(RSD_EIO, "%s: %s", b->p->path, strerror(errno));
    return err;
}

/* F.h5 holds them now.  The mark goes first: parts that stay are published once more, but work of
 * this run must not be forgotten. */
static void forget_parts(parts *p)
{
    char *mark = NULL;
    if (parts_file(p, PARTS_MARK, &mark))
        return;
    unlink(mark);
    free(mark);
    p->replace = p->kind->always;
    for (size_t i = 0; i < p->count; i++) {
        unlink(p->part[i]);
        free(p->part[i]);
    }
    p->count = 0;
}

int parts_publish(parts *p, const parts_publication *what)
{
    publishing b = { .p = p, .what = what, .changes = true };
    file_lock turn = { .fd = -1 };
    char *last = NULL, *temporary = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(parts_begin(p));
    RSD_TRY_DONE(file_lock_take(p->folder, "publish.lock", p->path, p->kind->command, true, &turn));
    RSD_TRY_DONE(parts_file(p, "last.tmp", &last));
    RSD_TRY_DONE(rsd_format(&temporary, "%s/publish.tmp", p->folder));
    RSD_TRY_DONE(write_last(&b, last));
    if (b.changes)
        RSD_TRY_DONE(make_file(&b, last, temporary));
    if (b.changes)
        forget_parts(p);
done:
    if (last)
        unlink(last);
    if (temporary)
        unlink(temporary);
    file_lock_release(&turn);
    free(last);
    free(temporary);
    return err;
}
