/* Writing GGUF version 3, the container that llama.cpp loads: metadata, tensor directory, data.
 *
 * Put metadata and declare tensors in any order, begin, give the data of every tensor in order of
 * declaration (any pieces), commit.  Only the directory is held in memory; the file appears under
 * its name when it is whole.  Little-endian, alignment 32.
 * Source: ggml, docs/gguf.md. */
#ifndef RSD_IO_GGUF_WRITE_H
#define RSD_IO_GGUF_WRITE_H

#include "err.h"
#include "ggml/type.h"
#include "io/gguf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RSD_GGUF_ALIGNMENT = 32, RSD_GGUF_NAME_MAX = 63 };

typedef struct rsd_gguf_writer rsd_gguf_writer;

/* Free with rsd_gguf_writer_free, which gives up a file that was not committed.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_writer_alloc(rsd_gguf_writer **out);
void rsd_gguf_writer_free(rsd_gguf_writer *w);

/* Metadata, copied.  Errors: RSD_EARG for a key that is there already, empty, or longer than 65535
 * bytes, and after begin; RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_put_u32(rsd_gguf_writer *w, const char *key, uint32_t value);
RSD_CHECK int rsd_gguf_put_f32(rsd_gguf_writer *w, const char *key, float value);
RSD_CHECK int rsd_gguf_put_bool(rsd_gguf_writer *w, const char *key, bool value);
RSD_CHECK int rsd_gguf_put_text(rsd_gguf_writer *w, const char *key, rsd_gguf_string value);
RSD_CHECK int rsd_gguf_put_i32s(rsd_gguf_writer *w, const char *key, const int32_t *x, size_t n);
RSD_CHECK int rsd_gguf_put_f32s(rsd_gguf_writer *w, const char *key, const float *x, size_t n);
RSD_CHECK int rsd_gguf_put_texts(rsd_gguf_writer *w, const char *key, const rsd_gguf_string *x,
                                 size_t n);
/* An entry of another file, under its key.  Errors: as above. */
RSD_CHECK int rsd_gguf_put_value(rsd_gguf_writer *w, const rsd_gguf_value *value);

/* The bytes of a tensor whose rows have n elements of this type: rows * n / block * bytes.
 * Errors: RSD_EARG when n does not fill whole blocks, or on overflow. */
RSD_CHECK int rsd_gguf_bytes(const rsd_ggml_type *type, size_t rows, size_t n, size_t *bytes);

/* A tensor of 1 to 4 dimensions, as we and NumPy order them: the last one is contiguous.
 * Errors: RSD_EARG for a name that is there already, empty or longer than RSD_GGUF_NAME_MAX bytes,
 * a length 0, another number of dimensions, those of rsd_gguf_bytes, and after begin;
 * RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_declare(rsd_gguf_writer *w, const char *name, const rsd_ggml_type *type,
                               size_t ndim, const size_t *shape);

/* Write header, metadata and directory.  Errors: RSD_EIO; RSD_EARG the second time. */
RSD_CHECK int rsd_gguf_begin(rsd_gguf_writer *w, const char *path);
/* The next bytes of the tensor that is being filled.  Errors: RSD_EARG when it takes fewer, or no
 * file is open; RSD_EIO. */
RSD_CHECK int rsd_gguf_data(rsd_gguf_writer *w, const void *data, size_t bytes);
/* Errors: RSD_EARG when bytes are missing or no file is open; RSD_EIO. */
RSD_CHECK int rsd_gguf_commit(rsd_gguf_writer *w);

#endif
