/* Locks that one process at a time holds. */
#include "result/file_lock.h"

#include "alloc.h"
#include "cli/console.h"
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { PAUSE_MS = 50, SAY_AFTER = 1000 / PAUSE_MS };

/* What the holder wrote: "pid 12, residuum analyze"; "another run" where it has not yet. */
static void read_holder(int fd, char *out, size_t size)
{
    const ssize_t n = pread(fd, out, size - 1, 0);
    if (n > 0)
        out[n] = 0;
    else
        snprintf(out, size, "which has just begun");
}

static void write_holder(const file_lock *l, const char *command)
{
    if (ftruncate(l->fd, 0) != 0 ||
        dprintf(l->fd, "pid %ld, residuum %s", (long)getpid(), command) < 0)
        console_detail("%s: %s", l->path, strerror(errno)); /* it is locked all the same */
}

/* Does the name still mean the file that is open? */
static bool is_current(const file_lock *l)
{
    struct stat named, held;
    return stat(l->path, &named) == 0 && fstat(l->fd, &held) == 0 && named.st_dev == held.st_dev &&
           named.st_ino == held.st_ino;
}

static void drop(file_lock *l)
{
    close(l->fd);
    l->fd = -1;
}

/* One try: *taken false where the file or its folder went away under us. */
static int try_once(const char *folder, file_lock *l, bool *held, bool *taken)
{
    *taken = *held = false;
    RSD_TRY(rsd_make_folder(folder));
    l->fd = open(l->path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (l->fd < 0 && errno == ENOENT)
        return RSD_OK; /* another's last act was to remove the folder */
    if (l->fd < 0)
        return RSD_FAIL(RSD_EIO, "%s: %s", l->path, strerror(errno));
    if (flock(l->fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            *held = true;
            return RSD_OK;
        }
        console_note("%s: this file system has no locks (%s): let no other run write the file",
                     l->path, strerror(errno));
    }
    *taken = is_current(l);
    return RSD_OK;
}

int file_lock_take(const char *folder, const char *name, const char *target, const char *command,
                   bool wait, file_lock *out)
{
    const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
    *out = (file_lock){ .fd = -1 };
    RSD_TRY(rsd_format(&out->path, "%s/%s", folder, name));
    for (size_t tries = 0;; tries++) {
        char holder[256];
        bool held, taken;
        RSD_TRY(try_once(folder, out, &held, &taken));
        if (taken)
            break;
        if (held) {
            read_holder(out->fd, holder, sizeof holder);
            if (!wait) {
                drop(out);
                return RSD_FAIL(RSD_EIO, "%s: another run (%s) is writing it", target, holder);
            }
            if (tries == SAY_AFTER)
                console_note("%s: waiting for %s", target, holder);
            nanosleep(&pause, NULL);
        }
        if (out->fd >= 0)
            drop(out);
    }
    write_holder(out, command);
    return RSD_OK;
}

void file_lock_release(file_lock *l)
{
    if (l->fd >= 0) {
        unlink(l->path); /* while it is ours */
        drop(l);
    }
    free(l->path);
    *l = (file_lock){ .fd = -1 };
}
