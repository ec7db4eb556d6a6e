/* Which tensors a GGUF file of a model has, and of which types: known before any data are read. */
#ifndef RSD_QUANTIZE_GGUF_PLAN_H
#define RSD_QUANTIZE_GGUF_PLAN_H

#include "ggml/type.h"
#include "io/gguf_layout.h"
#include "quantize/model_folder.h"
#include "transformer/arch.h"

/* A tensor of the file. */
typedef struct {
    rsd_gguf_place place;
    const rsd_tensor *tensor; /* NULL: rope_freqs, which no checkpoint has */
    size_t rows, cols;        /* a vector is one column here, one dimension in the file */
    const rsd_ggml_type *type;
    const rsd_spec *wanted;     /* NULL: no quantizer */
    const rsd_ggml_type *asked; /* its type */
    rsd_spec spec;              /* what it became for rows of this length */
} gguf_item;

typedef struct {
    const quantize_job *job;
    const rsd_model *model;
    const char *model_type, *architecture; /* as config.json and as GGUF call it */
    const rsd_arch *arch;
    rsd_shape shape;
    gguf_item *item;
    size_t count, taken; /* taken: by a quantizer */
    float *rope_factors; /* NULL, or the data of rope_freqs */
} gguf_plan;

/* Free with gguf_plan_free also after a failure.  Errors: those of quantize_to_gguf that need no
 * data. */
RSD_CHECK int gguf_plan_make(const quantize_job *job, const rsd_model *model, gguf_plan *out);
void gguf_plan_free(gguf_plan *p);

/* Tell the user what types became others, and how often. */
void gguf_plan_note_fallbacks(const gguf_plan *p);

/* The type that most quantized weights have. */
const rsd_ggml_type *gguf_plan_main_type(const gguf_plan *p);

#endif
