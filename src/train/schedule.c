#include "train/schedule.h"

#include <math.h>

double rsd_schedule_rate(const rsd_schedule *s, size_t step)
{
    if (step < s->warmup)
        return s->peak * (double)(step + 1) / (double)s->warmup;
    if (step >= s->steps)
        return s->floor;
    /* The step before the fall begins, warmup - 1, is at the peak; without warm-up step 0 is. */
    const double start = s->warmup ? (double)s->warmup - 1 : 0;
    const double share = ((double)step - start) / ((double)s->steps - start);
    return s->floor + (s->peak - s->floor) * 0.5 * (1 + cos(M_PI * share));
}
