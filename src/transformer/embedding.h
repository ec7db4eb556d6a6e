/* Token and position embedding: y[m] = E[token[m]] + P[start + m mod T]. */
#ifndef RSD_TRANSFORMER_EMBEDDING_H
#define RSD_TRANSFORMER_EMBEDDING_H

#include "err.h"
#include "transformer/real.h"

#include <stdint.h>

typedef struct {
    size_t V, C;
    const rsd_real *E; /* V x C */
    const rsd_real *P; /* positions x C; NULL: none (rotary models) */
    size_t positions;
} rsd_embedding;

/* y (B*T x C) is written.  token[b*T + t] is at position start + t.
 * Errors: RSD_EDOM for a token outside 0 .. V-1, RSD_EARG when start + T exceeds the positions. */
RSD_CHECK int rsd_embedding_forward(const rsd_embedding *e, const int32_t *token, size_t B,
                                    size_t T, size_t start, rsd_real *y);

/* dE (V x C) and dP (positions x C) accumulate, NULL: frozen.  Tokens as forward accepted them. */
void rsd_embedding_backward(const rsd_embedding *e, const int32_t *token, size_t B, size_t T,
                            size_t start, const rsd_real *dy, rsd_real *dE, rsd_real *dP);

#endif
