/* Causal attention with grouped queries and an optional local window:
 *
 *   s_ij = scale q_i . k_j        for j <= i, and i - j < window where there is one
 *   p_i = softmax(s_i),  o_i = sum_j p_ij v_j,  lse_i = log sum_j exp(s_ij)
 *
 * Query head h attends to key head h / (H/KV).  The scores exist tile by tile only: forward saves
 * lse, backward computes each tile again from it.
 * Sources: Vaswani et al., arXiv:1706.03762, eq. 1; Dao et al., arXiv:2205.14135, algorithms 1
 * and 4; grouped queries: Ainslie et al., arXiv:2305.13245. */
#ifndef RSD_TRANSFORMER_ATTENTION_H
#define RSD_TRANSFORMER_ATTENTION_H

#include "err.h"
#include "transformer/real.h"

typedef struct {
    size_t B, T;   /* windows, tokens in each; any T */
    size_t H, KV;  /* query heads; key and value heads, a divisor of H */
    size_t D;      /* channels of a head */
    double scale;  /* 1/sqrt(D); 1 for gpt_neo */
    size_t window; /* keys a query sees, its own included; 0: all before it */
} rsd_attention;

/* Do the numbers fit together?  (A config.json may bring any.)  Errors: RSD_EARG. */
RSD_CHECK int rsd_attention_check(const rsd_attention *a);

/* Bytes of work memory for either direction with rsd_par_inner() threads, whatever B and T. */
size_t rsd_attention_work(const rsd_attention *a);

/* o (H heads) and lse (B*H x T) are written; lse may be NULL where no backward follows.
 * q has H heads, k and v have KV; B*T rows each.  work: 64-byte aligned.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_attention_forward(const rsd_attention *a, rsd_heads q, rsd_heads k, rsd_heads v,
                                    rsd_heads o, rsd_real *lse, void *work);

/* What backward reads, and the gradients that it writes. */
typedef struct {
    rsd_heads q, k, v, o, d_o; /* o as forward wrote it; d_o its gradient, H heads */
    const rsd_real *lse;
    rsd_heads dq, dk, dv; /* written; may share rows (a fused [q|k|v] gradient), not memory */
} rsd_attention_gradient;

/* Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_attention_backward(const rsd_attention *a, const rsd_attention_gradient *g,
                                     void *work);

#endif
