/* A byte-level tokenizer of one's own: how the embedded model's was made.
 *
 * Words by GPT-2's pattern, 256 letters for bytes, then the most frequent pair of neighbours within
 * words becomes a token, again and again (Sennrich et al. 2016, algorithm 1).  Of equally frequent
 * pairs the one of the lower first id, then of the lower second id: the result depends on the text
 * and the size only, and is that of Hugging Face's BpeTrainer with initial_alphabet. */
#ifndef RSD_IO_BPE_TRAIN_H
#define RSD_IO_BPE_TRAIN_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct {
    size_t vocab_size;     /* tokens in all: separator, 256 letters, merges; 257 .. 2^20 */
    size_t least;          /* a pair must occur so often; 0 or 1: once */
    const char *separator; /* of documents (documents.h), token 0; NULL: "<|endoftext|>" */
} rsd_bpe_training;

/* Train on n bytes of text and write tokenizer.json, which this program and the Python package
 * load.  *made: tokens, fewer than asked for where the text gives no more pairs (may be NULL).
 * Cost: O(n + vocab_size * (letters of the different words + different pairs)).
 * Errors: RSD_EARG (vocab_size, separator), RSD_EDOM where the text is not UTF-8, RSD_EIO,
 * RSD_ENOMEM. */
RSD_CHECK int rsd_bpe_train(const uint8_t *text, size_t n, const rsd_bpe_training *options,
                            const char *path, size_t *made);

#endif
