/* The tables that `export` prints and figures draw: those stored as tables in a result file, and
 * those made of its arrays, row by row. */
#ifndef RSD_TABLES_H
#define RSD_TABLES_H

#include "io/store.h"

/* Where rows go. */
typedef struct {
    int (*begin)(void *context, const rsd_column *columns, size_t count);
    int (*row)(void *context, const rsd_value *values);
    void *context;
} table_sink;

typedef struct {
    const char *name, *summary;
    int (*emit)(const rsd_store *store, const char *name, const table_sink *sink);
} table_kind;

extern const table_kind table_kinds[]; /* ends in name == NULL */

/* Give every row of the table called name.  Errors: RSD_ENOTFOUND (the message lists what there
 * is), the sink's own. */
RSD_CHECK int table_emit(const rsd_store *store, const char *name, const table_sink *sink);

#endif
