/* Tables for export and figures, stored ones and those made of arrays. */
#include "result/tables.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY(name) extern const table_kind name;
#include "result/table_list.h"
#undef ENTRY

#define ENTRY(name) &name,
const table_kind *const table_kinds[] = {
#include "result/table_list.h"
    NULL,
};

int table_emit_stored(const rsd_store *store, const char *name, const table_sink *sink)
{
    char *path;
    RSD_TRY(rsd_format(&path, "/%s", name));
    rsd_table t = { 0 };
    int err = rsd_store_exists(store, path)
                  ? rsd_store_read_table(store, path, &t)
                  : RSD_FAIL(RSD_ENOTFOUND, "%s holds no table '%s'", rsd_store_path(store), name);
    free(path);
    if (!err)
        err = sink->begin(sink->context, t.column, t.columns);
    for (size_t i = 0; !err && i < t.rows; i++)
        err = sink->row(sink->context, t.value + i * t.columns);
    rsd_table_free(&t);
    return err;
}

/* "spectra, matrices, ...". */
static int known_tables(char **out)
{
    char *all = NULL, *longer;
    RSD_TRY(rsd_copy_text("", &all));
    for (const table_kind *const *t = table_kinds; *t; t++) {
        const int err = rsd_format(&longer, "%s%s%s", all, *all ? ", " : "", (*t)->name);
        free(all);
        RSD_TRY(err);
        all = longer;
    }
    *out = all;
    return RSD_OK;
}

int table_emit(const rsd_store *store, const char *name, const table_sink *sink)
{
    char *known;
    for (const table_kind *const *t = table_kinds; *t; t++)
        if (strcmp((*t)->name, name) == 0)
            return (*t)->emit(store, name, sink);
    RSD_TRY(known_tables(&known));
    const int err = RSD_FAIL(RSD_ENOTFOUND, "no table '%s'; there are %s", name, known);
    free(known);
    return err;
}
