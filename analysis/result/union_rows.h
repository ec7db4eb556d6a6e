/* The tables of a result file, joined: rows by their keys. */
#ifndef RSD_UNION_ROWS_H
#define RSD_UNION_ROWS_H

#include "io/store.h"
#include "result/text_index.h"

/* A table of the schema: which columns tell its rows apart, and to which group a row belongs. */
typedef struct {
    const char *path;
    const char *key[8]; /* NULL at the end */
    const char *item;   /* the path of that group, a %s for each of the first keys; NULL: none */
    bool owns;          /* the group goes where the row goes */
    bool keeps;         /* a row that is there already stays as it is */
} joined_table;

extern const joined_table joined_tables[];
enum { JOINED_TABLES = 5 };

typedef struct {
    rsd_value *value; /* [columns of the union] */
    char *item;       /* NULL: none */
    bool old;         /* the first source has it */
} union_row;

typedef struct {
    const joined_table *kind;
    char *description;
    size_t sources, columns, rows, capacity;
    rsd_table *source;  /* [sources] what texts live in */
    rsd_column *column; /* the newest source's, then those that only older ones have */
    union_row *row;
    text_index index;
    bool left_out; /* some row was not taken */
} union_table;

/* Which rows of a source are left out: those for which this is true of their model. */
typedef struct {
    bool (*skip)(const void *context, const char *model);
    const void *context;
} union_skip;

/* Add the table of a store, which has it; old: of the first source.  Errors: the store's;
 * RSD_EFORMAT where a key is missing; RSD_ENOMEM. */
RSD_CHECK int union_table_add(union_table *t, const rsd_store *store, bool old,
                              const union_skip *skip);

/* The groups of rows that are left out of a store's table: add(context, item) for each. */
RSD_CHECK int union_table_each_skipped(const joined_table *kind, const rsd_store *store,
                                       const union_skip *skip,
                                       int (*add)(void *context, const char *item), void *context);

/* Does a row name this model, as the name of a group says it? */
bool union_table_names(const union_table *t, const char *group);

/* Write the rows; rank says where a row's item comes, equal ones stay in order. */
RSD_CHECK int union_table_write(const union_table *t, rsd_store *to,
                                size_t (*rank)(const void *context, const union_row *row),
                                const void *context);
void union_table_free(union_table *t);

#endif
