/* Private to src/io/model.  A tensor of a GGUF file as a matrix of the checkpoint: blocks become
 * numbers, rows go back to the order that the converter found them in, a scale beside the weight
 * multiplies it. */
#ifndef RSD_IO_GGUF_ROWS_H
#define RSD_IO_GGUF_ROWS_H

#include "ggml/type.h"
#include "io/gguf/names.h"
#include "io/model/sources.h"

typedef struct {
    rsd_packing base; /* rsd_gguf_rows_read */
    size_t file, offset;
    const rsd_ggml_type *type;
    rsd_gguf_order order;
    size_t heads; /* that the rows are, where they change places */
    float scale;
} rsd_gguf_rows;

/* Errors: RSD_EFORMAT for a type that is listed but not read; RSD_EIO; RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_rows_read(const rsd_packing *self, const rsd_map *file, rsd_mat W);

#endif
