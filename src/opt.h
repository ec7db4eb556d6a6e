/* Option tables: one row per field of a parameter struct.  The row alone drives parsing, range
 * checks, help, the canonical text and what is stored with a result. */
#ifndef RSD_OPT_H
#define RSD_OPT_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    RSD_OPT_FLAG,   /* bool: present or absent; key, key=1, key=0                        */
    RSD_OPT_SIZE,   /* size_t; the k-th word of .arg ("row|tensor") is stored as RSD_WORD(k) */
    RSD_OPT_REAL,   /* double; where .arg is "MB", SIZE and REAL take units: 512M, 4G, 4GB;
                       of "auto|X" all words but the last, the number's, as RSD_REAL_WORD(k) */
    RSD_OPT_CHOICE, /* int: index into the words of .arg, "f32|bf16|auto"                */
    RSD_OPT_STRING, /* const char *, owned by the argument vector                        */
    RSD_OPT_LIST    /* rsd_list: the option repeats                                      */
} rsd_opt_type;

#define RSD_WORD(k)      (SIZE_MAX - (size_t)(k))
#define RSD_REAL_WORD(k) (-1e300 * ((k) + 1)) /* below any number that is meant */

typedef struct {
    const char **item; /* grows by reallocation; the strings belong to the argument vector */
    size_t count;
} rsd_list;

typedef struct {
    const char *name; /* "rank": rank=4 in a SPEC, --rank 4 on a command line; NULL ends a table */
    char letter;      /* 'o' for -o, 0 for none */
    rsd_opt_type type;
    size_t offset;   /* of the field in the struct */
    double min, max; /* inclusive; SIZE and REAL only */
    const char *arg; /* unit or placeholder ("FILE", "columns"), or words "a|b|c" */
    const char *help;
} rsd_opt;

/* Set one field from text; words may have capitals.  value may be NULL for a flag.
 * Errors: RSD_EUSAGE, with the name, the text, what is allowed and the word that is near. */
RSD_CHECK int rsd_opt_set(const rsd_opt *opt, void *obj, const char *value);

/* The row called name, whatever its capitals, or NULL. */
const rsd_opt *rsd_opt_find(const rsd_opt *table, const char *name);

/* Parse "bits=4,block=64,double" into *obj, which holds the defaults before.  Text may be "".
 * Errors: RSD_EUSAGE for an unknown key (the message lists the known ones), a repeated key, a
 * value out of range. */
RSD_CHECK int rsd_opt_parse(const rsd_opt *table, void *obj, const char *text);

/* The inverse, every field in table order, false flags left out: "bits=4,block=64".
 * Writes at most size bytes with the final 0 and returns the length that was needed. */
size_t rsd_opt_format(const rsd_opt *table, const void *obj, char *out, size_t size);

/* One field's value as text: "64", "row", "f32"; lists joined by commas. */
size_t rsd_opt_value(const rsd_opt *opt, const void *obj, char *out, size_t size);

/* One more text, which is not copied.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_list_add(rsd_list *list, const char *item);
void rsd_list_free(rsd_list *list);

#endif
