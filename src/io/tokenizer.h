/* Text to tokens, as a model's tokenizer.json or the vocabulary of a GGUF file says: byte-pair
 * encoding, byte-level (GPT-2, NeoX, Llama 3, Qwen) or SentencePiece's with byte fallback (Llama
 * 2), token for token what Hugging Face's `tokenizers`, or llama.cpp, answers.
 *
 *   added tokens | normalizer | added tokens that are normalized | pre_tokenizer | BPE | template
 *
 * What a file asks for that is not known here is refused by its name, never ignored: models other
 * than BPE, normalizers and pre_tokenizers that normalize.h and pretokenize.h do not list,
 * post_processors other than TemplateProcessing and ByteLevel, dropout, continuing_subword_prefix
 * and end_of_word_suffix.  The decoder is not looked at; truncation and padding are not done: texts
 * have the length that they have. */
#ifndef RSD_IO_TOKENIZER_H
#define RSD_IO_TOKENIZER_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsd_tokenizer rsd_tokenizer;

/* A tokenizer.json, or a GGUF file (by its first bytes; of a split model any part).
 * Errors: RSD_EIO, RSD_EFORMAT with the file's name and what is wrong or not supported. */
RSD_CHECK int rsd_tokenizer_load(const char *path, rsd_tokenizer **out);
/* That of a model: a folder's tokenizer.json, a GGUF file's vocabulary.  Errors: as above. */
RSD_CHECK int rsd_tokenizer_load_model(const char *source, rsd_tokenizer **out);
/* The bytes of a tokenizer.json.  Errors: RSD_EFORMAT, RSD_ENOMEM. */
RSD_CHECK int rsd_tokenizer_parse(const uint8_t *data, size_t size, rsd_tokenizer **out);
void rsd_tokenizer_free(rsd_tokenizer *t);

/* One more than the largest id: what a model's vocab_size must reach. */
size_t rsd_tokenizer_vocab(const rsd_tokenizer *t);

/* The id of a token by its text as the file writes it ("<s>", "<|endoftext|>"); false: none. */
bool rsd_tokenizer_find(const rsd_tokenizer *t, const char *token, int32_t *id);

/* Does the post_processor put tokens around a text (a BOS, an EOS)? */
bool rsd_tokenizer_has_template(const rsd_tokenizer *t);

/* What the file asks for and is not done, for the user; "" where there is nothing. */
const char *rsd_tokenizer_note(const rsd_tokenizer *t);

/* Characters of all texts so far that no token covers. */
typedef struct {
    size_t
        dropped; /* left out: there is neither an unk_token nor tokens of single bytes for them */
    size_t unknown; /* became the unk_token; where the file fuses them, some one together */
    uint32_t first; /* the first of them, as the text has it */
} rsd_uncovered;
rsd_uncovered rsd_tokenizer_uncovered(const rsd_tokenizer *t);

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
 * Errors: RSD_EDOM for invalid UTF-8 (with the byte offset), for a pattern that takes too long;
 * RSD_EARG for 2^32 bytes and more; RSD_ENOMEM.  What was appended before stays, what this call
 * appended is taken back. */
RSD_CHECK int rsd_tokenizer_encode(rsd_tokenizer *t, const uint8_t *text, size_t n, bool special,
                                   rsd_encoding *out);
/* Append one token.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_encoding_put(rsd_encoding *e, int32_t id, uint32_t bytes);
void rsd_encoding_free(rsd_encoding *e);

#endif
