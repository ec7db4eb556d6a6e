/* Private to src/adapters: every variant's low-rank part as a plain product of two factors,
 *
 *   C = s B' A',  A' = A with each column repeated pool times (qalora),  B' = B diag(l) (adalora)
 *
 * so that forward and backward know one kind only; gradients of the factors become those of the
 * parameters.  p(x) A_k' = x A'_k', so x need not be summed. */
#ifndef RSD_ADAPTERS_FACTORS_H
#define RSD_ADAPTERS_FACTORS_H

#include "adapters/adapter.h"

/* Do the factors differ from the parameters, so that they need memory of their own? */
static inline bool rsd_factor_repeats(const rsd_adapter *a) { return a->pool > 1; }
static inline bool rsd_factor_scales(const rsd_adapter *a) { return a->lambda != NULL; }

/* A' (rank x n) and B' (m x rank). */
void rsd_factor_repeat(const rsd_adapter *a, rsd_real *A);
void rsd_factor_scale(const rsd_adapter *a, rsd_real *B);

/* The parameters' gradients += from those of A' and B'. */
void rsd_factor_repeat_backward(const rsd_adapter *a, const rsd_real *dA, rsd_adapter *grad);
void rsd_factor_scale_backward(const rsd_adapter *a, const rsd_real *dB, rsd_adapter *grad);

/* An adapter's factors: its own arrays, or copies.  Free with rsd_factors_free, also after a
 * failure. */
typedef struct {
    const rsd_real *A, *B;
    rsd_real *memory;
} rsd_factors;

/* Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_factors_alloc(const rsd_adapter *a, rsd_factors *out);
void rsd_factors_free(rsd_factors *f);

/* Rows of a matrix that are formed at a time. */
enum { RSD_FACTOR_ROWS = 64 };

/* out (count x n, dense) = rows first .. first + count - 1 of C.  Errors: false, when out of
 * memory. */
RSD_CHECK bool rsd_factor_rows(const rsd_adapter *a, const rsd_real *A, const rsd_real *B,
                               size_t first, size_t count, rsd_real *out);

/* norm[i] = ||(W + C)_i||, rows i of W, m x n dense.  The rows are formed as a merge forms them,
 * RSD_FACTOR_ROWS at a time by each thread, and their squares summed in double: what cancels in
 * W + C has cancelled exactly as in the merged weight, whereas expanding the square would leave an
 * error of eps ||W_i||^2 beside ||(W + C)_i||^2, and cost the same product W A'.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_factor_norms(const rsd_adapter *a, const rsd_real *A, const rsd_real *B,
                               const rsd_real *W, rsd_real *norm);

#endif
