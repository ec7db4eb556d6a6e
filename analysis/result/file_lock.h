/* Files that one process at a time has: a lock is a file which only its holder removes.
 *
 * flock on an open file says who holds it; that the file is still the one of that name is asked
 * again after it was locked, since the holder before may have removed it in between.  A process
 * that is killed leaves the file and not the lock. */
#ifndef RSD_FILE_LOCK_H
#define RSD_FILE_LOCK_H

#include "err.h"

#include <stdbool.h>

typedef struct {
    int fd; /* -1: not held */
    char *path;
} file_lock;

/* Lock the file `name` in `folder`, making both.  target: what is locked, for messages; command:
 * who we are, for those who find it locked.  wait: until it is free, saying so after a second.
 * Errors: RSD_EIO, also, without wait, where another process holds it (names it). */
RSD_CHECK int file_lock_take(const char *folder, const char *name, const char *target,
                             const char *command, bool wait, file_lock *out);

/* Remove the file and unlock; nothing for one that is not held. */
void file_lock_release(file_lock *lock);

#endif
