/* What a tokenizer is made of: shared by the file that reads it and the one that encodes. */
#ifndef RSD_IO_TOKENIZER_PRIVATE_H
#define RSD_IO_TOKENIZER_PRIVATE_H

#include "io/added.h"
#include "io/bpe.h"
#include "io/normalize.h"
#include "io/pretokenize.h"
#include "io/tokenizer.h"

/* Ids of the template. */
typedef struct {
    int32_t *id;
    size_t count, capacity;
} rsd_ids;

struct rsd_tokenizer {
    rsd_added raw, normalized; /* added tokens, looked for before and after the normalizer */
    rsd_normalizer *normalizer;
    rsd_pretokenizer *pretokenizer;
    rsd_bpe *bpe;
    rsd_ids before, after;
    size_t vocab;
};

#endif
