/* What journal.c (parts, resuming) and merge.c (the final file) share. */
#ifndef RSD_JOURNAL_PRIVATE_H
#define RSD_JOURNAL_PRIVATE_H

#include "result/journal.h"

#include <pthread.h>

/* One finished matrix. */
typedef struct {
    char *path, *matrix; /* the file, and the path of the matrix' group in it */
} journal_part;

struct journal {
    char *path, *folder; /* F.h5 and F.h5.part */
    journal_run run;
    bool replace;  /* what F.h5 held before does not count (--force) */
    int folder_fd; /* locked while the journal is open */
    pthread_mutex_t lock;
    size_t next; /* number of the next part */
    size_t parts;
    journal_part *part; /* oldest first */
    size_t models;
    journal_model *model;
    size_t known_models; /* found in the files: name, source, sha256; texts owned */
    journal_model *known_model;
    void *done; /* search tree of "matrix path\tspec" */
};

/* Open F.h5 as it was before this run; *out NULL when there is none that counts. */
RSD_CHECK int journal_open_old(const journal *j, rsd_store **out);

/* Model group with its attributes. */
RSD_CHECK int journal_write_model(rsd_store *store, const journal_model *model);

/* "ok" in the matrix' group? */
bool journal_matrix_ok(const rsd_store *store, const char *matrix_path);

/* Names of the matrices of a model's group, as full paths; free with rsd_names_free. */
RSD_CHECK int journal_matrices(const rsd_store *store, const char *model_name, rsd_names *out);

#endif
