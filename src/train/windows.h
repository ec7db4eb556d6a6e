/* Windows of a token stream in the order in which a training takes them.
 *
 * Windows are those of rsd_windows (transformer/evaluate.h); some, which lie evenly over the stream
 * (rsd_window_at), may be held out.  Every epoch takes each of the others once, in a uniform
 * permutation that seed and epoch determine: what the k-th window of a training is depends on
 * nothing that ran before. */
#ifndef RSD_TRAIN_WINDOWS_H
#define RSD_TRAIN_WINDOWS_H

#include "io/tokens.h"

#include <stdint.h>

typedef struct {
    const rsd_tokens *tokens; /* the caller's */
    size_t context, count;    /* inputs of a window; windows of an epoch */
    size_t held_out;          /* windows that are in no epoch */
    uint64_t seed;
    size_t epoch, *order; /* of the epoch that was read last */
    int32_t *token;       /* context + 1: one window with its last target */
} rsd_window_reader;

/* Free with rsd_window_reader_free, also after an error.
 * Errors: RSD_EARG when the tokens fill no window, or none but those that are held out;
 * RSD_ENOMEM. */
RSD_CHECK int rsd_window_reader_alloc(const rsd_tokens *tokens, size_t context, size_t held_out,
                                      uint64_t seed, rsd_window_reader *out);
void rsd_window_reader_free(rsd_window_reader *r);

/* Windows first, first + 1, ... of all that a training ever takes: inputs and their next tokens,
 * count x context each.  Errors: the token stream's, RSD_ENOMEM. */
RSD_CHECK int rsd_window_reader_read(rsd_window_reader *r, size_t first, size_t count,
                                     int32_t *input, int32_t *target);

#endif
