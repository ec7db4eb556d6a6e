/* The tables that `export` prints and figures draw: those stored as tables in a result file, and
 * those made of its arrays, row by row.  Each lives in one file of this folder, NAME_table.c, and
 * is listed once: in TABLES of Makefile.am. */
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

/* NULL-terminated, in Makefile order. */
extern const table_kind *const table_kinds[];

/* An `emit` for what the file holds as a table of that name.
 * Errors: RSD_ENOTFOUND, the store's, the sink's. */
RSD_CHECK int table_emit_stored(const rsd_store *store, const char *name, const table_sink *sink);

/* Give every row of the table called name.  Errors: RSD_ENOTFOUND (the message lists what there
 * is), the sink's own. */
RSD_CHECK int table_emit(const rsd_store *store, const char *name, const table_sink *sink);

#endif
