/* Text to tokens, as a model's tokenizer.json says: byte-pair encoding, byte-level (GPT-2, NeoX,
 * Llama 3, Qwen) or SentencePiece's with byte fallback (Llama 2), token for token what Hugging
 * Face's `tokenizers` answers.
 *
 *   added tokens | normalizer | added tokens that are normalized | pre_tokenizer | BPE | template
 *
 * What a file asks for that is not known here is refused by its name, never ignored: models other
 * than BPE, normalizers and pre_tokenizers that normalize.h and pretokenize.h do not list,
 * post_processors other than TemplateProcessing and ByteLevel, dropout, truncation, padding,
 * continuing_subword_prefix and end_of_word_suffix.  The decoder is not looked at. */
#ifndef RSD_IO_TOKENIZER_H
#define RSD_IO_TOKENIZER_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsd_tokenizer rsd_tokenizer;

/* Errors: RSD_EIO, RSD_EFORMAT with the file's name and what is wrong or not supported. */
RSD_CHECK int rsd_tokenizer_load(const char *path, rsd_tokenizer **out);
/* The file's bytes. */
RSD_CHECK int rsd_tokenizer_parse(const uint8_t *data, size_t size, rsd_tokenizer **out);
void rsd_tokenizer_free(rsd_tokenizer *t);

/* One more than the largest id: what a model's vocab_size must reach. */
size_t rsd_tokenizer_vocab(const rsd_tokenizer *t);

/* The id of a token by its text as the file writes it ("<s>", "<|endoftext|>"); false: none. */
bool rsd_tokenizer_find(const rsd_tokenizer *t, const char *token, int32_t *id);

/* Does the post_processor put tokens around a text (a BOS, an EOS)? */
bool rsd_tokenizer_has_template(const rsd_tokenizer *t);

/* Tokens, and the bytes of the text that each stands for.  All zero is empty; free it with
 * rsd_encoding_free. */
typedef struct {
    int32_t *id;
    uint32_t *bytes; /* bytes[i]: of token id[i] */
    size_t count, id_capacity, bytes_capacity;
} rsd_encoding;

/* Append the tokens of one document of n bytes.  special: with what the template puts around it.
 * Every byte belongs to one token, also where text was rewritten: bytes sum to n, unless there is
 * no token at all; template tokens have 0.  The text of special tokens becomes these tokens.
 * Not for two threads at once.
 * Errors: RSD_EDOM for invalid UTF-8 (with the byte offset), for a character that no token can
 * express, for a pattern that takes too long; RSD_EARG for 2^32 bytes and more; RSD_ENOMEM.  What
 * was appended before stays, what this call appended is taken back. */
RSD_CHECK int rsd_tokenizer_encode(rsd_tokenizer *t, const uint8_t *text, size_t n, bool special,
                                   rsd_encoding *out);
/* Append one token.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_encoding_put(rsd_encoding *e, int32_t id, uint32_t bytes);
void rsd_encoding_free(rsd_encoding *e);

#endif
