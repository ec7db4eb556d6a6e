/* safetensors: 8 bytes of header length, a JSON header, then the tensors' bytes. */
#ifndef RSD_IO_SAFETENSORS_H
#define RSD_IO_SAFETENSORS_H

#include "err.h"
#include "io/dtype.h"
#include "io/npy.h" /* RSD_DIMS_MAX */

#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *name;
    rsd_dtype dtype;
    size_t ndim, shape[RSD_DIMS_MAX];
    size_t offset, bytes; /* in the file */
} rsd_st_entry;

typedef struct {
    size_t count;
    rsd_st_entry *entry; /* in order of offset */
    char *metadata;      /* JSON object of __metadata__, or NULL */
} rsd_safetensors;

/* Header of a file in memory.  As strict as the format's own reader: header of at most 100 MB that
 * lies in the file, names once each, known types, products without overflow, offsets in order
 * without gaps or overlaps, data to the file's last byte.
 * Errors: RSD_EFORMAT, one line with the tensor's name and the numbers; RSD_ENOMEM. */
RSD_CHECK int rsd_safetensors_parse(const uint8_t *data, size_t size, rsd_safetensors *out);
void rsd_safetensors_free(rsd_safetensors *st);

/* Shards of a model.safetensors.index.json: its weight_map, tensor -> file.
 * File names must be plain (no folder, no ..): a shard cannot point outside its folder.
 * Errors: RSD_EFORMAT, RSD_ENOMEM. */
typedef struct {
    size_t count;
    struct {
        char *tensor, *file;
    } * entry;
} rsd_st_index;
RSD_CHECK int rsd_st_index_parse(const uint8_t *data, size_t size, rsd_st_index *out);
void rsd_st_index_free(rsd_st_index *index);

/* Writing: declare every tensor, then give their bytes in the same order.
 * Errors: RSD_EARG for a name that is there twice or not UTF-8, a dtype, shape and size that do not
 * fit each other, and after begin; RSD_ENOMEM. */
typedef struct rsd_st_writer rsd_st_writer;
RSD_CHECK int rsd_st_writer_alloc(rsd_st_writer **out);
RSD_CHECK int rsd_st_writer_metadata(rsd_st_writer *w, const char *key, const char *value);
RSD_CHECK int rsd_st_writer_declare(rsd_st_writer *w, const char *name, const char *dtype,
                                    size_t ndim, const size_t *shape, size_t bytes);
/* Opens path (written beside its name) and writes the header; call after the last declare.
 * Errors: RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int rsd_st_writer_begin(rsd_st_writer *w, const char *path);
/* Bytes of the next declared tensor; may come in pieces.  Errors: RSD_EARG past its declared
 * size, RSD_EIO. */
RSD_CHECK int rsd_st_writer_data(rsd_st_writer *w, const void *data, size_t bytes);
/* Renames into place.  Errors: RSD_EARG when bytes are missing, RSD_EIO. */
RSD_CHECK int rsd_st_writer_commit(rsd_st_writer *w);
void rsd_st_writer_free(rsd_st_writer *w); /* abandons what was not committed */

#endif
