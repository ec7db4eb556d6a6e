/* AdamW: Adam with weight decay outside the gradient.
 *
 *   x *= 1 - lr decay;  m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2
 *   x -= lr m' / (sqrt(v') + eps),  m' = m / (1 - b1^t),  v' = v / (1 - b2^t),  t = 1, 2, ...
 *
 * Source: Loshchilov & Hutter, arXiv:1711.05101, algorithm 2, with the schedule inside lr. */
#ifndef RSD_TRAIN_ADAMW_H
#define RSD_TRAIN_ADAMW_H

#include "err.h"
#include "transformer/real.h"

#include <stddef.h>

typedef struct {
    double beta1, beta2, eps;
} rsd_adamw_options;

static const rsd_adamw_options rsd_adamw_defaults = { .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8 };

/* Moments of count numbers, and how often they were updated. */
typedef struct {
    rsd_adamw_options options;
    size_t count, step;
    rsd_real *moments; /* m[count], then v[count]: one block */
    size_t mapped;     /* bytes of it in a file; 0: in memory */
} rsd_adamw;

/* Zero moments.  Free with rsd_adamw_free.
 * Errors: RSD_EARG for a beta outside [0, 1) or an eps below 0; RSD_ENOMEM. */
RSD_CHECK int rsd_adamw_alloc(size_t count, const rsd_adamw_options *options, rsd_adamw *out);

/* The same with the moments in a file that is mapped: under pressure the system writes pages back
 * to it instead of ending the process (what QLoRA's paged optimizer is for).  The file is new, has
 * its full size on the disk from the start and loses its name at once: its space is free again
 * however the process ends.  What outlives a process is a checkpoint.
 * Errors: as rsd_adamw_alloc; RSD_EIO when path exists, or is not on a disk with that much room. */
RSD_CHECK int rsd_adamw_alloc_mapped(size_t count, const rsd_adamw_options *options,
                                     const char *path, rsd_adamw *out);
void rsd_adamw_free(rsd_adamw *a);

/* The next t.  Then every number is updated once, in ranges of a decay of their own:
 * x[first .. first + n) with the gradient scale * g[first .. first + n). */
void rsd_adamw_begin(rsd_adamw *a);
void rsd_adamw_update(rsd_adamw *a, double lr, double decay, double scale, size_t first, size_t n,
                      const rsd_real *g, rsd_real *x);

/* ||g||_2, squares summed in double, in an order that does not depend on threads. */
double rsd_norm2(const rsd_real *g, size_t n);

/* What a gradient of this norm is multiplied by so that its norm is at most `most`; most 0: 1. */
double rsd_clip(double norm, double most);

#endif
