/* The learning rate of a training of adapters, from what is known before its first step.
 *
 *   base        of a layer whose B starts at 0:  1e-3 sqrt(8 / r) sqrt(128 / n) / s
 *   harmless    1 / delta(1) times RSD_HARMLESS: the rate at which a step moves the layer's
 *               correction by that share of what is left to correct (adapters/displacement.h)
 *
 * One rate is trained with, and so both are medians over the layers that have them.  A start that
 * corrects takes the harmless rate; one of B = 0 has little to lose and takes the smaller of the
 * two; where no layer has a displacement (no calibration, nothing left) it is the base.
 *
 * Source: 2602.06204 for the base's powers of r and n; the displacement and both constants are
 * measured (docs/adapters.md). */
#ifndef RSD_TRAIN_RATES_H
#define RSD_TRAIN_RATES_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

/* The median displacement of a step that does no harm. */
#define RSD_HARMLESS 0.04

/* A layer with an adapter. */
typedef struct {
    size_t rank, inputs; /* r, n */
    double scale;        /* s */
    double displacement; /* delta(1); NaN: not known, or nothing is left */
} rsd_rate_layer;

typedef struct {
    double rate;         /* to three digits: other roundings of the same sums make the same rate */
    double displacement; /* median delta(rate); NaN where no layer has one */
    size_t known;        /* layers that have one */
} rsd_rate;

/* The rate for count >= 1 layers; corrects: the start has something to lose.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_rate_choose(const rsd_rate_layer *layer, size_t count, bool corrects,
                              rsd_rate *out);

/* The same with a rate that is given: what it displaces.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_rate_given(const rsd_rate_layer *layer, size_t count, double rate, rsd_rate *out);

/* The k-th of the rates that are tried in the place of `rate`: 1, 1/3, 1/10, 1/30, ... of it. */
double rsd_rate_probe(double rate, size_t k);

#endif
