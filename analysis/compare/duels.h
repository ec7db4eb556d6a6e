/* Which start beats which, on the same windows of text. */
#ifndef RSD_COMPARE_DUELS_H
#define RSD_COMPARE_DUELS_H

#include "compare/evidence.h"
#include "spectra/serial.h"

/* Two starts, over their runs of one file and model that are alike in all but the start. */
typedef struct {
    const char *model, *better, *worse;
    size_t runs, wins, losses; /* matched pairs; those told apart by over 1.96 of their own error */
    rsd_series_mean difference; /* loss of worse less that of better, mean over pairs; nat/token */
} duel;

typedef struct {
    size_t count;
    duel *item;
} duels;

/* Every two starts that have runs in common.  trained: after the last step; false: as they start,
 * of starts that correct.  A window's losses are subtracted, so that what makes a text easy for
 * both drops out; errors are those of serial.h over windows, and do not hold how seeds differ. Free
 * with duels_free, also after a failure.  Errors: RSD_ENOMEM. */
RSD_CHECK int duels_make(const evidence *e, bool trained, duels *out);
void duels_free(duels *d);

#endif
