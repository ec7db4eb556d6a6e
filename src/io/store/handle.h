/* Private to src/io/store: what its files share; no others see HDF5.
 *
 * Written against HDF5 1.10; the macro keeps the same calls with a newer library.
 *
 * Errors of every function: those that io/store.h lists, with file, object and reason; what says
 * more says it below. */
#ifndef RSD_IO_STORE_PRIVATE_H
#define RSD_IO_STORE_PRIVATE_H

#define H5_USE_110_API
#include <hdf5.h>

#include "io/store.h"

/* What the operating system said about one open file; see disk.c. */
typedef struct {
    int error;    /* errno of the first failure, 0 while there is none */
    bool foreign; /* the file does not begin as HDF5 does */
} rsd_disk;

/* Our driver, and an access list whose files it opens; they report to *disk.  Both, *disk and the
 * registration (H5FDunregister), must outlive the file: H5Fclose still calls the driver after it
 * has let go of it.  Negative on failure. */
hid_t rsd_disk_register(void);
hid_t rsd_disk_access(hid_t driver, rsd_disk *disk);

/* One use of a dimension scale; the layout of an element of REFERENCE_LIST. */
typedef struct {
    hobj_ref_t dataset;
    unsigned dimension;
} rsd_axis_use;

typedef struct {
    char *path;
    hobj_ref_t reference;
    size_t length;
    rsd_axis_use *use; /* written when the file is closed */
    size_t uses;
} rsd_axis;

typedef struct {
    rsd_axis *item;
    size_t count;
} rsd_axes;

struct rsd_store {
    char *path;
    bool writable;
    hid_t driver, file;
    rsd_disk *disk;
    char *parent; /* the group that was written to last */
    hid_t parent_group;
    rsd_axes *axes; /* every axis of a file that is written; those met so far of one that is read */
    /* Made once, used by every call. */
    hid_t link_plist, group_plist, attr_plist;
    hid_t text_type, reference_list_type, scalar;
};

/* HDF5 prints its error stack unless told not to, once per thread.  Every entry calls this. */
void rsd_store_quiet(void);

/* "file: cannot <verb> <path>: reason": the system's reason if there was one, else HDF5's.
 * RSD_EIO for the disk and for files that are written, RSD_EFORMAT for a damaged file. */
int rsd_store_fail_at(const char *file, int line, const rsd_store *s, const char *verb,
                      const char *path);
#define STORE_FAIL(s, verb, path) rsd_store_fail_at(__FILE__, __LINE__, (s), (verb), (path))

/* Close what is open among ids[count].  Returns err, or a failure to close where err is RSD_OK, or
 * the disk's failure, which HDF5 is not told. */
RSD_CHECK int rsd_store_drop(const rsd_store *s, const char *path, int err, const hid_t *ids,
                             size_t count);
#define STORE_DROP(s, path, err, ...)                                                              \
    rsd_store_drop((s), (path), (err), (const hid_t[]){ __VA_ARGS__ },                             \
                   sizeof((const hid_t[]){ __VA_ARGS__ }) / sizeof(hid_t))

/* Properties of every object: no times, so that the same input gives the same bytes; and attributes
 * in the header, however many, where a heap of their own would take kilobytes per object. */
bool rsd_store_plain_header(hid_t create_plist);
/* The group above path, made with those above it if need be.  It stays open, for what follows is
 * mostly in the same group, and the way there costs as much as a small array. */
RSD_CHECK int rsd_store_parent(rsd_store *s, const char *path, hid_t *group);

/* RSD_EARG for a file that was opened for reading. */
RSD_CHECK int rsd_store_need_writable(const rsd_store *s);
/* Why path could not be opened: RSD_ENOTFOUND if it is not there, else as STORE_FAIL. */
int rsd_store_fail_open(const rsd_store *s, const char *path);
/* Open a dataset; RSD_ENOTFOUND where there is nothing, RSD_EFORMAT where it is a group. */
RSD_CHECK int rsd_store_open_dataset(const rsd_store *s, const char *path, hid_t *out);
/* How many elements a dataset has and their shape, shape[0..limit).  RSD_EFORMAT for more than
 * limit or no dimensions, a product that overflows, and for more than the bytes stored can hold. */
RSD_CHECK int rsd_store_shape(const rsd_store *s, const char *path, hid_t dataset, size_t limit,
                              size_t *ndim, size_t *shape, size_t *count);

/* A creation list: contiguous for chunk NULL; pack adds shuffle and gzip. */
RSD_CHECK int rsd_store_layout(const rsd_store *s, const char *path, size_t ndim,
                               const hsize_t *chunk, bool pack, hid_t *out);
/* Arrays and tables are packed from this many elements on; for smaller ones it does not pay. */
enum { RSD_PACK_FROM = 4096 };
/* Make a dataset with its units and description; the caller closes *out, also after an error.
 * RSD_EARG where there is something already. */
typedef struct {
    hid_t type, space, plist;
    const char *units, *description;
} rsd_dataset_info;
RSD_CHECK int rsd_store_create(rsd_store *s, const char *path, const rsd_dataset_info *info,
                               hid_t *out);

/* Are the heaps of texts whole in the file at path?  Errors: RSD_EFORMAT with the place; RSD_EIO.
 */
RSD_CHECK int rsd_store_check_heaps(const char *path);

/* Attributes of an open object. */
RSD_CHECK int rsd_store_put(const rsd_store *s, const char *path, hid_t object, const char *name,
                            hid_t type, hid_t memory_type, hid_t space, const void *value);
RSD_CHECK int rsd_store_put_text(const rsd_store *s, const char *path, hid_t object,
                                 const char *name, const char *value);
/* Every string of a text attribute of any shape.  RSD_EFORMAT where it holds no text. */
RSD_CHECK int rsd_store_strings(const rsd_store *s, const char *path, hid_t object,
                                const char *name, rsd_names *out);

/* The axis at path: from the list, else from the file.  RSD_ENOTFOUND, RSD_EFORMAT. */
RSD_CHECK int rsd_axes_find(const rsd_store *s, const char *path, rsd_axis **out);
/* The path of the axis that a reference of this file names. */
RSD_CHECK int rsd_axes_resolve(const rsd_store *s, hobj_ref_t reference, const char **path);
/* Attach axes to an open dataset: axis[d] of dimension d, NULL for none.  Several per dimension are
 * allowed: count[d] of them follow each other in axis. */
RSD_CHECK int rsd_axes_attach(rsd_store *s, const char *path, hid_t dataset, size_t ndim,
                              const size_t *count, const char *const *axis);
/* Tell every axis where it is used: writes each REFERENCE_LIST. */
RSD_CHECK int rsd_axes_write(rsd_store *s);
void rsd_axes_free(rsd_axes *axes);

/* A copy from file to file that is under way: copy.c walks, copy_data.c copies what is
 * in the objects, except for attributes that hold references. */
typedef struct {
    const rsd_store *from;
    rsd_store *to;
    const char *path, *to_path;
    rsd_names users; /* datasets that have axes, relative to path */
} rsd_copying;
RSD_CHECK int rsd_copy_attributes(const rsd_copying *c, const char *path, hid_t old,
                                  const char *to_path, hid_t new);
RSD_CHECK int rsd_copy_dataset(const rsd_copying *c, const char *path, hid_t old,
                               const char *to_path);
int rsd_copy_no_memory(const rsd_copying *c);

/* What a column is in memory. */
hid_t rsd_table_memory_type(const rsd_store *s, rsd_column_type type);

#endif
