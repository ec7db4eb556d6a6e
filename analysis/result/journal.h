/* How a result file comes to be, so that a run killed at any instant loses only the items at hand.
 *
 * Every finished matrix is a small file of its own in F.h5.part/, written beside its name and
 * renamed.  At the end, or on Ctrl-C, they are merged with what F.h5 held before into F.h5.tmp,
 * which is renamed to F.h5; only then are the parts removed. */
#ifndef RSD_JOURNAL_H
#define RSD_JOURNAL_H

#include "io/store.h"
#include "result/result.h"

typedef struct journal journal;

/* What must agree between the runs that share a result file. */
typedef struct {
    const char *options; /* canonical text of every option that shapes numbers */
    const char *command_line;
    uint64_t seed;
} journal_run;

/* A model's group in the file. */
typedef struct {
    const char *name, *source, *architecture, *config;
    char sha256[65];
    size_t parameters;
    bool control; /* ours, not the user's (control.h) */
} journal_model;

/* Open the journal of the result file `path`; force forgets the file and its parts.
 * Errors: RSD_EUSAGE when options contradict what the file or a part holds (names both values);
 * RSD_EFORMAT when the file is not ours; RSD_EIO. */
RSD_CHECK int journal_open(const char *path, const journal_run *run, bool force, journal **out);
void journal_close(journal *j);

/* Name a model of this run.  Errors: RSD_EUSAGE when the file holds other weights (sha256) under
 * that name. */
RSD_CHECK int journal_add_model(journal *j, const journal_model *model);

/* Source of a model that the files hold already, or NULL. */
const char *journal_source(const journal *j, const char *model);

/* Is this spec's group there, in a matrix whose status is ok?  spec is escaped, "" for W's, and
 * "SPEC/GRH" for the spectra that take a calibration. */
bool journal_has(const journal *j, const char *matrix_path, const char *spec);

/* Write one matrix' results: `fill` gets an empty store with the model's group in it.  Locked:
 * threads take turns.  The part appears whole or not at all. */
RSD_CHECK int journal_put(journal *j, const journal_model *model, const char *matrix_path,
                          int (*fill)(rsd_store *store, void *context), void *context);

/* The store is not reentrant: around the use of another one while matrices may be put. */
void journal_lock(journal *j);
void journal_unlock(journal *j);

/* Merge everything into the result file.  `complete` says whether the run did all its items;
 * matrices come in the order given, those that only the old file holds after them. */
RSD_CHECK int journal_finish(journal *j, bool complete, const char *const *order, size_t count);

#endif
