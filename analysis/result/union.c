#include "result/union.h"

#include "alloc.h"
#include "mat.h"
#include "result/union_rows.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Groups that are joined member by member. */
static const struct {
    const char *pattern;
    bool adds_up; /* attributes of older sources stay, where newer ones say nothing */
    bool in_item; /* it is an item of the order, or in one */
} containers[] = {
    { "/models", false, false },
    { "/models/*", true, false },
    { "/models/*/matrices", false, false },
    { "/models/*/matrices/*", false, true },
    { "/models/*/matrices/*/quantized", false, true },
    { "/models/*/matrices/*/quantized/*", false, true },
    { "/recovery", false, false },
    { "/calibration", false, false },
};
enum { CONTAINERS = sizeof containers / sizeof *containers };

static const char matrix_pattern[] = "/models/*/matrices/*";

/* A group of the new file. */
typedef struct {
    char *path;
    size_t source, oldest; /* whose it is; the first that has it */
    int container;         /* index, -1: copied whole */
    bool forgot;           /* of the first source something below it is left out */
    size_t rank;           /* where it comes */
} entry;

typedef struct {
    const char *const *path;
    size_t sources;
    rsd_store *first, *last, *open; /* open: source number `opened`, between them */
    size_t opened;
    const union_forget *forget;
    char *scope; /* of forget, as a component of a path; NULL: any model */
    const union_order *order;
    text_index order_index, index; /* of items; of entries */
    size_t entries, capacity;
    entry *entry;
    rsd_names models; /* of the first source that have other weights now: names of groups */
    rsd_names gone;   /* groups of rows that are left out */
    union_table table[JOINED_TABLES];
} joining;

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
    while (i < CONTAINERS && !union_match(containers[i].pattern, path, NULL))
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

/* The path cut to its first `count` components. */
static int cut(const char *path, size_t count, char **out)
{
    const char *end = path;
    for (size_t i = 0; i < count && *end; i++)
        end += 1 + component(end + 1);
    return rsd_format(out, "%.*s", (int)(end - path), path);
}

static bool is_below(const char *path, const char *above)
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
            union_match("/calibration/@", path, j->models.name[i]))
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

static int add_entry(joining *j, const char *path, size_t source, entry **out)
{
    size_t at;
    RSD_TRY(rsd_grow(&j->entry, &j->capacity, j->entries + 1, sizeof *j->entry));
    RSD_TRY(text_index_add(&j->index, path, j->entries, &at));
    *out = &j->entry[at];
    if (at < j->entries)
        return RSD_OK;
    **out = (entry){ .source = SIZE_MAX, .oldest = source, .container = container_of(path) };
    RSD_TRY(rsd_copy_text(path, &(*out)->path));
    j->entries++;
    return RSD_OK;
}

static void note_forgotten(joining *j, const char *path)
{
    for (size_t i = 0; i < j->entries; i++)
        j->entry[i].forgot |= is_below(path, j->entry[i].path);
}

/* Has calibrate alone seen the matrix? */
static bool yields(const rsd_store *store, const char *path)
{
    char *status = NULL;
    const bool yes =
        union_match(matrix_pattern, path, NULL) && rsd_store_has(store, path, "status") &&
        !rsd_store_get_text(store, path, "status", &status) && strcmp(status, "calibrated") == 0;
    free(status);
    return yes;
}

/* Spectra and moments that are there already are as good as new ones. */
static bool stays(const char *path) { return is_below(path, "/models"); }

static int walk(joining *j, const rsd_store *store, size_t source, const char *path);

static int take_member(joining *j, const rsd_store *store, size_t source, const char *path)
{
    size_t at;
    entry *e;
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

/* The store of a source; it stays open until another one between the first and the last is. */
static int store_of(joining *j, size_t source, rsd_store **out)
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

static int walk_all(joining *j)
{
    for (size_t i = 0; i < j->sources; i++) {
        rsd_store *store;
        RSD_TRY(store_of(j, i, &store));
        if (store)
            RSD_TRY(walk(j, store, i, "/"));
    }
    return RSD_OK;
}

/* ---- order ---- */

/* The place of an item: behind all where the order does not name it. */
static size_t rank_of_item(const joining *j, const char *item, bool old)
{
    size_t at;
    if (old && j->order->old_first)
        return 0;
    return text_index_find(&j->order_index, item, &at) ? 1 + at : 1 + j->order->count;
}

static size_t rank_of_row(const void *context, const union_row *row)
{
    return row->item ? rank_of_item(context, row->item, row->old) : 0;
}

/* Groups above all items come first: the order is that of what they hold. */
static int rank_entry(const joining *j, entry *e)
{
    char *item;
    if (e->container >= 0 && !containers[e->container].in_item)
        return RSD_OK;
    RSD_TRY(cut(e->path, is_below(e->path, "/models") ? 4 : 2, &item));
    e->rank = rank_of_item(j, item, j->first && e->oldest == 0);
    free(item);
    return RSD_OK;
}

static int by_rank(const void *a, const void *b)
{
    const entry *x = *(const entry *const *)a, *y = *(const entry *const *)b;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int index_order(joining *j)
{
    for (size_t i = 0; i < j->order->count; i++) {
        size_t at; /* one given twice has its first place */
        RSD_TRY(text_index_add(&j->order_index, j->order->order[i], i, &at));
    }
    return RSD_OK;
}

/* ---- the new file ---- */

/* Is anything of a container left, in the file or, of a model, in the tables? */
static bool is_left(const joining *j, const entry *e)
{
    bool left = false;
    for (size_t i = 0; !left && i < j->entries; i++)
        left = j->entry[i].container < 0 && is_below(j->entry[i].path, e->path);
    for (size_t i = 0; !left && i < JOINED_TABLES && union_match("/models/*", e->path, NULL); i++)
        left = j->table[i].kind && union_table_names(&j->table[i], e->path + strlen("/models/"));
    return left;
}

/* A matrix of which the analysis is forgotten and the moments are not. */
static int say_calibrated(const joining *j, const entry *e, rsd_store *to)
{
    char *W;
    RSD_TRY(rsd_format(&W, "%s/W", e->path));
    const bool analyzed = text_index_find(&j->index, W, NULL);
    free(W);
    if (analyzed || !e->forgot || !union_match(matrix_pattern, e->path, NULL))
        return RSD_OK;
    RSD_TRY(rsd_store_set_text(to, e->path, "status", "calibrated"));
    return rsd_store_set_text(to, e->path, "message", "");
}

static int write_container(joining *j, const entry *e, rsd_store *to)
{
    rsd_store *store;
    if (e->forgot && e->source == 0 && !is_left(j, e))
        return RSD_OK;
    if (containers[e->container].adds_up && e->oldest != e->source) {
        RSD_TRY(store_of(j, e->oldest, &store));
        RSD_TRY(rsd_store_copy_attributes(store, e->path, to, e->path));
    }
    RSD_TRY(store_of(j, e->source, &store));
    RSD_TRY(rsd_store_copy_attributes(store, e->path, to, e->path));
    return e->source == 0 ? say_calibrated(j, e, to) : RSD_OK;
}

static int write_entry(joining *j, const entry *e, rsd_store *to)
{
    rsd_store *store;
    if (e->container >= 0)
        return write_container(j, e, to);
    RSD_TRY(store_of(j, e->source, &store));
    return rsd_store_copy(store, e->path, to, e->path);
}

static int write_entries(joining *j, rsd_store *to)
{
    const entry **sorted;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(j->entries, 1, sizeof *sorted, &sorted));
    for (size_t i = 0; !err && i < j->entries; i++) {
        sorted[i] = &j->entry[i];
        err = rank_entry(j, &j->entry[i]);
    }
    if (!err && j->entries)
        qsort(sorted, j->entries, sizeof *sorted, by_rank);
    for (size_t i = 0; !err && i < j->entries; i++)
        err = write_entry(j, sorted[i], to);
    free(sorted);
    return err;
}

static int write_all(joining *j, rsd_store *to)
{
    if (j->first)
        RSD_TRY(rsd_store_copy_attributes(j->first, "/", to, "/"));
    RSD_TRY(rsd_store_copy_attributes(j->last, "/", to, "/"));
    RSD_TRY(write_entries(j, to));
    for (size_t i = 0; i < JOINED_TABLES; i++)
        if (j->table[i].kind)
            RSD_TRY(union_table_write(&j->table[i], to, rank_of_row, j));
    return RSD_OK;
}

static int close_all(joining *j)
{
    rsd_store *const store[] = { j->first, j->open, j->last };
    int err = RSD_OK;
    for (size_t i = 0; i < sizeof store / sizeof *store; i++) {
        const int closed = rsd_store_close(store[i]);
        err = err ? err : closed;
    }
    for (size_t i = 0; i < j->entries; i++)
        free(j->entry[i].path);
    for (size_t i = 0; i < JOINED_TABLES; i++)
        union_table_free(&j->table[i]);
    free(j->entry);
    text_index_free(&j->index);
    text_index_free(&j->order_index);
    rsd_names_free(&j->models);
    rsd_names_free(&j->gone);
    free(j->scope);
    return err;
}

int union_write(const char *const *source, size_t sources, const union_forget *forget,
                const union_order *order, rsd_store *to)
{
    joining j = { .path = source, .sources = sources, .forget = forget, .order = order };
    int err = RSD_OK;
    assert(sources >= 2);
    if (forget->scope && !(j.scope = rsd_store_escape(forget->scope))) {
        err = RSD_FAIL(RSD_ENOMEM, "path of %s", forget->scope);
        goto done;
    }
    if (source[0])
        RSD_TRY_DONE(rsd_store_open(source[0], RSD_STORE_READ, &j.first));
    RSD_TRY_DONE(rsd_store_open(source[sources - 1], RSD_STORE_READ, &j.last));
    RSD_TRY_DONE(index_order(&j));
    RSD_TRY_DONE(check_models(&j));
    if (j.first)
        RSD_TRY_DONE(find_gone(&j));
    RSD_TRY_DONE(walk_all(&j));
    err = write_all(&j, to);
done:;
    const int closed = close_all(&j);
    return err ? err : closed;
}
