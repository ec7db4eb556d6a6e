/* The groups and tables of all sources: whose each is, and what of the first is left out. */
#include "result/union_private.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

const union_container union_containers[] = {
    { "/models", false, false },
    { "/models/*", true, false },
    { "/models/*/matrices", false, false },
    { "/models/*/matrices/*", false, true },
    { "/models/*/matrices/*/quantized", false, true },
    { "/models/*/matrices/*/quantized/*", false, true },
    { "/recovery", false, false },
    { "/calibration", false, false },
    { "/a_priori", false, false },
    { "/a_priori/*", false, false },
    { "/a_priori/*/*", false, false },
};
enum { CONTAINERS = sizeof union_containers / sizeof *union_containers };

static int add_name(rsd_names *list, const char *name)
{
    RSD_TRY(rsd_room(&list->name, list->count, 1, sizeof *list->name));
    RSD_TRY(rsd_copy_text(name, &list->name[list->count]));
    list->count++;
    return RSD_OK;
}

static bool has_name(const rsd_names *list, const char *name)
{
    size_t i = 0;
    while (i < list->count && strcmp(list->name[i], name) != 0)
        i++;
    return i < list->count;
}

/* ---- paths ---- */

static size_t component(const char *path) { return strcspn(path, "/"); }

bool union_match(const char *pattern, const char *path, const char *scope)
{
    bool same = true;
    while (same && *pattern == '/' && *path == '/') {
        const size_t p = component(++pattern), n = component(++path);
        if (p == 1 && *pattern == '@')
            same = scope && strlen(scope) == n && memcmp(scope, path, n) == 0;
        else if (p != 1 || *pattern != '*' || n == 0)
            same = p == n && memcmp(pattern, path, n) == 0;
        pattern += p;
        path += n;
    }
    return same && !*pattern && !*path;
}

static int container_of(const char *path)
{
    int i = 0;
    while (i < CONTAINERS && !union_match(union_containers[i].pattern, path, NULL))
        i++;
    return i < CONTAINERS ? i : -1;
}

static const joined_table *table_of(const char *path, size_t *at)
{
    for (*at = 0; *at < JOINED_TABLES; ++*at)
        if (strcmp(joined_tables[*at].path, path) == 0)
            return &joined_tables[*at];
    return NULL;
}

bool union_is_below(const char *path, const char *above)
{
    const size_t n = strlen(above);
    return strncmp(path, above, n) == 0 && path[n] == '/';
}

/* ---- what is left out of the first source ---- */

/* Is what this pattern, or table, names forgotten? */
static bool writes(const joining *j, const char *path)
{
    const char *const *w = j->forget->writes;
    while (w && *w && !union_match(*w, path, j->scope))
        w++;
    return w && *w;
}

static bool is_forgotten(const joining *j, const char *path)
{
    for (size_t i = 0; i < j->models.count; i++)
        if (union_match("/models/@", path, j->models.name[i]) ||
            union_match("/calibration/@", path, j->models.name[i]) ||
            union_match("/a_priori/@", path, j->models.name[i]))
            return true;
    return has_name(&j->gone, path) || writes(j, path);
}

typedef struct {
    const joining *j;
    bool written; /* the table is one that the command writes */
} skipping;

static bool skip_row(const void *context, const char *model)
{
    const skipping *s = context;
    const joining *j = s->j;
    char *name = rsd_store_escape(model);
    const bool gone = name && has_name(&j->models, name);
    const bool of_scope = !j->scope || (name && strcmp(name, j->scope) == 0);
    free(name);
    return gone || (s->written && of_scope);
}

static int add_gone(void *context, const char *item)
{
    joining *j = context;
    return add_name(&j->gone, item);
}

static int find_gone(joining *j)
{
    int err = RSD_OK;
    for (size_t i = 0; !err && i < JOINED_TABLES; i++) {
        const skipping context = { j, writes(j, joined_tables[i].path) };
        const union_skip skip = { skip_row, &context };
        err = union_table_each_skipped(&joined_tables[i], j->first, &skip, add_gone, j);
    }
    return err;
}

/* A model of the last source whose weights the first has otherwise. */
static int check_model(joining *j, const char *name)
{
    char *path = NULL, *old = NULL, *new = NULL;
    int err = RSD_OK;
    RSD_TRY_DONE(rsd_format(&path, "/models/%s", name));
    if (!rsd_store_exists(j->first, path) || !rsd_store_has(j->first, path, "sha256") ||
        !rsd_store_has(j->last, path, "sha256"))
        goto done;
    RSD_TRY_DONE(rsd_store_get_text(j->first, path, "sha256", &old));
    RSD_TRY_DONE(rsd_store_get_text(j->last, path, "sha256", &new));
    if (strcmp(old, new) == 0)
        goto done;
    err = j->forget->models ? add_name(&j->models, name)
                            : RSD_FAIL(RSD_EUSAGE,
                                       "%s holds another model called %s by now (sha256 %.12s..., "
                                       "this run's has %.12s...); write another file with -o",
                                       rsd_store_path(j->first), name, old, new);
done:
    free(new);
    free(old);
    free(path);
    return err;
}

static int check_models(joining *j)
{
    rsd_names names = { 0 };
    int err = RSD_OK;
    if (!j->first || !rsd_store_exists(j->last, "/models"))
        return RSD_OK;
    RSD_TRY(rsd_store_members(j->last, "/models", &names));
    for (size_t i = 0; !err && i < names.count; i++)
        err = check_model(j, names.name[i]);
    rsd_names_free(&names);
    return err;
}

/* ---- what there is ---- */

static int add_entry(joining *j, const char *path, size_t source, union_entry **out)
{
    size_t at;
    RSD_TRY(rsd_grow(&j->entry, &j->capacity, j->entries + 1, sizeof *j->entry));
    RSD_TRY(text_index_add(&j->index, path, j->entries, &at));
    *out = &j->entry[at];
    if (at < j->entries)
        return RSD_OK;
    **out = (union_entry){ .source = SIZE_MAX, .oldest = source, .container = container_of(path) };
    RSD_TRY(rsd_copy_text(path, &(*out)->path));
    j->entries++;
    return RSD_OK;
}

static void note_forgotten(joining *j, const char *path)
{
    for (size_t i = 0; i < j->entries; i++)
        j->entry[i].forgot |= union_is_below(path, j->entry[i].path);
}

/* Has calibrate alone seen the matrix? */
static bool yields(const rsd_store *store, const char *path)
{
    char *status = NULL;
    const bool yes =
        union_match(MATRIX_PATTERN, path, NULL) && rsd_store_has(store, path, "status") &&
        !rsd_store_get_text(store, path, "status", &status) && strcmp(status, "calibrated") == 0;
    free(status);
    return yes;
}

/* Spectra and moments that are there already are as good as new ones. */
static bool stays(const char *path) { return union_is_below(path, "/models"); }

static int walk(joining *j, const rsd_store *store, size_t source, const char *path);

static int take_member(joining *j, const rsd_store *store, size_t source, const char *path)
{
    size_t at;
    union_entry *e;
    const bool old = j->first && source == 0;
    const joined_table *table = table_of(path, &at);
    if (table) {
        const skipping context = { j, writes(j, path) };
        const union_skip skip = { skip_row, &context };
        j->table[at].kind = table;
        return union_table_add(&j->table[at], store, old, old ? &skip : NULL);
    }
    if (strcmp(path, "/axes") == 0)
        return RSD_OK; /* they are copied with what they belong to */
    if (old && is_forgotten(j, path)) {
        note_forgotten(j, path);
        return RSD_OK;
    }
    RSD_TRY(add_entry(j, path, source, &e));
    if (e->source == SIZE_MAX || !(e->container < 0 ? stays(path) : yields(store, path)))
        e->source = source;
    return e->container < 0 ? RSD_OK : walk(j, store, source, path);
}

static int walk(joining *j, const rsd_store *store, size_t source, const char *path)
{
    rsd_names names;
    int err = RSD_OK;
    RSD_TRY(rsd_store_members(store, path, &names));
    for (size_t i = 0; !err && i < names.count; i++) {
        char *child;
        err = rsd_format(&child, "%s/%s", strcmp(path, "/") ? path : "", names.name[i]);
        if (!err)
            err = take_member(j, store, source, child);
        free(child);
    }
    rsd_names_free(&names);
    return err;
}

int union_store_of(joining *j, size_t source, rsd_store **out)
{
    *out = source == 0 ? j->first : source + 1 == j->sources ? j->last : j->open;
    if (source == 0 || source + 1 == j->sources || (j->open && j->opened == source))
        return RSD_OK;
    rsd_store *before = j->open;
    j->open = NULL;
    RSD_TRY(rsd_store_close(before));
    RSD_TRY(rsd_store_open(j->path[source], RSD_STORE_READ, &j->open));
    j->opened = source;
    *out = j->open;
    return RSD_OK;
}

int union_walk(joining *j)
{
    RSD_TRY(check_models(j));
    if (j->first)
        RSD_TRY(find_gone(j));
    for (size_t i = 0; i < j->sources; i++) {
        rsd_store *store;
        RSD_TRY(union_store_of(j, i, &store));
        if (store)
            RSD_TRY(walk(j, store, i, "/"));
    }
    return RSD_OK;
}
