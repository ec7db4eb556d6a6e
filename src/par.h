/* Threads now, ranks later: who runs which item, and how many threads a BLAS call may use.
 *
 * Many matrices side by side, each with a single-threaded BLAS, beat one matrix with a threaded
 * BLAS on layers of a language model's size; large matrices are the other way round, and fewer
 * of them fit in memory at once.  rsd_par_each decides from each item's bytes. */
#ifndef RSD_PAR_H
#define RSD_PAR_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

/* Use this many threads (0: what OMP_NUM_THREADS says, else one per available core) and
 * single-threaded BLAS until told otherwise.  Call once, first thing. */
void rsd_par_init(size_t threads);
size_t rsd_par_threads(void);

/* This process's place among the processes of the run: 0 of 1 without a launcher. */
size_t rsd_par_rank(void);
size_t rsd_par_ranks(void);

/* Threads that the caller may use inside the item it is working on: 1 where items run side by
 * side, all of them where an item runs alone. */
int rsd_par_inner(void);

typedef struct {
    size_t count;
    size_t (*bytes)(void *context, size_t i); /* working memory of item i, for the plan */
    void (*run)(void *context, size_t i);     /* records its own failure; called by any thread */
    bool (*stop)(void *context);              /* true: start no further item; may be NULL */
    void *context;
    size_t budget; /* bytes of working memory for items in flight */
} rsd_par_work;

/* Run every item once.  An item runs side by side with others when `threads` items of its size
 * fit the budget, otherwise alone, before them, with a threaded BLAS.  The choice depends on the
 * item, the budget and the thread count only, never on what else is left to do: a resumed run
 * computes the same bits.  Largest items first.  Errors: RSD_ENOMEM. */
RSD_CHECK int rsd_par_each(const rsd_par_work *work);

#endif
