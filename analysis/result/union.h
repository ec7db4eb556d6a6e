/* Result files joined into one: groups by their paths, rows of tables by their keys.
 *
 * Models, matrices and specs are joined member by member; any other group is one source's as a
 * whole: of spectra and moments, and of rows of /spectra, the oldest source's that has it, of all
 * else the newest's.  Attributes are the newest source's, but those of "/" and of models, which add
 * up, and those of a matrix that calibrate alone has seen, which yield. */
#ifndef RSD_RESULT_UNION_H
#define RSD_RESULT_UNION_H

#include "io/store.h"

#include <stdbool.h>

typedef struct {
    const char *const *order; /* [count] paths of matrices or runs, as they follow in the file */
    size_t count;
    bool old_first; /* those that the first source has come before them, in its order */
} union_order;

/* What is left out of the first source. */
typedef struct {
    const char *const *writes; /* as parts.h says; NULL: nothing */
    const char *scope;         /* a model, or NULL */
    bool models;               /* all of a model of which a later source has other weights */
} union_forget;

/* sources: paths, oldest first; the first may be NULL.  Sources are opened one at a time, but the
 * first and the last.  to: an empty store that is open for writing.
 * Errors: the stores'; RSD_EUSAGE for models of other weights under one name; RSD_ENOMEM. */
RSD_CHECK int union_write(const char *const *source, size_t sources, const union_forget *forget,
                          const union_order *order, rsd_store *to);

/* Does the path match?  Component by component: '*' is any name, '@' this one, which
 * is escaped. */
bool union_match(const char *pattern, const char *path, const char *name);

#endif
