/* Private to src/io/model.  Codes with a scale, and a zero point where there is one, per block of
 * rows and columns: W[i][j] = (code - zero[i / block_rows][j / block_cols]) * scale[the same]. */
#ifndef RSD_IO_PREQUANTIZED_DECODE_H
#define RSD_IO_PREQUANTIZED_DECODE_H

#include "io/model/sources.h"

typedef enum {
    RSD_CODE_FLOAT, /* numbers of `type` that convert */
    RSD_CODE_WHOLE, /* whole numbers of `type`, of at most 32 bits */
    RSD_CODE_FP4,   /* E2M1, two a byte, the first in the low nibble */
    RSD_CODE_WORDS  /* `bits` each in I32 words, from the low bits on, plus 2^(bits-1) */
} rsd_code;

/* An array in one of the model's files. */
typedef struct {
    size_t file, offset;
    rsd_dtype type;
    size_t rows, cols;
} rsd_decode_array;

typedef struct {
    rsd_packing base;
    rsd_code code;
    rsd_dtype type;
    size_t bits;
    size_t file, offset, row_bytes;
    size_t rows, cols, block_rows, block_cols;
    rsd_decode_array scale, zero, factor, g_idx;
    bool has_zero, zero_packed; /* packed: as the codes are, along the rows */
    bool has_factor, divide;    /* scale * factor, or scale / factor */
    bool has_g_idx;             /* the column of scales that each input takes */
} rsd_decode;

/* The read of a packing that begins with such a struct.  Errors: RSD_EIO (the file was cut),
 * RSD_EFORMAT (a group that there is not), RSD_ENOMEM. */
int rsd_decode_read(const rsd_packing *self, const rsd_map *file, rsd_mat W);

#endif
