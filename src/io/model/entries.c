/* The entries of a model while it is opened: room for them, look-up by name, and the packing of
 * what is listed but not read. */
#include "alloc.h"
#include "io/model/sources.h"
#include "mat.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

int rsd_model_no_memory(const rsd_model *model)
{
    return RSD_FAIL(RSD_ENOMEM, "%s: description of the model", model->source);
}

int rsd_source_room(rsd_model *model, size_t more)
{
    return rsd_room(&model->entry, model->count, more, sizeof *model->entry);
}

/* ---- by name ---- */

static int name_order(const void *a, const void *b)
{
    return strcmp((*(rsd_entry *const *)a)->tensor.name, (*(rsd_entry *const *)b)->tensor.name);
}

int rsd_entries_sort(const rsd_model *model, rsd_entry ***out)
{
    RSD_TRY(rsd_array_alloc(model->count, 1, sizeof **out, out));
    for (size_t i = 0; i < model->count; i++)
        (*out)[i] = &model->entry[i];
    if (model->count)
        qsort(*out, model->count, sizeof **out, name_order);
    return RSD_OK;
}

size_t rsd_entries_find(rsd_entry *const *sorted, size_t count, const char *name)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (strcmp(sorted[middle]->tensor.name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

rsd_entry *rsd_entries_get(rsd_entry *const *sorted, size_t count, const char *name)
{
    const size_t at = rsd_entries_find(sorted, count, name);
    return at < count && strcmp(sorted[at]->tensor.name, name) == 0 ? sorted[at] : NULL;
}

const char *rsd_entry_file(const rsd_model *model, const rsd_entry *s)
{
    const char *path = model->file[s->file].path, *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

int rsd_entries_unique(const rsd_model *model, rsd_entry *const *sorted)
{
    for (size_t i = 1; i < model->count; i++) {
        const rsd_entry *a = sorted[i - 1], *b = sorted[i];
        if (strcmp(a->tensor.name, b->tensor.name) != 0)
            continue;
        if (a->file == b->file)
            return RSD_FAIL(RSD_EFORMAT, "%s: tensor '%s' is there twice, in %s", model->source,
                            a->tensor.name, rsd_entry_file(model, a));
        return RSD_FAIL(RSD_EFORMAT, "%s: tensor '%s' is in two shards, %s and %s", model->source,
                        a->tensor.name, rsd_entry_file(model, a->file < b->file ? a : b),
                        rsd_entry_file(model, a->file < b->file ? b : a));
    }
    return RSD_OK;
}

/* ---- listed, not read ---- */

typedef struct {
    rsd_packing base;
    char why[256];
} unread;

static int read_unread(const rsd_packing *self, const rsd_map *file, rsd_mat W)
{
    (void)file;
    (void)W;
    return RSD_FAIL(RSD_EFORMAT, "%s", ((const unread *)self)->why);
}

int rsd_unread_alloc(rsd_packing **out, const char *fmt, ...)
{
    unread *u;
    va_list arguments;
    RSD_TRY(rsd_zeroed(1, sizeof *u, &u));
    u->base.read = read_unread;
    va_start(arguments, fmt);
    vsnprintf(u->why, sizeof u->why, fmt, arguments);
    va_end(arguments);
    *out = &u->base;
    return RSD_OK;
}
