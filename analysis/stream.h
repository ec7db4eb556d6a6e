/* --tokens, --context and --max-tokens: a token stream, cut into windows for a model. */
#ifndef RSD_STREAM_H
#define RSD_STREAM_H

#include "io/model.h"
#include "io/tokens.h"
#include "transformer/arch.h"

typedef struct {
    rsd_tokens *tokens;
    size_t context, windows;
    size_t batch; /* windows a pass: about 2048 tokens */
} stream;

/* context 0: the model's, at most 2048; max_tokens 0: all.  Text is read with the tokenizer.json of
 * the model's folder.  Free with stream_close, also after a failure.
 * Errors: RSD_EUSAGE where path is NULL, the context above the model's, or no window filled; those
 * of rsd_tokenizer_load and rsd_tokens_open. */
RSD_CHECK int stream_open(const char *path, const rsd_model *model, const rsd_shape *shape,
                          size_t context, size_t max_tokens, stream *out);
void stream_close(stream *s);

#endif
