/* Weights from a mapped file as float32.
 *
 * Files may be far larger than memory: pages are given back as the reading goes on, so that what
 * stays resident is a window of a few MB besides the caller's array. */
#ifndef RSD_IO_READ_H
#define RSD_IO_READ_H

#include "err.h"
#include "io/dtype.h"
#include "io/file.h"
#include "mat.h"

/* n values of a real type from byte offset on; the caller has checked that they lie in the map.
 * Errors: RSD_EIO when the file was cut since it was mapped. */
RSD_CHECK int rsd_read_flat(const rsd_map *map, size_t offset, rsd_dtype t, size_t n, float *x);

/* W.m x W.n values stored row by row.  Errors: as above. */
RSD_CHECK int rsd_read_matrix(const rsd_map *map, size_t offset, rsd_dtype t, rsd_mat W);

/* The transpose of W.n x W.m values stored row by row.  Errors: as above, and RSD_ENOMEM. */
RSD_CHECK int rsd_read_transposed(const rsd_map *map, size_t offset, rsd_dtype t, rsd_mat W);

#endif
