/* How a result file comes to be, so that a run killed at any instant loses only the item at hand.
 *
 * What is finished is a small file of the result file's own schema in F.h5.part/, written beside
 * its name and renamed.  Publishing joins what F.h5 holds by then and the parts (union.h) into a
 * new file, which takes F.h5's name; only then are the parts removed.
 *
 * Commands that write the same kind of parts exclude each other: the kind is locked from
 * parts_open to parts_close.  Different kinds work side by side, and take turns to publish. */
#ifndef RSD_RESULT_PARTS_H
#define RSD_RESULT_PARTS_H

#include "result/provenance.h"

#include <stdbool.h>

/* What a command writes. */
typedef struct {
    const char *command; /* its name, for those who are refused */
    const char *prefix;  /* of its files in F.h5.part/; what follows is hexadecimal digits */
    /* What it writes, which --force forgets: paths of groups, '*' for any name and '@' for the
     * scope's, and of tables, of which the scope's rows are meant; NULL at the end. */
    const char *const *writes;
    bool always;         /* it is made anew each time, not added to */
    bool replaces_model; /* --force may put other weights under a model's name */
    bool old_first;      /* items that F.h5 has keep their places before those of the order */
} parts_kind;

typedef struct parts parts;

/* Open and lock.  model: whose the parts are, which is called their scope below; NULL where
 * they may be of any.  Parts of other scopes stay as they are.  force: what is there of the scope
 * is forgotten, in the folder with the first part, in F.h5 when it is published; a mark keeps that
 * in mind if this run is killed in between. Errors: RSD_EIO, also when another run writes the same
 * kind (names it); RSD_EUSAGE when F.h5 holds other weights or another configuration under the
 * model's name; RSD_ENOMEM. */
RSD_CHECK int parts_open(const parts_kind *kind, const char *path, const result_model *model,
                         bool force, parts **out);
/* Unlock; the folder goes with its last file.  NULL is fine. */
void parts_close(parts *p);

const char *parts_path(const parts *p);   /* F.h5 */
const char *parts_folder(const parts *p); /* F.h5.part */
size_t parts_count(const parts *p);       /* that wait to be published */
bool parts_replace(const parts *p);       /* is what F.h5 holds of the scope forgotten? */

/* Read F.h5, unless it was forgotten, and every part, oldest first.  part: is it one?  A part that
 * cannot be read is dropped: its item is done again.
 * Errors: those of `read`; RSD_EFORMAT when F.h5 is not ours. */
RSD_CHECK int parts_each(parts *p, int (*read)(const rsd_store *store, bool part, void *context),
                         void *context);

/* Write one part; `fill` gets an empty store.  It appears whole or not at all.  name: hexadecimal
 * digits, whose part it replaces; NULL: one more.  Threads take turns. */
RSD_CHECK int parts_put(parts *p, const char *name, int (*fill)(rsd_store *store, void *context),
                        void *context);

/* The store is not reentrant: around the use of another one while parts may be put. */
void parts_lock(parts *p);
void parts_unlock(parts *p);

/* How parts become the file. */
typedef struct {
    const char *const *order; /* [count] items, matrices or runs, as they follow in the file */
    size_t count;
    const char *command_line; /* where F.h5 is new, in its "/" */
    uint64_t seed;
    /* What is known only now: one more part, whose attributes of "/" are the file's.  old: F.h5
     * under the lock, NULL where there is none.  *changes: leave false and nothing is published. */
    int (*last)(const rsd_store *old, rsd_store *part, bool *changes, void *context);
    void *context;
} parts_publication;

/* Errors: those of the stores and of `last`; RSD_EUSAGE when F.h5 has by now other weights under
 * the name of a model in the parts. */
RSD_CHECK int parts_publish(parts *p, const parts_publication *publication);

#endif
