/* A tokenizer.json, or the vocabulary of another GGUF file, as the metadata from which llama.cpp
 * builds its own tokenizer.
 *
 * Two kinds are known there and written: `llama`, SentencePiece's byte-pair encoding, which merges
 * what makes the token of highest score (a token's score is minus the rank of the first merge that
 * makes it), and `gpt2`, byte-level encoding with a list of merges and a name for the expression
 * that cuts the text (tokenizer.ggml.pre).  A normalizer of the byte-level kind (NFC) has no place
 * in GGUF and is left out, as llama.cpp's own converter does.
 * Source: llama.cpp, src/llama-vocab.cpp and gguf-py/gguf/vocab.py. */
#ifndef RSD_IO_GGUF_VOCABULARY_H
#define RSD_IO_GGUF_VOCABULARY_H

#include "io/gguf_write.h"

enum { RSD_GGUF_NOTE_MAX = 256 };

/* Put tokenizer.* of source.  A GGUF file: all that it has, as it stands.  A model folder: from
 * tokenizer.json, from tokenizer_config.json where it is there (special tokens, chat template), and
 * from the ids in config, the text of config.json.
 * vocab: rows of the token table; ids that no token has become unused tokens [PADi].
 * note: a line for the user where the result is less than the folder says (no tokenizer.json, one
 * of another kind: then no vocabulary; a cutting expression that llama.cpp has no name for), else
 * "".  Errors: RSD_EFORMAT for a broken file, an id beyond vocab, two ids of one text; RSD_EIO;
 * RSD_ENOMEM; those of rsd_gguf_put_*. */
RSD_CHECK int rsd_gguf_put_vocabulary(rsd_gguf_writer *w, const char *source, const char *config,
                                      size_t vocab, char note[RSD_GGUF_NOTE_MAX]);

#endif
