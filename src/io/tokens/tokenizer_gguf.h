/* The tokenizer that the metadata of a GGUF file describe (tokenizer.ggml.*), as llama.cpp builds
 * it.
 *
 *   gpt2    byte-level, with a list of merges, and a name for what cuts the text (gguf/pre.h)
 *   llama   SentencePiece's: of all neighbours that make a token together, those whose token has
 * the highest score, the leftmost first; characters without a token become bytes
 *
 * Control tokens and those of the user are found in the text before anything else.  A normalizer
 * (Qwen's NFC) has no place in GGUF: text is taken as it stands.
 * Source: llama.cpp, src/llama-vocab.cpp. */
#ifndef RSD_IO_TOKENIZER_GGUF_H
#define RSD_IO_TOKENIZER_GGUF_H

#include "err.h"
#include "io/gguf.h"
#include "io/tokenizer.h"

/* Nothing of gguf is kept.  Errors: RSD_EFORMAT, naming the key, for a vocabulary that is missing,
 * of another kind, cut by what has no name here, or that contradicts itself; RSD_ENOMEM. */
RSD_CHECK int rsd_tokenizer_from_gguf(const rsd_gguf *gguf, rsd_tokenizer **out);

#endif
