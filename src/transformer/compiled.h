/* Private to src/transformer: float32 and bfloat16 products by oneDNN, which compiles one
 * for every shape.  Compiled products are kept in a table with one place per hash, so that it is
 * bounded and a lookup is one comparison; oneDNN keeps the code of more behind it. */
#ifndef RSD_TRANSFORMER_COMPILED_H
#define RSD_TRANSFORMER_COMPILED_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>

typedef struct rsd_compiled rsd_compiled;

/* Everything that a compiled product depends on; compared as bytes, so start from a memset. */
typedef struct {
    int64_t m, n, k, lda, ldb, ldc;
    float alpha, beta;
    int32_t transpose_A, transpose_B;
    int32_t half; /* A and B are bfloat16 */
    int32_t bias; /* one is given; alpha is 1 */
    int32_t threads, zero;
} rsd_product_shape;

/* Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_compiled_alloc(rsd_compiled **out);
void rsd_compiled_free(rsd_compiled *c);
size_t rsd_compiled_bytes(const rsd_compiled *c); /* of work memory */

/* C = alpha op(A) op(B) + beta C + bias.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_compiled_run(rsd_compiled *c, const rsd_product_shape *key, const void *A,
                               const void *B, const void *bias, void *C);

#endif
