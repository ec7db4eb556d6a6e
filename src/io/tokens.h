/* A stream of token ids with random access: --tokens.
 *
 *   NAME.u16, NAME.u32   raw little-endian
 *   NAME.npy             one dimension, uint16, int16, uint32, int32, uint64 or int64
 *   NAME.bin, NAME.idx   Megatron's pair (megatron.h), by either name; sequences in file order
 *   NAME.txt             text, with the model's tokenizer.json
 *
 * Binary streams are mapped, not read: memory does not grow with them.  Text is tokenized when it
 * is opened: 8 bytes a token.
 *
 * Text is cut into documents (documents.h): a separator divides the file, white space at both ends
 * of a document is not part of it, the text behind the last separator is a document like the others
 * even if the file was cut there, and a file without separator is one document as it stands.  Every
 * document gets what the tokenizer's template puts around it (Llama: <s> before it).  With a
 * tokenizer whose template adds nothing (GPT-2, NeoX) the separator itself stands between two
 * documents where it is one of its tokens, as in their training data.  The token streams that come
 * with the TinyStories checkpoints are exactly this of tinystories.txt. */
#ifndef RSD_IO_TOKENS_H
#define RSD_IO_TOKENS_H

#include "err.h"
#include "io/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct rsd_tokens rsd_tokens;

typedef struct {
    rsd_tokenizer *tokenizer; /* for text, used during open only; NULL: text is refused */
    const char *separator;    /* of documents in text; NULL: "<|endoftext|>"; "": none */
    size_t vocab;             /* ids must be less; 0: any */
    size_t limit;             /* the stream ends after this many tokens; 0: no limit */
} rsd_tokens_options;

/* Errors: RSD_EIO; RSD_EARG for another kind of file (by its name) and for text without tokenizer;
 * RSD_EFORMAT for a file that is not what its name says, or without tokens; RSD_EDOM for text that
 * is not UTF-8.  options may be NULL: all zero. */
RSD_CHECK int rsd_tokens_open(const char *path, const rsd_tokens_options *options,
                              rsd_tokens **out);
void rsd_tokens_close(rsd_tokens *t);

/* "u16", "u32", "npy", "megatron" or "text". */
const char *rsd_tokens_format(const rsd_tokens *t);

size_t rsd_tokens_count(const rsd_tokens *t);

/* Tokens [first, first + n).  By several threads at once, if need be.
 * Errors: RSD_EARG outside the stream; RSD_EDOM for an id that is negative, above 2^31 - 1 or not
 * below vocab, with its position; RSD_EIO where the file was cut meanwhile. */
RSD_CHECK int rsd_tokens_read(const rsd_tokens *t, size_t first, size_t n, int32_t *out);

/* Can the stream tell the bytes of text that its tokens stand for (text only)? */
bool rsd_tokens_has_bytes(const rsd_tokens *t);

/* UTF-8 bytes of the documents that tokens [first, first + n) stand for: for bits per byte, those
 * of the targets.  Summed over the stream: the bytes of all documents without separators and what
 * was trimmed.  Template and separator tokens have none. Errors: RSD_EARG outside the stream or
 * without text. */
RSD_CHECK int rsd_tokens_bytes(const rsd_tokens *t, size_t first, size_t n, uint64_t *bytes);

#endif
