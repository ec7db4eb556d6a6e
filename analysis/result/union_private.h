/* What union_walk.c (what there is, and whose it is) and union.c (the new file) share. */
#ifndef RSD_UNION_PRIVATE_H
#define RSD_UNION_PRIVATE_H

#include "result/union.h"
#include "result/union_rows.h"

/* Groups that are joined member by member. */
typedef struct {
    const char *pattern;
    bool adds_up; /* attributes of older sources stay, where newer ones say nothing */
    bool in_item; /* it is an item of the order, or in one */
} union_container;
extern const union_container union_containers[];

#define MATRIX_PATTERN "/models/*/matrices/*"

/* A group of the new file. */
typedef struct {
    char *path;
    size_t source, oldest; /* whose it is; the first that has it */
    int container;         /* index, -1: copied whole */
    bool forgot;           /* of the first source something below it is left out */
    size_t rank;           /* where it comes */
} union_entry;

/* Files that are being joined. */
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
    union_entry *entry;
    rsd_names models; /* of the first source that have other weights now: names of groups */
    rsd_names gone;   /* groups of rows that are left out */
    union_table table[JOINED_TABLES];
} joining;

/* Note what all sources hold, and what is forgotten.  Errors: union_write's. */
RSD_CHECK int union_walk(joining *j);

/* The store of a source; it stays open until another one between the first and the last is. */
RSD_CHECK int union_store_of(joining *j, size_t source, rsd_store **out);

/* Does the path lie below the other? */
bool union_is_below(const char *path, const char *above);

#endif
