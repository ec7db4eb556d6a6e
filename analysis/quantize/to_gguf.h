/* Writing a quantized model as a GGUF file that llama.cpp loads. */
#ifndef RSD_QUANTIZE_GGUF_H
#define RSD_QUANTIZE_GGUF_H

#include "quantize/model_folder.h"

/* The tensors that job->select takes are what their quantizer packs; of the others vectors and
 * position tables are float32, matrices bfloat16 where the model has them so, else float16.
 * Memory is bounded by the largest matrix.  What differs from what was asked (other types where
 * rows do not fill blocks, no vocabulary) is noted.
 * Errors: RSD_ENOTFOUND for an architecture that GGUF is not written of, RSD_EFORMAT for a model
 * that is not whole or that llama.cpp would compute otherwise, RSD_EUSAGE for a quantizer that GGUF
 * has no type for, RSD_EDOM for NaN, Inf and what float16 does not reach; RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int quantize_to_gguf(const quantize_job *job, const rsd_model *model);

#endif
