/* Losses of the last hidden states under a head: logits z = h W', p = softmax(z).
 *
 *   cross-entropy of a token   loss = -log p[target], nats
 *   KL(teacher || model)       kl = sum_v pt_v (log pt_v - log p_v), nats
 *
 * The logits exist for a few rows at a time only (rsd_loss_rows); each row's sums are in double.
 * Targets may be drawn from the model's own distribution, one per row: their gradients have the
 * true Fisher matrix as second moment (Kunstner et al., arXiv:1905.12558, eq. 6). */
#ifndef RSD_TRANSFORMER_LOSS_H
#define RSD_TRANSFORMER_LOSS_H

#include "rng.h"
#include "transformer/matmul.h"

#include <stdint.h>

typedef struct {
    const rsd_real *h; /* M x W.cols: hidden states after the last norm */
    rsd_factor W;      /* V x C */
} rsd_head;

typedef struct {
    size_t M;                /* rows */
    rsd_head model, teacher; /* teacher.h NULL: none; its C may differ, its V may not */
    const int32_t *target;   /* M, below V; negative: this row counts nowhere; NULL: no target */
    rsd_rng *rng;            /* not NULL: draw the targets of rows that count, one uniform a row */
    double ce_weight, kl_weight; /* gradients are those of the sum over rows of
                                    ce_weight*loss + kl_weight*kl: 1/M for a mean */

    /* Results; each may be NULL.  Rows that do not count get 0 (drawn: -1). */
    double *loss;         /* M */
    double *kl;           /* M; rounding may leave about -1e-7 where it is 0 */
    unsigned char *agree; /* M: 1 where both have the same likeliest word, the first among equals */
    int32_t *drawn;       /* M */
    rsd_real *dh;         /* M x C, written */
    rsd_real *dW;         /* V x C, accumulated */
} rsd_loss;

/* Rows whose logits are held at a time, and the bytes of work memory that this takes. */
size_t rsd_loss_rows(const rsd_loss *l);
size_t rsd_loss_work(const rsd_loss *l);

/* work: rsd_loss_work(l) bytes, 64-byte aligned.
 * Errors: RSD_EDOM for a target of V or more, or a loss that is not finite (with its row; rows of
 * results before it are right); RSD_EARG when the vocabularies differ; RSD_ENOMEM. */
RSD_CHECK int rsd_loss_run(rsd_matmul *mm, const rsd_loss *l, void *work);

#endif
