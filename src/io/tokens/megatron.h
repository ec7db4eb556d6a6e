/* Private to src/io/tokens.  Megatron's memory-mapped token files (NAME.bin with NAME.idx), which
 * GPT-NeoX and so Pythia's training data are in: the index.  Little-endian, version 1:
 *
 *   "MMIDIDX\0\0", u64 version, u8 type, u64 sequences, u64 documents,
 *   i32 length[sequences], i64 byte[sequences] in NAME.bin, i64 first sequence[documents]
 *
 * Source: megatron/data/indexed_dataset.py, MMapIndexedDataset. */
#ifndef RSD_IO_MEGATRON_H
#define RSD_IO_MEGATRON_H

#include "io/dtype.h"

#include <stdint.h>

typedef struct {
    rsd_dtype dtype; /* U8, I16, I32, I64 or U16 */
    size_t sequences;
    size_t tokens;     /* of all sequences */
    size_t data_bytes; /* what NAME.bin must hold */
} rsd_megatron;

/* The index in memory.  The sequences must lie one behind the other, as every writer of the format
 * puts them, so that the data are one stream.
 * Errors: RSD_EFORMAT, one line that says what is wrong with which number. */
RSD_CHECK int rsd_megatron_parse(const uint8_t *data, size_t size, rsd_megatron *out);

#endif
