/* What share of the loss that quantization cost has come back.
 *
 *   f = mean_i(q_i - rec_i) / mean_i(q_i - base_i)
 *
 * base, q, rec: losses of the original (or of a control), of the quantized and of the recovered
 * model on the same windows i.  f is 1 where all is back, and may exceed it: training on the data
 * is also fine-tuning, which a control tells apart. */
#ifndef RSD_TRAIN_RECOVERED_H
#define RSD_TRAIN_RECOVERED_H

#include "err.h"

#include <stddef.h>

typedef struct {
    double gap, gap_se; /* mean_i(q_i - base_i), nats per token, and its standard error */
    double fraction;    /* NaN where it is not defined: the gap is not above its own error */
    double se;          /* of the fraction */
    size_t block;       /* windows of the longer of the blocks that the two errors were taken in */
} rsd_recovered;

/* Standard errors are over windows in blocks (spectra/serial.h), paired: a window's three losses
 * stay together.  That of the ratio is the one of its linear part, (q - rec - f (q - base)) / gap,
 * which stays finite where draws of the gap come near 0.
 *
 * n < 2 windows have no error: nothing is defined but the gap.  Errors: RSD_ENOMEM.
 * Source: Efron & Tibshirani 1993, sections 6 and 21.5 (delta method). */
RSD_CHECK int rsd_recovered_fraction(const double *base, const double *q, const double *rec,
                                     size_t n, rsd_recovered *out);

#endif
