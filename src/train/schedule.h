/* Learning rates: a linear warm-up, then half a cosine down to a floor.
 *
 *   step < warmup   peak (step + 1) / warmup: the last of them is at the peak
 *   after           floor + (peak - floor) (1 + cos(pi t)) / 2,  t = (step - start)/(steps -
 * start), start = warmup - 1, or 0 without a warm-up: that step is at the peak
 *
 * The floor would be reached one step after the last: with a floor of 0 every step trains, and a
 * training of one step is a step at the peak.
 * Source: Loshchilov & Hutter, arXiv:1608.03983, eq. 5, without restarts. */
#ifndef RSD_TRAIN_SCHEDULE_H
#define RSD_TRAIN_SCHEDULE_H

#include <stddef.h>

typedef struct {
    size_t steps, warmup;
    double peak, floor;
} rsd_schedule;

/* The rate of step 0, 1, ..., steps - 1; the floor from `steps` on. */
double rsd_schedule_rate(const rsd_schedule *s, size_t step);

#endif
