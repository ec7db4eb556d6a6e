/* NumPy's .npy files, versions 1 to 3, little-endian, C or Fortran order. */
#ifndef RSD_IO_NPY_H
#define RSD_IO_NPY_H

#include "err.h"
#include "io/dtype.h"
#include "io/file.h"

enum { RSD_DIMS_MAX = 8 };

typedef struct {
    rsd_dtype dtype;
    size_t ndim, shape[RSD_DIMS_MAX];
    bool fortran;
    size_t offset; /* of the first element in the file */
    size_t count;  /* elements */
} rsd_npy;

/* Header of a .npy in memory, checked against size: every length, product and the data's end.
 * Errors: RSD_EFORMAT, one line that says what is wrong with which number; object arrays (pickles)
 * are refused by name. */
RSD_CHECK int rsd_npy_parse(const uint8_t *data, size_t size, rsd_npy *out);

/* Write float32, C order, version 1.0.  Errors: RSD_EIO. */
RSD_CHECK int rsd_npy_write(const char *path, const float *x, size_t ndim, const size_t *shape);

#endif
