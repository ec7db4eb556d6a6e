/* GGUF, the model files of llama.cpp: metadata, a list of tensors, then their bytes.
 *
 * Versions 2 and 3, little-endian.  As strict as the format's own reader: keys and tensor names
 * once each, known value types, texts and arrays that lie in the file, products without overflow,
 * rows of whole blocks, offsets that are aligned, and tensors that lie in the file and do not
 * overlap.  A tensor of a type that nobody knows is refused by its number.
 * Source: ggml d99724f, docs/gguf.md and gguf.cpp. */
#ifndef RSD_IO_GGUF_H
#define RSD_IO_GGUF_H

#include "err.h"
#include "ggml/type.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Types of metadata values, by their numbers in the file. */
typedef enum {
    RSD_GGUF_U8,
    RSD_GGUF_I8,
    RSD_GGUF_U16,
    RSD_GGUF_I16,
    RSD_GGUF_U32,
    RSD_GGUF_I32,
    RSD_GGUF_F32,
    RSD_GGUF_BOOL,
    RSD_GGUF_TEXT,
    RSD_GGUF_ARRAY,
    RSD_GGUF_U64,
    RSD_GGUF_I64,
    RSD_GGUF_F64,
    RSD_GGUF_TYPES
} rsd_gguf_type;

enum { RSD_GGUF_DIMS_MAX = 4 };

/* Bytes that need no end mark and may hold zeros. */
typedef struct {
    const char *byte;
    size_t n;
} rsd_gguf_string;

/* One entry of the metadata. */
typedef struct {
    char *key;
    rsd_gguf_type type; /* of the items where it is an array */
    bool array;
    uint64_t count;    /* items; 1 where it is no array */
    const uint8_t *at; /* the first item, in the file */
    size_t bytes;      /* of all items, there */
} rsd_gguf_value;

typedef struct {
    char *name;
    const rsd_ggml_type *type;
    size_t ndim,
        shape[RSD_GGUF_DIMS_MAX]; /* the slowest first, as everywhere else: rows, columns */
    size_t elements;
    size_t offset, bytes; /* in the file */
} rsd_gguf_tensor;

typedef struct {
    uint32_t version;
    size_t alignment;
    size_t values, tensors;
    rsd_gguf_value *value;   /* sorted by key; `at` points into the bytes that were parsed */
    rsd_gguf_tensor *tensor; /* in order of offset */
} rsd_gguf;

/* Header of a file in memory; nothing of the tensors is read.  Free *out with rsd_gguf_free; after
 * a failure it is empty. Errors: RSD_EFORMAT, one line with the key or tensor and the numbers;
 * RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_parse(const uint8_t *data, size_t size, rsd_gguf *out);
void rsd_gguf_free(rsd_gguf *gguf);

const char *rsd_gguf_type_name(rsd_gguf_type t); /* "u32" */

/* NULL where there is none. */
const rsd_gguf_value *rsd_gguf_find(const rsd_gguf *gguf, const char *key);
const rsd_gguf_tensor *rsd_gguf_find_tensor(const rsd_gguf *gguf, const char *name);

/* Values by key, for readers of metadata.  Where the key is missing *value stays as it is.
 * Errors: RSD_EFORMAT, naming the key, for a value of another kind: size takes any whole number
 * that is not negative, or an array of equal ones (what some files give per layer); real any
 * number; text points into the file and is not terminated. */
RSD_CHECK int rsd_gguf_size(const rsd_gguf *gguf, const char *key, size_t *value);
RSD_CHECK int rsd_gguf_real(const rsd_gguf *gguf, const char *key, double *value);
RSD_CHECK int rsd_gguf_flag(const rsd_gguf *gguf, const char *key, bool *value);
RSD_CHECK int rsd_gguf_text(const rsd_gguf *gguf, const char *key, const char **text, size_t *n);

/* Lists by key, *n items in a block that the caller frees (*n 0, *out NULL where the key is
 * missing); the texts themselves point into the file.  Errors: RSD_EFORMAT, naming the key, for a
 * value of another kind; RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_texts(const rsd_gguf *gguf, const char *key, rsd_gguf_string **out,
                             size_t *n);
RSD_CHECK int rsd_gguf_f32s(const rsd_gguf *gguf, const char *key, float **out, size_t *n);
RSD_CHECK int rsd_gguf_i32s(const rsd_gguf *gguf, const char *key, int32_t **out, size_t *n);

#endif
