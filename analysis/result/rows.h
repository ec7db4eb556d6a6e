/* Arrays of structs as tables of a result file: the columns are a list of fields. */
#ifndef RSD_ROWS_H
#define RSD_ROWS_H

#include "io/store.h"

typedef struct {
    rsd_column column;
    size_t offset; /* in the struct, of a const char * (owned), an int64_t or a double; of an int */
    const char *const *words; /* where this is not NULL: the index of the text among the words, */
} rows_field;                 /* which end in NULL */

#define ROWS_TEXT(type, name, text)                                                                \
    { { #name, "", text, RSD_COLUMN_TEXT }, offsetof(type, name), NULL },
#define ROWS_WORD(type, name, words, text)                                                         \
    { { #name, "", text, RSD_COLUMN_TEXT }, offsetof(type, name), words },
#define ROWS_INTEGER(type, name, units, text)                                                      \
    { { #name, units, text, RSD_COLUMN_INT }, offsetof(type, name), NULL },
#define ROWS_REAL(type, name, units, text)                                                         \
    { { #name, units, text, RSD_COLUMN_REAL }, offsetof(type, name), NULL },
/* A double of a struct in the struct. */
#define ROWS_REAL_IN(type, member, name, units, text)                                              \
    { { #name, units, text, RSD_COLUMN_REAL }, offsetof(type, member.name), NULL },

typedef struct {
    const char *path, *description;
    const rows_field *field;
    size_t fields, size; /* of the list, of the struct */
    size_t needed;       /* of the fields, the first: what says whose a row is */
    const void *blank;   /* a struct: what columns that a file lacks hold; its texts are NULL */
} rows_schema;

/* Texts that are NULL are written as "". */
RSD_CHECK int rows_write(const rows_schema *s, rsd_store *store, const void *items, size_t count);

/* *items is allocated (rows_free); columns are found by name, in any order.  Integers are taken
 * where a real is asked for, and reals that are integers where an integer is.  A column that is not
 * there leaves what `blank` holds, texts ""; a file without the table has count 0.
 *
 * Errors: the store's; RSD_EFORMAT for a needed column that is not there, one of another type, a
 * text that is none of its words: with the file, the table and the column. */
RSD_CHECK int rows_read(const rows_schema *s, const rsd_store *store, void *items, size_t *count);

/* The field of this column, or NULL; its number in a struct, NaN where it is a text. */
const rows_field *rows_find(const rows_schema *s, const char *column);
double rows_number(const rows_field *f, const void *item);

/* Make the texts of one struct, which are somebody else's, its own.  Errors: RSD_ENOMEM; it then
 * owns none. */
RSD_CHECK int rows_own_texts(const rows_schema *s, void *item);

/* The texts of one struct; of count structs and the array. */
void rows_free_texts(const rows_schema *s, void *item);
void rows_free(const rows_schema *s, void *items, size_t count);

#endif
