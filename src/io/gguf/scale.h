/* Private to src/io.  Scales beside weights: X.scale, one F32 (one per expert of a stack),
 * multiplies what X.weight's blocks stand for (NVFP4's second scale, BitNet's).  X.input_scale is
 * for kernels that quantize their inputs, too; it changes no weight.
 * Source: llama.cpp, llama_model_base::load_tensors and build_lora_mm. */
#ifndef RSD_IO_GGUF_SCALE_H
#define RSD_IO_GGUF_SCALE_H

#include "err.h"
#include "io/gguf/split.h"

#include <stdbool.h>

/* What expert e of the weight (0 where it is no stack) is multiplied by, 1 where no scale lies
 * beside it in any part; *bytes: that the scale takes in the file.
 * Errors: RSD_EFORMAT for a scale that is not F32 or not one number each of `experts`. */
RSD_CHECK int rsd_gguf_scale_of(const rsd_gguf_parts *parts, const rsd_gguf_tensor *weight,
                                size_t e, size_t experts, float *scale, size_t *bytes);

/* Is this tensor a scale, or an input's, of a weight that is there? */
bool rsd_gguf_is_scale(const rsd_gguf_parts *parts, const rsd_gguf_tensor *t);

#endif
