#include "par.h"
#include "mat.h"

#include <cblas.h>
#include <omp.h>
#include <stdlib.h>

static size_t thread_count = 1; /* set once by rsd_par_init, before any thread */

void rsd_par_init(size_t threads)
{
    thread_count = threads ? threads : (size_t)omp_get_max_threads();
    omp_set_num_threads((int)thread_count);
    omp_set_max_active_levels(1);
    openblas_set_num_threads(1);
}

size_t rsd_par_threads(void) { return thread_count; }

size_t rsd_par_rank(void) { return 0; }

size_t rsd_par_ranks(void) { return 1; }

int rsd_par_inner(void) { return omp_in_parallel() ? 1 : (int)thread_count; }

typedef struct {
    size_t index, bytes;
} planned;

static int larger_first(const void *pa, const void *pb)
{
    const planned *a = pa, *b = pb;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->index < b->index ? -1 : a->index > b->index;
}

int rsd_par_each(const rsd_par_work *work)
{
    planned *plan;
    RSD_TRY(rsd_array_alloc(work->count, 1, sizeof *plan, &plan));
    for (size_t i = 0; i < work->count; i++)
        plan[i] = (planned){ i, work->bytes(work->context, i) };
    qsort(plan, work->count, sizeof *plan, larger_first);

    size_t alone = 0; /* plan[0..alone) are too large to run side by side */
    while (alone < work->count && plan[alone].bytes > work->budget / thread_count)
        alone++;

    openblas_set_num_threads((int)thread_count);
    for (size_t i = 0; i < alone; i++)
        if (!work->stop || !work->stop(work->context))
            work->run(work->context, plan[i].index);
    openblas_set_num_threads(1);

#pragma omp parallel for schedule(dynamic, 1)
    for (size_t i = alone; i < work->count; i++)
        if (!work->stop || !work->stop(work->context))
            work->run(work->context, plan[i].index);
    free(plan);
    return RSD_OK;
}
