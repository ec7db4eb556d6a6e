/* Private to src/io: a config.json as a Hugging Face checkpoint would have it, from the metadata of
 * a GGUF file. */
#ifndef RSD_IO_GGUF_CONFIG_H
#define RSD_IO_GGUF_CONFIG_H

#include "err.h"
#include "io/gguf.h"
#include "io/gguf/names.h"

/* JSON text, which the caller frees.  Complete for the architectures that are run (Llama, Mistral,
 * Qwen2, GPT-2, GPT-NeoX), only model_type for the others.  What the metadata ask for and the keys
 * of a configuration can say is said, so that whoever does not implement it refuses it by name.
 * data: the bytes that gguf was parsed from.  Errors: RSD_EFORMAT, RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_config(const rsd_gguf *gguf, const uint8_t *data, const rsd_gguf_arch *arch,
                              char **out);

/* Query and key-value heads, for the order of rows; 0 where the metadata do not say. */
RSD_CHECK int rsd_gguf_heads(const rsd_gguf *gguf, const char *arch, size_t *heads,
                             size_t *kv_heads);

#endif
