/* What adapters look like and how they do, start by start: where an adapter begins decides where it
 * ends, so that a mean over starts speaks of the list of starts. */
#ifndef RSD_COMPARE_STARTS_H
#define RSD_COMPARE_STARTS_H

#include "compare/duels.h"
#include "spectra/dependent.h"

/* Mean overlap of trained adapters with a subspace of equal dimension, and that of random ones. */
typedef struct {
    const char *what; /* "its start", "R", "W", ... */
    rsd_interval left, right;
    double random_left, random_right;
} start_overlap;
enum { OVERLAPS_MAX = 8 };

typedef struct {
    const char *init;
    size_t runs, layers,
        clusters;       /* that trained; their layers; independent ones (evidence_unit) */
    double rank, share; /* medians over layers: effective rank, and over the layer's rank */
    size_t overlaps;
    start_overlap overlap[OVERLAPS_MAX];
} start;

typedef struct {
    size_t starts;
    start *start;
    duels trained, closed; /* after training; as they start */
} starts;

/* Free with starts_free, also after a failure.  Errors: RSD_ENOMEM. */
RSD_CHECK int starts_make(const evidence *e, uint64_t seed, starts *out);
void starts_free(starts *s);

#endif
