/* A model: named tensors read from wherever they are stored.
 *
 * Sources: a Hugging Face folder (config.json; model.safetensors or shards with
 * model.safetensors.index.json), one .safetensors, one .gguf (or any of its parts), one .npy,
 * `synthetic:...`.  A Python pickle (.bin, .pt, .pth, .ckpt) is refused with the one-line
 * conversion; never executed.
 *
 * A model that is stored quantized is read as what its bytes stand for: GGUF's block types, and
 * GPTQ, AWQ, bitsandbytes, compressed-tensors, float8 and FP4 layers of Hugging Face checkpoints
 * (model/prequantized.h), whose arrays appear as the one matrix NAME.weight that they were made
 * from.  A weight whose numbers are not known, for want of a scale, is listed, and fails to be
 * read.  Tensors of a GGUF file have the names, and the order of rows, that they have in the
 * Hugging Face checkpoint it was made from, where its architecture is known (gguf/names.h); X.scale
 * has multiplied X.weight; its configuration is made from its metadata. */
#ifndef RSD_IO_MODEL_H
#define RSD_IO_MODEL_H

#include "err.h"
#include "io/dtype.h"
#include "io/model/roles.h"
#include "io/npy.h"
#include "mat.h"

enum { RSD_STORED_MAX = 32 };

typedef struct {
    const char *name;
    rsd_dtype dtype;                  /* of the numbers; F32 for blocks and codes */
    char stored[RSD_STORED_MAX];      /* how the file stores them: "F16", "q4_K", "gptq-4 g128" */
    size_t stored_bytes;              /* that they take there, scales and all */
    size_t ndim, shape[RSD_DIMS_MAX]; /* as stored */
    rsd_role role;
    size_t rows, cols; /* of the matrix out x in; 0 unless matrix */
    bool matrix;       /* 2-D and of a real type: can be analyzed */
    size_t elements;
} rsd_tensor;

typedef struct rsd_model rsd_model;

/* Memory-mapped; nothing is read but headers.  Free with rsd_model_close.
 * Errors: RSD_ENOTFOUND/RSD_EIO (no such path, missing shard), RSD_EFORMAT, RSD_EUSAGE. */
RSD_CHECK int rsd_model_open(const char *source, rsd_model **out);
void rsd_model_close(rsd_model *model);

const char *rsd_model_source(const rsd_model *model);       /* as given */
const char *rsd_model_name(const rsd_model *model);         /* last part of the path */
const char *rsd_model_architecture(const rsd_model *model); /* model_type, "unknown", "synthetic" */
const char *rsd_model_config(const rsd_model *model);       /* JSON text, or "{}" */
size_t rsd_model_parameters(const rsd_model *model);        /* elements of all real tensors */

/* Tensors in natural order: outside the blocks first, then by layer, then as stored. */
size_t rsd_model_count(const rsd_model *model);
const rsd_tensor *rsd_model_tensor(const rsd_model *model, size_t i);
const rsd_tensor *rsd_model_find(const rsd_model *model, const char *name); /* or NULL */

/* W, out x in whichever way it is stored, as float32; W has the tensor's rows x cols.  The file's
 * pages are given back.  Threads may read different tensors at once.  NaN is not looked for here.
 * Errors: RSD_EIO (the file was cut meanwhile), RSD_EFORMAT (a block type that is not read, codes
 * that contradict themselves), RSD_ENOMEM. */
RSD_CHECK int rsd_model_read(const rsd_model *model, const rsd_tensor *t, rsd_mat W);

/* Any real tensor, flat, as stored: x[t->elements].  Errors: as above. */
RSD_CHECK int rsd_model_read_flat(const rsd_model *model, const rsd_tensor *t, float *x);

/* The stored bytes, for copying a tensor that is not touched.  Valid while the model is open;
 * NULL where they are not numbers of t->dtype: synthetic, or stored in blocks or codes. */
const void *rsd_model_bytes(const rsd_model *model, const rsd_tensor *t, size_t *bytes);

/* SHA-256 that names the weights.  One file: the file's.  Shards: that of the lines
 * "<sha256>  <file name>\n" sorted by name, which `sha256sum *.safetensors | sha256sum` prints.
 * synthetic: of its canonical text.  Reads every byte.
 * Errors: RSD_EIO. */
RSD_CHECK int rsd_model_sha256(const rsd_model *model, char hex[65]);

#endif
