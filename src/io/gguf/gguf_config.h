/* Private to src/io: a config.json as a Hugging Face checkpoint would have it, from the metadata of
 * a GGUF model. */
#ifndef RSD_IO_GGUF_CONFIG_H
#define RSD_IO_GGUF_CONFIG_H

#include "err.h"
#include "io/gguf/names.h"
#include "io/gguf/split.h"

/* JSON text, which the caller frees.  Complete for the architectures that are run (Llama, Mistral,
 * Qwen2, GPT-2, GPT-NeoX), only model_type for the others.  What the metadata ask for, and no key
 * of a configuration can say, is there under its own name with its value as text
 * ("llama.attention.causal": "false (GGUF metadata)"): the model can be looked at, but who runs it
 * reads config.json strictly and refuses what it does not implement by that name.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_gguf_config(const rsd_gguf_parts *parts, const rsd_gguf_arch *arch, char **out);

/* Query and key-value heads, for the order of rows; 0 where the metadata do not say.
 * Errors: RSD_EFORMAT for what is no number of heads. */
RSD_CHECK int rsd_gguf_heads(const rsd_gguf *gguf, const char *arch, size_t *heads,
                             size_t *kv_heads);

#endif
