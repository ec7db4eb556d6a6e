/* A config.json for weights that are no longer what it says: the text is changed where it must be,
 * and nowhere else. */
#ifndef RSD_QUANTIZE_CONFIG_TEXT_H
#define RSD_QUANTIZE_CONFIG_TEXT_H

#include "err.h"

/* The configuration of a model whose weights are plain numbers now: without what tells a reader
 * that they are stored quantized (quantization_config, compression_config), and of this type
 * (torch_dtype, dtype: "float32"), since readers round to what is named, or to what they find
 * first.  So also in the parts of a configuration (text_config, ...).  json: an object as Python
 * writes it, Infinity and all.  Errors: RSD_EFORMAT where it is none, with the offset; RSD_ENOMEM.
 * Caller frees *out. */
RSD_CHECK int config_of_numbers(const char *json, const char *type, char **out);

#endif
