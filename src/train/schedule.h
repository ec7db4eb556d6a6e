/* Learning rates: a linear warm-up, then half a cosine down to a floor.
 * Source: Loshchilov & Hutter, arXiv:1608.03983, eq. 5, without restarts. */
#ifndef RSD_TRAIN_SCHEDULE_H
#define RSD_TRAIN_SCHEDULE_H

#include <stddef.h>

typedef struct {
    size_t steps, warmup; /* the first warmup steps rise; the last step is at the floor */
    double peak, floor;
} rsd_schedule;

/* The rate of step 0, 1, ..., steps - 1: peak (step + 1) / warmup while step < warmup; the floor
 * after the last. */
double rsd_schedule_rate(const rsd_schedule *s, size_t step);

#endif
