/* Adapters in the format of Hugging Face's PEFT: a folder with adapter_config.json and
 * adapter_model.safetensors, whose tensors are base_model.model.MODULE.lora_A.weight (rank x in),
 * .lora_B.weight (out x rank) and, for dora, .lora_magnitude_vector (out).
 *
 * What PEFT has no variant for is written as the LoRA that computes the same: adalora's lambda goes
 * into B, and triplets whose lambda is 0 are left out, with the layers that have no other; columns
 * of qalora's A are repeated, since p(x) A' = x A' with repeated columns. */
#ifndef RSD_ADAPTERS_PEFT_H
#define RSD_ADAPTERS_PEFT_H

#include "adapters/adapter.h"

#include <stdbool.h>

typedef struct {
    const char *base; /* base_model_name_or_path; NULL: null */
    bool rslora;      /* say the scale as alpha / sqrt(rank), not alpha / rank */
} rsd_peft_options;

/* w: the model's, for its architecture and shape; float32 numbers.  Modules are named as
 * transformers names them, whatever the names in the model's files.
 * Errors: RSD_EARG when no layer has a rank; RSD_ENOTFOUND for an architecture whose names are not
 * known; RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int rsd_peft_write(const char *folder, const rsd_adapters *a, const rsd_weights *w,
                             const rsd_peft_options *options);

/* lora or dora, as the configuration says; any real number type.  For dora, the base must be the
 * one that it was trained on, as always.  Free *out with rsd_adapters_free, also after an error.
 * Errors: RSD_EIO; RSD_EFORMAT for what rsd_peft_config_read refuses, a tensor that belongs to no
 * linear layer of a block, is missing, there twice or of another shape than the model's; RSD_EDOM
 * for NaN or Inf; RSD_EARG for a rank above what the layer can have; RSD_ENOMEM. */
RSD_CHECK int rsd_peft_read(const char *folder, const rsd_weights *w, rsd_adapters *out);

#endif
