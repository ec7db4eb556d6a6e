/* Which windows of a training are held out, and when they are looked at: what its best step is
 * chosen on.  Choosing on the windows of the evaluation would make a loss that nothing else has.
 *
 * A training of T windows with E evaluations of V windows costs about as much as 2.5 T + V E
 * windows on their way forward (the way back of adapters is 1.5 times it).  What is held out gets a
 * 25th of that: at each evaluation where there is enough for some windows, else at the first (step
 * 0), the last and some between.  Choices are paired, so a few windows tell steps apart. */
#ifndef RSD_TRAIN_HELD_OUT_H
#define RSD_TRAIN_HELD_OUT_H

#include <stdbool.h>
#include <stddef.h>

typedef struct {
    size_t steps, batch;        /* of the training; windows of a step */
    size_t evaluations, scored; /* how often it is evaluated, step 0 and the last among it; windows
                                   of each */
    size_t windows;             /* of the training's stream */
} rsd_held_out_task;

typedef struct {
    size_t windows;     /* held out, evenly over the stream; 0: none, nothing is chosen */
    size_t looks;       /* how often they are looked at, from 2 on */
    size_t evaluations; /* of the training */
} rsd_held_out;

/* None where there are no steps, or the stream has fewer than 8 windows beside those of a step. */
rsd_held_out rsd_held_out_plan(const rsd_held_out_task *task);

/* Is the k-th evaluation, k < evaluations, one of the looks?  The first and the last are. */
bool rsd_held_out_looks(const rsd_held_out *h, size_t k);

#endif
