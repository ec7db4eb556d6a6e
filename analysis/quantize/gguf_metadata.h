/* A model's numbers as llama.cpp's metadata. */
#ifndef RSD_QUANTIZE_GGUF_METADATA_H
#define RSD_QUANTIZE_GGUF_METADATA_H

#include "io/gguf_write.h"
#include "transformer/arch.h"

/* Errors: RSD_EFORMAT for what the architecture has no way to say or always computes otherwise: an
 * activation, heads that do not add up to the width, Llama 3.1's frequencies outside llama.
 * GPT-2's and GPT-NeoX's GELU is the one with tanh in llama.cpp, whichever the model has. */
RSD_CHECK int gguf_check_shape(const char *architecture, const rsd_shape *s);

/* general.* and <architecture>.*. */
RSD_CHECK int gguf_put_shape(rsd_gguf_writer *w, const char *architecture, const char *name,
                             uint32_t file_type, const rsd_shape *s);

#endif
