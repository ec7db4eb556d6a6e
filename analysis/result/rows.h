/* Arrays of structs as tables of a result file: the columns are a list of fields. */
#ifndef RSD_ROWS_H
#define RSD_ROWS_H

#include "io/store.h"

typedef struct {
    rsd_column column;
    size_t offset; /* of a char * (owned), int64_t or double in the struct */
} rows_field;

#define ROWS_TEXT(type, name, text) { { #name, "", text, RSD_COLUMN_TEXT }, offsetof(type, name) },
#define ROWS_INTEGER(type, name, units, text)                                                      \
    { { #name, units, text, RSD_COLUMN_INT }, offsetof(type, name) },
#define ROWS_REAL(type, name, units, text)                                                         \
    { { #name, units, text, RSD_COLUMN_REAL }, offsetof(type, name) },

typedef struct {
    const char *path, *description;
    const rows_field *field;
    size_t fields, size; /* of the list, of the struct */
    const void *blank;   /* a struct: what columns that a file lacks hold; its texts are NULL */
} rows_schema;

/* Texts that are NULL are written as "". */
RSD_CHECK int rows_write(const rows_schema *s, rsd_store *store, const void *items, size_t count);

/* *items is allocated (rows_free); columns are found by name, one of another type counts as not
 * there.  A file without the table has count 0. */
RSD_CHECK int rows_read(const rows_schema *s, const rsd_store *store, void *items, size_t *count);

/* The texts of one struct; of count structs and the array. */
void rows_free_texts(const rows_schema *s, void *item);
void rows_free(const rows_schema *s, void *items, size_t count);

#endif
