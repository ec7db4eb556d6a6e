/* What was predicted of residuals without quantizing, beside what quantizing gives. */
#ifndef RSD_COMPARE_AHEAD_H
#define RSD_COMPARE_AHEAD_H

#include "compare/evidence.h"

/* One model under one quantizer, in the loss's weighting. */
typedef struct {
    const char *model, *spec;
    size_t layers, both; /* that were predicted; of these, whose residual is there too */
    /* of those predicted, and of the residuals, NaN where one of them is not there: half the
     * energy, nat/token; the share of it that every layer's first r directions hold */
    double loss, loss_of_R, held, held_of_R;
    double off; /* root mean square over layers of the difference of their own shares */
} ahead_line;

typedef struct {
    size_t count;
    ahead_line *line;
} ahead;

/* At rank r.  Texts belong to the evidence.  Free with ahead_free, also after a failure.
 * Errors: RSD_ENOMEM. */
RSD_CHECK int ahead_make(const evidence *e, size_t rank, ahead *out);
void ahead_free(ahead *a);

#endif
