/* A result file made anew with what one command adds to it: F.h5.tmp gets what F.h5 holds, then the
 * additions, and is renamed.  Whatever stops the program, F.h5 is the old file or the new one.
 *
 * F.h5 is locked from beginning to end, as by journal.h.  Finished matrices of an analysis that was
 * killed stay in F.h5.part/ and are merged by the next. */
#ifndef RSD_AMEND_H
#define RSD_AMEND_H

#include "result/journal.h"

typedef struct {
    char *path, *folder, *temporary; /* F.h5, F.h5.part (locked), F.h5.tmp */
    int lock;
    rsd_store *old;    /* what F.h5 holds; NULL where there is none */
    rsd_store *to;     /* F.h5.tmp, between amend_begin and the end */
    const char *leave; /* a member of "/" that the command writes anew; NULL: none */
} amend;

/* Lock, and open what there is.  Errors: RSD_EIO, also when another run writes the file;
 * RSD_EFORMAT when it is not ours. */
RSD_CHECK int amend_open(const char *path, amend *a);

/* Does the old file hold this model?  Errors: RSD_EUSAGE when it holds other weights (sha256) under
 * that name. */
RSD_CHECK int amend_find_model(const amend *a, const journal_model *model, bool *found);

/* Begin the new file with all that the old one holds but `leave`, and the model's group.  forget:
 * without the H and G of this model's matrices, whose attributes come from tensors. */
RSD_CHECK int amend_begin(amend *a, const journal_model *model, const rsd_model *tensors,
                          bool forget, const char *command_line, uint64_t seed);

/* The same with no model of this run: for a table that is made of what the file holds, whose name
 * is set as `leave` before.  Errors: RSD_ENOTFOUND when there is no file. */
RSD_CHECK int amend_begin_table(amend *a);

/* The new file takes the old one's name. */
RSD_CHECK int amend_commit(amend *a);

/* Unlock and free; what was begun and not committed is dropped. */
void amend_close(amend *a);

/* tool_version, command_line, created_utc and seed as attributes. */
RSD_CHECK int amend_write_provenance(rsd_store *store, const char *path, const char *command_line,
                                     uint64_t seed);

#endif
