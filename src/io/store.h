/* Result files: HDF5 behind a small interface.  Only io/store/ sees HDF5.
 *
 * Paths are absolute inside the file ("/models/x/matrices/y/W"), without a slash at the end; groups
 * on the way are made.  HDF5 is not reentrant: one thread at a time may be inside this interface
 * (callers hold a lock), any thread.
 *
 * Files are in the format of HDF5 1.8, which h5py, MATLAB and h5dump read, without times in them:
 * the same calls give the same bytes.  They are not locked: write under another name and rename.
 *
 * Errors, with file, object and the reason of the system or of HDF5: RSD_EIO (the disk),
 * RSD_EFORMAT (not ours, damaged, another kind of object than asked for), RSD_ENOTFOUND (no such
 * object or attribute), RSD_EARG (it exists already, axes do not fit, opened for reading),
 * RSD_ENOMEM.  After an error of a writing call the file holds part of it: abandon the file. */
#ifndef RSD_IO_STORE_H
#define RSD_IO_STORE_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsd_store rsd_store;

typedef enum {
    RSD_STORE_READ,  /* an existing file; refused unless its format is residuum, its schema ours */
    RSD_STORE_CREATE /* new, at path itself, replacing what is there; holds format and schema */
} rsd_store_mode;
enum { RSD_SCHEMA = 1 };

RSD_CHECK int rsd_store_open(const char *path, rsd_store_mode mode, rsd_store **out);
/* Flush, fsync and close with every status checked; frees either way.  NULL is fine.  It fails also
 * when an earlier write failed for the disk: a file is whole only if this succeeds. */
RSD_CHECK int rsd_store_close(rsd_store *store);
const char *rsd_store_path(const rsd_store *store);

/* A name as one component of a path, and back: '/' becomes U+2215 (division slash); "", "." and
 * ".." get a '_' at the end; what would then look the same, U+2215 itself, "_", "._" and ".._", has
 * U+241B (symbol for escape) in front, as has U+241B.  Different names stay different.  (Files of
 * version 0.1.0 had no marks.)  Caller frees; NULL when memory is out. */
char *rsd_store_escape(const char *name);
char *rsd_store_unescape(const char *component);

bool rsd_store_exists(const rsd_store *store, const char *path);
/* Make a group, unless it is there. */
RSD_CHECK int rsd_store_group(rsd_store *store, const char *path);

/* Names of a group's members in order of creation, or by name where another program made the group;
 * free with rsd_names_free. */
typedef struct {
    size_t count;
    char **name;
} rsd_names;
RSD_CHECK int rsd_store_members(const rsd_store *store, const char *path, rsd_names *out);
/* The same as they were before rsd_store_escape; none where there is no such group. */
RSD_CHECK int rsd_store_names(const rsd_store *store, const char *path, rsd_names *out);
void rsd_names_free(rsd_names *names);

/* Attributes of a group or dataset; writing replaces.  Strings are UTF-8.  Reading takes any width,
 * an integer for a real, and a real for an integer if it is one (MATLAB). */
RSD_CHECK int rsd_store_set_text(rsd_store *s, const char *path, const char *name, const char *v);
RSD_CHECK int rsd_store_set_real(rsd_store *s, const char *path, const char *name, double v);
RSD_CHECK int rsd_store_set_int(rsd_store *s, const char *path, const char *name, int64_t v);
bool rsd_store_has(const rsd_store *s, const char *path, const char *name);
RSD_CHECK int rsd_store_get_text(const rsd_store *s, const char *path, const char *name, char **v);
RSD_CHECK int rsd_store_get_real(const rsd_store *s, const char *path, const char *name, double *v);
RSD_CHECK int rsd_store_get_int(const rsd_store *s, const char *path, const char *name, int64_t *v);

/* One array of doubles, with units and description; axis names a dimension-scale dataset (made with
 * rsd_store_axis) per dimension, or NULL.  Replacing an existing array is an error. */
typedef struct {
    const char *units, *description;
    size_t ndim, shape[2];
    const char *axis[2];
    bool as_float; /* stored as float32, for vectors */
} rsd_array_info;
RSD_CHECK int rsd_store_array(rsd_store *s, const char *path, const double *x,
                              const rsd_array_info *info);
/* Shared axes: a dataset of 1..n (int64) that is a dimension scale (h5py: f[array].dims[0][0]);
 * making it twice is fine when the length agrees.  H5DSis_attached sees up to 5000 uses of one. */
RSD_CHECK int rsd_store_axis(rsd_store *s, const char *path, size_t n, const char *units,
                             const char *description);
/* Read numbers of any type: *x allocated (free), ndim 1 or 2; shape[1] = 1 for a vector. */
RSD_CHECK int rsd_store_read_array(const rsd_store *s, const char *path, double **x, size_t *ndim,
                                   size_t shape[2]);

/* Copy a group or dataset with all below it from one file to another, where to_path must not exist.
 *
 * Axes stay attached: to the copy where the axis is copied too, else to the axis at the same path
 * in `to`, which is copied along the first time and must have the same length after. */
RSD_CHECK int rsd_store_copy(const rsd_store *from, const char *path, rsd_store *to,
                             const char *to_path);

/* A group's attributes alone, onto a group that is made unless it is there.  What it has under the
 * same names is replaced. */
RSD_CHECK int rsd_store_copy_attributes(const rsd_store *from, const char *path, rsd_store *to,
                                        const char *to_path);

/* Tables: one compound dataset, chunked and extensible.  Texts are of variable length; h5py gives
 * them as bytes (pandas: column.str.decode("utf-8")). */
typedef enum { RSD_COLUMN_TEXT, RSD_COLUMN_REAL, RSD_COLUMN_INT } rsd_column_type;
typedef struct {
    const char *name, *units, *description;
    rsd_column_type type;
} rsd_column;
typedef union {
    const char *text; /* UTF-8, never NULL */
    double real;
    int64_t integer;
} rsd_value;

/* Write rows[row_count*column_count], row-major; attributes units, description, column_units,
 * column_descriptions. */
RSD_CHECK int rsd_store_table(rsd_store *s, const char *path, const char *description,
                              const rsd_column *columns, size_t column_count, const rsd_value *rows,
                              size_t row_count);

typedef struct {
    size_t columns, rows;
    rsd_column *column; /* names and types; units and descriptions where the file holds them */
    rsd_value *value;   /* [rows*columns] */
    void *memory;       /* what the texts live in */
} rsd_table;
/* Also tables of other programs: texts of fixed length, numbers of any width, booleans, without
 * units.  RSD_EFORMAT for columns of any other type.  Free with rsd_table_free. */
RSD_CHECK int rsd_store_read_table(const rsd_store *s, const char *path, rsd_table *out);
void rsd_table_free(rsd_table *t);
/* Index of a column, or SIZE_MAX. */
size_t rsd_table_column(const rsd_table *t, const char *name);

#endif
