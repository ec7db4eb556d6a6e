/* Private to src/io/tokens.  Byte-pair encoding of one word: its characters, merged pair by pair,
 * the merge of lowest rank first and the leftmost of these first, until no merge applies (Sennrich,
 * Haddow & Birch, ACL 2016, arXiv 1508.07909), with what SentencePiece and Hugging Face added to
 * it. */
#ifndef RSD_IO_BPE_H
#define RSD_IO_BPE_H

#include "err.h"
#include "io/intern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A token of a word: it stands for the next `bytes` bytes. */
typedef struct {
    uint32_t id, bytes;
} rsd_bpe_token;

typedef struct {
    bool byte_fallback; /* characters that are no token become tokens <0x00> ... <0xFF> */
    bool fuse_unk;      /* unknown characters in a row become one token */
    bool ignore_merges; /* a word that is a token is that token, whatever the merges say */
} rsd_bpe_flags;

/* A word's tokens, and its characters that no token covers: where there are no tokens of single
 * bytes for them they became the unknown token (fuse_unk: some together), or, where there is none,
 * were left out.  Their bytes belong to a neighbour. */
typedef struct {
    const rsd_bpe_token *token; /* the model's own, until the next call */
    size_t count;
    size_t dropped, unknown;
    size_t first; /* offset of the first of them */
} rsd_bpe_word;

typedef struct rsd_bpe rsd_bpe;

/* An empty model; free with rsd_bpe_free.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_bpe_alloc(rsd_bpe_flags flags, rsd_bpe **out);
void rsd_bpe_free(rsd_bpe *bpe);

/* All tokens, then all merges in the order of their rank, then at most one unknown token.
 * Errors: RSD_EFORMAT where a token is there twice, where a merge's parts or their concatenation
 * are no tokens, or the unknown token is none. */
RSD_CHECK int rsd_bpe_add_token(rsd_bpe *bpe, const char *text, size_t n, uint32_t id);
RSD_CHECK int rsd_bpe_add_merge(rsd_bpe *bpe, const char *a, size_t an, const char *b, size_t bn);
/* The same with a rank of one's own, which several merges may share: then the leftmost comes first.
 * Errors of both: as above. */
RSD_CHECK int rsd_bpe_add_ranked(rsd_bpe *bpe, const char *a, size_t an, const char *b, size_t bn,
                                 uint32_t rank);
RSD_CHECK int rsd_bpe_set_unknown(rsd_bpe *bpe, const char *text, size_t n);

bool rsd_bpe_find(const rsd_bpe *bpe, const char *text, size_t n, uint32_t *id);

/* A word of n bytes of checked UTF-8.  Words are remembered.  Not for two threads at once.
 * Errors: RSD_EARG for words of 2^32 bytes; RSD_ENOMEM. */
RSD_CHECK int rsd_bpe_encode(rsd_bpe *bpe, const uint8_t *word, size_t n, rsd_bpe_word *out);

#endif
