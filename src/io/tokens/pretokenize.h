/* Private to src/io/tokens.  Pre-tokenizers of tokenizer.json: how text is cut into the words that
 * byte-pair encoding sees.
 *
 * ByteLevel, Split, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit, Sequence. */
#ifndef RSD_IO_PRETOKENIZE_H
#define RSD_IO_PRETOKENIZE_H

#include "err.h"
#include "io/tokens/text.h"

struct json_t;

typedef struct rsd_pretokenizer rsd_pretokenizer;

/* Gets a word, which is valid during the call.  Non-zero stops and is passed on. */
typedef int rsd_piece_sink(void *context, rsd_piece word);

/* json: the file's "pre_tokenizer"; with NULL or null a text is one word.
 * Errors: RSD_EFORMAT for what is unknown or malformed, by its name. */
RSD_CHECK int rsd_pretokenizer_parse(const struct json_t *json, rsd_pretokenizer **out);
void rsd_pretokenizer_free(rsd_pretokenizer *p);

/* Does it treat the begin of a document unlike other text (Metaspace's prepend_scheme "first")? */
bool rsd_pretokenizer_knows_start(const rsd_pretokenizer *p);

/* Hand the words of a text to sink, in order; no word is empty.
 * Errors: RSD_ENOMEM, RSD_EDOM (a pattern that takes too long), the sink's. */
RSD_CHECK int rsd_pretokenizer_run(rsd_pretokenizer *p, rsd_piece text, rsd_piece_sink *sink,
                                   void *context);

/* The letter that stands for a byte in byte-level vocabularies, in UTF-8; its length (1 or 2).
 * Printable Latin-1 stands for itself, the 68 others for U+0100 on (Radford et al. 2019, GPT-2's
 * encoder). */
size_t rsd_byte_letter(uint8_t byte, uint8_t out[4]);

#endif
