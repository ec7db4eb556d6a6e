/* Files: read-only maps, writers that appear whole or not at all, checksums. */
#ifndef RSD_IO_FILE_H
#define RSD_IO_FILE_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* A file mapped read-only. */
typedef struct {
    const uint8_t *data; /* NULL for an empty file */
    size_t size;
    char *path; /* NULL where nothing is open */
    int fd;     /* kept for rsd_map_check: the path may name another file by then */
} rsd_map;

/* Errors: RSD_EIO with the path and the system's reason (also for a directory or a FIFO). */
RSD_CHECK int rsd_map_open(const char *path, rsd_map *out);
void rsd_map_close(rsd_map *map);

/* Give back the pages of bytes [offset, offset+size): memory stays bounded by the largest tensor
 * although the map covers the model.  They are read again when needed. */
void rsd_map_release(const rsd_map *map, size_t offset, size_t size);

/* Were the file cut while it is mapped, reading would end the process by SIGBUS: compare with
 * fstat before a long read.  RSD_EIO when it is shorter than when it was opened. */
RSD_CHECK int rsd_map_check(const rsd_map *map);

/* A file written beside its name (NAME.tmp) and renamed when it is whole. */
typedef struct {
    FILE *stream;
    char *path, *temporary;
} rsd_writer;

/* Errors: RSD_EIO with path and reason, RSD_ENOMEM. */
RSD_CHECK int rsd_writer_open(const char *path, rsd_writer *out);
RSD_CHECK int rsd_writer_put(rsd_writer *w, const void *data, size_t size);
/* Flush, fsync, close, rename; every status is checked.  The writer is empty after it either way,
 * and after a failure nothing is left under either name that was not there before.
 * Errors: RSD_EIO. */
RSD_CHECK int rsd_writer_commit(rsd_writer *w);
/* Close and remove the temporary; does nothing on an empty writer. */
void rsd_writer_abandon(rsd_writer *w);

/* A whole file at once, by such a writer.  Errors: RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int rsd_file_write(const char *path, const void *data, size_t size);

/* Make a folder, and its parents, unless it is there.  Errors: RSD_EIO. */
RSD_CHECK int rsd_make_folder(const char *path);

/* "folder/name", allocated; NULL when memory is out. */
char *rsd_path_join(const char *folder, const char *name);

/* rsd_path_ends("a/W.npy", ".npy") */
bool rsd_path_ends(const char *path, const char *end);

/* SHA-256 of a file in lower-case hex, 64 characters and a 0.  Read in pieces, not mapped.
 * Errors: RSD_EIO. */
RSD_CHECK int rsd_file_sha256(const char *path, char hex[65]);
/* SHA-256 of bytes. */
void rsd_sha256(const void *data, size_t size, char hex[65]);

#endif
