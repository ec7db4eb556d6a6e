/* HDF5's view of a file, through plain system calls.  It replaces HDF5's own driver for three
 * reasons.
 *
 * 1. A write that fails is remembered, and HDF5 is told that it succeeded.  HDF5 cannot close a
 *    file whose flush fails: the file stays half open, and the library crashes when it
 *    ends.  Here it always closes cleanly; the store then reports the first failure, so nothing
 *    that went missing is taken for written.
 * 2. The system's reason survives as an errno, and fsync makes network disks and quotas say at
 *    close what they would otherwise say to nobody.
 * 3. No file is locked.  Locks fail on many network disks, and protect nothing here: a result is
 *    written under another name and renamed when it is whole. */
#include "io/store/handle.h"

#if H5_VERSION_GE(1, 13, 0)
#include <H5FDdevelop.h>
#endif

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    H5FD_t common; /* first: HDF5 keeps its own fields there */
    rsd_disk *disk;
    int fd;
    bool writable;
    haddr_t end_allocated, end_written;
} disk_file;

static const haddr_t offset_max = INT64_MAX;

static void note(rsd_disk *disk, int error)
{
    if (!disk->error)
        disk->error = error;
}

/* Bytes that were read, fewer only at the end of the file; -1 with errno. */
static ssize_t read_at(int fd, void *buffer, size_t size, off_t offset)
{
    size_t got = 0;
    while (got < size) {
        const ssize_t k = pread(fd, (char *)buffer + got, size - got, offset + (off_t)got);
        if (k == 0)
            break;
        if (k > 0)
            got += (size_t)k;
        else if (errno != EINTR)
            return -1;
    }
    return (ssize_t)got;
}

static int open_regular(const char *name, int flags, struct stat *st)
{
    /* A FIFO would block without O_NONBLOCK; regular files do not know it. */
    const int fd = open(name, flags | O_CLOEXEC | O_NONBLOCK, 0666);
    if (fd < 0)
        return -1;
    if (fstat(fd, st) == 0) {
        if (S_ISREG(st->st_mode))
            return fd;
        errno = S_ISDIR(st->st_mode) ? EISDIR : ESPIPE;
    }
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static H5FD_t *disk_open(const char *name, unsigned flags, hid_t access, haddr_t max)
{
    static const unsigned char signature[8] = "\211HDF\r\n\032\n";
    rsd_disk *const *info = H5Pget_driver_info(access);
    struct stat st;
    (void)max;
    if (!info)
        return NULL;
    rsd_disk *disk = *info;
    const bool writable = flags & H5F_ACC_RDWR;
    const int how = (writable ? O_RDWR : O_RDONLY) | (flags & H5F_ACC_TRUNC ? O_TRUNC : 0) |
                    (flags & H5F_ACC_CREAT ? O_CREAT : 0) | (flags & H5F_ACC_EXCL ? O_EXCL : 0);
    *disk = (rsd_disk){ 0 }; /* HDF5 tries several ways to open; the last one counts */
    const int fd = open_regular(name, how, &st);
    if (fd < 0) {
        note(disk, errno);
        return NULL;
    }
    if (!writable) {
        unsigned char head[8] = { 0 };
        if (read_at(fd, head, sizeof head, 0) < 0)
            note(disk, errno);
        disk->foreign = memcmp(head, signature, sizeof head) != 0;
    }
    disk_file *f = disk->foreign || disk->error ? NULL : calloc(1, sizeof *f);
    if (!f) {
        close(fd);
        return NULL;
    }
    f->disk = disk;
    f->fd = fd;
    f->writable = writable;
    f->end_written = (haddr_t)st.st_size;
    return &f->common;
}

static herr_t disk_close(H5FD_t *file)
{
    disk_file *f = (disk_file *)file;
    /* Some file systems know no fsync; on them close has to do. */
    if (f->writable && fsync(f->fd) && errno != EINVAL && errno != ENOSYS)
        note(f->disk, errno);
    if (close(f->fd) && errno != EINTR)
        note(f->disk, errno);
    free(f);
    return 0;
}

static herr_t disk_query(const H5FD_t *file, unsigned long *flags)
{
    (void)file;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA | H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
    return 0;
}

static haddr_t disk_get_eoa(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const disk_file *)file)->end_allocated;
}

static herr_t disk_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t address)
{
    (void)type;
    ((disk_file *)file)->end_allocated = address;
    return 0;
}

static haddr_t disk_get_eof(const H5FD_t *file, H5FD_mem_t type)
{
    (void)type;
    return ((const disk_file *)file)->end_written;
}

static bool in_range(haddr_t address, size_t size)
{
    return address <= offset_max && size <= offset_max - address;
}

static herr_t disk_read(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address, size_t size,
                        void *buffer)
{
    disk_file *f = (disk_file *)file;
    (void)type, (void)transfer;
    if (!in_range(address, size))
        return -1;
    const ssize_t got = read_at(f->fd, buffer, size, (off_t)address);
    if (got < 0) {
        note(f->disk, errno);
        return -1;
    }
    /* Space that is allocated and not yet written reads as zeros. */
    memset((char *)buffer + got, 0, size - (size_t)got);
    return 0;
}

static herr_t disk_write(H5FD_t *file, H5FD_mem_t type, hid_t transfer, haddr_t address,
                         size_t size, const void *buffer)
{
    disk_file *f = (disk_file *)file;
    (void)type, (void)transfer;
    if (!in_range(address, size))
        return -1;
    for (size_t put = 0; put < size && !f->disk->error;) {
        const ssize_t k =
            pwrite(f->fd, (const char *)buffer + put, size - put, (off_t)(address + put));
        if (k > 0)
            put += (size_t)k;
        else if (k == 0 || errno != EINTR)
            note(f->disk, k ? errno : ENOSPC);
    }
    if (f->end_written < address + size)
        f->end_written = address + size;
    return 0;
}

/* The file ends where HDF5's allocations end: it refuses to open one that is shorter. */
static herr_t disk_truncate(H5FD_t *file, hid_t transfer, hbool_t closing)
{
    disk_file *f = (disk_file *)file;
    (void)transfer, (void)closing;
    if (!f->writable || f->end_allocated == f->end_written)
        return 0;
    if (!f->disk->error && ftruncate(f->fd, (off_t)f->end_allocated))
        note(f->disk, errno);
    f->end_written = f->end_allocated;
    return 0;
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = 511, /* one of those that need no registration */
#endif
    .name = "residuum",
    .maxaddr = INT64_MAX,
    .fc_degree = H5F_CLOSE_STRONG,
    .fapl_size = sizeof(rsd_disk *),
    .open = disk_open,
    .close = disk_close,
    .query = disk_query,
    .get_eoa = disk_get_eoa,
    .set_eoa = disk_set_eoa,
    .get_eof = disk_get_eof,
    .read = disk_read,
    .write = disk_write,
    .truncate = disk_truncate,
};

hid_t rsd_disk_register(void) { return H5FDregister(&driver); }

hid_t rsd_disk_access(hid_t id, rsd_disk *disk)
{
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    /* The formats of 1.8, which every reader knows: all metadata but the heap of texts carry
     * checksums, so a damaged file is an error, where the older ones let HDF5 crash. */
    if (access >= 0 && H5Pset_driver(access, id, &disk) >= 0 &&
        H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_V18) >= 0)
        return access;
    if (access >= 0)
        H5Pclose(access);
    return H5I_INVALID_HID;
}
