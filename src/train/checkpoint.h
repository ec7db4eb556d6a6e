/* The state of a training between two steps, in one safetensors file: weights and moments in full
 * precision, so that what is read is what was there, bit for bit.
 *
 *   weights  [count]      moments [2, count]      progress F64 [3]: step, best loss, its step
 *   identity U8 [64]: the hash of whatever must agree for the training to be continued */
#ifndef RSD_TRAIN_CHECKPOINT_H
#define RSD_TRAIN_CHECKPOINT_H

#include "train/pretrain.h"

typedef struct {
    char identity[65];
    double best; /* least loss of an evaluation; Inf before the first */
    size_t best_step;
} rsd_progress;

/* Written beside its name and renamed: one of two states is there at any time.
 * Errors: RSD_EIO, RSD_ENOMEM. */
RSD_CHECK int rsd_checkpoint_write(const rsd_pretrain *p, const rsd_progress *progress,
                                   const char *path);

/* Into p, whose weights have the shape of those that were written; progress->identity is that of p
 * before.  Errors: RSD_EARG when the file's identity is another; RSD_EFORMAT when a tensor is
 * missing or of another size; RSD_EIO, RSD_ENOMEM.  p is changed only when all is well. */
RSD_CHECK int rsd_checkpoint_read(rsd_pretrain *p, rsd_progress *progress, const char *path);

#endif
