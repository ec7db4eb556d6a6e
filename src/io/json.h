/* Private to src/io.  Reading JSON strictly: what is missing, of another type or unknown is refused
 * by its name.
 *
 * Errors of every function: RSD_EFORMAT. */
#ifndef RSD_IO_JSON_H
#define RSD_IO_JSON_H

#include "err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* RSD_EFORMAT unless j is an object whose members are all in known, a NULL-terminated list;
 * what: its name for messages. */
RSD_CHECK int rsd_json_known(const json_t *j, const char *what, const char *const *known);

/* j[key] where it is there and not null; otherwise *value stays as it is. */
RSD_CHECK int rsd_json_flag(const json_t *j, const char *what, const char *key, bool *value);

/* j[key], which must be a string; its bytes belong to j and may hold NULs. */
RSD_CHECK int rsd_json_string(const json_t *j, const char *what, const char *key, const char **text,
                              size_t *n);

/* j[key], which must be a whole number in [0, most]. */
RSD_CHECK int rsd_json_size(const json_t *j, const char *what, const char *key, size_t most,
                            size_t *value);

/* j[key] is missing or null. */
bool rsd_json_absent(const json_t *j, const char *key);

/* The object's "type" looked up in names[count], the first members of rows of size bytes.
 * RSD_EFORMAT: "pre_tokenizer 'X' is not supported; known: A, B". */
RSD_CHECK int rsd_json_type(const json_t *j, const char *what, const void *rows, size_t count,
                            size_t size, size_t *row);

#endif
