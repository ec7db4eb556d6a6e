/* Private to src/io.  A GGUF model in one file or in several, as one: whatever is asked of its
 * tensors is asked of all parts.  The metadata are the first part's; the others only number
 * themselves (split.no, split.count, split.tensors.count).
 * Source: llama.cpp, llama_model_loader and tools/gguf-split. */
#ifndef RSD_IO_GGUF_SPLIT_H
#define RSD_IO_GGUF_SPLIT_H

#include "err.h"
#include "io/gguf.h"
#include "io/intern.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    rsd_gguf gguf;
    const uint8_t *data; /* the file that it was parsed from */
} rsd_gguf_part;

/* All zero is empty.  Free with rsd_gguf_parts_free. */
typedef struct {
    rsd_gguf_part *part;
    size_t parts; /* added so far */
    rsd_intern names;
    struct rsd_gguf_found *found; /* of each name */
} rsd_gguf_parts;

/* A tensor, and where its bytes are. */
typedef struct rsd_gguf_found {
    const rsd_gguf_tensor *tensor;
    size_t part;
    const uint8_t *data;
} rsd_gguf_found;

/* What a header says of its place: no of count parts; 0 of 1 where it does not.
 * Errors: RSD_EFORMAT where these are no numbers, or no is not below count. */
RSD_CHECK int rsd_gguf_split(const rsd_gguf *gguf, size_t *no, size_t *count);

/* The file of part `no` of count, named as gguf-split names them: NAME-00001-of-00003.gguf.  path
 * is that of part `own`; the caller frees *out.  Errors: RSD_EFORMAT where path is named otherwise;
 * RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_part_path(const char *path, size_t own, size_t count, size_t no, char **out);

/* Parse the next part; data must outlive parts.  Errors: those of rsd_gguf_parse; RSD_EFORMAT where
 * the header says that it is another one, or a tensor is in an earlier part. */
RSD_CHECK int rsd_gguf_parts_add(rsd_gguf_parts *parts, const uint8_t *data, size_t size);
/* After the last.  Errors: RSD_EFORMAT where the first part promises more parts, or another number
 * of tensors. */
RSD_CHECK int rsd_gguf_parts_check(const rsd_gguf_parts *parts);
void rsd_gguf_parts_free(rsd_gguf_parts *parts);

/* The tensor of this name, of n bytes, in whatever part; NULL: there is none. */
const rsd_gguf_found *rsd_gguf_parts_find(const rsd_gguf_parts *parts, const char *name, size_t n);

#endif
