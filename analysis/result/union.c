/* Joining files: groups by their paths, in an order that is given. */
#include "result/union_private.h"

#include "alloc.h"
#include "mat.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

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

/* The path cut to its first `count` components. */
static int cut_path(const char *path, size_t count, char **out)
{
    const char *end = path;
    for (size_t i = 0; i < count && *end; i++)
        end += 1 + strcspn(end + 1, "/");
    return rsd_format(out, "%.*s", (int)(end - path), path);
}

/* Groups above all items come first, a model with the first of its matrices: the order is that of
 * what they hold. */
static int rank_entry(const joining *j, union_entry *e)
{
    char *item;
    if (e->container >= 0 && !union_containers[e->container].in_item)
        return RSD_OK;
    RSD_TRY(cut_path(e->path, union_is_below(e->path, "/models") ? 4 : 2, &item));
    e->rank = rank_of_item(j, item, j->first && e->oldest == 0);
    free(item);
    return RSD_OK;
}

static void rank_model(const joining *j, union_entry *e)
{
    if (e->container < 0 || union_containers[e->container].in_item ||
        !union_is_below(e->path, "/models"))
        return;
    e->rank = 1 + j->order->count;
    for (size_t i = 0; i < j->entries; i++)
        if (j->entry[i].rank < e->rank && union_is_below(j->entry[i].path, e->path) &&
            (j->entry[i].container < 0 || union_containers[j->entry[i].container].in_item))
            e->rank = j->entry[i].rank;
}

static int by_rank(const void *a, const void *b)
{
    const union_entry *x = *(const union_entry *const *)a, *y = *(const union_entry *const *)b;
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
static bool is_left(const joining *j, const union_entry *e)
{
    bool left = false;
    for (size_t i = 0; !left && i < j->entries; i++)
        left = j->entry[i].container < 0 && union_is_below(j->entry[i].path, e->path);
    for (size_t i = 0; !left && i < JOINED_TABLES && union_match("/models/*", e->path, NULL); i++)
        left = j->table[i].kind && union_table_names(&j->table[i], e->path + strlen("/models/"));
    return left;
}

/* A matrix of which the analysis is forgotten and the moments are not. */
static int say_calibrated(const joining *j, const union_entry *e, rsd_store *to)
{
    char *W;
    RSD_TRY(rsd_format(&W, "%s/W", e->path));
    const bool analyzed = text_index_find(&j->index, W, NULL);
    free(W);
    if (analyzed || !e->forgot || !union_match(MATRIX_PATTERN, e->path, NULL))
        return RSD_OK;
    RSD_TRY(rsd_store_set_text(to, e->path, "status", "calibrated"));
    return rsd_store_set_text(to, e->path, "message", "");
}

static int write_container(joining *j, const union_entry *e, rsd_store *to)
{
    rsd_store *store;
    if (e->forgot && e->source == 0 && !is_left(j, e))
        return RSD_OK;
    if (union_containers[e->container].adds_up && e->oldest != e->source) {
        RSD_TRY(union_store_of(j, e->oldest, &store));
        RSD_TRY(rsd_store_copy_attributes(store, e->path, to, e->path));
    }
    RSD_TRY(union_store_of(j, e->source, &store));
    RSD_TRY(rsd_store_copy_attributes(store, e->path, to, e->path));
    return e->source == 0 ? say_calibrated(j, e, to) : RSD_OK;
}

static int write_entry(joining *j, const union_entry *e, rsd_store *to)
{
    rsd_store *store;
    if (e->container >= 0)
        return write_container(j, e, to);
    RSD_TRY(union_store_of(j, e->source, &store));
    return rsd_store_copy(store, e->path, to, e->path);
}

static int write_entries(joining *j, rsd_store *to)
{
    const union_entry **sorted;
    int err = RSD_OK;
    RSD_TRY(rsd_array_alloc(j->entries, 1, sizeof *sorted, &sorted));
    for (size_t i = 0; !err && i < j->entries; i++) {
        sorted[i] = &j->entry[i];
        err = rank_entry(j, &j->entry[i]);
    }
    for (size_t i = 0; !err && i < j->entries; i++)
        rank_model(j, &j->entry[i]);
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
    RSD_TRY_DONE(union_walk(&j));
    err = write_all(&j, to);
done:;
    const int closed = close_all(&j);
    return err ? err : closed;
}
