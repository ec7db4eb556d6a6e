/* What parts.c (a run's parts) and publish.c (the file that is made of them) share. */
#ifndef RSD_PARTS_PRIVATE_H
#define RSD_PARTS_PRIVATE_H

#include "result/file_lock.h"
#include "result/parts.h"

#include <pthread.h>

struct parts {
    const parts_kind *kind;
    char *path, *folder, *scope; /* F.h5, F.h5.part; NULL: of any model */
    file_lock lock;
    bool replace;
    bool forced; /* by this run, which has not put anything yet */
    pthread_mutex_t mutex;
    unsigned long next; /* number of the next part */
    size_t count;
    char **part; /* [count] paths, oldest first */
};

/* "F.h5.part/PREFIXname"; caller frees. */
RSD_CHECK int parts_file(const parts *p, const char *name, char **out);

/* What says that --force was given. */
#define PARTS_MARK "replace"

/* Before the first part, and publication: the parts that --force forgets go. */
RSD_CHECK int parts_begin(parts *p);

/* Write a store at path: fill, and close it with its status checked.  scope: said in its "/", where
 * it is a part of one. */
RSD_CHECK int parts_write(const char *path, const char *scope,
                          int (*fill)(rsd_store *store, void *context), void *context);

#endif
