/* Texts with a number each, in a search tree. */
#include "config.h"

#include "result/text_index.h"

#include "alloc.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    char *text;
    size_t number;
} entry;

static int by_text(const void *a, const void *b)
{
    return strcmp(((const entry *)a)->text, ((const entry *)b)->text);
}

static void free_entry(void *e)
{
    free(((entry *)e)->text);
    free(e);
}

static const entry *find(const text_index *t, const char *text)
{
    const entry key = { (char *)text, 0 };
    void *const *node = tfind(&key, &t->tree, by_text);
    return node ? *node : NULL;
}

int text_index_add(text_index *t, const char *text, size_t number, size_t *at)
{
    const entry *there = find(t, text);
    entry *e = NULL;
    *at = there ? there->number : number;
    if (there)
        return RSD_OK;
    RSD_TRY(rsd_zeroed(1, sizeof *e, &e));
    e->number = number;
    const int err = rsd_copy_text(text, &e->text);
    if (!err && tsearch(e, &t->tree, by_text))
        return RSD_OK;
    free_entry(e);
    return err ? err : RSD_FAIL(RSD_ENOMEM, "index of texts");
}

bool text_index_find(const text_index *t, const char *text, size_t *number)
{
    const entry *e = find(t, text);
    if (e && number)
        *number = e->number;
    return e != NULL;
}

void text_index_free(text_index *t)
{
    tdestroy(t->tree, free_entry);
    t->tree = NULL;
}
