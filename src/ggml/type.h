/* ggml's number types: how the bytes of a GGUF file, and of the quantizers that follow ggml, stand
 * for numbers.  A row is cut into blocks; a row that does not fill its last block is padded with
 * zeros by our quantizers and never occurs in GGUF files.
 * Source: ggml d99724f, ggml-common.h and ggml-quants.c. */
#ifndef RSD_GGML_TYPE_H
#define RSD_GGML_TYPE_H

#include <stddef.h>
#include <stdint.h>

typedef struct {
    const char *name; /* "q4_K", "f16": as GGUF's tools print it */
    uint32_t id;      /* in GGUF files */
    size_t block;     /* elements of a block; 1 for f32, f16, bf16, integers */
    size_t bytes;     /* of a block */

    /* x[blocks*block] of `blocks` blocks at data (any alignment).  NULL: the type is known by its
     * size alone, its tensors can be listed but not read. */
    void (*decode)(const void *data, size_t blocks, float *x);
} rsd_ggml_type;

/* Every type that ggml had at that commit, and q1_0 and q2_0; ends in name == NULL. */
extern const rsd_ggml_type rsd_ggml_types[];

/* NULL where there is none; names without regard to case. */
const rsd_ggml_type *rsd_ggml_type_by_id(uint32_t id);
const rsd_ggml_type *rsd_ggml_type_by_name(const char *name);

#endif
