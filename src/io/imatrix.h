/* Importance matrices as llama.cpp writes them (`llama-imatrix --output-format dat`): for each
 * weight matrix the mean squares of its inputs.  Little-endian:
 *
 *   i32 entries, then for each: i32 length, name, i32 calls, i32 n, f32 value[n]
 *   and, from a later version on: i32 chunks, i32 length, name of the text
 *
 * A value is calls times the mean of x^2 (as it is, where calls is 0).  Files in the newer GGUF
 * form are told apart by their first bytes and refused by name.
 * Source: llama.cpp, tools/imatrix/imatrix.cpp and common/imatrix-loader.cpp. */
#ifndef RSD_IO_IMATRIX_H
#define RSD_IO_IMATRIX_H

#include "err.h"
#include "io/intern.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* "blk.0.attn_q.weight" */
    size_t n;
    const double *square; /* [n] mean of x^2: finite, >= 0, of float32's precision */
} rsd_imatrix_entry;

/* All zero is empty. */
typedef struct {
    size_t count;
    rsd_imatrix_entry *entry; /* in the file's order */
    size_t chunks;            /* of text that the means are over; 0: not said */
    rsd_intern names;
    double *values;
    char *text;
} rsd_imatrix;

/* From bytes.  Every length is checked against what is left, and nothing may follow; at least one
 * entry, no name twice.  Free with rsd_imatrix_free, also after a failure.
 * Errors: RSD_EFORMAT with entry and number, RSD_ENOMEM. */
RSD_CHECK int rsd_imatrix_parse(const uint8_t *data, size_t size, rsd_imatrix *out);

/* From a file.  The message begins with the path.  Errors: as above, and RSD_EIO. */
RSD_CHECK int rsd_imatrix_read(const char *path, rsd_imatrix *out);

/* The entry of this name, or NULL. */
const rsd_imatrix_entry *rsd_imatrix_find(const rsd_imatrix *m, const char *name);

void rsd_imatrix_free(rsd_imatrix *m);

#endif
