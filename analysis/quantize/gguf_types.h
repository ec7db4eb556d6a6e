/* Which number type of GGUF holds what a quantizer packs. */
#ifndef RSD_QUANTIZE_GGUF_TYPES_H
#define RSD_QUANTIZE_GGUF_TYPES_H

#include "ggml/type.h"
#include "quantizers/quantizer.h"

#include <stdint.h>

/* Errors: RSD_EUSAGE when GGUF has no such type; the message lists the quantizers that have one. */
RSD_CHECK int gguf_type_of(const rsd_spec *spec, const rsd_ggml_type **out);

/* The same for rows of n columns.  Where they do not fill the type's blocks, *spec becomes what
 * llama.cpp's quantize takes then: of a type with blocks of 256 one with blocks of 32, else fp16.
 * Source: llama.cpp, src/llama-quant.cpp, tensor_type_fallback. */
RSD_CHECK int gguf_type_for_columns(rsd_spec *spec, size_t n, const rsd_ggml_type **out);

/* general.file_type of a file that is mostly of this type; 1024 ("guessed") where there is none. */
uint32_t gguf_file_type(const rsd_ggml_type *type);

#endif
