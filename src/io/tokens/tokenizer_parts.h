/* Private to src/io/tokens.  What a tokenizer is made of: shared by the files that read it and the
 * one that encodes. */
#ifndef RSD_IO_TOKENIZER_PRIVATE_H
#define RSD_IO_TOKENIZER_PRIVATE_H

#include "io/gguf.h"
#include "io/tokenizer.h"
#include "io/tokens/added.h"
#include "io/tokens/bpe.h"
#include "io/tokens/normalize.h"
#include "io/tokens/pretokenize.h"

/* Ids are int32 in every token stream. */
enum { RSD_ID_MOST = INT32_MAX - 1 };

/* A list of ids. */
typedef struct {
    int32_t *id;
    size_t count, capacity;
} rsd_ids;

/* Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_ids_append(rsd_ids *ids, const int32_t *id, size_t count);

struct rsd_tokenizer {
    rsd_added raw, normalized; /* added tokens, looked for before and after the normalizer */
    rsd_intern names;          /* of the added tokens, as the file writes them, and their ids */
    rsd_ids named;
    rsd_normalizer *normalizer;
    rsd_pretokenizer *pretokenizer;
    rsd_bpe *bpe;
    rsd_ids before, after;
    size_t vocab;
    const char *note; /* NULL: none */
    rsd_uncovered uncovered;
};

static inline void rsd_tokenizer_count_id(rsd_tokenizer *t, size_t id)
{
    if (t->vocab <= id)
        t->vocab = id + 1;
}

/* One more added token, by its text for rsd_tokenizer_find and in the search before the normalizer
 * or (normalized) behind it.  The text is copied.  Errors: RSD_EFORMAT where it is there twice;
 * RSD_ENOMEM. */
RSD_CHECK int rsd_tokenizer_add(rsd_tokenizer *t, rsd_added_token token, bool normalized);

/* What a GGUF file's tokenizer.ggml.* describe, as llama.cpp builds it; nothing of gguf is kept.
 * Errors: RSD_EFORMAT, naming the key, for a vocabulary that is missing, of another kind, cut by
 * what has no name here, or that contradicts itself; RSD_ENOMEM. */
RSD_CHECK int rsd_tokenizer_from_gguf(const rsd_gguf *gguf, rsd_tokenizer **out);

/* The file's "post_processor" (NULL or null: none), into before and after.  Errors: RSD_EFORMAT. */
RSD_CHECK int rsd_tokenizer_parse_processor(const struct json_t *json, rsd_tokenizer *t);

#endif
