#include "io/file.h"

#include "alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <nettle/sha2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail_errno(const char *path, const char *what)
{
    return RSD_FAIL(RSD_EIO, "%s: %s: %s", path, what, strerror(errno));
}

/* A regular file, opened for reading, and its size.  O_NONBLOCK keeps a FIFO from waiting for a
 * writer before we can say that it is one. */
static int open_regular(const char *path, int *fd, size_t *size)
{
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return fail_errno(path, "cannot open");
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode)) {
        *size = (size_t)st.st_size;
        return RSD_OK;
    }
    close(*fd);
    *fd = -1;
    return RSD_FAIL(RSD_EIO, "%s: %s", path,
                    S_ISDIR(st.st_mode) ? "is a folder, not a file" : "is not a regular file");
}

int rsd_map_open(const char *path, rsd_map *out)
{
    rsd_map map = { .fd = -1 };
    *out = map;
    RSD_TRY(open_regular(path, &map.fd, &map.size));
    int err = RSD_OK;
    if (map.size) {
        void *data = mmap(NULL, map.size, PROT_READ, MAP_PRIVATE, map.fd, 0);
        if (data == MAP_FAILED)
            err = fail_errno(path, "cannot map");
        else
            map.data = data;
    }
    if (!err && !(map.path = strdup(path)))
        err = RSD_FAIL(RSD_ENOMEM, "%s: path", path);
    if (err) {
        if (map.data)
            munmap((void *)map.data, map.size);
        close(map.fd);
        return err;
    }
    *out = map;
    return RSD_OK;
}

void rsd_map_close(rsd_map *map)
{
    if (map->path) {
        if (map->data)
            munmap((void *)map->data, map->size);
        close(map->fd);
        free(map->path);
    }
    *map = (rsd_map){ .fd = -1 };
}

/* Pages that the range shares with its neighbours go too: nothing was written to them, and who
 * still needs them faults them in from the page cache. */
void rsd_map_release(const rsd_map *map, size_t offset, size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const size_t begin = offset / page * page;
    if (size && offset < map->size && size <= map->size - offset)
        madvise((uint8_t *)map->data + begin, offset + size - begin, MADV_DONTNEED);
}

int rsd_map_check(const rsd_map *map)
{
    struct stat st;
    if (fstat(map->fd, &st))
        return fail_errno(map->path, "cannot stat");
    if ((size_t)st.st_size < map->size)
        return RSD_FAIL(RSD_EIO, "%s: was cut from %zu to %zu bytes while it was in use", map->path,
                        map->size, (size_t)st.st_size);
    return RSD_OK;
}

int rsd_writer_open(const char *path, rsd_writer *out)
{
    rsd_writer w = { 0 };
    *out = w;
    RSD_TRY(rsd_copy_text(path, &w.path));
    const int named = rsd_format(&w.temporary, "%s.tmp", path);
    if (named) {
        free(w.path);
        return named;
    }
    w.stream = fopen(w.temporary, "wbe");
    if (!w.stream) {
        const int err = fail_errno(w.temporary, "cannot write");
        free(w.temporary);
        free(w.path);
        return err;
    }
    *out = w;
    return RSD_OK;
}

int rsd_writer_put(rsd_writer *w, const void *data, size_t size)
{
    if (size && fwrite(data, 1, size, w->stream) != size)
        return fail_errno(w->temporary, "cannot write");
    return RSD_OK;
}

int rsd_writer_commit(rsd_writer *w)
{
    int err = RSD_OK;
    if (fflush(w->stream) || ferror(w->stream) || fsync(fileno(w->stream)))
        err = fail_errno(w->temporary, "cannot write");
    if (fclose(w->stream) && !err)
        err = fail_errno(w->temporary, "cannot close");
    w->stream = NULL;
    if (!err && rename(w->temporary, w->path))
        err = fail_errno(w->path, "cannot rename into place");
    if (err)
        unlink(w->temporary);
    free(w->temporary);
    free(w->path);
    *w = (rsd_writer){ 0 };
    return err;
}

void rsd_writer_abandon(rsd_writer *w)
{
    if (!w->stream)
        return;
    fclose(w->stream);
    unlink(w->temporary);
    free(w->temporary);
    free(w->path);
    *w = (rsd_writer){ 0 };
}

int rsd_file_write(const char *path, const void *data, size_t size)
{
    rsd_writer w;
    RSD_TRY(rsd_writer_open(path, &w));
    const int err = rsd_writer_put(&w, data, size);
    if (!err)
        return rsd_writer_commit(&w);
    rsd_writer_abandon(&w);
    return err;
}

/* One folder whose parent exists. */
static int make_one(const char *path)
{
    struct stat st;
    if (mkdir(path, 0777) == 0)
        return RSD_OK;
    const int reason = errno;
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return RSD_OK;
    errno = reason;
    return fail_errno(path, "cannot make folder");
}

int rsd_make_folder(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return RSD_FAIL(RSD_ENOMEM, "%s: path", path);
    int err = RSD_OK;
    for (char *p = copy + (*copy == '/'); *p && !err; p++)
        if (*p == '/') {
            *p = 0;
            err = make_one(copy);
            *p = '/';
        }
    if (!err)
        err = make_one(copy);
    free(copy);
    return err;
}

char *rsd_path_join(const char *folder, const char *name)
{
    const size_t n = strlen(folder);
    char *path;
    const char *slash = n && folder[n - 1] == '/' ? "" : "/";
    return rsd_format(&path, "%s%s%s", folder, slash, name) ? NULL : path;
}

bool rsd_path_ends(const char *path, const char *end)
{
    const size_t n = strlen(path), k = strlen(end);
    return n >= k && strcmp(path + n - k, end) == 0;
}

static void finish_hex(struct sha256_ctx *sha, char hex[65])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(sha, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) {
        hex[2 * i] = digits[digest[i] >> 4];
        hex[2 * i + 1] = digits[digest[i] & 15];
    }
    hex[2 * sizeof digest] = 0;
}

void rsd_sha256(const void *data, size_t size, char hex[65])
{
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, size, data);
    finish_hex(&sha, hex);
}

int rsd_file_sha256(const char *path, char hex[65])
{
    enum { BLOCK = 1 << 16 };
    uint8_t block[BLOCK];
    struct sha256_ctx sha;
    int fd;
    size_t size;
    ssize_t got;
    RSD_TRY(open_regular(path, &fd, &size));
    sha256_init(&sha);
    while ((got = read(fd, block, sizeof block)) != 0) {
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        sha256_update(&sha, (size_t)got, block);
    }
    const int err = got < 0 ? fail_errno(path, "cannot read") : RSD_OK;
    close(fd);
    finish_hex(&sha, hex);
    return err;
}
